"""The interactions of each user, oldest first.

Enters: `Interactions`, a sparse matrix, or a stored table. Leaves: `Histories`. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix

from kgrec.graph.interactions import Interactions

_COLUMN_TYPES = {
    "user": np.int32,
    "item": np.int32,
    "positive": np.bool_,
    "weight": np.float32,
    "count": np.int32,
}


@dataclass(frozen=True, eq=False)
class Histories:
    """Interactions by user: user u has the rows `indptr[u]` to `indptr[u + 1]`.

    A user has each item at most once. The rows of a user are sorted by `time`, then by `item`; without times, by position; if
    `ordered` is False, by `item` alone. All arrays but `indptr` have the shape (n,).
    """

    n_items: int
    #: int64; shape (n_users + 1,)
    indptr: np.ndarray
    #: int32, rows of the items
    item: np.ndarray
    #: bool; other rows are known to the user, but not learned from
    positive: np.ndarray
    #: float32; factor of the item in the user's embedding: 1 (with a half-life, less for older rows), 0 if not positive
    weight: np.ndarray
    #: int32; number of interactions of the user with the item
    count: np.ndarray
    #: int64, seconds since 1970, 0 if unknown; None: there are no times
    time: np.ndarray | None
    #: whether the rows of a user are in the order in which they happened
    ordered: bool

    @classmethod
    def of(cls, interactions: Interactions, half_life: float | None = None) -> Histories:
        """The histories of all users of a log.

        Args:
            interactions: The log; its users and items keep their rows.
            half_life: As in `Interactions.matrix`.

        Raises:
            ConfigError: There is a half-life, but the log has no times.
        """
        log, time, stamps = interactions, interactions.time, interactions.stamps
        keys = (log.user, log.item) if stamps is None else (log.user, stamps, log.item)
        # a log has this order already, unless its items were renumbered, as in an extended graph
        order = slice(None) if _is_sorted(*keys) else np.lexsort(keys[::-1])
        return cls(
            len(log.items),
            _indptr(np.bincount(log.user, minlength=len(log.users))),
            log.item[order],
            log.positive[order],
            log.weights(half_life)[order],
            log.count[order],
            None if time is None else time[order],
            ordered=log.ordered,
        )

    @classmethod
    def of_matrix(cls, matrix: csr_matrix, stamps: csr_matrix | None = None) -> Histories:
        """Histories from a matrix of users by items: its values are weights, negative ones for dislikes.

        Args:
            matrix: Weights; shape (n_users, n_items).
            stamps: Numbers above 0 that increase with time, of the same shape; entries without a number, such as dislikes, count as the
                newest. None: there is no order.
        """
        bags = csr_matrix(matrix, dtype=np.float32, copy=True)
        bags.sum_duplicates()
        user = np.repeat(np.arange(bags.shape[0]), np.diff(bags.indptr))
        item, weight, time = bags.indices.astype(np.int32), bags.data, None
        if stamps is not None:
            # without rows, scipy would return a matrix
            time = np.asarray(stamps[user, item] if len(user) else user, np.int64).ravel()
            time[time == 0] = np.iinfo(np.int64).max
            order = np.lexsort((item, time, user))
            item, weight, time = item[order], weight[order], time[order]
        size = bags.nnz
        positive, count = np.ones(size, dtype=bool), np.ones(size, dtype=np.int32)
        indptr = bags.indptr.astype(np.int64)
        return cls(bags.shape[1], indptr, item, positive, weight, count, time, ordered=stamps is not None)

    @classmethod
    def from_arrow(cls, table: pa.Table, n_users: int, n_items: int, ordered: bool) -> Histories:
        """Read back what `to_arrow` returned.

        Raises:
            ValueError: A column is absent or of another type, a user or item is out of range, or the rows are not sorted.
        """
        columns = {name: _column(table, name, np.dtype(kind)) for name, kind in _COLUMN_TYPES.items()}
        user, time = columns.pop("user"), None
        if "time" in table.column_names:
            time = _column(table, "time", np.dtype(np.int64))
        _check_range("user", user, n_users)
        _check_range("item", columns["item"], n_items)
        indptr = _indptr(np.bincount(user, minlength=n_users))
        made = cls(n_items, indptr, **columns, time=time, ordered=ordered)
        made._check_order(user)
        return made

    def to_arrow(self) -> pa.Table:
        """Columns user, item and count int32, positive bool, weight float32, and time int64 if there are times."""
        columns = {"user": self.users()} | {name: getattr(self, name) for name in list(_COLUMN_TYPES)[1:]}
        columns |= {} if self.time is None else {"time": self.time}
        return pa.table({name: pa.array(column) for name, column in columns.items()})

    def __len__(self) -> int:
        """Number of users."""
        return len(self.indptr) - 1

    def __repr__(self) -> str:
        kind = "time" if self.time is not None else "their positions"
        order = f"in the order of {kind}" if self.ordered else "without order"
        return f"Histories({len(self.item):,} interactions of {len(self):,} users, {order})"

    def rows(self, user: int) -> slice:
        """The rows of one user.

        Raises:
            IndexError: There is no such user.
        """
        if not 0 <= user < len(self):
            raise IndexError(f"user {user} is not one of {len(self):,}")
        return slice(int(self.indptr[user]), int(self.indptr[user + 1]))

    def matrix(self, positive_only: bool = True) -> csr_matrix:
        """Users by items; shape (len(self), n_items), float32, indices sorted.

        Args:
            positive_only: Whether to return the weights of positive rows; otherwise 1 for each row.
        """
        return self._weights if positive_only else self._ones

    @cached_property
    def has_positive(self) -> np.ndarray:
        """Whether each user has a positive interaction; shape (len(self),), bool."""
        before = np.concatenate([[0], np.cumsum(self.positive)])[self.indptr]
        return np.asarray(before[1:] > before[:-1])

    @cached_property
    def _weights(self) -> csr_matrix:
        rows = np.flatnonzero(self.positive)
        return self._matrix(self.weight[rows], self.item[rows], np.searchsorted(rows, self.indptr))

    @cached_property
    def _ones(self) -> csr_matrix:
        return self._matrix(np.ones(len(self.item), np.float32), self.item.copy(), self.indptr)

    @cached_property
    def lags(self) -> np.ndarray | None:
        """Number of newer liked items of the same user, in the order of `matrix().data`; None if there is no order; int32."""
        if not self.ordered:
            return None
        rows = np.flatnonzero(self.positive)
        user, item = self.users()[rows], self.item[rows]
        liked_until = np.concatenate([[0], np.cumsum(self.weight[rows] > 0)])
        end = np.searchsorted(rows, self.indptr)[1:]
        newer = liked_until[end[user]] - liked_until[1:]
        return np.asarray(newer[np.lexsort((item, user))], np.int32)

    def newest_liked(self, most: int) -> Histories:
        """The newest liked rows of each user, at most `most`."""
        return self.of_rows(self.positive & (self.weight > 0)).last(most)

    def padded(self, users: np.ndarray) -> np.ndarray:
        """Row numbers of some users, in order, padded with -1; shape (len(users), longest), int64."""
        start, end = self.indptr[users, None], self.indptr[users + 1, None]
        rows = start + np.arange((end - start).max(initial=0))
        return np.where(rows < end, rows, -1)

    def _matrix(self, values: np.ndarray, item: np.ndarray, indptr: np.ndarray) -> csr_matrix:
        matrix = csr_matrix((values, item, indptr), shape=(len(self), self.n_items))
        matrix.sort_indices()  # rows are in time order
        return matrix

    def with_items(self, n_items: int) -> Histories:
        """The same histories over a longer list of items."""
        longer = replace(self, n_items=n_items)
        if "lags" in self.__dict__:
            longer.__dict__["lags"] = self.lags
        for name in ("_weights", "_ones"):
            if name in self.__dict__:  # its arrays stay valid
                known = self.__dict__[name]
                shape = (len(self), n_items)
                longer.__dict__[name] = csr_matrix((known.data, known.indices, known.indptr), shape)
        return longer

    def of_items(self, which: np.ndarray) -> Histories:
        """The rows of some items, given by a mask of shape (n_items,); the list of users does not change."""
        return self.of_rows(which[self.item])

    def of_rows(self, kept: np.ndarray) -> Histories:
        """Some of the rows, given by a mask of shape (n,); the list of users does not change."""
        indptr = np.concatenate([[0], np.cumsum(kept)])[self.indptr]
        columns = {name: getattr(self, name)[kept] for name in list(_COLUMN_TYPES)[1:]}
        time = None if self.time is None else self.time[kept]
        return Histories(self.n_items, indptr, **columns, time=time, ordered=self.ordered)

    def take(self, users: np.ndarray) -> Histories:
        """The histories of some users.

        Args:
            users: Rows of users, in any order, possibly repeated; shape (n,), int.

        Returns:
            Histories whose user i is `users[i]`.

        Raises:
            IndexError: A user is out of range.
        """
        users = np.asarray(users, dtype=np.int64)
        if len(users) and not (users.min() >= 0 and users.max() < len(self)):
            raise IndexError(f"users {users.min()} to {users.max()} are not all among {len(self):,}")
        return self.between(self.indptr[users], self.indptr[users + 1])

    def last(self, n: int) -> Histories:
        """At most `n` rows per user: the newest ones, or those of the last items if `ordered` is False.

        Raises:
            ValueError: `n` is negative.
        """
        if n < 0:
            raise ValueError(f"n is {n}: give 0 or more")
        return self.between(np.maximum(self.indptr[:-1], self.indptr[1:] - n), self.indptr[1:])

    def users(self) -> np.ndarray:
        """User of each row; shape (n,), int32."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.indptr))

    def between(self, start: np.ndarray, end: np.ndarray) -> Histories:
        """Histories whose user i has the rows from `start[i]` to `end[i]`; both of shape (n_users,), int64."""
        indptr = _indptr(end - start)
        rows = np.arange(indptr[-1]) + np.repeat(start - indptr[:-1], end - start)
        columns = {name: getattr(self, name)[rows] for name in list(_COLUMN_TYPES)[1:]}
        time = None if self.time is None else self.time[rows]
        return Histories(self.n_items, indptr, **columns, time=time, ordered=self.ordered)

    def _check_order(self, user: np.ndarray) -> None:
        """Raise ValueError for rows that are not in the order of the class; `user` is the user of each row."""
        if (np.diff(user) < 0).any():
            raise ValueError("the rows are not sorted by user")
        within = np.diff(user) == 0
        if self.ordered and self.time is None:
            pairs = np.sort(user.astype(np.int64) * max(self.n_items, 1) + self.item)
            if (np.diff(pairs) == 0).any():
                raise ValueError("a user has an item twice")
            return
        if self.ordered and self.time is not None:
            step = np.diff(self.time)
            if (step[within] < 0).any():
                raise ValueError("the rows of a user are not sorted by time")
            within &= step == 0
        if (np.diff(self.item)[within] <= 0).any():
            at = "of a user at one time" if self.ordered else "of a user"
            raise ValueError(f"the rows {at} are not sorted by item, each item once")


