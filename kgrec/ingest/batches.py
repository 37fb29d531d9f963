"""Batches of text columns, which are the common form of all tables; and errors that their readers share.

Enters: nothing. Leaves: `Table` and `Batch`, which table_files.py and jsonl.py make, and table_statements.py and
interaction_rows.py read.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.arguments.ids import text_column
from kgrec.errors import SourceError, did_you_mean
from kgrec.ingest.cells import at_path, emptied, fields_of, is_list, joined, mask
from kgrec.ingest.compressed import open_bytes
from kgrec.ingest.sources import Source
from kgrec.ingest.text_stream import GARBLED, not_encoded

_PIECE = 1 << 20
#: unit of Arrow's durations -> parts of a second
_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
TORN = "has a quote that is not closed in its cell, and swallows the lines up to the next quote"
HEADER_AGAIN = "repeats the header"


@dataclass(frozen=True)
class LeftOut:
    """A row, or several lines that the parser reads as one row, left out for a reason."""

    reason: str
    line: int
    #: number of lines, each of which may be a row
    lines: int


@dataclass(frozen=True)
class Batch:
    """Some rows of a table."""

    #: column -> text ("" where a cell is empty) or lists; all of the same length
    columns: dict[str, pa.Array]
    name: str
    #: returns the line of each row, shape (rows,), int64
    count_lines: Callable[[], np.ndarray]
    #: (line, text) of rows that cannot be split into columns and are left out
    broken: tuple[tuple[int, str], ...] = ()
    #: marks of missing values: list parts with these texts are skipped; cells with these texts are "" already
    nulls: tuple[str, ...] = ()
    #: other rows that are left out
    left_out: tuple[LeftOut, ...] = ()
    #: rows with bytes that are not in the file's encoding, ascending; U+FFFD replaces these bytes
    garbled: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    encoding: str = "utf-8"
    #: remedy for broken rows
    remedy: str = ""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    @cached_property
    def lines(self) -> np.ndarray:
        """Line of each row, shape (rows,), int64."""
        return self.count_lines()

    def plain(self, column: str) -> pa.Array:
        """A column of text.

        Raises:
            SourceError: The column holds lists.
        """
        if is_list(self.columns[column]):
            raise SourceError(
                f"{self.name}: '{column}' holds lists, but one value is needed.",
                "Give the column the role node, ref or vector, or write one value per row.",
            )
        return self.columns[column]

    def garbled_in(self, column: str) -> np.ndarray:
        """The rows whose cell of `column` has bytes that are not in the file's encoding, ascending."""
        if not len(self.garbled) or is_list(self.columns[column]):
            return self.garbled[:0]
        cells = self.columns[column].take(pa.array(self.garbled))
        return np.asarray(self.garbled[mask(pc.match_substring(cells, GARBLED))])

    def places(self, rows: np.ndarray) -> Iterator[str]:
        """file:line of the first ten of the given rows."""
        return (f"{self.name}:{line}" for line in self.lines[rows[:10]])


class FieldReader:
    """Reads the values at a path in the objects of a column, and records whether it found any."""

    def __init__(self, name: str, column: str, path: Sequence[str]) -> None:
        self.name, self.column, self.path = name, column, path
        #: whether the path had a value
        self.found = False
        #: examples of the objects' fields
        self.fields: dict[str, None] = {}

    def read(self, batch: Batch) -> pa.Array:
        """The values of each row, as lists of text; null where the cell holds something other than objects."""
        lists = at_path(batch.columns[self.column], self.path)
        self.found |= len(pc.list_flatten(lists)) > 0
        if not self.found:
            self.fields |= dict.fromkeys(fields_of(batch.columns[self.column].slice(0, 1000)))
        return lists

    def check(self) -> None:
        """Raise SourceError if no object has the path.

        Raises:
            SourceError: The column has objects, but none has the path.
        """
        if not self.found and self.fields:
            raise SourceError(
                f"{self.name}: no object in '{self.column}' has the field '{'.'.join(self.path)}'.",
                did_you_mean(self.path[0], list(self.fields)),
            )


