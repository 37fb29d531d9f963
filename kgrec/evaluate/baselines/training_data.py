"""What baselines may learn from.

Enters: a graph and training interactions. Leaves: `Data`. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from kgrec.encode.dense_features import item_texts, text_vectors
from kgrec.encode.text import TextEncoder
from kgrec.errors import SourceError
from kgrec.graph.interactions import Interactions
from kgrec.graph.knowledge_graph import KnowledgeGraph

_DAY = 86_400


@dataclass(frozen=True)
class Data:
    """Training interactions, and what is known of the items; a baseline reads what it needs."""

    #: ones; shape (n_users, n_items), float32
    positives: sp.csr_matrix
    #: days before the latest interaction; shape (n_users, n_items), stored where `positives` is
    ages: sp.csr_matrix | None = None
    #: label and texts of each item; "" where there are none; as long as there are items, or empty
    texts: Sequence[str] = ()
    #: a one for each entity that an item has an edge with; shape (n_items, n_entities), float32
    neighbors: sp.csr_matrix | None = None
    #: head, relation, tail of each edge; items are 0 to n_items - 1, other entities follow; shape (n, 3), int64
    triples: np.ndarray | None = None
    #: of the items' texts; zero where there is none; shape (n_items, dim), float32
    vectors: np.ndarray | None = None
    #: items that are hidden in training: they have content, but nothing is learned from it; shape (n_items,), bool
    hidden: np.ndarray | None = None
    #: ones for all that users met, liked or not, which is in no list of theirs; None: `positives`; shape (n_users, n_items)
    seen: sp.csr_matrix | None = None

    @property
    def n_items(self) -> int:
        """Items that are scored."""
        return int(self.positives.shape[1])

    @property
    def counts(self) -> np.ndarray:
        """Users who took each item; shape (n_items,), int64."""
        return np.bincount(self.positives.indices, minlength=self.n_items)

    @property
    def known(self) -> np.ndarray:
        """Rows of the items that may be learned from; int64."""
        return np.flatnonzero(np.ones(self.n_items, bool) if self.hidden is None else ~self.hidden)

    def of(self, graph: KnowledgeGraph, interactions: Interactions) -> Data:
        """The same content with other interactions; `graph` holds all items that are scored.

        Raises:
            SourceError: An interaction is with an item that the graph has not.
        """
        log = over(graph, interactions)
        return replace(self, positives=log.matrix(), seen=log.matrix(positive_only=False), ages=_ages(log))


def data_of(
    graph: KnowledgeGraph,
    interactions: Interactions | None = None,
    *,
    encoder: TextEncoder | None = None,
    hidden: np.ndarray | None = None,
) -> Data:
    """Read what baselines learn from.

    Args:
        graph: Holds all items that are scored, those that training must not know, too.
        interactions: To learn from; None: those of the graph.
        encoder: Turns texts into vectors; None leaves vectors out.
        hidden: Rows of `graph.item_ids` that training must not know; None: it knows all.

    Raises:
        SourceError: An interaction is with an item that the graph has not.
    """
    log = over(graph, graph.interactions if interactions is None else interactions)
    items = graph.item_entities
    texts = item_texts(graph, items)
    mask = None
    if hidden is not None:
        mask = np.zeros(len(items), bool)
        mask[hidden] = True
    return Data(
        log.matrix(),
        _ages(log),
        texts if any(texts) else (),
        _neighbors(graph),
        _triples(graph),
        text_vectors(encoder, texts) if encoder is not None else None,
        mask,
        log.matrix(positive_only=False),
    )


def over(graph: KnowledgeGraph, log: Interactions) -> Interactions:
    """The same interactions, over the items of a graph that has these among others.

    Raises:
        SourceError: An interaction is with an item that the graph has not.
    """
    if log.items is graph.item_ids:
        return log
    item = graph.item_ids.ids(log.items.labels)[log.item]
    if (item < 0).any():
        name = log.items[int(log.item[item < 0][0])]
        raise SourceError(
            f"The graph has no item '{name}', which was taken.", "Give the graph that holds all items."
        )
    return replace(log, items=graph.item_ids, item=item.astype(np.int32))


def _ages(log: Interactions) -> sp.csr_matrix | None:
    """Days before the latest interaction of each that is positive."""
    if log.time is None or not len(log):
        return None
    rows = np.flatnonzero(log.positive)
    days = (log.time.max() - log.time[rows]) / _DAY
    return sp.csr_matrix(
        (days.astype(np.float32), (log.user[rows], log.item[rows])), (len(log.users), len(log.items))
    )


def _neighbors(graph: KnowledgeGraph) -> sp.csr_matrix | None:
    """Which entities an item has an edge with."""
    edges = graph.csr(direction="both")[graph.item_entities]
    ones = np.ones(edges.nnz, np.float32)
    return sp.csr_matrix((ones, edges.indices, edges.indptr), edges.shape) if edges.nnz else None


def _triples(graph: KnowledgeGraph) -> np.ndarray:
    """The edges of the graph, with the items before other entities."""
    place = np.empty(len(graph), np.int64)
    others = np.setdiff1d(np.arange(len(graph)), graph.item_entities)
    place[np.concatenate([graph.item_entities, others])] = np.arange(len(graph))
    head, relation, tail = (graph.triples[name].to_numpy() for name in ("head", "relation", "tail"))
    return np.column_stack([place[head], relation, place[tail]]).astype(np.int64)
