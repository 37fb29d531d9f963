"""Candidates, which are retrieved items with scores; and rerankers, which put them in their final order.

Enters: rows of items and scores. Leaves: the candidates in another order, or fewer of them. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Candidates:
    """Items with scores, one row per user."""

    #: rows of items, padded with -1; shape (n_users, width), int64
    rows: np.ndarray
    #: shape (n_users, width), float32; -inf for padding
    scores: np.ndarray
    #: name of a scorer -> its unweighted scores; each of the same shape
    features: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Items per user."""
        return int(self.rows.shape[1])

    def best_first(self) -> Candidates:
        """The candidates by falling score; ties in row order of the items."""
        order = np.argsort(-self.scores, axis=1)
        scores = np.take_along_axis(self.scores, order, 1)
        # Few lists have ties, and a sort by two keys takes ten times as long as a sort by one key.
        for user in np.flatnonzero((scores[:, 1:] == scores[:, :-1]).any(axis=1)):
            order[user] = np.lexsort((self.rows[user], -self.scores[user]))
        return self._reordered(order)

    def first(self, k: int) -> Candidates:
        """The first `k` candidates of each user."""
        features = {name: part[:, :k] for name, part in self.features.items()}
        return replace(self, rows=self.rows[:, :k], scores=self.scores[:, :k], features=features)

    def at(self, positions: np.ndarray) -> Candidates:
        """The candidates at given positions per user, -1 for none; shape (n_users, k)."""
        chosen, there = self._reordered(np.maximum(positions, 0)), positions >= 0
        return replace(
            chosen, rows=np.where(there, chosen.rows, -1), scores=np.where(there, chosen.scores, -np.inf)
        )

    def _reordered(self, order: np.ndarray) -> Candidates:
        rows, scores = (np.take_along_axis(part, order, 1) for part in (self.rows, self.scores))
        features = {name: np.take_along_axis(part, order, 1) for name, part in self.features.items()}
        return Candidates(rows, scores, features)


def distinct(rows: np.ndarray) -> np.ndarray:
    """The distinct candidates of each user, increasing.

    Args:
        rows: rows of items, padded with -1; shape (n_users, width).

    Returns:
        shape (n_users, width), int64; -1 at the end.
    """
    # as an unsigned number, -1 is the largest, so it sorts last
    sorted_rows = np.sort(rows.astype(np.int64).view(np.uint64), axis=1).view(np.int64)
    sorted_rows[:, 1:][sorted_rows[:, 1:] == sorted_rows[:, :-1]] = -1
    return np.sort(sorted_rows.view(np.uint64), axis=1).view(np.int64)


def longest(rows: np.ndarray) -> int:
    """Length of the longest list; shorter ones end with -1."""
    return int((rows >= 0).sum(axis=1).max(initial=0))


class Reranker(Protocol):
    """Puts candidates in their final order."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the features that the reranker reads."""

    def rerank(self, candidates: Candidates, k: int) -> Candidates:
        """The final list of each user.

        Args:
            candidates: by falling score; at least `k` per user if that many exist.
            k: items per user.
        """


class Identity:
    """Keeps the order by score."""

    @property
    def reads(self) -> tuple[str, ...]:
        """See `Reranker`."""
        return ()

    def rerank(self, candidates: Candidates, k: int) -> Candidates:
        """See `Reranker`."""
        return candidates.first(k)


#: rerankers by name
RERANKERS: dict[str, Reranker] = {"identity": Identity()}
