"""Leave-one-out attribution: how much a score changes when a history item is left out.

Enters: a model, a history and items. Leaves: changes of the score. Nothing is written.

It is used for user encoders that are not linear, where history items have no exact shares of a score. Each change is measured: the score is
computed again without the item (occlusion: Zeiler & Fergus 2014, section 4.2). A joint effect of several items appears in the change of each
of them or of none, so changes need not sum to the score.
"""

from __future__ import annotations

import numpy as np

from kgrec.graph.histories import Histories
from kgrec.model.model import Model

#: total number of history rows scored at once
_ROWS = 1 << 18


def changes_without(model: Model, history: Histories, items: np.ndarray) -> np.ndarray:
    """The scores of items minus their scores without each history item; shape (n, len(items)), float64.

    The n history items are in the order of `Histories.matrix`.

    A history without its only liked item is empty and has the score of a user without interactions.

    Args:
        model: Contains the items.
        history: History of one user; disliked items have weights below 0.
        items: Rows of the items.
    """
    rows = np.flatnonzero(history.positive)
    rows = rows[np.argsort(history.item[rows], kind="stable")]
    size = max(1, _ROWS // max(1, len(history.item)))
    without = [
        _scores(model, _without_each(history, rows[start : start + size]), items)
        for start in range(0, len(rows), size)
    ]
    whole = _scores(model, history, items)
    return np.asarray(whole - np.concatenate([np.zeros((0, len(items))), *without]))


def _without_each(history: Histories, rows: np.ndarray) -> Histories:
    """Copies of a history, each without one of the rows."""
    copies = history.take(np.zeros(len(rows), np.int64))
    kept = np.ones(len(copies.item), bool)
    kept[copies.indptr[:-1] + rows] = False
    return copies.of_rows(kept)


def _scores(model: Model, histories: Histories, items: np.ndarray) -> np.ndarray:
    return model.scores(histories, np.tile(items, (len(histories), 1))).astype(np.float64)
