"""Histories of users in a table, as numbers rather than names.

Enters: a table with a user and an item a row, in any order. Leaves: `HistoryTable`, which take eight bytes a row and each name
once. The table is read in batches; while its rows are sorted by user, they take twenty-eight bytes each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from kgrec.ingest.cells import encode


@dataclass(frozen=True)
class HistoryTable:
    """Items of each user, in the order of the table."""

    #: user -> place, in the order in which they first come
    users: dict[str, int]
    #: each once, in the order in which they first come
    items: list[str]
    #: the history of the n-th user is `taken[bounds[n] : bounds[n + 1]]`; shape (len(users) + 1,), int64
    bounds: np.ndarray
    #: places in `items`; shape (rows,), int32
    taken: np.ndarray

    @classmethod
    def of(cls, batches: Iterable[tuple[pa.Array, pa.Array]]) -> HistoryTable:
        """From columns of users and of items, as text."""
        users: dict[str, int] = {}
        items: dict[str, int] = {}
        user, taken = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
        for some_users, some_items in batches:
            user.append(_places(users, some_users))
            taken.append(_places(items, some_items))
        users_of_rows = np.concatenate(user)
        bounds = np.concatenate([[0], np.cumsum(np.bincount(users_of_rows, minlength=len(users)))])
        order = np.argsort(users_of_rows, kind="stable")
        return cls(users, list(items), bounds, np.concatenate(taken)[order])

    def __len__(self) -> int:
        return len(self.users)

    def __getitem__(self, user: str) -> list[str]:
        place = self.users[user]
        rows = self.taken[self.bounds[place] : self.bounds[place + 1]]
        return [self.items[row] for row in rows.tolist()]

    @cached_property
    def digest(self) -> str:
        """Changes with any history; users are left out."""
        total = hashlib.sha256(json.dumps(self.items).encode())
        total.update(self.bounds.tobytes())
        total.update(self.taken.tobytes())
        return total.hexdigest()


def _places(known: dict[str, int], names: pa.Array) -> np.ndarray:
    """Place of each name, new ones behind the known; shape (len(names),), int32."""
    codes, distinct = encode(names)
    places = np.array([known.setdefault(name, len(known)) for name in distinct], np.int32)
    return np.asarray(places[codes])
