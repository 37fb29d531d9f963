"""Histories of users as integer codes, which take less memory than names.

Enters: rows of a table of interactions, in any order; or a list of items per user. Leaves: a `HistoryTable`, which takes four
bytes per row and sixteen per user, and stores each name once. While a table is sorted by user, each row takes up to 40 bytes.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.arguments import options
from kgrec.errors import SourceError
from kgrec.ingest.cells import encode
from kgrec.ingest.interaction_rows import InteractionRows
from kgrec.ingest.mapping.schema import InteractionTable
from kgrec.serve.input_files import WEIGHT, read_rows, read_weights


@dataclass(frozen=True)
class HistoryTable:
    """Items of each user, in input order: liked items, and other items that the user has seen."""

    #: user -> number, in order of first appearance
    users: dict[str, int]
    #: distinct ids, in order of first appearance
    items: list[str]
    #: the history of user n is `codes[bounds[n] : bounds[n + 1]]`; shape (len(users) + 1,), int64
    bounds: np.ndarray
    #: positions in `items`; shape (rows,), int32
    codes: np.ndarray
    #: like `bounds` and `codes`, for items that were seen but not liked
    seen_bounds: np.ndarray
    seen_codes: np.ndarray
    #: weight of each row of `codes`, float64; None: equal weights
    weights: np.ndarray | None = None

    @classmethod
    def of_file(
        cls,
        path: Path,
        tables: Sequence[InteractionTable],
        names_by: Callable[[str | None, list[str]], list[str]] = lambda _, keys: keys,
    ) -> HistoryTable:
        """Read a table of interactions; the mapping decides which items are liked, if the table has its columns.

        Args:
            path: The table.
            tables: The mapping's tables of interactions.
            names_by: Returns item ids for a reference (their key or another key) and the values of the column.

        Raises:
            SourceError: As for `read_rows`; or the table has no rows.
            TooManyBadRows: As for `read_rows`.
        """
        items: dict[str, int] = {}
        log = read_rows(path, tables, lambda by: lambda keys: _numbers(items, names_by(by, keys.to_pylist())))
        encoded = pc.dictionary_encode(pa.concat_arrays([pa.array([], pa.large_string()), *log.users]))
        if not len(encoded):
            raise SourceError(f"{path} has no rows.", "Write one user and one item per row.")
        users = {name: number for number, name in enumerate(encoded.dictionary.to_pylist())}
        user = encoded.indices.to_numpy(zero_copy_only=False)[np.concatenate(log.user)].astype(np.int32)
        item, liked = np.concatenate(log.item), np.concatenate(log.positive)
        if not liked.all():
            liked = _last_word(user, item, liked, log)
        weights = read_weights(path, tables)
        if weights is not None and len(weights) != len(item):
            raise SourceError(
                f"{path}: the column '{WEIGHT}' cannot be used, because the mapping leaves out some of the rows.",
                "Remove these rows, or rename the column.",
            )
        time = _stamps(log)
        return cls._sorted(users, items, user, item, liked, weights, time)

    @classmethod
    def of_frame(cls, table: pa.Table) -> HistoryTable:
        """Make a table from columns user_id and item_id (large_string), and weight if present.

        Raises:
            ConfigError: A weight is not a number above 0.
        """
        (user, users), (item, items) = (encode(table[name]) for name in ("user_id", "item_id"))
        weights = None
        if WEIGHT in table.column_names:
            place = f"histories: '{WEIGHT}'"
            weights = np.array([options.number(place, one, above=0) for one in table[WEIGHT].to_pylist()])
        numbers = {name: number for number, name in enumerate(users)}
        named = {name: number for number, name in enumerate(items)}
        rows = user.astype(np.int32), item.astype(np.int32)
        return cls._sorted(numbers, named, *rows, np.ones(len(user), bool), weights)

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
        rows = np.array(user, np.int32), np.array(item, np.int32)
        return cls._sorted(users, items, *rows, np.ones(len(user), bool))

    def __len__(self) -> int:
        return len(self.users)

    def __getitem__(self, user: str) -> list[str]:
        return self._names(user, self.bounds, self.codes)

    def weights_of(self, user: str) -> list[float]:
        """Weight of each of the user's items; `weights` must not be None."""
        number = self.users[user]
        assert self.weights is not None
        weights: list[float] = self.weights[self.bounds[number] : self.bounds[number + 1]].tolist()
        return weights

    def seen(self, user: str) -> list[str]:
        """Items that the user has seen but not liked."""
        return self._names(user, self.seen_bounds, self.seen_codes)

    def _names(self, user: str, bounds: np.ndarray, codes: np.ndarray) -> list[str]:
        number = self.users[user]
        return [self.items[row] for row in codes[bounds[number] : bounds[number + 1]].tolist()]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all histories, independent of user names."""
        total = hashlib.sha256(json.dumps(self.items).encode())
        for part in (self.bounds, self.codes, self.seen_bounds, self.seen_codes):
            total.update(part.tobytes())
        total.update(b"" if self.weights is None else self.weights.tobytes())
        return total.hexdigest()

    @classmethod
    def _sorted(
        cls,
        users: dict[str, int],
        items: dict[str, int],
        user: np.ndarray,
        item: np.ndarray,
        liked: np.ndarray,
        weights: np.ndarray | None = None,
        time: np.ndarray | None = None,
    ) -> HistoryTable:
        """Make a table from the user and item code of each row; the rows of a user are sorted by time, or keep their order."""
        if time is not None:
            order = np.argsort(time, kind="stable")
            user, item, liked = user[order], item[order], liked[order]
            weights = None if weights is None else weights[order]
        parts = [_by_user(user[chosen], item[chosen], len(users)) for chosen in (liked, ~liked)]
        if weights is not None:
            weights = weights[liked][np.argsort(user[liked], kind="stable")]
        return cls(users, list(items), *parts[0], *parts[1], weights)


def _stamps(log: InteractionRows) -> np.ndarray | None:
    """Times or positions that order the rows; None: there is no order."""
    if log.has_time or log.has_position:
        return np.concatenate(log.time if log.has_time else log.position)
    return None


def _by_user(user: np.ndarray, item: np.ndarray, n_users: int) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of each user's rows, and the items in that order."""
    bounds = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=n_users))])
    return bounds, item[np.argsort(user, kind="stable")]


def _last_word(user: np.ndarray, item: np.ndarray, liked: np.ndarray, log: InteractionRows) -> np.ndarray:
    """Whether each row is liked, as decided by one row of its pair of user and item: the latest, then the one with the highest value.

    This is the row that `Interactions` keeps; rows of weight 0 have the lowest priority.
    """
    keys = [liked]
    keys += [np.nan_to_num(np.concatenate(log.value), nan=-np.inf)] if log.has_value else []
    keys += [stamps] if (stamps := _stamps(log)) is not None else []
    keys += [np.concatenate(log.weight) > 0] if log.has_weight else []
    order = np.lexsort((*keys, item, user))
    last = np.flatnonzero((np.diff(user[order], append=-1) != 0) | (np.diff(item[order], append=-1) != 0))
    decided = np.empty(len(order), bool)
    decided[order] = np.repeat(liked[order[last]], np.diff(last, prepend=-1))
    return decided


def _numbers(known: dict[str, int], names: Sequence[str]) -> np.ndarray:
    """Code of each name; new names are added to `known`; shape (len(names),), int32."""
    return np.array([known.setdefault(name, len(known)) for name in names], np.int32)
