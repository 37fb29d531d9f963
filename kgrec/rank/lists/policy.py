"""A list policy: wishes, caps and quotas combined into one reranker.

Enters: candidates with scores. Leaves: lists, in an order that may differ from that of the scores; scores do not change.
Nothing is written.

Caps and quotas always hold. Wishes are weighed against relevance, item by item (:mod:`kgrec.rank.lists.greedy`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kgrec.rank.candidates import Candidates
from kgrec.rank.lists.constrained import best_set
from kgrec.rank.lists.greedy import Wish, greedy, relevance_left
from kgrec.rank.lists.limits import Cap, Limits, Quota
from kgrec.rank.lists.pool import Pool

#: number of users whose lists are built at once: the vectors of their candidates should fit into the processor's cache
_USERS = 32
#: largest count of numbers held at once per candidate and listed item; with long lists, fewer users are processed at a time
_CELLS = 1 << 24


@dataclass(frozen=True)
class ListPolicy:
    """The reranker of one call: the properties wanted of its lists, beside relevance."""

    wishes: Sequence[Wish] = ()
    caps: Sequence[Cap] = ()
    quotas: Sequence[Quota] = ()
    #: candidates with a lower score are left out
    min_score: float | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """See `Reranker`."""
        return ()

    def rerank(self, candidates: Candidates, k: int) -> Candidates:
        """See `Reranker`; the users are those of the call, in the same order."""
        scores = candidates.scores
        if self.min_score is not None:
            scores = np.where(scores >= self.min_score, scores, -np.inf)
        pool = Pool.of(candidates.rows, scores, k)
        wishes = [wish.begun(pool) for wish in self.wishes]
        positions = np.full((len(pool.rows), pool.k), -1, np.int64)
        step = max(1, min(_USERS, _CELLS // max(1, pool.rows.shape[1] * pool.k)))
        for start in range(0, len(positions), step):
            users = np.arange(start, min(start + step, len(positions)))
            some = pool.of_users(users)
            positions[users] = self._listed(some, users, wishes)
            for wish in wishes:
                wish.listed(some, positions[users])
        return candidates.at(positions)

    def unmet(self, rows: np.ndarray) -> dict[str, int]:
        """Name of each quota that some lists miss, and the number of these lists.

        Args:
            rows: Rows of the listed items, padded with -1; shape (n_users, k).
        """
        counts = {
            quota.name: int(((quota.items[rows] & (rows >= 0)).sum(axis=1) < quota.least).sum())
            for quota in self.quotas
        }
        return {name: count for name, count in counts.items() if count}

    def _listed(self, pool: Pool, users: np.ndarray, wishes: Sequence[Wish]) -> np.ndarray:
        """Positions of the candidates in the lists of some users; shape (n_users, k)."""
        terms = [(wish.weight, wish.term(pool, users)) for wish in wishes]
        if not self.caps and not self.quotas:
            return greedy(pool, terms)
        # value of a candidate that does not depend on the rest of the list, 0 to 1
        static = [pair for wish, pair in zip(wishes, terms, strict=True) if wish.is_static]
        values = relevance_left(terms) * pool.relevance + sum(
            weight * term.gains() for weight, term in static
        )
        limits = Limits(pool, self.caps, self.quotas)
        needs = limits.needs.copy()
        positions = greedy(pool, terms, limits)
        for user in limits.failing(pool, positions).tolist():
            listed = best_set(pool, values, limits, needs, user)
            if listed is not None:
                own = pool.of_users(np.array([user]))
                again = [(wish.weight, wish.term(own, users[[user]])) for wish in wishes]
                positions[user] = greedy(own, again, only=listed[None])[0]
        return _by_value(positions, values) if len(static) == len(terms) else positions


def _by_value(positions: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Lists by falling value; ties by position, which is by falling score."""
    own = np.where(positions >= 0, np.take_along_axis(values, np.maximum(positions, 0), 1), -np.inf)
    order = np.lexsort((positions, -own), axis=1)
    return np.take_along_axis(positions, order, 1)
