"""CSV, TSV, JSONL, Parquet and frames, as batches of columns.

Enters: a file, plain or compressed (.gz, .zst), or a frame. Leaves: `Batch`es of some ten thousand rows, whose cells are
text ("" if empty) or lists, with the line of every row. Files are never held in memory as a whole.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from kgrec.arguments.frames import as_table
from kgrec.errors import SourceError
from kgrec.ingest.batches import Batch, Table, Utf8, as_text, open_bytes, unreadable, wrong_encoding
from kgrec.ingest.jsonl import open_jsonl
from kgrec.ingest.mapping.schema import TableFormat
from kgrec.ingest.sources import Source

_BLOCK = 8 << 20
_ROWS_PER_BATCH = 65_536
_TABLE_FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def open_table(source: Source, form: TableFormat) -> Table:
    """Read the header of a file; rows are read later.

    Raises:
        SourceError: The file is empty, in another encoding, or of an unknown format, or `header:` does not fit it.
    """
    kind = form.format or _format(source)
    _check_fits(source, form, kind)
    if source.path.stat().st_size == 0:
        raise SourceError(
            f"{source.name} is empty.", "Write a header and rows, or take the file out of the mapping."
        )
    try:
        return _opened(source, form, kind).without(form.nulls)
    except pa.ArrowInvalid as error:
        raise unreadable(source, str(error)) from None


def _opened(source: Source, form: TableFormat, kind: str) -> Table:
    if kind == "parquet":
        return _open_parquet(source)
    return open_jsonl(source, form) if kind == "jsonl" else _open_csv(source, form, kind)


def _check_fits(source: Source, form: TableFormat, kind: str) -> None:
    if form.header and kind in ("jsonl", "parquet"):
        raise SourceError(
            f"{source.name} is {kind}, whose columns have names of their own.",
            "Take `header:` out of the mapping: it is for CSV and TSV.",
        )
    try:
        "".encode(form.encoding)
    except LookupError:
        raise SourceError(
            f"There is no encoding '{form.encoding}'.", "Give one such as utf-8 or latin-1."
        ) from None


def frame_table(frame: Any, name: str, keys: Sequence[str] = ()) -> Table:
    """A frame as a table; `keys` and SourceError as of `as_table`."""
    table = as_table(frame, name, keys=keys)
    return Table(
        name,
        list(table.column_names),
        lambda columns: _arrow_batches(table.to_batches(_ROWS_PER_BATCH), name, columns),
    )


def format_by_suffix(source: Source) -> str | None:
    """The format by suffix; None if the suffix is unknown."""
    return _TABLE_FORMATS.get(source.suffix)


def _format(source: Source) -> str:
    kind = format_by_suffix(source)
    if kind is None:
        raise SourceError(
            f"{source.name}: the suffix does not tell the format.",
            "Name it .csv, .tsv, .jsonl or .parquet, or give `format:` beside `file:` in the mapping.",
        )
    return kind


# CSV


def _open_csv(source: Source, form: TableFormat, kind: str) -> Table:
    delimiter = form.delimiter or ("\t" if kind == "tsv" else ",")
    header, lines = (list(form.header), 0) if form.header else _header(source, form, delimiter)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise SourceError(
            f"{source.name} has the column '{twice[0]}' twice.", "Rename one of the two in its header."
        )
    options = _CsvOptions(source, form, delimiter, header, lines)
    return Table(source.name, header, options.batches)


def _header(source: Source, form: TableFormat, delimiter: str) -> tuple[list[str], int]:
    encoding = "utf-8-sig" if form.encoding.lower() in ("utf-8", "utf8") else form.encoding
    try:
        with io.TextIOWrapper(open_bytes(source.path), encoding=encoding, newline="") as text:
            reader = (
                csv.reader(text, delimiter=delimiter, quotechar=form.quote)
                if form.quote
                else csv.reader(text, delimiter=delimiter, quoting=csv.QUOTE_NONE)
            )
            header = next(reader, [])
            lines = reader.line_num
    except UnicodeError:
        raise wrong_encoding(source, form.encoding) from None
    except (OSError, csv.Error) as error:
        raise unreadable(source, str(error)) from None
    if not header:
        raise SourceError(
            f"{source.name} has no header in its first line.",
            "Write the columns' names there, or beside `file:` as `header: [name, ...]`.",
        )
    return header, lines


@dataclass(frozen=True)
class _CsvOptions:
    source: Source
    form: TableFormat
    delimiter: str
    header: list[str]
    #: number of lines of the header; 0 if the mapping names the columns
    header_lines: int

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read the file; line numbers need the line breaks in all cells, so all columns are read."""
        broken: list[tuple[int, str]] = []
        state = _CsvState(self.source.name, self.header_lines)
        try:
            for record in self._records(broken):
                yield state.batch(record, broken, columns)
            if len(broken) > state.seen:
                # broken rows at the end of the file, after the last block
                yield state.batch(self._no_rows(), broken, columns)
        except pa.ArrowInvalid as error:
            raise unreadable(self.source, str(error)) from None
        except UnicodeError:
            raise wrong_encoding(self.source, self.form.encoding) from None
        except OSError as error:
            raise unreadable(self.source, str(error)) from None
        state.check_quotes(self.header)

    def _no_rows(self) -> pa.RecordBatch:
        nothing = [pa.array([], pa.string()) for _ in self.header]
        return pa.RecordBatch.from_arrays(nothing, names=self.header)

    def _records(self, broken: list[tuple[int, str]]) -> Iterator[pa.RecordBatch]:
        def note(row: Any) -> str:
            broken.append((row.number, row.text))
            return "skip"

        with open_bytes(self.source.path) as stream:
            is_utf8 = codecs.lookup(self.form.encoding).name == "utf-8"
            yield from pyarrow.csv.open_csv(
                Utf8(stream) if is_utf8 else stream,
                read_options=pyarrow.csv.ReadOptions(
                    block_size=_BLOCK,
                    use_threads=False,
                    encoding=self.form.encoding,
                    column_names=self.form.header,
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self.delimiter,
                    quote_char=self.form.quote or False,
                    newlines_in_values=True,
                    ignore_empty_lines=False,
                    invalid_row_handler=note,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    check_utf8=False,
                    strings_can_be_null=False,
                    column_types=dict.fromkeys(self.header, pa.string()),
                ),
            )


