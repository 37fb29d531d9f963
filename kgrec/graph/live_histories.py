"""Histories that grow: a base, and the whole histories of users who interacted since or are new.

Enters: `Histories`, and newer interactions. Leaves: the histories of some users, or of all. Writes nothing.

An addition copies the histories of its users and of those of earlier additions, never the base, so it costs what it adds.
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

#: rows of a delta before it is merged with the base
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
    #: int32; how often the user interacted with the item
    count: np.ndarray
    #: int64, seconds since 1970, 0 where it is unknown; None: there are no times
    time: np.ndarray | None = None
    #: float32, multiples of the mean weight of all interactions; rows of weight 0 yield to others; None: all are 1
    weight: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class LiveHistories:
    """As `Histories`; immutable: `with_interactions` gives another one."""

    base: Histories
    #: users of `delta`, increasing; those from `len(base)` on have no gap; shape (n,), int64
    changed: np.ndarray
    #: the whole histories of these users
    delta: Histories

    @classmethod
    def of(cls, histories: Histories | LiveHistories) -> LiveHistories:
        """Live histories with this base, or these themselves if they are live."""
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
        """Whether the rows of a user stand in the order of time."""
        return self.base.ordered or self.delta.ordered

    @property
    def has_times(self) -> bool:
        """Whether interactions have times, or some of them."""
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
        """As `Histories.matrix`, of all users: `take` the users that are needed where these are few."""
        return self.whole.matrix(positive_only)

    def to_arrow(self) -> pa.Table:
        """As `Histories.to_arrow`."""
        return self.whole.to_arrow()

    def take(self, users: np.ndarray) -> Histories:
        """The histories of some users, as `Histories.take`."""
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
        """The same histories of a longer list of items."""
        return replace(self, base=self.base.with_items(n_items), delta=self.delta.with_items(n_items))

    def with_interactions(self, new: NewInteractions, half_life: float | None = None) -> LiveHistories:
        """With newer interactions.

        Of rows with the same user and item the latest is kept, of simultaneous ones the added one. Their counts are summed, and the
        largest weight counts.

        Args:
            new: The interactions; each pair of user and item once.
            half_life: As of `Interactions.matrix`: weights of the users are computed anew, if there are times.
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
        """The same with empty histories of some users; `users` are their rows, distinct."""
        kept = np.flatnonzero(~np.isin(self.changed, users))
        changed = np.concatenate([self.changed[kept], users])
        order = np.argsort(changed, kind="stable")
        none = np.zeros(len(users), np.int64)
        delta = _stacked(self.delta.take(kept), self.base.between(none, none)).take(order)
        return LiveHistories(self.base, changed[order], delta)


def _grown(known: Histories, n_users: int, new: NewInteractions, half_life: float | None) -> Histories:
    """Histories of `n_users` users, of whom the first ones are known, with newer interactions."""
    in_positions = known.ordered and known.time is None
    timed = not in_positions and (known.time is not None or new.time is not None)
    user = np.concatenate([known.users(), new.user])
    item = np.concatenate([known.item, new.item])
    time = np.concatenate([_times(known.time, len(known.item)), _times(new.time, len(new.item))])
    if in_positions:
        time = _positions(known, new)
    own = np.ones(len(new.item), np.float32) if new.weight is None else new.weight
    counts = np.concatenate([np.ones(len(known.item), bool), own > 0])
    # stable: of simultaneous rows the added one comes last
    order = np.lexsort((time, counts, item, user))
    last = np.flatnonzero((np.diff(user[order], append=-1) != 0) | (np.diff(item[order], append=-1) != 0))
    first = np.append(0, last[:-1] + 1)
    kept = order[last]
    count = np.add.reduceat(np.concatenate([known.count, new.count])[order], first)
    weight = np.concatenate([_without_age(known, half_life), own])
    weight = np.maximum.reduceat(weight[order], first)
    if timed or in_positions:
        by_time = np.lexsort((item[kept], time[kept], user[kept]))
        kept, count, weight = kept[by_time], count[by_time], weight[by_time]
    user, time = user[kept], time[kept]
    positive = np.concatenate([known.positive, new.positive])[kept]
    weight[~positive] = 0
    if half_life is not None and timed:
        weight[positive] *= decay(user[positive], time[positive], n_users, half_life)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=n_users))]).astype(np.int64)
    return Histories(
        known.n_items,
        indptr,
        item[kept].astype(np.int32),
        positive,
        weight,
        count.astype(np.int32),
        time if timed else None,
        ordered=known.ordered or bool(timed and time.any()),
    )


def _without_age(known: Histories, half_life: float | None) -> np.ndarray:
    """The weights of known interactions as if all were of the same age; float32."""
    weight = known.weight.copy()
    if half_life is not None and known.time is not None:
        rows = np.flatnonzero(known.positive)
        ages = decay(known.users()[rows], known.time[rows], len(known), half_life)
        weight[rows] = np.round(weight[rows] / ages, 6)
    return weight


def _positions(known: Histories, new: NewInteractions) -> np.ndarray:
    """Numbers in the order of the known rows; the new ones follow, by time if they have times; shape (n_known + n_new,), int64."""
    order = np.argsort(_times(new.time, len(new.item)), kind="stable")
    position = np.empty(len(new.item), np.int64)
    position[order] = np.arange(len(order))
    return np.concatenate([np.arange(len(known.item)), len(known.item) + position])


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
