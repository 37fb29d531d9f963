"""The task of a benchmark: recommend lists for the test users of one fold.

Enters: a `Fold`. Leaves: a `Task`, which has the data that all systems share; systems return `Predictions`. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow.compute as pc
import scipy.sparse as sp

from kgrec.arguments import options
from kgrec.arguments.ids import as_texts
from kgrec.encode.text import TextEncoder, checked_encoder
from kgrec.evaluate.baselines.baseline_data import BaselineData, data_of, over_items_of
from kgrec.evaluate.folds import Fold
from kgrec.evaluate.ground_truth import GroundTruth, ground_truth_of
from kgrec.graph.histories import Histories
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.recommend.results import Embeddings

#: largest number of nodes of a type for the metric `calibration`
_MAX_CLASSES = 100


@dataclass(frozen=True)
class Task:
    """Recommend k items to each test user of a fold."""

    fold: Fold
    #: length of the lists
    k: int
    #: node types for the metric `calibration`, such as "genre"
    classes: tuple[str, ...] = ()
    #: turns texts of items into vectors, for baselines and for the metric `diversity`; None: no vectors
    text_encoder: TextEncoder | None = None

    def __post_init__(self) -> None:
        options.instance("fold", self.fold, Fold, "Give one of the folds that split_graph returned.")
        options.whole_number("k", self.k)
        object.__setattr__(self, "classes", tuple(as_texts(self.classes, "classes")))
        checked_encoder(self.text_encoder)

    @cached_property
    def train_data(self) -> BaselineData:
        """Data of a baseline while its options are tuned: the training part."""
        fold = self.fold
        return data_of(fold.source, fold.train, text_encoder=self.text_encoder, hidden=fold.hidden)

    @cached_property
    def full_data(self) -> BaselineData:
        """Data of a baseline after its options are chosen: the training and the validation part."""
        if not len(self.fold.valid):
            return self.train_data
        return self.train_data.with_interactions(self.fold.source, self.fold.graph.interactions)

    @cached_property
    def valid(self) -> sp.csr_matrix:
        """Positives of the validation part; shape of `train_data.positives`."""
        return over_items_of(self.fold.source, self.fold.valid).matrix()

    @cached_property
    def histories(self) -> Histories:
        """Positives of the test users outside the test part, in order if the log has one."""
        return Histories.of_matrix(self.fold.known, self.fold.places)

    @cached_property
    def user_rows(self) -> np.ndarray:
        """Row of each test user in `full_data.positives`, -1 for users that are not part of training; int64."""
        rows = self.fold.graph.interactions.users.ids(self.fold.test.users.labels)
        has_history = self.fold.history.users.ids(self.fold.test.users.labels) >= 0
        return np.where(has_history, -1, rows)

    @cached_property
    def ground_truth(self) -> GroundTruth:
        """The data that lists are compared with. For all systems, `diversity` is measured on the same text vectors."""
        vectors = self.train_data.vectors
        texts = None if vectors is None else Embeddings(self.fold.source.item_ids, vectors)
        return ground_truth_of(self.fold, texts, self.classes)


@dataclass(frozen=True)
class Predictions:
    """The lists of one system for one task, and their cost."""

    #: rows of the source graph's items, best first, -1 past the end of a list; shape (n_users, k), int32
    lists: np.ndarray
    #: lists for which only some items were ranked, by a name in `GroundTruth.candidate_subsets`
    by_subset: dict[str, np.ndarray] = field(default_factory=dict)
    #: CPU seconds by stage: tune, train, recommend
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    #: the options that were used, as text for readers
    options: str = ""
    #: number of settings that the search tried
    trials: int = 0
    #: budget of the search in CPU seconds; None: there was no search
    cpu_budget: float | None = None
    #: records of the training log, one per epoch
    training_log: list[dict[str, Any]] = field(default_factory=list)
    #: lists with an option about lists as a whole, by the name of a `Variant`; each of the shape of `lists`
    variants: dict[str, np.ndarray] = field(default_factory=dict)


def small_types(graph: KnowledgeGraph) -> tuple[str, ...]:
    """Node types that suit the metric `calibration`: 2 to 100 nodes, and half of the items have an edge with one.

    Returns:
        At most three types, those with the fewest nodes, sorted by name.
    """
    types = graph.entities["type"]
    counts = {row["values"]: row["counts"] for row in pc.value_counts(types.cast("string")).to_pylist()}
    own = set(pc.unique(types.take(graph.item_entities).cast("string")).to_pylist())
    edges = graph.csr(direction="both")[graph.item_entities].tocsc()
    names = np.array(types.to_pylist())
    suited = [
        name
        for name in sorted(counts, key=lambda name: (counts[name], name))
        if 2 <= counts[name] <= _MAX_CLASSES
        and name not in own
        and _share_of_items(edges, names == name) >= 0.5
    ]
    return tuple(sorted(suited[:3]))


def _share_of_items(edges: sp.csc_matrix, nodes: np.ndarray) -> float:
    """Share of the rows with an edge to one of the given nodes; `nodes` is a mask of the columns."""
    part = edges[:, np.flatnonzero(nodes)].tocsr()
    return float((np.diff(part.indptr) > 0).mean()) if part.shape[0] else 0.0
