"""Histories of users as integer codes, which take less memory than names.

Enters: a table with one user and one item per row, in any order; or a list of items per user. Leaves: a `HistoryTable`, which
takes four bytes per row and eight per user, and holds each name once. A table is read in batches; its rows take up to 28 bytes
each while they are sorted by user.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from kgrec.ingest.cells import encode


@dataclass(frozen=True)
class HistoryTable:
    """Items of each user, in the order of the input."""

    #: user -> number, in order of first appearance
    users: dict[str, int]
    #: distinct ids, in order of first appearance
    items: list[str]
    #: the history of user n is `codes[bounds[n] : bounds[n + 1]]`; shape (len(users) + 1,), int64
    bounds: np.ndarray
    #: positions in `items`; shape (rows,), int32
    codes: np.ndarray

    @classmethod
    def of(cls, batches: Iterable[tuple[pa.Array, pa.Array]]) -> HistoryTable:
        """Make a table from batches of a column of users and a column of items, both strings."""
        users: dict[str, int] = {}
        items: dict[str, int] = {}
        user, item = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
        for some_users, some_items in batches:
            user.append(_numbers(users, some_users))
            item.append(_numbers(items, some_items))
        return cls._sorted(users, items, np.concatenate(user), np.concatenate(item))

    @classmethod
    def of_lists(cls, histories: Iterable[tuple[str, Sequence[str]]]) -> HistoryTable:
        """Make a table from pairs of a user and item ids; a history may be empty."""
        users: dict[str, int] = {}
        items: dict[str, int] = {}
        user, item = array("i"), array("i")
        for name, history in histories:
            number = users.setdefault(name, len(users))
            user.extend([number] * len(history))
            item.extend([items.setdefault(other, len(items)) for other in history])
        return cls._sorted(users, items, np.array(user, np.int32), np.array(item, np.int32))

    def __len__(self) -> int:
        return len(self.users)

    def __getitem__(self, user: str) -> list[str]:
        number = self.users[user]
        rows = self.codes[self.bounds[number] : self.bounds[number + 1]]
        return [self.items[row] for row in rows.tolist()]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all histories; names of users play no part."""
        total = hashlib.sha256(json.dumps(self.items).encode())
        total.update(self.bounds.tobytes())
        total.update(self.codes.tobytes())
        return total.hexdigest()

    @classmethod
    def _sorted(
        cls, users: dict[str, int], items: dict[str, int], user: np.ndarray, item: np.ndarray
    ) -> HistoryTable:
        """Make a table from the codes of each row's user and item; rows of a user keep their order."""
        bounds = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=len(users)))])
        return cls(users, list(items), bounds, item[np.argsort(user, kind="stable")])


def _numbers(known: dict[str, int], names: pa.Array) -> np.ndarray:
    """Code of each name; new names are added to `known`; shape (len(names),), int32."""
    codes, distinct = encode(names)
    numbers = np.array([known.setdefault(name, len(known)) for name in distinct], np.int32)
    return np.asarray(numbers[codes])
