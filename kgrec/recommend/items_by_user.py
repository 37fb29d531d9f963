"""Items per user as integer codes, which take less memory than names; for candidate and deny lists per user.

Enters: a mapping from users to items, or a frame with user_id and item_id. Leaves: rows of a model, per user.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kgrec.arguments import options
from kgrec.arguments.frames import as_table
from kgrec.arguments.ids import as_id, as_ids, is_frame
from kgrec.errors import ConfigError
from kgrec.ingest.cells import encode
from kgrec.model.model import Model
from kgrec.recommend.ids import OnUnknown, item_rows


@dataclass(frozen=True, eq=False)
class ItemsByUser:
    """Lists of items by user; a list may be empty."""

    #: user -> number, in order of first appearance
    users: dict[str, int]
    #: distinct items, in order of first appearance in the users' lists
    items: list[str]
    #: the items of user n are `codes[bounds[n] : bounds[n + 1]]`; shape (len(users) + 1,), int64
    bounds: np.ndarray
    #: positions in `items`; shape (n,), int32
    codes: np.ndarray

    @classmethod
    def of(cls, values: Any, name: str) -> ItemsByUser:
        """Read a mapping from users to items, or a frame with user_id and item_id.

        Raises:
            ConfigError: The value is neither, or contains values that are not ids.
            SourceError: The frame lacks a column, or a cell is not an id.
        """
        if isinstance(values, ItemsByUser):
            return values
        if is_frame(values):
            table = as_table(values, name, ids=["user_id", "item_id"])
            user, users = encode(table["user_id"])
            item, items = encode(table["item_id"])
            return cls._sorted({one: number for number, one in enumerate(users)}, items, user, item)
        if not isinstance(values, Mapping):
            raise ConfigError(
                f"{name} is {options.shown(values)}.",
                "Give a dict from users to their items, or a frame with user_id and item_id.",
            )
        lists = {
            as_id(user, f"a user of {name}"): as_ids(items, f"{name}[{user!r}]")
            for user, items in values.items()
        }
        numbers: dict[str, int] = {}
        item = np.array(
            [numbers.setdefault(one, len(numbers)) for some in lists.values() for one in some], np.int32
        )
        user = np.repeat(np.arange(len(lists)), [len(some) for some in lists.values()])
        return cls._sorted({one: number for number, one in enumerate(lists)}, list(numbers), user, item)

    @classmethod
    def _sorted(
        cls, users: dict[str, int], items: list[str], user: np.ndarray, item: np.ndarray
    ) -> ItemsByUser:
        bounds = np.concatenate([[0], np.cumsum(np.bincount(user.astype(np.int64), minlength=len(users)))])
        item = item[np.argsort(user, kind="stable")]
        # items are numbered in the order of the users' lists, so equal lists give equal values from any input
        used, first, place = np.unique(item, return_index=True, return_inverse=True)
        rank = np.argsort(np.argsort(first))
        named = [items[code] for code in used[np.argsort(first)].tolist()]
        return cls(users, named, bounds, rank[place].astype(np.int32))

    def __len__(self) -> int:
        return len(self.users)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ItemsByUser) and self.users == other.users and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    @cached_property
    def _digest(self) -> str:
        total = hashlib.sha256(json.dumps([list(self.users), self.items]).encode())
        total.update(self.bounds.tobytes())
        total.update(self.codes.tobytes())
        return total.hexdigest()

    def to_dict(self) -> dict[str, list[str]]:
        """User -> items."""
        return {
            user: [self.items[code] for code in self._codes(number).tolist()]
            for user, number in self.users.items()
        }

    def rows(self, model: Model, users: Sequence[str], on_unknown: OnUnknown) -> list[np.ndarray | None]:
        """Distinct rows of each user's items, increasing, int64; None for users without a list.

        Raises:
            UnknownId: An item is unknown.
        """
        numbers = [self.users.get(user) for user in users]
        parts = [None if number is None else self._codes(number) for number in numbers]
        codes = np.unique(
            np.concatenate([np.zeros(0, np.int32), *(part for part in parts if part is not None)])
        )
        names = [self.items[code] for code in codes.tolist()]
        item_rows(model, names, on_unknown)  # raises UnknownId unless unknown items are skipped
        row = np.zeros(len(self.items), np.int64) - 1 if len(codes) else np.zeros(0, np.int64)
        row[codes] = model.items.rows(names)
        return [None if part is None else np.unique(row[part][row[part] >= 0]) for part in parts]

    def _codes(self, number: int) -> np.ndarray:
        return self.codes[self.bounds[number] : self.bounds[number + 1]]
