"""Interactions of users with items.

Enters: rows that a build read, or a frame. Leaves: `Interactions`: sorted rows of user and item numbers. Nothing is written.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from pydantic import ValidationError
from scipy.sparse import csr_matrix

from kgrec.arguments import options
from kgrec.arguments.frames import as_table
from kgrec.errors import ConfigError, SourceError
from kgrec.graph.vocabulary import Vocabulary
from kgrec.ingest.build_report import FileReport, Report, Tally
from kgrec.ingest.interaction_rows import InteractionRows, LogReader
from kgrec.ingest.mapping.interaction_table import RowOrder, TimeUnit
from kgrec.ingest.mapping.schema import ErrorPolicy, InteractionTable
from kgrec.ingest.table_files import frame_table

logger = logging.getLogger(__name__)

#: remedy for a log without an order, where one is needed
NO_ORDER_REMEDY = "Give `time:`, `position:` or `order: rows` under `interactions:` in the mapping"
#: smallest weight of an interaction, however old it is
_LEAST = 1e-6
#: column that a log may lack -> value for rows without it when other rows have one, as in joined tables
_OPTIONAL: dict[str, float] = {"value": np.nan, "time": 0, "position": -1, "weight": 1.0}


@dataclass(frozen=True)
class Interactions:
    """Distinct pairs of user and item, sorted by user, time or position, and item; the latest row of a pair is kept.

    All arrays have the shape (len(self),).
    """

    users: Vocabulary
    #: the items of the graph, in its order
    items: Vocabulary
    #: int32, rows of `users`
    user: np.ndarray
    #: int32, rows of `items`
    item: np.ndarray
    #: bool; other rows are known to the user, but not learned from
    positive: np.ndarray
    #: int32; number of log rows with this user and item, of which the latest was kept
    count: np.ndarray
    #: float32; nan where there is none
    value: np.ndarray | None = None
    #: int64, seconds since 1970; 0 where there is none
    time: np.ndarray | None = None
    #: int64, increases within a user in a log with an order but no times; -1 if unknown; None: there are times, or no order
    position: np.ndarray | None = None
    #: float32; the largest weight of the rows with this user and item, 0 if none is positive; None: all are 1
    weight: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.user)

    @classmethod
    def none(cls, items: Vocabulary) -> Interactions:
        """An empty log."""
        return cls.from_log(InteractionRows(), items)

    @classmethod
    def from_log(cls, log: InteractionRows, items: Vocabulary) -> Interactions:
        """Sort the rows that a build read, and keep each pair of user and item once."""
        users, rank = _sorted_users(log)
        user, item = rank[_joined(log.user, np.int32)], _joined(log.item, np.int32)
        return cls(
            users,
            items,
            user,
            item,
            _joined(log.positive, np.bool_),
            np.ones(len(user), np.int32),
            _joined(log.value, np.float32) if log.has_value else None,
            _joined(log.time, np.int64) if log.has_time else None,
            _joined(log.position, np.int64) if log.has_position else None,
            _joined(log.weight, np.float32) if log.has_weight else None,
        )._distinct()

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        items: Vocabulary,
        *,
        user: str = "user_id",
        item: str = "item_id",
        value: str | None = None,
        time: str | None = None,
        positive: str | None = None,
        event: str | None = None,
        events: Mapping[str, float] | None = None,
        time_unit: TimeUnit | None = None,
        position: str | None = None,
        order: RowOrder | None = None,
    ) -> Interactions:
        """Read a pandas, polars or Arrow frame; the options are those of `interactions:` in a mapping.

        Raises:
            SourceError: A column is missing, a user or an item is missing, an item is unknown, or a value or a time cannot be read.
            ConfigError: A column name is not text, or `positive` is not a condition.
        """
        options.instance("items", items, Vocabulary, "Give graph.item_ids.")
        columns = {
            "user": user,
            "item": item,
            "value": value,
            "time": time,
            "position": position,
            "positive": positive,
            "event": event,
        }
        mapped = _mapped(**columns, events=events, time_unit=time_unit, order=order)
        return cls._from_table(frame, "interactions", items, mapped)

    @classmethod
    def _from_table(cls, frame: Any, name: str, items: Vocabulary, mapped: InteractionTable) -> Interactions:
        """Read a frame; `name` is the name of the argument, for errors."""
        table = as_table(frame, name, ids=[mapped.user, mapped.item_column])
        log, report = InteractionRows.of([mapped]), Report()
        tally = Tally(name, FileReport(), ErrorPolicy(stop_above=1))
        LogReader(log, mapped, report, items.ids).read(frame_table(table, name), tally)
        _refuse_unknown(report)
        _refuse_unread(tally.report)
        return cls.from_log(log, items)

    def to_arrow(self) -> pa.Table:
        """Columns user_id and item_id (dictionaries of strings), positive, count, and value, time, position and weight where there are any."""
        columns = {"user_id": _strings(self.user, self.users), "item_id": _strings(self.item, self.items)}
        optional = {name: getattr(self, name) for name in _OPTIONAL}
        columns |= {name: pa.array(array) for name, array in optional.items() if array is not None}
        return pa.table({**columns, "positive": pa.array(self.positive), "count": pa.array(self.count)})

    @classmethod
    def from_arrow(cls, table: pa.Table, items: Vocabulary) -> Interactions:
        """Read back what `to_arrow` returned; tables of older versions have no `count`, which then is 1."""
        users, user = _codes(table["user_id"])
        named, item = _codes(table["item_id"])
        optional = {
            name: pc.fill_null(table[name], absent).to_numpy()
            for name, absent in _OPTIONAL.items()
            if name in table.column_names
        }
        counted = "count" in table.column_names
        order = Vocabulary.of(users)
        return cls(
            order,
            items,
            order.ids(users)[user].astype(np.int32),
            items.ids(named)[item].astype(np.int32),
            table["positive"].to_numpy(),
            table["count"].to_numpy() if counted else np.ones(len(table), np.int32),
            **optional,
        )

    @property
    def stamps(self) -> np.ndarray | None:
        """The values that order the rows of a user: `time` or `position`; None: there is no order."""
        return self.time if self.position is None else self.position

    @property
    def ordered(self) -> bool:
        """Whether the log has an order; a column of empty cells gives none."""
        return self.position is not None or (self.time is not None and bool(self.time.any()))

    def in_order(self) -> Interactions:
        """The same rows, sorted by user, time or position, and item."""
        keys = (self.item, self.user) if self.stamps is None else (self.item, self.stamps, self.user)
        return self.rows(np.lexsort(keys))

    def matrix(self, positive_only: bool = True) -> csr_matrix:
        """Users by items, 1 for each row; shape (len(users), len(items)), float32, indices sorted.

        Args:
            positive_only: Whether to leave out rows that are not positive.
        """
        options.flag("positive_only", positive_only)
        rows = np.flatnonzero(self.positive) if positive_only else np.arange(len(self))
        return self._matrix(rows, np.ones(len(rows), np.float32))

    def weighted(self, half_life: float | None = None) -> csr_matrix:
        """Users by items, with the `weights` of the positive rows; shape (len(users), len(items)), float32, indices sorted.

        Raises:
            ConfigError: There is a half-life, but the interactions have no times.
        """
        rows = np.flatnonzero(self.positive)
        return self._matrix(rows, self.weights(half_life)[rows])

    def weights(self, half_life: float | None = None) -> np.ndarray:
        """Weight of each row in training; shape (len(self),), float32.

        A positive row has its weight, divided by the mean weight of all positive rows, so only the ratios of weights matter. Other
        rows have weight 0.

        Args:
            half_life: Days before the user's latest positive row at which a row has half the weight; None: age is ignored.

        Raises:
            ConfigError: There is a half-life, but the interactions have no times.
        """
        weights = np.zeros(len(self), np.float32)
        rows = np.flatnonzero(self.positive)
        weights[rows] = 1 if half_life is None else self._decay(rows, half_life)
        if self.weight is not None and len(rows):
            own = self.weight[rows]
            weights[rows] *= own / own.mean(dtype=np.float64)
        return weights

    def _matrix(self, rows: np.ndarray, values: np.ndarray) -> csr_matrix:
        shape = (len(self.users), len(self.items))
        return csr_matrix((values, (self.user[rows], self.item[rows])), shape=shape)

    def _decay(self, rows: np.ndarray, half_life: float) -> np.ndarray:
        """Age factor of some rows; float32."""
        options.number("half_life", half_life, above=0)
        if self.time is None:
            raise ConfigError(
                "encoder.half_life is set, but the interactions have no times.",
                "Give `time:` in the mapping, or leave half_life out.",
            )
        return decay(self.user[rows], self.time[rows], len(self.users), half_life)

    def split(
        self, share: float, rng: np.random.Generator, by: Literal["time", "random"] = "random"
    ) -> tuple[Interactions, Interactions]:
        """Hold out a share of each user's positives: the latest, or a random sample.

        Args:
            share: Share of each user's positives, rounded; at least one row, and never all of them.
            rng: Draws the rows to hold out; breaks ties between simultaneous rows.
            by: "time" needs times or positions.

        Returns:
            The remaining rows, including all that are not positive, and the held-out rows. Users with fewer than three positives
                keep all their rows.

        Raises:
            SourceError: `by` is "time", but there is no order.
        """
        options.number("share", share, above=0, below=1)
        options.instance("rng", rng, np.random.Generator, "Give numpy.random.default_rng(0).")
        if options.choice("by", by, ("time", "random")) == "time" and self.stamps is None:
            raise SourceError("The interactions have no order to split by.", f"{NO_ORDER_REMEDY}.")
        held = self._held_out(share, by, rng)
        return self.rows(~held), self.rows(held)

    def rows(self, chosen: np.ndarray) -> Interactions:
        """Some of the rows, by a mask or by sorted positions; users and items keep their codes."""
        named = ("user", "item", "positive", "count", *_OPTIONAL)
        return replace(
            self, **{name: column[chosen] for name in named if (column := getattr(self, name)) is not None}
        )

    def dealt(
        self, rng: np.random.Generator, by: Literal["time", "random"] = "random"
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The positives of each user, in order of time or position, or in a random order.

        Args:
            rng: Draws the order; breaks ties between simultaneous rows.
            by: "time" needs times or positions.

        Rows, sorted by user and by that order; the rank of each row within its user, from 0; both of shape (n_positives,).
            And the number of positives of each user, shape (len(users),).
        """
        rows = np.flatnonzero(self.positive)
        keys = [rng.random(len(rows)), self.user[rows]]
        if by == "time" and self.stamps is not None:
            keys.insert(1, self.stamps[rows])
        rows = rows[np.lexsort(keys)]
        counts = np.bincount(self.user[rows], minlength=len(self.users))
        return rows, np.arange(len(rows)) - (np.cumsum(counts) - counts)[self.user[rows]], counts

    def _held_out(self, share: float, by: Literal["time", "random"], rng: np.random.Generator) -> np.ndarray:
        rows, position, counts = self.dealt(rng, by)
        take = np.clip(np.rint(counts * share).astype(np.int64), 1, np.maximum(counts - 1, 1))
        take[counts < 3] = 0
        held = np.zeros(len(self), dtype=bool)
        held[rows[position >= (counts - take)[self.user[rows]]]] = True
        return held

    def _distinct(self) -> Interactions:
        """Sorted, with each pair of user and item once and counted."""
        size = max(len(self.items), 1)
        pair = self.user.astype(np.int64)
        pair *= size
        pair += self.item
        if all(getattr(self, name) is None for name in _OPTIONAL):
            pair, count = _counted(pair)
            user, item = (pair // size).astype(np.int32), (pair % size).astype(np.int32)
            return replace(self, user=user, item=item, positive=np.ones(len(pair), dtype=bool), count=count)
        kept, count = self._latest(pair)
        stamps = self.stamps
        keys = (pair[kept],) if stamps is None else (self.item[kept], stamps[kept], self.user[kept])
        order = np.lexsort(keys)
        rows = replace(self.rows(kept[order]), count=count[order])
        return rows if self.weight is None else replace(rows, weight=self._largest(pair, kept[order]))

    def _largest(self, pair: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """The largest weight of all rows with the pair of each row in `kept`; float32."""
        assert self.weight is not None
        order = np.lexsort((self.weight, pair))
        # among equal pairs, the last has the largest weight
        last = np.searchsorted(pair[order], pair[kept], side="right") - 1
        return np.asarray(self.weight[order[last]])

    def _latest(self, pair: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row of each distinct number of `pair` that is kept, in no particular order, and how many rows have it, int32."""
        order = np.argsort(pair)
        again = np.diff(pair[order], prepend=-1) == 0
        # few rows repeat a pair, so only these are compared
        repeated = np.zeros(len(order), dtype=bool)
        repeated[order] = again | np.append(again[1:], False)
        single, several = np.flatnonzero(~repeated), np.flatnonzero(repeated)
        several = several[np.lexsort((*self._precedence(several), pair[several]))]
        last = np.flatnonzero(np.diff(pair[several], append=-1) != 0)
        count = np.concatenate([np.ones(len(single), np.int32), np.diff(last, prepend=-1).astype(np.int32)])
        return np.concatenate([single, several[last]]), count

    def _precedence(self, rows: np.ndarray) -> list[np.ndarray]:
        """Keys that decide which of equal pairs is kept (the last one), most important key last.

        Rows of weight 0 yield to other rows; then time or position, value and positive decide.
        """
        keys: list[np.ndarray] = [self.positive[rows]]
        keys += [np.nan_to_num(self.value[rows], nan=-np.inf)] if self.value is not None else []
        keys += [self.stamps[rows]] if self.stamps is not None else []
        return keys + ([self.weight[rows] > 0] if self.weight is not None else [])


def decay(user: np.ndarray, time: np.ndarray, n_users: int, half_life: float) -> np.ndarray:
    """Age weights of interactions: 1 for the user's latest, 1/2 for one that is `half_life` days older.

    Args:
        user: User of each interaction; shape (n,), int.
        time: Seconds since 1970; shape (n,), int64.
        n_users: Number of users.
        half_life: Half-life in days.

    Returns:
        Shape (n,), float32; never 0, because an old interaction still counts.
    """
    latest = np.full(n_users, np.iinfo(np.int64).min)
    np.maximum.at(latest, user, time)
    days = (latest[user] - time) / 86_400
    weight: np.ndarray = np.maximum(0.5 ** (days / half_life), _LEAST).astype(np.float32)
    return weight


def given(frame: Any, items: Vocabulary, name: str) -> Interactions:
    """`Interactions` over these items, given or read from a frame; `name` is the name of the argument.

    Raises:
        SourceError: An item is unknown; or as in `Interactions.from_frame`.
    """
    if not isinstance(frame, Interactions):
        return Interactions._from_table(frame, name, items, _mapped(user="user_id", item="item_id"))
    return frame if frame.items is items or frame.items == items else _over(frame, items)


def _over(log: Interactions, items: Vocabulary) -> Interactions:
    """The same interactions, with rows in another list of items."""
    code = items.ids(log.items.labels)[log.item]
    for row in np.flatnonzero(code < 0)[:1].tolist():
        name = log.items[log.item[row]]
        raise SourceError(
            f"{(code < 0).sum():,} interactions name an unknown item, first '{name}': they belong to other items.",
            "Give interactions of this graph, or add these items to it.",
        )
    return replace(log, items=items, item=code.astype(np.int32)).in_order()


def _mapped(**columns: Any) -> InteractionTable:
    """The columns of a frame, as a mapping names them."""
    for name, column in columns.items():
        if name not in ("events", "time_unit", "order") and (column is not None or name in ("user", "item")):
            options.text(name, column, "the name of a column" if name != "positive" else "'>= 4'")
    try:
        return InteractionTable(file=("interactions",), **columns)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        # an error about several columns together names no single place
        named = next(
            (
                name
                for name in (*map(str, first["loc"]), *columns)
                if columns.get(name) is not None and name not in ("user", "item")
            ),
            "user",
        )
        raise ConfigError(
            f"{named} is {options.shown(columns[named])}: {message}.", "Change the value."
        ) from None


def held_out_of(frame: Any, log: Interactions) -> Interactions:
    """The held-out positives that can be ranked, with the user numbers of `log`.

    Rows of unknown users are left out, and so are pairs in the training data, because rankings exclude them.

    Raises:
        SourceError: No rows remain.
    """
    valid = given(frame, log.items, "valid")
    user = log.users.ids(valid.users.labels)[valid.user]
    unknown = user < 0
    taken = np.asarray(log.matrix(positive_only=False)[np.maximum(user, 0), valid.item]).ravel() > 0
    usable = valid.positive & ~unknown & ~taken
    left_out = (
        f"{unknown.sum():,} are of unknown users, {(taken & ~unknown).sum():,} are in the training data too"
    )
    if not usable.any():
        raise SourceError(
            f"None of the {len(valid):,} held-out interactions can be used: {left_out}.",
            "Give positive interactions of known users that the training data lacks.",
        )
    if (unknown | taken).any():
        logger.warning("Of %s held-out interactions, %s: left out.", f"{len(valid):,}", left_out)
    return replace(valid.rows(usable), users=log.users, user=user[usable].astype(np.int32))


def _sorted_users(log: InteractionRows) -> tuple[Vocabulary, np.ndarray]:
    """The users, sorted, and the rank of each user code."""
    encoded = pc.dictionary_encode(pa.concat_arrays([pa.array([], pa.large_string()), *log.users]))
    order = pc.sort_indices(encoded.dictionary)
    rank = np.empty(len(order), dtype=np.int32)
    rank[order.to_numpy()] = np.arange(len(order), dtype=np.int32)
    return Vocabulary(encoded.dictionary.take(order)), rank[encoded.indices.to_numpy(zero_copy_only=False)]


def _counted(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct numbers, sorted, and how often each occurs, int32; `np.unique` hashes first and is slower."""
    numbers = np.sort(numbers)
    first = np.flatnonzero(np.diff(numbers, prepend=-1) != 0)
    return numbers[first], np.diff(first, append=len(numbers)).astype(np.int32)


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.empty(0, dtype=dtype)


def _strings(codes: np.ndarray, vocabulary: Vocabulary) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes), vocabulary.labels.cast(pa.string()))


def _codes(column: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    array = column.unify_dictionaries().combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    return array.dictionary.to_pylist(), array.indices.to_numpy(zero_copy_only=False)


def _refuse_unknown(report: Report) -> None:
    if report.unknown_items.count:
        raise SourceError(
            f"{report.unknown_items.count:,} interactions name an unknown item, first "
            f"{report.unknown_items.first[0]}.",
            "Leave these rows out, or add their items first.",
        )


def _refuse_unread(report: FileReport) -> None:
    """Raise an error for cells that a build would count and leave out, because a frame has no report that could list them."""
    for column, places in report.failed.items():
        raise SourceError(
            f"{places.count:,} cells of '{column}' cannot be read, first {places.first[0]}.",
            "Correct these cells, or leave their rows out.",
        )


def of_items(matrix: sp.csr_matrix, which: np.ndarray) -> sp.csr_matrix:
    """The entries of some items, given by a mask of shape (n_items,); the matrix keeps its shape."""
    kept = which[matrix.indices]
    indptr = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    return sp.csr_matrix((matrix.data[kept], matrix.indices[kept], indptr), matrix.shape)