@dataclass(frozen=True)
class Table:
    """A source that is read in batches."""

    name: str
    columns: list[str]
    #: returns batches of the given columns
    read: Callable[[Sequence[str]], Iterator[Batch]]

    def require(self, names: Sequence[str]) -> None:
        """Check that the columns `names` exist.

        Raises:
            SourceError: A column is missing; the error names it, and similar columns.
        """
        for name in names:
            if self.place_of(name) is None:
                near = _other_delimiter(self.columns) or did_you_mean(name, self.columns)
                raise SourceError(f"{self.name} has no column '{name}'.", near)

    def place_of(self, name: str) -> tuple[str, list[str]] | None:
        """The column that a name refers to, and the path in its objects: `address` and [`city`] for `address.city`; None if absent."""
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            if (column := ".".join(parts[:length])) in self.columns:
                return column, parts[length:]
        return None

    def unread(self, names: Sequence[str]) -> list[str]:
        """The columns that none of `names` refers to."""
        places = [self.place_of(name) for name in names]
        read = {place[0] for place in places if place is not None}
        return [column for column in self.columns if column not in read]

    def with_fields(self) -> Table:
        """The same table, which also reads paths such as `address.city` in columns of objects.

        Reading raises a SourceError at the end if no object has such a path.
        """
        return replace(self, read=self._read_fields)

    def _read_fields(self, names: Sequence[str]) -> Iterator[Batch]:
        places = {name: place for name in names if (place := self.place_of(name)) is not None}
        if not any(path for _, path in places.values()):
            yield from self.read(names)
            return
        fields = {name: FieldReader(self.name, *place) for name, place in places.items() if place[1]}
        for batch in self.read(list(dict.fromkeys(column for column, _ in places.values()))):
            columns = {
                name: joined(fields[name].read(batch)) if name in fields else batch.columns[column]
                for name, (column, _) in places.items()
            }
            yield replace(batch, columns=columns)
        for reader in fields.values():
            reader.check()

    def without(self, nulls: tuple[str, ...]) -> Table:
        """The same table with the cells in `nulls` emptied."""
        if not nulls:
            return self
        return replace(self, read=lambda names: (_emptied(batch, nulls) for batch in self.read(names)))


def _emptied(batch: Batch, nulls: tuple[str, ...]) -> Batch:
    columns = {name: emptied(array, nulls) for name, array in batch.columns.items()}
    return replace(batch, columns=columns, nulls=nulls)


class Utf8:
    """A byte stream that checks UTF-8 while it is read: Arrow checks later, and fails on rows that it cannot split."""

    closed = False

    def __init__(self, stream: Any) -> None:
        self.stream, self.decoder = stream, codecs.getincrementaldecoder("utf-8")()

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes.

        Raises:
            UnicodeError: The bytes are not UTF-8.
        """
        data = bytes(self.stream.read(size))
        self.decoder.decode(data, final=not data)
        return data


def unreadable(source: Source, error: Exception) -> SourceError:
    """The error for a file that cannot be read, with the reason from `error`."""
    if isinstance(error, OSError) and error.strerror:
        why, remedy = error.strerror, "Check the file and its permissions."
    elif isinstance(error, OSError) and str(error).startswith("it"):
        why, remedy = str(error), "Copy or download the file again."
    elif "straddling" in str(error):
        why, remedy = "a row is larger than 8 MB", "Check `delimiter:` and `quote:`, and that it is a table."
    else:
        why = "it is damaged, incomplete, or in another format than its name says"
        remedy = "Copy or download the file again, or give `format:` beside `file:` in the mapping."
    return SourceError(f"{source.name} cannot be read: {why}.", remedy)


def line_not_in(source: Source, encoding: str, within: int | None = None) -> int:
    """The first line that is not in `encoding`, within the first `within` bytes if given; 0 if there is none."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line, done = 1, 0
    with open_bytes(source.path) as stream:
        while within is None or done < within:
            piece = stream.read(_PIECE)
            try:
                decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                return line + error.object[: error.start].count(b"\n")
            except UnicodeError:
                return line
            line, done = line + piece.count(b"\n"), done + len(piece)
            if not piece:
                break
    return 0


