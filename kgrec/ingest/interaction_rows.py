"""Tables of interactions as columns of codes.

Enters: `Table`s and their part of the mapping. Leaves: `InteractionRows`. Rows never become Python objects: each batch is
dictionary-encoded, and only distinct users and items are looked up.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import TooManyBadRows, did_you_mean
from kgrec.ingest import cells
from kgrec.ingest.batches import Batch, Table
from kgrec.ingest.build_report import Places, Report, Tally
from kgrec.ingest.mapping.schema import InteractionTable
from kgrec.ingest.table_statements import count_broken, drop_garbled, filled
from kgrec.ingest.times import Clock

#: rows of several batches whose users are encoded together
_WAITING = 2_000_000
#: a log that ends before 1980 probably does not count seconds
_EARLY = 315_532_800
#: positions from here on are not exact in double precision
_MAX_POSITION = 2**53
UNKNOWN_ITEM = "names an unknown item"
NO_USER = "has an empty user or item"
_REMEDY = "Correct the row, or the mapping's `interactions:`."
_COMPARE: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}

#: codes of items by their names, -1 where unknown
ItemCodes = Callable[[pa.Array], np.ndarray]


@dataclass
class InteractionRows:
    """Interactions in the order of their files, by codes of users and items."""

    #: whether some table has values, times, positions, weights
    has_value: bool = False
    has_time: bool = False
    has_position: bool = False
    has_weight: bool = False
    #: distinct users per group of batches; `user` is an index into their concatenation, in which users may repeat
    users: list[pa.Array] = field(default_factory=list)
    user: list[np.ndarray] = field(default_factory=list)
    item: list[np.ndarray] = field(default_factory=list)
    #: float32, nan where there is none; only if `has_value`
    value: list[np.ndarray] = field(default_factory=list)
    #: int64, 0 where there is none; only if `has_time`
    time: list[np.ndarray] = field(default_factory=list)
    #: int64, -1 if unknown; only if `has_position`
    position: list[np.ndarray] = field(default_factory=list)
    #: float32; only if `has_weight`
    weight: list[np.ndarray] = field(default_factory=list)
    #: whether each row is positive and therefore learned from
    positive: list[np.ndarray] = field(default_factory=list)
    #: users of the last batches, not yet encoded
    waiting: list[pa.Array] = field(default_factory=list)
    #: rows of all files so far, used or not
    n_read: int = 0

    @classmethod
    def of(cls, tables: Sequence[InteractionTable]) -> InteractionRows:
        """An empty log, with the columns that the tables have together."""
        return cls(
            any(table.value is not None for table in tables),
            any(table.time is not None for table in tables),
            any(table.has_positions for table in tables),
            any(table.weighted for table in tables),
        )


@dataclass
class LogReader:
    """Reads the files of one table of interactions, and counts their rows together."""

    #: the log to append the rows to
    log: InteractionRows
    #: the table's part of the mapping
    mapped: InteractionTable
    #: counts for the whole build
    report: Report
    item_codes: ItemCodes
    #: number of rows of all files that name an item, and number of those that name an unknown item
    named: int = 0
    unknown: Places = field(default_factory=Places)
    rows: int = 0
    #: examples of the unknown names
    unknown_names: set[str] = field(default_factory=set)
    #: column -> values of the mapping that at least one row has
    met: dict[str, set[str]] = field(default_factory=dict)
    #: column -> value -> rows left out because the mapping does not list the value
    left_out: dict[str, Counter[str]] = field(default_factory=dict)

    def read(self, table: Table, tally: Tally) -> None:
        """Read one file with one interaction per row.

        Args:
            table: The file.
            tally: Counts for this file.

        Raises:
            SourceError: A column that the mapping names is missing.
            TooManyBadRows: More rows are bad than the mapping allows.
        """
        table.require(self.mapped.columns_read)
        tally.report.unread = table.unread(self.mapped.columns_read)
        clock, first = Clock(self.mapped), len(self.log.time)
        for batch in table.read(self.mapped.columns_read):
            count_broken(batch, tally)
            self._read_batch(batch, tally, clock)
            if sum(map(len, self.log.waiting)) > _WAITING:
                _encode_users(self.log)
        _encode_users(self.log)
        self._close_clock(clock, self.log.time[first:], tally)
        tally.close()

    def close(self) -> None:
        """Check the rows of all files together.

        Raises:
            TooManyBadRows: The mapping leaves out all rows.
        """
        files = ", ".join(self.mapped.file)
        if not self.rows:
            self.report.warnings.append(f"{files}: there are no rows.")
        for column, met in self.met.items():
            key, listed = self._list_of(column)
            absent = [value for value in listed if value not in met]
            others = self.left_out[column]
            if self.rows and len(absent) == len(listed):
                shown = ", ".join(f"'{value}'" for value, _ in others.most_common(8))
                raise TooManyBadRows(
                    f"{files}: no row has a value of '{column}' that `{key}:` lists; its values are {shown or 'empty'}.",
                    did_you_mean(listed[0], sorted(others)),
                )
            for value in absent:
                self.report.warnings.append(
                    f"{files}: no row has '{value}' in '{column}', which `{key}:` lists. "
                    f"{did_you_mean(value, sorted(others)) if others else ''}".strip()
                )

    def _list_of(self, column: str) -> tuple[str, list[str]]:
        """The key of the mapping that lists values of a column, and the values."""
        if column == self.mapped.event and self.mapped.events is not None:
            return "events", list(self.mapped.events)
        return "only", list(self.mapped.only[column])

    def _read_batch(self, batch: Batch, tally: Tally, clock: Clock) -> None:
        self.rows += len(batch)
        self.log.n_read += len(batch)
        chosen, weight = self._chosen(batch, tally)
        full = filled(batch, self.mapped.user) & filled(batch, self.mapped.item_column)
        empty = np.flatnonzero(chosen & ~full)
        tally.drop(NO_USER, len(empty), batch.places(empty))
        both = [self.mapped.user, self.mapped.item_column]
        readable = drop_garbled(batch, np.flatnonzero(chosen & full), both, tally)
        chosen &= np.isin(np.arange(len(batch)), readable) if len(batch.garbled) else full
        item = _item_codes(batch.columns[self.mapped.item_column], self.item_codes)
        self._count_unknown(batch, np.flatnonzero(chosen & full & (item < 0)), tally)
        rows = np.flatnonzero(chosen & full & (item >= 0))
        self.named += len(rows)
        self._append(batch, rows, item[rows].astype(np.int32), weight[rows], tally, clock)

    def _append(
        self, batch: Batch, rows: np.ndarray, item: np.ndarray, weight: np.ndarray, tally: Tally, clock: Clock
    ) -> None:
        log, mapped = self.log, self.mapped
        spoiled = np.zeros(len(batch), dtype=bool)
        value = np.full(len(rows), np.nan, np.float32)
        if mapped.value is not None:
            value = _values(batch, mapped.value, rows, tally, spoiled)
        if log.has_value:
            log.value.append(value)
        if log.has_time:
            log.time.append(self._times(batch, rows, tally, spoiled, clock))
        if log.has_position:
            log.position.append(self._positions(batch, rows, tally, spoiled))
        if log.has_weight:
            log.weight.append(weight)
        log.positive.append(_positives(mapped, value) & (weight > 0))
        log.waiting.append(_at(batch.columns[mapped.user], rows))
        log.item.append(item)
        tally.report.used += len(rows)
        tally.report.spoiled += int(spoiled.sum())

    def _chosen(self, batch: Batch, tally: Tally) -> tuple[np.ndarray, np.ndarray]:
        """Whether the mapping's `only:` and `events:` keep each row, bool; and the weight of each row, float32."""
        chosen = np.ones(len(batch), dtype=bool)
        weight = np.full(len(batch), self.mapped.weight, dtype=np.float32)
        for column, values in self.mapped.only.items():
            chosen &= self._listed(batch, column, values, chosen, tally) >= 0
        if self.mapped.event is not None and self.mapped.events is not None:
            listed = self._listed(batch, self.mapped.event, tuple(self.mapped.events), chosen, tally)
            weight = np.append(list(self.mapped.events.values()), 0).astype(np.float32)[listed]
            chosen &= listed >= 0
        return chosen, weight

    def _listed(
        self, batch: Batch, column: str, values: tuple[str, ...], chosen: np.ndarray, tally: Tally
    ) -> np.ndarray:
        """Position of each row's value in `values`, -1 for other values, which are counted for the `chosen` rows."""
        codes, distinct = cells.encode(pc.utf8_trim_whitespace(batch.plain(column)))
        place = np.array([values.index(text) if text in values else -1 for text in distinct], np.int64)
        counts = np.bincount(codes[chosen], minlength=len(distinct))
        rows = dict(zip(distinct, counts.tolist(), strict=True))
        self.met.setdefault(column, set()).update(text for text in values if rows.get(text))
        others = Counter({text: count for text, count in rows.items() if count and text not in values})
        self.left_out.setdefault(column, Counter()).update(others)
        for text, count in others.most_common():
            tally.leave_out(column, text, count)
        return np.asarray(place[codes])

    def _count_unknown(self, batch: Batch, rows: np.ndarray, tally: Tally) -> None:
        keys = batch.columns[self.mapped.item_column].take(pa.array(rows[:10])).to_pylist()
        places = (
            [f'{place}: "{key}"' for place, key in zip(batch.places(rows), keys, strict=True)]
            if len(rows)
            else []
        )
        self.named += len(rows)
        if len(rows) and len(self.unknown_names) < 2:
            names = pc.unique(batch.columns[self.mapped.item_column].take(pa.array(rows)))
            self.unknown_names.update(name.strip() for name in names.slice(0, 2).to_pylist())
        for counted in (self.unknown, self.report.unknown_items):
            counted.add(len(rows), places)
        tally.drop(UNKNOWN_ITEM, len(rows), places)

    def _times(
        self, batch: Batch, rows: np.ndarray, tally: Tally, spoiled: np.ndarray, clock: Clock
    ) -> np.ndarray:
        """Seconds since 1970, 0 where there is no time; shape (len(rows),), int64."""
        column, form = self.mapped.time, self.mapped.time_format
        if column is None:
            return np.zeros(len(rows), dtype=np.int64)
        times, bad = clock.read(_at(batch.plain(column), rows), lambda some: batch.places(rows[some]))
        why = f'does not match "{form}"' if form else "is neither a number since 1970 nor an ISO 8601 date"
        spoiled[rows[bad]] = True
        _failed(batch, column, rows[bad], tally, why)
        return times

    def _positions(self, batch: Batch, rows: np.ndarray, tally: Tally, spoiled: np.ndarray) -> np.ndarray:
        """The positions that order the rows of a user, -1 if unknown; shape (len(rows),), int64."""
        column = self.mapped.position
        if column is None:
            return np.asarray(self.log.n_read - len(batch) + rows, np.int64)
        at, numbers, bad = cells.numbers(_at(batch.plain(column), rows))
        whole = (numbers >= 0) & (numbers == np.floor(numbers)) & (numbers < _MAX_POSITION)
        bad = np.sort(np.concatenate([bad, at[~whole]]))
        spoiled[rows[bad]] = True
        _failed(batch, column, rows[bad], tally, "is not a whole number of 0 or more")
        positions = np.full(len(rows), -1, np.int64)
        positions[at[whole]] = numbers[whole].astype(np.int64)
        return positions

    def _close_clock(self, clock: Clock, times: list[np.ndarray], tally: Tally) -> None:
        if self.mapped.time is None:
            return
        unit, others, count = clock.close()
        tally.report.spoiled += count
        why = f"is not in {unit}, as most of the file is"
        tally.fail(
            self.mapped.time, others, count, why, "Correct the rows, or give `time_unit:` in the mapping."
        )
        tally.report.times = _span(times, unit)