def places(user: np.ndarray, stamp: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Position of each row in its user's history, by stamp and then by item, from 1; all of shape (n,); int64."""
    order = np.lexsort((item, stamp, user))
    sorted_users = user[order]
    place = np.empty(len(user), np.int64)
    place[order] = np.arange(1, len(user) + 1) - np.searchsorted(sorted_users, sorted_users)
    return place


def _indptr(lengths: np.ndarray) -> np.ndarray:
    """First row of each user, and the total number of rows; shape (len(lengths) + 1,), int64."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def _is_sorted(*keys: np.ndarray) -> bool:
    """Whether rows are sorted by several keys, the most important one first."""
    steps = np.zeros(max(len(keys[0]) - 1, 0), dtype=np.int8)
    for key in keys:
        steps = np.where(steps == 0, np.sign(np.diff(key)), steps)
    return bool((steps >= 0).all())


def _column(table: pa.Table, name: str, dtype: np.dtype) -> np.ndarray:
    if name not in table.column_names:
        raise ValueError(f"there is no column '{name}'")
    column = table[name]
    values: np.ndarray = column.to_numpy()
    if column.null_count or values.dtype != dtype:
        raise ValueError(
            f"the column '{name}' is {column.type} with {column.null_count} nulls, not {dtype} without"
        )
    return values


def _check_range(name: str, values: np.ndarray, size: int) -> None:
    """Raise ValueError for row numbers that are not below `size`."""
    if len(values) and (values.min() < 0 or values.max() >= size):
        raise ValueError(f"'{name}' has rows from {values.min()} to {values.max()}, and there are {size}")
