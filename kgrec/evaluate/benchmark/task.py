"""What all systems of a fold are asked, and what they answer.

Enters: a `Fold`. Leaves: a `Task`, with what its systems share; `Predictions`s. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow.compute as pc
import scipy.sparse as sp

from kgrec.encode.text import TextEncoder
from kgrec.evaluate.baselines.training_data import Data, data_of, over
from kgrec.evaluate.folds import Fold
from kgrec.evaluate.ground_truth import GroundTruth, ground_truth_of
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.recommend.results import Embeddings

#: a type of nodes by which lists are held against histories has at most so many
_CLASSES = 100


@dataclass(frozen=True)
class Task:
    """Lists for the users of a fold's test part."""

    fold: Fold
    #: length of the lists
    k: int
    #: node types by which lists are held against histories, such as "genre"
    classes: tuple[str, ...] = ()
    #: turns the texts of items into vectors, for baselines and for the diversity of lists; None: no texts
    encoder: TextEncoder | None = None

    @cached_property
    def learned(self) -> Data:
        """What a search may learn from."""
        return data_of(self.fold.source, self.fold.train, encoder=self.encoder, hidden=self.fold.hidden)

    @cached_property
    def everything(self) -> Data:
        """What is learned from once the options are chosen: the validation part, too."""
        if not len(self.fold.valid):
            return self.learned
        return self.learned.of(self.fold.source, self.fold.graph.interactions)

    @cached_property
    def valid(self) -> sp.csr_matrix:
        """The validation part; shape of `learned.positives`."""
        return over(self.fold.source, self.fold.valid).matrix()

    @cached_property
    def rows(self) -> np.ndarray:
        """Row of each user in `everything.positives`, -1 for those whom training does not know; int64."""
        users = self.fold.graph.interactions.users.ids(self.fold.test.users.labels)
        told = self.fold.history.users.ids(self.fold.test.users.labels) >= 0
        return np.where(told, -1, users)

    @cached_property
    def world(self) -> GroundTruth:
        """What the lists are held against; diversity is by the vectors of the items' texts, the same for all systems."""
        vectors = self.learned.vectors
        texts = None if vectors is None else Embeddings(self.fold.source.item_ids, vectors)
        return ground_truth_of(self.fold, texts, self.classes)


@dataclass(frozen=True)
class Predictions:
    """What a system gives, and what that took."""

    #: rows of the source's items, best first, -1 where there is none; shape (n_users, k), int32
    lists: np.ndarray
    #: the same of a part of the items, by its name in `GroundTruth.parts`
    among: dict[str, np.ndarray] = field(default_factory=dict)
    #: of CPU, by what was done: search, learn, lists
    seconds: dict[str, float] = field(default_factory=dict)
    #: as it was chosen
    options: str = ""
    #: settings that the search tried, and seconds of CPU that it was allowed
    trials: int = 0
    budget: float | None = None
    #: lines of the training log
    log: list[dict[str, Any]] = field(default_factory=list)


def small_types(graph: KnowledgeGraph) -> tuple[str, ...]:
    """Types of nodes that lists can be held against: 2 to 100 nodes, and half of the items have an edge with one.

    Returns:
        At most three, those with the fewest nodes, sorted.
    """
    types = graph.entities["type"]
    counts = {row["values"]: row["counts"] for row in pc.value_counts(types.cast("string")).to_pylist()}
    own = set(pc.unique(types.take(graph.item_entities).cast("string")).to_pylist())
    links = graph.csr(direction="both")[graph.item_entities].tocsc()
    names = np.array(types.to_pylist())
    fit = [
        name
        for name in sorted(counts, key=lambda name: (counts[name], name))
        if 2 <= counts[name] <= _CLASSES and name not in own and _share(links, names == name) >= 0.5
    ]
    return tuple(sorted(fit[:3]))


def _share(links: sp.csc_matrix, columns: np.ndarray) -> float:
    """Share of the rows that have something in these columns."""
    part = links[:, np.flatnonzero(columns)].tocsr()
    return float((np.diff(part.indptr) > 0).mean()) if part.shape[0] else 0.0
