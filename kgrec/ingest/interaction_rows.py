"""Tables of interactions as columns of codes.

Enters: a `Table` and its part of the mapping. Leaves: `InteractionRows`. Rows never become Python objects: each batch is
dictionary-encoded, and only distinct users and items are looked up.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest import cells
from kgrec.ingest.batches import Batch, Table
from kgrec.ingest.build_report import Report, Tally
from kgrec.ingest.mapping.schema import InteractionTable
from kgrec.ingest.table_statements import count_broken, drop_garbled, filled

#: rows of several batches whose users are encoded together
_WAITING = 2_000_000
UNKNOWN_ITEM = "names an unknown item"
NO_USER = "has an empty user or item"
_COMPARE: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass
class InteractionRows:
    """Interactions in the order of their files, by codes of users and items."""

    #: distinct users of each group of batches; `user` is an index into their concatenation, in which users may repeat
    users: list[pa.Array] = field(default_factory=list)
    user: list[np.ndarray] = field(default_factory=list)
    item: list[np.ndarray] = field(default_factory=list)
    value: list[np.ndarray] = field(default_factory=list)
    time: list[np.ndarray] = field(default_factory=list)
    #: users of the last batches, not encoded yet
    waiting: list[pa.Array] = field(default_factory=list)


def read_log(
    log: InteractionRows,
    table: Table,
    mapped: InteractionTable,
    tally: Tally,
    report: Report,
    item_ids: Callable[[pa.Array], np.ndarray],
) -> None:
    """Read a table with one interaction per row.

    Args:
        log: The rows are appended to it.
        table: The source.
        mapped: Its part of the mapping.
        tally: Counts for this file.
        report: Counts for the whole build.
        item_ids: Codes of items by their keys, -1 where unknown.

    Raises:
        SourceError: A column that the mapping names is missing.
        TooManyBadRows: More rows are bad than the mapping allows.
    """
    table.require(mapped.columns_read)
    tally.report.unread = table.unread(mapped.columns_read)
    for batch in table.read(mapped.columns_read):
        count_broken(batch, tally)
        _read_batch(log, batch, mapped, tally, report, item_ids)
        if sum(map(len, log.waiting)) > _WAITING:
            _encode_users(log)
    _encode_users(log)
    tally.close()


def positives(mapped: InteractionTable | None, value: np.ndarray | None, rows: int) -> np.ndarray:
    """Whether each row meets the mapping's condition; shape (rows,), bool."""
    condition = mapped.condition if mapped else None
    if condition is None or value is None:
        return np.ones(rows, dtype=bool)
    return np.asarray(_COMPARE[condition[0]](value, condition[1]) & ~np.isnan(value), dtype=bool)


def _read_batch(
    log: InteractionRows,
    batch: Batch,
    mapped: InteractionTable,
    tally: Tally,
    report: Report,
    item_ids: Callable[[pa.Array], np.ndarray],
) -> None:
    full = filled(batch, mapped.user) & filled(batch, mapped.item)
    tally.drop(NO_USER, int((~full).sum()), batch.places(np.flatnonzero(~full)))
    readable = drop_garbled(batch, np.flatnonzero(full), [mapped.user, mapped.item], tally)
    if len(readable) < full.sum():
        full[:] = False
        full[readable] = True
    item = _item_codes(batch.columns[mapped.item], item_ids)
    unknown = np.flatnonzero(full & (item < 0))
    _report_unknown(batch, mapped.item, unknown, tally, report)
    rows = np.flatnonzero(full & (item >= 0))
    log.waiting.append(_at(batch.columns[mapped.user], rows))
    log.item.append(item[rows].astype(np.int32))
    spoiled = np.zeros(len(batch), dtype=bool)
    if mapped.value is not None:
        log.value.append(_values(batch, mapped.value, rows, tally, spoiled))
    if mapped.time is not None:
        log.time.append(_times(batch, mapped.time, mapped.time_format, rows, tally, spoiled))
    tally.report.used += len(rows)
    tally.report.spoiled += int(spoiled.sum())


def _report_unknown(batch: Batch, column: str, rows: np.ndarray, tally: Tally, report: Report) -> None:
    keys = batch.columns[column].take(pa.array(rows[:10])).to_pylist()
    places = (
        [f'{place}: "{key}"' for place, key in zip(batch.places(rows), keys, strict=True)]
        if len(rows)
        else []
    )
    report.unknown_items.add(len(rows), places)
    tally.drop(UNKNOWN_ITEM, len(rows), places)


def _item_codes(column: pa.Array, item_ids: Callable[[pa.Array], np.ndarray]) -> np.ndarray:
    """Code of the item of each row, -1 where it is unknown; distinct names are looked up once."""
    encoded = pc.dictionary_encode(column)
    codes = np.append(item_ids(encoded.dictionary), -1) if len(column) else np.full(1, -1)
    return np.asarray(codes[encoded.indices.to_numpy(zero_copy_only=False)], dtype=np.int64)


def _encode_users(log: InteractionRows) -> None:
    """Encode the users of the waiting batches together, since most users are in several batches."""
    if not log.waiting:
        return
    encoded = pc.dictionary_encode(pa.chunked_array(log.waiting, pa.string())).combine_chunks()
    first = sum(map(len, log.users))
    log.waiting.clear()
    log.users.append(encoded.dictionary.cast(pa.large_string()))
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


def _times(
    batch: Batch, column: str, form: str | None, rows: np.ndarray, tally: Tally, spoiled: np.ndarray
) -> np.ndarray:
    """Seconds since 1970, 0 where there is no time; shape (len(rows),), int64."""
    texts = _at(batch.plain(column), rows)
    times = np.zeros(len(rows), dtype=np.int64)
    rest = np.arange(len(rows))
    if form is None:
        at, seconds, rest = cells.numbers(texts)
        times[at] = seconds.astype(np.int64)
    if len(rest):
        at, seconds, bad = cells.dates(texts.take(pa.array(rest)), form)
        times[rest[at]] = seconds.astype(np.int64)
        why = f'does not match "{form}"' if form else "is neither seconds since 1970 nor an ISO 8601 date"
        spoiled[rows[rest[bad]]] = True
        _failed(batch, column, rows[rest[bad]], tally, why)
    return times


def _failed(batch: Batch, column: str, rows: np.ndarray, tally: Tally, why: str) -> None:
    if not len(rows):
        return
    values = pc.cast(batch.columns[column].take(pa.array(rows[:10])), pa.string()).to_pylist()
    found = list(zip(batch.places(rows), values, strict=True))
    tally.fail(column, found, len(rows), why, "Mend the row, or the mapping's `interactions:`.")
