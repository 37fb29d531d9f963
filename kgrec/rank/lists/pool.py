"""The candidates of users as one pool, and the nodes of a type per candidate.

Enters: rows and scores of candidates, best first; a matrix of items by nodes. Leaves: a `Pool`, and `Memberships` in flat arrays.
Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Pool:
    """Candidates of users, best first, from which lists of k items are chosen."""

    #: rows of items, padded with -1; shape (n_users, width), int64
    rows: np.ndarray
    #: relevance from the scores, 0 (the user's worst candidate) to 1 (the best), 0 for padding; same shape, float64
    relevance: np.ndarray
    #: items per list
    k: int

    @classmethod
    def of(cls, rows: np.ndarray, scores: np.ndarray, k: int) -> Pool:
        """The pool of candidates with these scores; a score of -inf means no candidate.

        Other models and other users have scores in other ranges. Scaled to 0 to 1, a strength of 0.3 means the same for all.
        """
        there = (rows >= 0) & np.isfinite(scores)
        values = scores.astype(np.float64)
        least = np.min(values, axis=1, where=there, initial=np.inf)[:, None]
        most = np.max(values, axis=1, where=there, initial=-np.inf)[:, None]
        relevance = np.zeros(values.shape)
        np.divide(values - least, most - least, out=relevance, where=there & (most > least))
        return cls(np.where(there, rows, -1), relevance, min(k, rows.shape[1]))

    @property
    def there(self) -> np.ndarray:
        """Where there is a candidate; shape (n_users, width), bool."""
        return self.rows >= 0

    def of_users(self, users: np.ndarray) -> Pool:
        """The candidates of some users, given by position."""
        return Pool(self.rows[users], self.relevance[users], self.k)


@dataclass(frozen=True)
class Memberships:
    """The nodes of candidates: one entry per candidate and node, in the order of users and candidates.

    Only nodes of at least one candidate are numbered, so that arrays of users by nodes stay small.
    """

    #: n_users, width
    shape: tuple[int, int]
    #: first entry of each candidate, and the end; shape (n_users * width + 1,), int64
    starts: np.ndarray
    #: matrix column of each numbered node, increasing; shape (n_nodes,)
    columns: np.ndarray
    #: node number of each entry; shape (n_entries,), int64
    node: np.ndarray
    #: matrix value of each entry; shape (n_entries,), float64
    value: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, matrix: csr_matrix) -> Memberships:
        """The nodes of candidates.

        Args:
            rows: Rows of items, padded with -1; shape (n_users, width).
            matrix: Shape (n_items, n_nodes).
        """
        flat = rows.ravel()
        indptr = matrix.indptr.astype(np.int64)
        counts = np.where(flat >= 0, np.diff(indptr)[flat], 0)
        starts = np.concatenate([[0], np.cumsum(counts)])
        entries = ranges(indptr[flat], counts)
        columns, node = np.unique(matrix.indices[entries], return_inverse=True)
        return cls(
            (rows.shape[0], rows.shape[1]), starts, columns, node, matrix.data[entries].astype(np.float64)
        )

    @cached_property
    def place(self) -> np.ndarray:
        """Candidate of each entry, as user * width + position; shape (n_entries,), int64."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    @cached_property
    def user(self) -> np.ndarray:
        """User of each entry; shape (n_entries,), int64."""
        return self.place // max(self.shape[1], 1)

    @cached_property
    def key(self) -> np.ndarray:
        """Index of each entry in a flat array of users by nodes; shape (n_entries,), int64."""
        return np.asarray(self.user * len(self.columns) + self.node)

    @cached_property
    def has_any(self) -> np.ndarray:
        """Which candidates have a node; shape (n_users, width), bool."""
        return np.asarray((np.diff(self.starts) > 0).reshape(self.shape))

    def zeros(self) -> np.ndarray:
        """An array of zeros per user and node, float64."""
        return np.zeros((self.shape[0], len(self.columns)))

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Values of entries summed per candidate; shape (n_users, width), float64."""
        return np.bincount(self.place, values, len(self.starts) - 1).reshape(self.shape)

    def of_chosen(self, at: np.ndarray) -> np.ndarray:
        """The entries of one candidate per user.

        Args:
            at: Positions, -1 for none; shape (n_users,).
        """
        users = np.flatnonzero(at >= 0)
        places = users * self.shape[1] + at[users]
        return ranges(self.starts[places], self.starts[places + 1] - self.starts[places])


def shares(matrix: csr_matrix) -> csr_matrix:
    """A matrix of items by nodes in which an item counts in equal parts for its nodes: rows sum to 1, or are empty."""
    counts = np.diff(matrix.indptr)
    parts = np.repeat(1.0 / np.maximum(counts, 1), counts)
    return csr_matrix((parts, matrix.indices, matrix.indptr), matrix.shape)


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """For each start, the numbers start, start + 1, ... (`count` of them), concatenated; int64."""
    before = np.cumsum(counts) - counts
    return np.asarray(np.repeat(starts - before, counts) + np.arange(int(counts.sum())), np.int64)
