"""The data that recommended lists are compared with: test positives, histories, popularity and similarity of items.

Enters: a `Fold`, embeddings, types of nodes. Leaves: a `GroundTruth` in matrices, with its buckets of users and items.
Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from kgrec.errors import UnknownId
from kgrec.evaluate.folds import Fold
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.memberships import linked_nodes
from kgrec.graph.vocabulary import Vocabulary
from kgrec.rank.scorers import unit_rows

#: head, middle and tail end at these shares of the training interactions, counted from the most popular item
_THIRD_BOUNDS = (1 / 3, 2 / 3)
_POPULARITY_THIRDS = ("head", "middle", "tail")


@dataclass(frozen=True)
class GroundTruth:
    """Data that lists are compared with. Rows of the matrices are test users, columns are items."""

    users: Vocabulary
    #: test positives; shape (n_users, n_items)
    truth: csr_matrix
    #: positives of the history; same shape
    known: csr_matrix
    #: items that no list may contain: `known`, and interactions that are not positive; same shape
    seen: csr_matrix
    #: number of training users with a positive interaction, per item; shape (n_items,), int64
    counts: np.ndarray
    #: number of training users with a positive interaction
    n_users: int
    #: vectors of unit length; shape (n_items, dim), float32; None: the metric `diversity` is left out
    vectors: np.ndarray | None = None
    #: rows of `neighbor_vectors`; shape (n_items, n_entities); None: `graph_diversity` is left out
    neighbors: csr_matrix | None = None
    #: node type -> nodes of the type per item; shape (n_items, n_nodes); for `calibration`
    classes: dict[str, csr_matrix] = field(default_factory=dict)
    #: the only items that are ranked; shape (n_items,), bool; None: all
    candidate_mask: np.ndarray | None = None

    @property
    def n_candidates(self) -> np.ndarray:
        """Number of items that could be recommended to each user; shape (n_users,)."""
        if self.candidate_mask is None:
            return len(self.counts) - np.diff(self.seen.indptr)
        seen = self.seen[:, self.candidate_mask]
        return int(self.candidate_mask.sum()) - np.asarray(seen.getnnz(axis=1))

    def restricted_to(self, mask: np.ndarray) -> GroundTruth:
        """The ground truth if only some items are ranked and count as positives; the mask has shape (n_items,), bool."""
        truth = self.truth.copy()
        truth.data[~mask[truth.indices]] = 0
        truth.eliminate_zeros()
        return replace(self, truth=truth, candidate_mask=mask)

    @cached_property
    def candidate_subsets(self) -> dict[str, np.ndarray]:
        """New and known items, as masks of shape (n_items,); empty unless some test positive is a new item.

        A subset without test positives is left out.
        """
        new = self.counts == 0
        named = {"among new items": new, "among known items": ~new}
        positives = np.unique(self.truth.indices)
        if not new[positives].any():
            return {}
        return {name: mask for name, mask in named.items() if mask[positives].any()}

    @cached_property
    def item_buckets(self) -> dict[str, np.ndarray]:
        """Items by popularity in training: head, middle and tail with a third of the interactions each; new and known.

        New items have no positive interactions in training; known items have at least one. Masks of shape (n_items,).
        """
        order = np.argsort(-self.counts, kind="stable")
        before = np.cumsum(self.counts[order]) - self.counts[order]
        part = np.empty(len(order), np.int64)
        part[order] = np.searchsorted(_THIRD_BOUNDS, before / max(self.counts.sum(), 1), side="right")
        new = self.counts == 0
        named = {f"items: {name}": (part == n) & ~new for n, name in enumerate(_POPULARITY_THIRDS)}
        return {
            name: mask
            for name, mask in (named | {"items: known": ~new, "items: new": new}).items()
            if mask.any()
        }

    @cached_property
    def user_buckets(self) -> dict[str, np.ndarray]:
        """Users by length of history: no history, and three groups of about the same size. Masks of shape (n_users,)."""
        lengths = np.diff(self.known.indptr)
        some = lengths[lengths > 0]
        ends = np.unique(np.quantile(some, [1 / 3, 2 / 3, 1], method="lower") if len(some) else some).tolist()
        named = {"history: 0": lengths == 0}
        last = 0
        for end in map(int, ends):
            named[f"history: {last + 1}-{end}"] = (lengths > last) & (lengths <= end)
            last = end
        return {name: mask for name, mask in named.items() if mask.any()}


def ground_truth_of(fold: Fold, embeddings: Any = None, classes: Sequence[str] = ()) -> GroundTruth:
    """The ground truth of a fold.

    Args:
        fold: The fold; its test part is compared with lists.
        embeddings: `Embeddings` of items, for the metric `diversity`; None: the metric is left out.
        classes: Node types, such as "genre", for the metric `calibration`.

    Raises:
        UnknownId: The graph has no nodes of such a type.
    """
    log = fold.graph.interactions
    return GroundTruth(
        users=fold.test.users,
        truth=fold.truth,
        known=fold.known,
        seen=fold.seen,
        counts=fold.popularity,
        n_users=len(np.unique(log.user[log.positive])),
        vectors=None if embeddings is None else _vectors(fold.source, embeddings),
        neighbors=neighbor_vectors(fold.source) if len(fold.source.triples) else None,
        classes={type_: linked_nodes(fold.source, fold.source.item_entities, type_)[0] for type_ in classes},
    )


def neighbor_vectors(graph: KnowledgeGraph) -> csr_matrix:
    """Neighbours of each item in the graph as unit rows, so that an inner product is the cosine of two sets.

    Returns:
        shape (n_items, len(graph)), float32; a row of zeros for an item without edges.
    """
    links = csr_matrix(graph.csr(direction="both")[graph.item_entities])
    links.data[:] = 1
    return unit_rows(links)


def _vectors(graph: KnowledgeGraph, embeddings: Any) -> np.ndarray:
    """Unit vectors in the order of the graph's items; zeros for items without a vector."""
    rows = graph.item_codes(embeddings.ids.labels)
    if not (rows >= 0).any():
        raise UnknownId(
            f"None of the {len(rows):,} embeddings belongs to an item of the graph.",
            "Give recommender.item_embeddings.",
        )
    vectors = np.zeros((len(graph.item_ids), embeddings.vectors.shape[1]), np.float32)
    vectors[rows[rows >= 0]] = embeddings.vectors[rows >= 0]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1))