def _positives(mapped: InteractionTable, value: np.ndarray) -> np.ndarray:
    """Whether each row meets the mapping's condition; shape (len(value),), bool."""
    if mapped.condition is None:
        return np.ones(len(value), dtype=bool)
    sign, bound = mapped.condition
    return np.asarray(_COMPARE[sign](value, bound) & ~np.isnan(value), dtype=bool)


def _item_codes(column: pa.Array, item_ids: ItemCodes) -> np.ndarray:
    """Item code of each row, -1 for unknown items; distinct names are looked up once."""
    encoded = pc.dictionary_encode(column)
    codes = (
        np.append(item_ids(pc.utf8_trim_whitespace(encoded.dictionary)), -1)
        if len(column)
        else np.full(1, -1)
    )
    return np.asarray(codes[encoded.indices.to_numpy(zero_copy_only=False)], dtype=np.int64)


def _span(times: list[np.ndarray], unit: str) -> str:
    """The unit, the first and the last of some times; "" if there are none."""
    ends = [end for part in times if (some := part[part != 0]).size for end in (some.min(), some.max())]
    if not ends:
        return ""
    first, last = (np.datetime64(int(end), "s") for end in (min(ends), max(ends)))
    doubt = " (perhaps an order rather than times)" if unit and max(ends) < _EARLY else ""
    return f"{unit or 'dates'}, from {first} to {last}".replace("T", " ") + doubt


