"""The data that baselines learn from.

Enters: a graph and training interactions. Leaves: `BaselineData`. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from kgrec.encode.dense_features import item_texts, text_vectors
from kgrec.encode.text import TextEncoder
from kgrec.errors import SourceError, TrainingError
from kgrec.graph.histories import Histories, places
from kgrec.graph.interactions import NO_ORDER_REMEDY, Interactions
from kgrec.graph.knowledge_graph import KnowledgeGraph

_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class BaselineData:
    """Training interactions and content of the items; each baseline reads the parts that it needs."""

    #: ones for positive interactions; shape (n_users, n_items), float32
    positives: sp.csr_matrix
    #: age of each positive interaction in days before the latest one; shape and stored values as `positives`; None: no times
    ages: sp.csr_matrix | None = None
    #: label and texts of each item, "" if it has none; n_items strings, or an empty list if no item has a text
    texts: Sequence[str] = ()
    #: ones for entities that an item has an edge with; shape (n_items, n_entities), float32
    neighbors: sp.csr_matrix | None = None
    #: head, relation, tail of each edge; items are 0 to n_items - 1, other entities follow; shape (n, 3), int64
    triples: np.ndarray | None = None
    #: vectors of the items' texts, zero without a text; shape (n_items, dim), float32
    vectors: np.ndarray | None = None
    #: items that are hidden in training: they are scored by their content, but nothing is learned from it; shape (n_items,),
    #: bool; None: no item is hidden
    hidden: np.ndarray | None = None
    #: ones for all interactions, positive or not, which are the items that no list of the user contains; shape as `positives`;
    #: None: `positives`
    seen: sp.csr_matrix | None = None
    #: position of each positive interaction in its user's history, from 1; shape and stored values as `positives`; None: no order
    places: sp.csr_matrix | None = None

    @cached_property
    def histories(self) -> Histories:
        """The positive interactions by user, in order if there is one."""
        return Histories.of_matrix(self.positives, self.places)

    def in_order(self, name: str) -> Histories:
        """The histories, for a method that learns from their order.

        Args:
            name: Name of the method, for the error.

        Raises:
            TrainingError: There are no positive interactions, or they have no order.
        """
        if not self.positives.nnz:
            raise TrainingError(f"{name}: there are no positive interactions.", "Leave this baseline out.")
        if self.places is None:
            raise TrainingError(
                f"{name}: the interactions have no order.", f"{NO_ORDER_REMEDY}, or leave this baseline out."
            )
        return self.histories

    @property
    def n_items(self) -> int:
        """Number of items; all of them are scored."""
        return int(self.positives.shape[1])

    @property
    def counts(self) -> np.ndarray:
        """Number of users with a positive interaction, per item; shape (n_items,), int64."""
        return np.bincount(self.positives.indices, minlength=self.n_items)

    @property
    def known(self) -> np.ndarray:
        """Rows of the items that are not hidden; int64."""
        return np.flatnonzero(np.ones(self.n_items, bool) if self.hidden is None else ~self.hidden)

    def with_interactions(self, graph: KnowledgeGraph, interactions: Interactions) -> BaselineData:
        """The same content with other interactions; `graph` contains all items that are scored.

        Raises:
            SourceError: An interaction has an item that the graph lacks.
        """
        log = over_items_of(graph, interactions)
        seen = log.matrix(positive_only=False)
        return replace(self, positives=log.matrix(), seen=seen, ages=_ages(log), places=_places(log))


def data_of(
    graph: KnowledgeGraph,
    interactions: Interactions | None = None,
    *,
    text_encoder: TextEncoder | None = None,
    hidden: np.ndarray | None = None,
) -> BaselineData:
    """Read the data that baselines learn from.

    Args:
        graph: Contains all items that are scored, including items hidden in training.
        interactions: Training interactions; None: those of the graph.
        text_encoder: Turns texts into vectors; None: no vectors.
        hidden: Rows of `graph.item_ids` that are hidden in training; None: none.

    Raises:
        SourceError: An interaction has an item that the graph lacks.
    """
    log = over_items_of(graph, graph.interactions if interactions is None else interactions)
    items = graph.item_entities
    texts = item_texts(graph, items)
    mask = None
    if hidden is not None:
        mask = np.zeros(len(items), bool)
        mask[hidden] = True
    return BaselineData(
        log.matrix(),
        _ages(log),
        texts if any(texts) else (),
        _neighbors(graph),
        _triples(graph),
        text_vectors(text_encoder, texts) if text_encoder is not None else None,
        mask,
        log.matrix(positive_only=False),
        _places(log),
    )


def over_items_of(graph: KnowledgeGraph, log: Interactions) -> Interactions:
    """The same interactions, with items as rows of `graph.item_ids`.

    Raises:
        SourceError: An interaction has an item that the graph lacks.
    """
    if log.items is graph.item_ids:
        return log
    item = graph.item_ids.ids(log.items.labels)[log.item]
    if (item < 0).any():
        name = log.items[int(log.item[item < 0][0])]
        raise SourceError(
            f"The graph has no item '{name}', which is in the interactions.",
            "Give the graph that contains all items.",
        )
    return replace(log, items=graph.item_ids, item=item.astype(np.int32))


def _ages(log: Interactions) -> sp.csr_matrix | None:
    """Age of each positive interaction, in days before the latest interaction; None without times."""
    if log.time is None or not len(log):
        return None
    rows = np.flatnonzero(log.positive)
    days = (log.time.max() - log.time[rows]) / _SECONDS_PER_DAY
    return sp.csr_matrix(
        (days.astype(np.float32), (log.user[rows], log.item[rows])), (len(log.users), len(log.items))
    )


def _places(log: Interactions) -> sp.csr_matrix | None:
    """Position of each positive interaction in its user's history, from 1; None without order."""
    if log.stamps is None or not log.ordered:
        return None
    rows = np.flatnonzero(log.positive)
    user, item = log.user[rows], log.item[rows]
    values = places(user, log.stamps[rows], item)
    return sp.csr_matrix((values, (user, item)), (len(log.users), len(log.items)))


def _neighbors(graph: KnowledgeGraph) -> sp.csr_matrix | None:
    """Ones for entities that an item has an edge with; None without edges."""
    edges = graph.csr(direction="both")[graph.item_entities]
    ones = np.ones(edges.nnz, np.float32)
    return sp.csr_matrix((ones, edges.indices, edges.indptr), edges.shape) if edges.nnz else None


def _triples(graph: KnowledgeGraph) -> np.ndarray:
    """The edges of the graph, with entities numbered so that the items come first; shape (n, 3), int64."""
    place = np.empty(len(graph), np.int64)
    others = np.setdiff1d(np.arange(len(graph)), graph.item_entities)
    place[np.concatenate([graph.item_entities, others])] = np.arange(len(graph))
    head, relation, tail = (graph.triples[name].to_numpy() for name in ("head", "relation", "tail"))
    return np.column_stack([place[head], relation, place[tail]]).astype(np.int64)