def wrong_encoding(source: Source, encoding: str) -> SourceError:
    """The error for a file that is not in `encoding`, with the first such line."""
    return not_encoded(f"{source.name}:{line_not_in(source, encoding) or 1}", encoding)


def as_text(array: pa.Array, what: str) -> pa.Array:
    """Any column as text, whole numbers without ".0", nulls as ""; lists stay lists.

    Raises:
        SourceError: The column has a type without a text form, such as structs, or is damaged.
    """
    kind = array.type
    try:
        array.validate(full=True)
    except pa.ArrowInvalid as error:
        why = "has text that is not UTF-8" if "UTF8" in str(error) else "has damaged values"
        raise SourceError(
            f"{what} {why}.", "Write the file again, or give the column the role ignore."
        ) from None
    if is_list(array) and _is_plain(kind.value_type):
        return array
    if _has_objects(kind):
        return _as_json(array, what)
    if pa.types.is_null(kind):
        return pa.array([""] * len(array), pa.string())
    if pa.types.is_duration(kind):
        return _iso_durations(array)
    return pc.fill_null(pc.cast(text_column(array, what), pa.string()), "")


def _iso_durations(array: pa.Array) -> pa.Array:
    """Durations as ISO 8601, such as PT5400S: their unit would be lost as plain numbers."""
    seconds = pc.divide(pc.cast(pc.cast(array, pa.int64()), pa.float64()), _PER_SECOND[array.type.unit])
    sign = pc.if_else(pc.less(seconds, 0.0), "-PT", "PT")
    texts = pc.binary_join_element_wise(sign, pc.cast(pc.abs(seconds), pa.string()), "S", "")
    return pc.fill_null(texts, "")


def _other_delimiter(columns: Sequence[str]) -> str:
    """The remedy if the only column is a line that another delimiter would split; "" otherwise."""
    found = [one for one in ("\t", ";", "|", ",") if len(columns) == 1 and one in columns[0]]
    if not found:
        return ""
    return f"Its first line is one column: write `delimiter: {json.dumps(found[0])}` beside `file:` in the mapping."


def _has_objects(kind: pa.DataType) -> bool:
    """Whether values are structs or maps, or lists of them."""
    inner = kind
    while pa.types.is_list(inner) or pa.types.is_large_list(inner) or pa.types.is_fixed_size_list(inner):
        inner = inner.value_type
    return bool(pa.types.is_struct(inner) or pa.types.is_map(inner))


def _as_json(array: pa.Array, what: str) -> pa.Array:
    try:
        texts = [
            ""
            if value is None
            else json.dumps(_with_dicts(value, array.type), ensure_ascii=False, default=str)
            for value in array.to_pylist()
        ]
        return pa.array(texts, pa.string())
    except (ValueError, TypeError, UnicodeError):
        raise SourceError(
            f"{what} is of type {array.type}, which has no text form.",
            "Give the column the role ignore, or write it as text.",
        ) from None


def _with_dicts(value: Any, kind: pa.DataType) -> Any:
    """A value of a nested type, with a dict for each map."""
    if value is None:
        return None
    if pa.types.is_map(kind):
        return {str(key): _with_dicts(part, kind.item_type) for key, part in value}
    if pa.types.is_struct(kind):
        return {
            kind.field(i).name: _with_dicts(value[kind.field(i).name], kind.field(i).type)
            for i in range(kind.num_fields)
        }
    return [_with_dicts(part, kind.value_type) for part in value] if isinstance(value, list) else value


def _is_plain(kind: pa.DataType) -> bool:
    """Whether all values of the type have a text form; bytes may have none."""
    try:
        pc.cast(pa.array([], kind), pa.string())
    except pa.ArrowNotImplementedError:
        return False
    return "binary" not in str(kind)
