"""Batches of text columns: the common form of all tables, and errors that their readers share.

Enters: nothing. Leaves: `Table` and `Batch`, which tables.py and jsonl.py make, and table_statements.py and
interaction_rows.py read.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.arguments.ids import text_column
from kgrec.errors import SourceError, did_you_mean
from kgrec.ingest.cells import emptied, is_list
from kgrec.ingest.sources import COMPRESSION, Source

_PIECE = 1 << 20


@dataclass(frozen=True)
class Batch:
    """Some rows of a table."""

    #: column -> text ("" where a cell is empty) or lists; all of the same length
    columns: dict[str, pa.Array]
    name: str
    #: returns the line of each row, shape (rows,), int64
    count_lines: Callable[[], np.ndarray]
    #: (line, text) of rows that are left out since they cannot be split into columns
    broken: tuple[tuple[int, str], ...] = ()
    #: marks of missing values: parts of lists with these texts are skipped; such cells are "" already
    nulls: tuple[str, ...] = ()

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
                f"{self.name}: '{column}' holds lists where one value is needed.",
                "Give the column the role node, ref or vector, or write one value per row.",
            )
        return self.columns[column]

    def places(self, rows: np.ndarray) -> Iterator[str]:
        """file:line of the first ten of some rows."""
        return (f"{self.name}:{line}" for line in self.lines[rows[:10]])


@dataclass(frozen=True)
class Table:
    """A source that can be read in batches."""

    name: str
    columns: list[str]
    #: returns batches of the given columns
    read: Callable[[Sequence[str]], Iterator[Batch]]

    def require(self, names: Sequence[str]) -> None:
        """Check that the columns `names` exist.

        Raises:
            SourceError: One is missing; the error names it, and similar columns.
        """
        for name in names:
            if name not in self.columns:
                near = did_you_mean(name, self.columns)
                raise SourceError(f"{self.name} has no column '{name}'.", near)

    def without(self, nulls: tuple[str, ...]) -> Table:
        """The same table with the cells in `nulls` emptied."""
        if not nulls:
            return self
        return replace(self, read=lambda names: (_emptied(batch, nulls) for batch in self.read(names)))


def _emptied(batch: Batch, nulls: tuple[str, ...]) -> Batch:
    columns = {name: emptied(array, nulls) for name, array in batch.columns.items()}
    return replace(batch, columns=columns, nulls=nulls)


def open_bytes(path: Path) -> Any:
    """A stream of the file's bytes, decompressed by suffix."""
    return pa.input_stream(str(path), compression=COMPRESSION.get(path.suffix.lower()))


class Utf8:
    """A byte stream that checks UTF-8 as it is read: Arrow checks later, and fails on rows that it cannot split."""

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


def unreadable(source: Source, message: str) -> SourceError:
    """The error for a file that cannot be read."""
    return SourceError(
        f"{source.name} cannot be read: {message.splitlines()[0]}", "Check that the file is complete."
    )


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
    return SourceError(
        f"{source.name}:{line_not_in(source, encoding) or 1}: not encoded in {encoding}.",
        "Give `encoding:` beside `file:` in the mapping, such as latin-1 or utf-16, or save the file as UTF-8.",
    )


def as_text(array: pa.Array, what: str) -> pa.Array:
    """Any column as text, whole numbers without ".0", nulls as ""; lists stay lists.

    Raises:
        SourceError: The column has a type without a text form, such as structs, or is damaged.
    """
    kind = array.type
    try:
        array.validate(full=True)
    except pa.ArrowInvalid as error:
        raise SourceError(
            f"{what} cannot be read: {str(error).splitlines()[0]}", "Check that the file is complete."
        ) from None
    if is_list(array) and _is_plain(kind.value_type):
        return array
    if pa.types.is_null(kind):
        return pa.array([""] * len(array), pa.string())
    return pc.fill_null(pc.cast(text_column(array, what), pa.string()), "")


def _is_plain(kind: pa.DataType) -> bool:
    """Whether all values of the type have a text form; bytes may have none."""
    try:
        pc.cast(pa.array([], kind), pa.string())
    except pa.ArrowNotImplementedError:
        return False
    return "binary" not in str(kind)
