"""Rows of an array in two segments: a base, which may be mapped from disk, and a delta of rows changed later.

Enters: an array or a sparse matrix, and rows that replace or extend its rows. Leaves: the requested rows. Nothing is written.

A change copies only the delta, so its cost depends on the number of changed rows, not on the size of the base. Every value is
immutable: a reader keeps its value while a writer makes the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
import scipy.sparse as sp

_Array = TypeVar("_Array", np.ndarray, sp.csr_matrix)


@dataclass(frozen=True)
class Rows(Generic[_Array]):
    """A dense array or a CSR matrix, by rows.

    Example:
        >>> rows = Rows.of(np.array([1.0, 2.0])).with_rows(np.array([1, 2]), np.array([5.0, 6.0]))
        >>> rows[np.array([0, 1, 2])].tolist(), len(rows)
        ([1.0, 5.0, 6.0], 3)
    """

    #: shape (n_base, ...)
    base: _Array
    #: positions of the rows of `delta`, increasing; those from `n_base` on have no gap; shape (n_delta,), int64
    at: np.ndarray
    #: shape (n_delta, ...)
    delta: _Array
    #: values computed from the base, by name; shared by all objects that share the base
    of_base: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, base: _Array) -> Rows[_Array]:
        """All rows in the base."""
        return cls(base, np.zeros(0, np.int64), base[:0])

    def __len__(self) -> int:
        n_base = int(self.base.shape[0])
        return max(n_base, 1 + int(self.at[-1])) if len(self.at) else n_base

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""
        return (len(self), *self.base.shape[1:])

    def __getitem__(self, rows: Any) -> Any:
        """Some rows by a slice or an integer array of any shape (for a CSR matrix, one dimension), or one row by an integer.
        Negative integers count from the end.
        """
        if not len(self.at):
            return self.base[rows]
        rows = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows)
        places = np.where(rows < 0, rows + len(self), rows).ravel()
        found = self._gathered(places)
        if sp.issparse(found):
            return found
        return found.reshape((*rows.shape, *self.base.shape[1:])) if rows.ndim else found[0]

    def _gathered(self, places: np.ndarray) -> _Array:
        at = places_in(self.at, places)
        changed = at >= 0
        if isinstance(self.base, np.ndarray):
            found = np.empty((len(places), *self.base.shape[1:]), self.base.dtype)
            found[~changed], found[changed] = self.base[places[~changed]], self.delta[at[changed]]
            return found
        both: Any = _stacked(self.base[places[~changed]], self.delta[at[changed]])
        order = np.empty(len(places), np.int64)
        order[np.concatenate([np.flatnonzero(~changed), np.flatnonzero(changed)])] = np.arange(len(places))
        return both[order]  # type: ignore[no-any-return]

    def with_rows(self, at: np.ndarray, values: _Array) -> Rows[_Array]:
        """Return a copy in which some rows are replaced or appended without a gap; `self` does not change.

        Args:
            at: positions, each once; shape (n,), int64.
            values: the new rows; shape (n, ...).
        """
        if not len(at):
            return self
        order = np.argsort(at, kind="stable")
        stays = ~np.isin(self.at, at)
        places = np.concatenate([self.at[stays], at[order]])
        merged = np.argsort(places, kind="stable")
        return Rows(
            self.base, places[merged], _stacked(self.delta[stays], values[order])[merged], self.of_base
        )

    @cached_property
    def whole(self) -> _Array:
        """All rows in one array; a copy if there is a delta."""
        if not len(self.at):
            return self.base
        n_base = self.base.shape[0]
        if isinstance(self.base, np.ndarray):
            array = np.concatenate([self.base, self.delta[self.at >= n_base]])
            array[self.at] = self.delta
            return array
        place = np.arange(len(self))
        place[self.at] = n_base + np.arange(len(self.at))
        return _stacked(self.base, self.delta)[place]  # type: ignore[no-any-return]

    def merged(self) -> Rows[_Array]:
        """The same rows, all in the base."""
        return Rows.of(self.whole)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.whole, dtype=dtype)


def places_in(increasing: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Position of each value in an increasing array, -1 where it is absent; shape (len(values),), int64."""
    if not len(increasing):
        return np.full(len(values), -1, np.int64)
    at = np.minimum(np.searchsorted(increasing, values), len(increasing) - 1)
    return np.where(increasing[at] == values, at, -1)


def _stacked(above: Any, below: Any) -> Any:
    if sp.issparse(above):
        blocks: Any = [above, below]
        return sp.vstack(blocks, format="csr")
    return np.concatenate([above, np.asarray(below, above.dtype)])
