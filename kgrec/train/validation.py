"""Interactions split into a training part and a held-out part.

Enters: histories, and matrices of held-out interactions. Leaves: a `ValidationSplit`. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from kgrec.graph.histories import Histories
from kgrec.graph.interactions import of_items
from kgrec.metrics.topk import some_of

#: largest number of histories that validation queries
MAX_QUERIES = 5_000


@dataclass(frozen=True, eq=False)
class Queries:
    """Histories, and the items that followed them."""

    #: n_queries histories
    histories: Histories
    #: items that followed; shape (n_queries, n_items)
    truth: sp.csr_matrix
    #: items excluded from the lists; shape (n_queries, n_items)
    seen: sp.csr_matrix
    #: user of each query; a user may have several queries; shape (n_queries,), int
    users: np.ndarray

    def __len__(self) -> int:
        return len(self.histories)

    def take(self, rows: np.ndarray) -> Queries:
        """Some of the queries, by row or mask."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Queries(self.histories.take(rows), self.truth[rows], self.seen[rows], self.users[rows])


@dataclass(frozen=True)
class ValidationSplit:
    """A training part and a held-out part of the interactions."""

    #: training part; its positive interactions are the training data
    histories: Histories
    #: held-out part; shape (n_users, n_items)
    valid: sp.csr_matrix
    #: items without interactions in either part; shape (n_items,), bool
    without_interactions: np.ndarray
    #: items that were held out whole, as stand-ins for new items; shape (n_items,), bool
    held_out_items: np.ndarray
    #: items that are excluded from all lists; shape (n_items,), bool
    excluded: np.ndarray
    #: items excluded from the list of each user: those of the training part, and disliked ones; shape (n_users, n_items)
    seen: sp.csr_matrix
    #: what followed each moment of a history, if histories have an order; None: the interactions of a user are an unordered set
    moments: Queries | None = None
    #: draws the queries, if there are more than MAX_QUERIES
    seed: int = 0

    @cached_property
    def queries(self) -> Queries:
        """The queries of validation: at most MAX_QUERIES, each with a history and at least one item that followed."""
        if self.moments is not None:
            return self.moments.take(some_of(np.arange(len(self.moments)), MAX_QUERIES, self.seed))
        users = some_of(self.evaluated_users, MAX_QUERIES, self.seed)
        return Queries(self.histories.take(users), self.valid[users], self.seen[users], users)

    @cached_property
    def training(self) -> sp.csr_matrix:
        """The positive interactions of the training part; shape (n_users, n_items)."""
        return self.histories.matrix()

    @classmethod
    def of(
        cls,
        histories: Histories,
        valid: sp.csr_matrix,
        without_interactions: np.ndarray | None = None,
        seen: sp.csr_matrix | None = None,
    ) -> ValidationSplit:
        """A split by interactions; no item is held out whole or excluded."""
        none = np.zeros(histories.n_items, bool)
        return cls(
            histories,
            valid,
            none if without_interactions is None else without_interactions,
            none,
            none,
            histories.matrix() if seen is None else seen,
        )

    @property
    def evaluated_users(self) -> np.ndarray:
        """Users with interactions in both parts; increasing."""
        users = np.flatnonzero(np.diff(self.valid.indptr))
        evaluated: np.ndarray = users[np.diff(self.training.indptr)[users] > 0]
        return evaluated

    @property
    def if_unwanted(self) -> ValidationSplit:
        """The split of the scenario in which items without interactions are unwanted rather than new.

        They take positions in lists and are never relevant. The items held out whole, which represent new items, are excluded.
        """
        moments = self.moments
        if moments is not None:
            moments = replace(moments, truth=of_items(moments.truth, ~self.held_out_items))
            moments = moments.take(np.diff(moments.truth.indptr) > 0)
        known = of_items(self.valid, ~self.held_out_items)
        return replace(self, valid=known, excluded=self.held_out_items, moments=moments)


def moments_of(whole: Histories, held_out: sp.csr_matrix, new: np.ndarray, most: int, seed: int) -> Queries:
    """A query per held-out interaction: the user's interactions before it, and its item.

    Args:
        whole: all interactions, in the order of time.
        held_out: nonzero for held-out interactions; shape (n_users, n_items).
        new: items held out whole, which no history contains; shape (n_items,), bool.
        most: largest number of queries.
        seed: draws them.
    """
    user = np.repeat(np.arange(len(whole)), np.diff(whole.indptr))
    is_held = np.asarray(held_out[user, whole.item]).ravel() != 0
    is_shown = whole.positive & ~new[whole.item]
    shown_before = np.concatenate([[0], np.cumsum(is_shown)])
    with_history = shown_before[:-1] > shown_before[whole.indptr[user]]
    rows = some_of(np.flatnonzero(is_held & with_history), most, seed)
    before = whole.between(whole.indptr[user[rows]], rows)
    histories = before.of_items(~new)
    ones = np.ones(len(rows), np.float32)
    truth = sp.csr_matrix((ones, whole.item[rows], np.arange(len(rows) + 1)), (len(rows), whole.n_items))
    return Queries(histories, truth, histories.matrix(positive_only=False), user[rows])
