"""The items from which an item without interactions inherits its item-item weights.

Enters: a model, a history and an item. Leaves: a frame of donors, with the part of the score from each donor. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from kgrec.graph.histories import Histories
from kgrec.model.model import Model
from kgrec.rank.cold_transfer import transfer_shares, transferred
from kgrec.rank.config import ITEM_ITEM
from kgrec.rank.scorers import GraphScorer, ItemItemScorer
from kgrec.storage.segments import Rows

#: largest difference between the donors' parts now and the model's part, which was computed when the item was added
_TOLERANCE = 1e-4


def donors_of(
    model: Model,
    history: Histories,
    item: int,
    parts: Mapping[str, np.ndarray],
    weights: Mapping[str, float],
) -> pd.DataFrame:
    """A frame with columns item_id, label and contribution, largest first; empty if the item inherits nothing or its donors are unknown.

    Args:
        model: Contains the item.
        history: History of one user.
        item: Row of the item.
        parts: Part of the score from each scorer, per history item.
        weights: Weights of the scorers in this score.
    """
    inherited = sum((parts[name] for name in ITEM_ITEM if name in parts), np.zeros(1))
    found = np.zeros(0, np.int64), np.zeros(0)
    if not model.items.trained[item] and inherited.any():
        found = _donors(model, history, item, weights)
    rows, contribution = found
    # The donors' parts explain the item's inherited part only if the donors have not changed since.
    if abs(contribution.sum() - inherited.sum()) > _TOLERANCE:
        rows, contribution = rows[:0], contribution[:0]
    order = np.argsort(-contribution, kind="stable")
    rows, contribution = rows[order], contribution[order]
    return pd.DataFrame(
        {
            "item_id": np.array([model.items.ids[row] for row in rows.tolist()], dtype=object),
            "label": np.array([model.items.labels[row] for row in rows.tolist()], dtype=object),
            "contribution": contribution.astype(np.float64),
        }
    )


def _donors(
    model: Model, history: Histories, item: int, weights: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the donors, and the part of the score from each donor."""
    graph = model.rescorer.scorers["graph"]
    assert isinstance(graph, GraphScorer)
    at, trained = np.array([item]), model.items.trained.whole
    shares = transfer_shares(
        model.index,
        model.items.vectors[at],
        graph.neighbors[at],
        np.flatnonzero(trained),
        graph.neighbors,
        unknown=np.flatnonzero(~trained),
    )
    # One row per donor, with only the weights that this donor passes on.
    each = sp.csr_matrix(
        (shares.data, shares.indices, np.arange(shares.nnz + 1)), (shares.nnz, shares.shape[1])
    )
    contribution, profiles = np.zeros(shares.nnz), model.profiles(history)
    for name in ITEM_ITEM:
        scorer = model.rescorer.scorers.get(name)
        if isinstance(scorer, ItemItemScorer) and model.rescorer.weights[name]:
            of_each = replace(scorer, weights=Rows.of(transferred(each, scorer.weights)))
            scores = of_each.scores(profiles, np.arange(shares.nnz))[0]
            contribution = contribution + weights[name] * scores
    counted = contribution > 0
    return shares.indices[counted].astype(np.int64), contribution[counted]
