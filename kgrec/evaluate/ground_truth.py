"""What lists are held against: what users took and knew, how popular items are, and what they have in common.

Enters: a `Fold`, embeddings, types of nodes. Leaves: a `GroundTruth` in matrices, with its buckets of users and of items.
Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from kgrec.errors import UnknownId, did_you_mean
from kgrec.evaluate.folds import Fold
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.vocabulary import Vocabulary
from kgrec.rank.scorers import unit_rows

#: of the training interactions that are with known items, from the most popular items on
_THIRDS = (1 / 3, 2 / 3)
_POPULARITY = ("head", "middle", "tail")


@dataclass(frozen=True)
class GroundTruth:
    """What there is to compare lists with; rows are users who took something, columns items."""

    users: Vocabulary
    #: what they took, and could not have been told; shape (n_users, n_items)
    truth: csr_matrix
    #: what they had taken before
    known: csr_matrix
    #: what they are not to get, `known` among it
    seen: csr_matrix
    #: users who took each item in training; shape (n_items,)
    counts: np.ndarray
    #: who could have
    n_users: int
    #: of unit length; shape (n_items, dim); None: no diversity by it
    vectors: np.ndarray | None = None
    #: rows of `neighborhoods`; shape (n_items, n_entities)
    neighbors: csr_matrix | None = None
    #: name -> which classes each item has; shape (n_items, n_classes)
    classes: dict[str, csr_matrix] = field(default_factory=dict)
    #: which items are ranked; shape (n_items,), bool; None: all
    only: np.ndarray | None = None

    @property
    def candidates(self) -> np.ndarray:
        """How many items each user could be given; shape (n_users,)."""
        if self.only is None:
            return len(self.counts) - np.diff(self.seen.indptr)
        return int(self.only.sum()) - np.asarray(self.seen[:, self.only].getnnz(axis=1))

    def within(self, only: np.ndarray) -> GroundTruth:
        """The world in which there are no other items than these to rank and to take; a mask of shape (n_items,)."""
        truth = self.truth.copy()
        truth.data[~only[truth.indices]] = 0
        truth.eliminate_zeros()
        return replace(self, truth=truth, only=only)

    @cached_property
    def parts(self) -> dict[str, np.ndarray]:
        """New and known items, if users took items of both kinds or new ones alone; masks of shape (n_items,)."""
        new = self.counts == 0
        named = {"among new items": new, "among known items": ~new}
        taken = np.unique(self.truth.indices)
        if not new[taken].any():
            return {}
        return {name: mask for name, mask in named.items() if mask[taken].any()}

    @cached_property
    def item_buckets(self) -> dict[str, np.ndarray]:
        """Items by popularity in training: three parts with a third of the interactions each, and the new ones.

        `known` is the opposite of `new`. Masks of shape (n_items,).
        """
        order = np.argsort(-self.counts, kind="stable")
        before = np.cumsum(self.counts[order]) - self.counts[order]
        part = np.empty(len(order), np.int64)
        part[order] = np.searchsorted(_THIRDS, before / max(self.counts.sum(), 1), side="right")
        new = self.counts == 0
        named = {f"items: {name}": (part == n) & ~new for n, name in enumerate(_POPULARITY)}
        return {
            name: mask
            for name, mask in (named | {"items: known": ~new, "items: new": new}).items()
            if mask.any()
        }

    @cached_property
    def user_buckets(self) -> dict[str, np.ndarray]:
        """Users by the length of their history: none, and three parts of about the same size. Masks of shape (n_users,)."""
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
    """What lists for a fold are held against; see `evaluate_lists`.

    Raises:
        UnknownId: There is no such type of nodes.
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
        neighbors=neighborhoods(fold.source) if len(fold.source.triples) else None,
        classes={type_: item_classes(fold.source, type_) for type_ in classes},
    )


def neighborhoods(graph: KnowledgeGraph) -> csr_matrix:
    """What each item has edges with, in unit rows: their inner product is the cosine of two sets of neighbours.

    Returns:
        shape (n_items, len(graph)), float32; a row of zeros without edges.
    """
    links = csr_matrix(graph.csr(direction="both")[graph.item_entities])
    links.data[:] = 1
    return unit_rows(links)


def item_classes(graph: KnowledgeGraph, type_: str) -> csr_matrix:
    """Which nodes of a type each item has an edge with; shape (n_items, n_nodes_of_that_type), float32.

    Raises:
        UnknownId: There is no node of this type.
    """
    types = np.array(graph.entities["type"].to_pylist())
    columns = np.flatnonzero(types == type_)
    if not len(columns):
        known = sorted(set(types.tolist()))
        raise UnknownId(f"There is no node of type '{type_}' in the graph.", did_you_mean(type_, known))
    links = csr_matrix(csr_matrix(graph.csr(direction="both")[graph.item_entities])[:, columns])
    links.data[:] = 1
    return links


def _vectors(graph: KnowledgeGraph, embeddings: Any) -> np.ndarray:
    """Unit vectors in the order of the graph's items; zeros for items without."""
    rows = graph.item_codes(embeddings.ids.labels)
    vectors = np.zeros((len(graph.item_ids), embeddings.vectors.shape[1]), np.float32)
    vectors[rows[rows >= 0]] = embeddings.vectors[rows >= 0]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1))
