"""What retrieval found for some users, and rerankers, which put it in its final order.

Enters: rows of items with their scores. Leaves: the same in another order, or fewer. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Candidates:
    """Items for some users, one row per user."""

    #: rows of items, -1 for none; shape (n_users, width), int64
    rows: np.ndarray
    #: shape (n_users, width), float32; -inf for none
    scores: np.ndarray
    #: score of each scorer by name, without its weight; each of the same shape
    features: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Items per user."""
        return int(self.rows.shape[1])

    def best_first(self) -> Candidates:
        """In the order of the scores, equal ones in the order of the items' rows."""
        order = np.argsort(-self.scores, axis=1)
        scores = np.take_along_axis(self.scores, order, 1)
        # Few lists have equal scores, and a sort by two keys takes ten times as long as one by one.
        for user in np.flatnonzero((scores[:, 1:] == scores[:, :-1]).any(axis=1)):
            order[user] = np.lexsort((self.rows[user], -self.scores[user]))
        return self._taken(order)

    def first(self, k: int) -> Candidates:
        """The first `k` of each user."""
        features = {name: part[:, :k] for name, part in self.features.items()}
        return replace(self, rows=self.rows[:, :k], scores=self.scores[:, :k], features=features)

    def _taken(self, order: np.ndarray) -> Candidates:
        rows, scores = (np.take_along_axis(part, order, 1) for part in (self.rows, self.scores))
        features = {name: np.take_along_axis(part, order, 1) for name, part in self.features.items()}
        return Candidates(rows, scores, features)


class Reranker(Protocol):
    """Puts candidates in their final order."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the features that it reads."""

    def rerank(self, candidates: Candidates, k: int) -> Candidates:
        """The `k` items that each user gets, first the one that is shown first.

        Args:
            candidates: best first by their scores; at least `k` where there are so many.
            k: items per user.
        """


class Identity:
    """Keeps the order of the scores."""

    @property
    def reads(self) -> tuple[str, ...]:
        """See `Reranker`."""
        return ()

    def rerank(self, candidates: Candidates, k: int) -> Candidates:
        """See `Reranker`."""
        return candidates.first(k)


#: rerankers by name
RERANKERS: dict[str, Reranker] = {"identity": Identity()}