class _CsvState:
    """Position in the file of the next batch."""

    def __init__(self, name: str, header_lines: int) -> None:
        self.name, self.rows, self.line, self.seen = name, 0, header_lines + 1, 0
        #: number of the first row in the parser, which counts the header
        self.first = 2 if header_lines else 1
        self.last: tuple[str, int] = ("", 0)

    def batch(self, record: pa.RecordBatch, broken: list[tuple[int, str]], columns: Sequence[str]) -> Batch:
        """A batch with the line of each row: a row, also a broken one, has one line and one more per line break in it."""
        rows, first = len(record), self.rows
        new = broken[self.seen :]
        # the number of a broken row counts the rows and the broken rows before it
        before = np.array(
            [number - self.first - self.seen - i - first for i, (number, _) in enumerate(new)], dtype=np.int64
        )
        inside = int(np.count_nonzero(before <= rows))
        new, before = new[:inside], before[:inside]
        breaks = _breaks(record)
        heights = np.ones(rows + 1, dtype=np.int64)
        heights[:rows] += breaks
        extra = np.zeros(rows + 1, dtype=np.int64)
        np.add.at(extra, before, [1 + text.count("\n") for _, text in new])
        lines = self.line + np.cumsum(heights) - heights + np.cumsum(extra)
        broken_heights = np.array([1 + text.count("\n") for _, text in new], dtype=np.int64)
        # adjacent broken rows are before the same row, one after the other
        ends = np.cumsum(broken_heights) + (self.line + np.cumsum(heights) - heights)[before]
        places = tuple(
            (int(end - height), text)
            for end, height, (_, text) in zip(ends, broken_heights, new, strict=True)
        )
        self.rows, self.seen, self.line = first + rows, self.seen + inside, int(lines[rows])
        if rows:
            self.last = (record.column(record.num_columns - 1)[rows - 1].as_py(), int(lines[rows - 1]))
        kept = _not_blank(record)
        chosen = {name: record.column(name) for name in columns} if columns else {}
        if kept is None:
            return Batch(chosen, self.name, lambda: lines[:rows], places)
        chosen = {name: array.take(pa.array(kept)) for name, array in chosen.items()}
        return Batch(chosen, self.name, lambda: lines[kept], places)

    def check_quotes(self, header: list[str]) -> None:
        """Refuse a quote that is never closed: the last cell then has the rest of the file, with its last line break."""
        cell, line = self.last
        if cell.endswith("\n"):
            raise SourceError(
                f"{self.name}:{line}: a quote in '{header[-1]}' is never closed.",
                'Close it, or give `quote: ""` beside `file:` if the file encloses no cells in quotes.',
            )


def _breaks(record: pa.RecordBatch) -> np.ndarray:
    total = np.zeros(len(record), dtype=np.int64)
    for column in record.columns:
        text = np.frombuffer(column.buffers()[2] or b"", dtype=np.uint8)
        if (text == ord("\n")).any():
            total += pc.count_substring(column, "\n").to_numpy(zero_copy_only=False)
    return total


def _not_blank(record: pa.RecordBatch) -> np.ndarray | None:
    """Rows with a cell that is not empty; None if all rows have one."""
    blank = np.ones(len(record), dtype=bool)
    for column in record.columns:
        blank &= pc.equal(column, "").to_numpy(zero_copy_only=False)
        if not blank.any():
            return None
    return np.flatnonzero(~blank)


# Parquet and frames


def _open_parquet(source: Source) -> Table:
    try:
        file = pyarrow.parquet.ParquetFile(source.path)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise unreadable(source, str(error)) from None

    def read(columns: Sequence[str]) -> Iterator[Batch]:
        try:
            yield from _arrow_batches(
                file.iter_batches(_ROWS_PER_BATCH, columns=list(columns)), source.name, columns
            )
        except (pa.ArrowException, OSError, UnicodeError) as error:
            raise unreadable(source, str(error)) from None

    return Table(source.name, list(file.schema_arrow.names), read)


def _arrow_batches(records: Any, name: str, columns: Sequence[str]) -> Iterator[Batch]:
    first = 1
    for record in records:
        chosen = {column: as_text(record.column(column), f"{name}: '{column}'") for column in columns}
        yield Batch(chosen, name, _counting(first, len(record)))
        first += len(record)


def _counting(first: int, rows: int) -> Callable[[], np.ndarray]:
    return lambda: np.arange(first, first + rows, dtype=np.int64)
