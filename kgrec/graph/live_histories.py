"""Histories that grow: a base, and the complete histories of users who are new or have interacted since.

Enters: `Histories`, and newer interactions. Leaves: the histories of some users, or of all. Nothing is written.

An addition copies the histories of its users and of those of earlier additions, never the base, so its cost depends on its own size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix

from kgrec.graph.histories import Histories
from kgrec.graph.interactions import decay
from kgrec.storage.segments import places_in

#: largest number of rows of a delta; above it, the delta is merged with the base
_DELTA = 1 << 18
_ROWS = ("item", "positive", "weight", "count")


@dataclass(frozen=True)
class NewInteractions:
    """Interactions to add to histories; all arrays have the shape (n,)."""

    #: rows of users, int64; new ones follow the last known user without a gap
    user: np.ndarray
    #: rows of items, int32
    item: np.ndarray
    #: bool; other rows are known to the user, but not learned from
    positive: np.ndarray
    #: int32; number of interactions of the user with the item
    count: np.ndarray
    #: int64, seconds since 1970, 0 if unknown; None: there are no times
    time: np.ndarray | None = None
    #: float32, multiples of the mean weight of all interactions; rows of weight 0 yield to others; None: all are 1
    weight: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class LiveHistories:
    """Like `Histories`; immutable: `with_interactions` returns a new one."""

    base: Histories
    #: users of `delta`, increasing; those from `len(base)` on have no gap; shape (n,), int64
    changed: np.ndarray
    #: the complete histories of these users
    delta: Histories

    @classmethod
    def of(cls, histories: Histories | LiveHistories) -> LiveHistories:
        """Live histories with this base; or `histories` itself if it is live."""
        if isinstance(histories, LiveHistories):
            return histories
        return cls(histories, np.zeros(0, np.int64), histories.take(np.zeros(0, np.int64)))

    def __len__(self) -> int:
        """Number of users."""
        return max(len(self.base), 1 + int(self.changed[-1])) if len(self.changed) else len(self.base)

    def __repr__(self) -> str:
        return f"Live{self.base!r} and {len(self.changed):,} users with newer ones"

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.base.n_items

    @property
    def ordered(self) -> bool:
        """Whether the rows of a user are in time order."""
        return self.base.ordered or self.delta.ordered

    @property
    def has_times(self) -> bool:
        """Whether at least some interactions have times."""
        return self.base.time is not None or self.delta.time is not None

    @cached_property
    def whole(self) -> Histories:
        """All histories in one base; a copy if there is a delta."""
        return self.take(np.arange(len(self))) if len(self.changed) else self.base

    @property
    def has_positive(self) -> np.ndarray:
        """Whether each user has a positive interaction; shape (len(self),), bool."""
        known = np.zeros(len(self), bool)
        known[: len(self.base)] = self.base.has_positive
        known[self.changed] = self.delta.has_positive
        return known

    def matrix(self, positive_only: bool = True) -> csr_matrix:
        """Like `Histories.matrix`, for all users; if only a few users are needed, `take` them first."""
        return self.whole.matrix(positive_only)

    def to_arrow(self) -> pa.Table:
        """Like `Histories.to_arrow`."""
        return self.whole.to_arrow()

    def take(self, users: np.ndarray) -> Histories:
        """The histories of some users, like `Histories.take`."""
        users = np.asarray(users, dtype=np.int64)
        if not len(self.changed):
            return self.base.take(users)
        at = places_in(self.changed, users)
        old, new = np.flatnonzero(at < 0), np.flatnonzero(at >= 0)
        both = _stacked(self.base.take(users[old]), self.delta.take(at[new]))
        place = np.empty(len(users), np.int64)
        place[np.concatenate([old, new])] = np.arange(len(users))
        return both.take(place)

    def with_items(self, n_items: int) -> LiveHistories:
        """The same histories over a longer list of items."""
        return replace(self, base=self.base.with_items(n_items), delta=self.delta.with_items(n_items))

    def with_interactions(self, new: NewInteractions, half_life: float | None = None) -> LiveHistories:
        """Return the histories with newer interactions added.

        Among rows with the same user and item the latest is kept; among simultaneous rows, the added one. Their counts are summed, and
        the largest weight is used.

        Args:
            new: The interactions; each pair of user and item once.
            half_life: As in `Interactions.matrix`: weights of these users are computed again if there are times.
        """
        if not len(new.user):
            return self
        users = np.unique(new.user)
        known = self.take(users[users < len(self)])
        grown = _grown(known, len(users), replace(new, user=np.searchsorted(users, new.user)), half_life)
        kept = np.flatnonzero(~np.isin(self.changed, users))
        changed = np.concatenate([self.changed[kept], users])
        order = np.argsort(changed, kind="stable")
        delta = _stacked(self.delta.take(kept), grown).take(order)
        larger = LiveHistories(self.base, changed[order], delta)
        return LiveHistories.of(larger.whole) if len(delta.item) > _DELTA else larger

    def without(self, users: np.ndarray) -> LiveHistories:
        """The same histories, with empty ones for some users; `users` are their distinct rows."""
        kept = np.flatnonzero(~np.isin(self.changed, users))
        changed = np.concatenate([self.changed[kept], users])
        order = np.argsort(changed, kind="stable")
        none = np.zeros(len(users), np.int64)
        delta = _stacked(self.delta.take(kept), self.base.between(none, none)).take(order)
        return LiveHistories(self.base, changed[order], delta)


def _grown(known: Histories, n_users: int, new: NewInteractions, half_life: float | None) -> Histories:
    """Histories of `n_users` users, of whom the first ones are known, with newer interactions.

    The known rows are in order, so the new ones are inserted: sorting all rows would take several times as long.
    """
    n_known, n_new = len(known.item), len(new.item)
    in_positions = known.ordered and known.time is None
    timed = not in_positions and (known.time is not None or new.time is not None)
    known_time, new_time = (
        _positions(n_known, new)
        if in_positions
        else (_times(known.time, n_known), _times(new.time if timed else None, n_new))
    )
    own = np.ones(n_new, np.float32) if new.weight is None else new.weight
    twin = _twins(known, new)
    has_twin = twin >= 0
    of_twin = twin[has_twin]
    # among simultaneous rows, the added one counts
    yields = np.zeros(n_new, bool)
    yields[has_twin] = (own[has_twin] <= 0) | (new_time[has_twin] < known_time[of_twin])
    twin_yields, yielding = twin[yields], np.flatnonzero(yields)
    new_time, positive = new_time.copy(), new.positive.copy()
    new_time[yielding], positive[yielding] = known_time[twin_yields], known.positive[twin_yields]
    count, new_weight, weight = new.count.copy(), own.copy(), _without_age(known, half_life)
    count[has_twin] += known.count[of_twin]
    new_weight[has_twin] = np.maximum(own[has_twin], weight[of_twin])

    indptr = np.concatenate([known.indptr, np.full(n_users - len(known), n_known)])
    by_time = np.lexsort((new.item, new_time, new.user))
    places = _places(indptr, known_time, known.item, new.user[by_time], new_time[by_time], new.item[by_time])
    order = np.insert(np.arange(n_known), places, n_known + by_time)
    stays = np.ones(n_known + n_new, bool)
    stays[of_twin] = False
    order = order[stays[order]]

    user, time = (np.concatenate(pair)[order] for pair in ((known.users(), new.user), (known_time, new_time)))
    positive = np.concatenate([known.positive, positive])[order]
    weight = np.concatenate([weight, new_weight])[order]
    weight[~positive] = 0
    if half_life is not None and timed:
        weight[positive] *= decay(user[positive], time[positive], n_users, half_life)
    return Histories(
        known.n_items,
        np.concatenate([[0], np.cumsum(np.bincount(user, minlength=n_users))]).astype(np.int64),
        np.concatenate([known.item, new.item])[order].astype(np.int32),
        positive,
        weight,
        np.concatenate([known.count, count])[order].astype(np.int32),
        time if timed else None,
        ordered=known.ordered or bool(timed and time.any()),
    )


def _twins(known: Histories, new: NewInteractions) -> np.ndarray:
    """The known row with the user and item of each new row, -1 if there is none; shape (n_new,), int64."""
    pairs, new_pairs = (
        user.astype(np.int64) * known.n_items + item
        for user, item in ((known.users(), known.item), (new.user, new.item))
    )
    order = np.argsort(new_pairs)
    at = places_in(new_pairs[order], pairs)
    rows = np.flatnonzero(at >= 0)
    found = np.full(len(new_pairs), -1, np.int64)
    found[order[at[rows]]] = rows
    return found


def _places(
    indptr: np.ndarray,
    known_time: np.ndarray,
    known_item: np.ndarray,
    user: np.ndarray,
    time: np.ndarray,
    item: np.ndarray,
) -> np.ndarray:
    """The known row before which to insert each new one, by time and item within its user; shape (n_new,), int64. A binary search."""
    low: np.ndarray = indptr[user]
    high = indptr[user + 1]
    while (is_open := low < high).any():
        middle = np.minimum((low + high) // 2, len(known_time) - 1)
        earlier = (known_time[middle] < time) | ((known_time[middle] == time) & (known_item[middle] < item))
        low = np.where(is_open & earlier, middle + 1, low)
        high = np.where(is_open & ~earlier, middle, high)
    return low


def _without_age(known: Histories, half_life: float | None) -> np.ndarray:
    """The weights of known interactions as if all were of the same age; float32."""
    weight = known.weight.copy()
    if half_life is not None and known.time is not None:
        rows = np.flatnonzero(known.positive)
        ages = decay(known.users()[rows], known.time[rows], len(known), half_life)
        weight[rows] = np.round(weight[rows] / ages, 6)
    return weight


def _positions(n_known: int, new: NewInteractions) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the known rows in order, and of the new rows, which follow them, by time if they have times; int64."""
    order = np.argsort(_times(new.time, len(new.item)), kind="stable")
    position = np.empty(len(new.item), np.int64)
    position[order] = n_known + np.arange(len(order))
    return np.arange(n_known), position


def _stacked(first: Histories, second: Histories) -> Histories:
    """The users of both, one after the other."""
    timed = first.time is not None or second.time is not None
    pair = (first, second)
    rows = {name: np.concatenate([getattr(part, name) for part in pair]) for name in _ROWS}
    times = [_times(part.time, len(part.item)) for part in pair] if timed else None
    return Histories(
        max(first.n_items, second.n_items),
        np.concatenate([first.indptr, first.indptr[-1] + second.indptr[1:]]),
        **rows,
        time=None if times is None else np.concatenate(times),
        ordered=first.ordered or second.ordered,
    )


def _times(time: np.ndarray | None, rows: int) -> np.ndarray:
    return np.zeros(rows, np.int64) if time is None else time