def _encode_users(log: InteractionRows) -> None:
    """Encode the users of the waiting batches together, because most users are in several batches."""
    if not log.waiting:
        return
    encoded = pc.dictionary_encode(pa.chunked_array(log.waiting, pa.string())).combine_chunks()
    first = sum(map(len, log.users))
    log.waiting.clear()
    log.users.append(pc.utf8_trim_whitespace(encoded.dictionary).cast(pa.large_string()))
    log.user.append(encoded.indices.to_numpy(zero_copy_only=False) + first)


def _at(column: pa.Array, rows: np.ndarray) -> pa.Array:
    return column if len(rows) == len(column) else column.take(pa.array(rows))


def _values(batch: Batch, column: str, rows: np.ndarray, tally: Tally, spoiled: np.ndarray) -> np.ndarray:
    at, values, bad = cells.numbers(_at(batch.plain(column), rows))
    spoiled[rows[bad]] = True
    _failed(batch, column, rows[bad], tally, "is not a number")
    column_values = np.full(len(rows), np.nan, dtype=np.float32)
    column_values[at] = values
    return column_values


def _failed(batch: Batch, column: str, rows: np.ndarray, tally: Tally, why: str) -> None:
    if not len(rows):
        return
    values = pc.cast(batch.columns[column].take(pa.array(rows[:10])), pa.string()).to_pylist()
    found = list(zip(batch.places(rows), values, strict=True))
    tally.fail(column, found, len(rows), why, _REMEDY)
