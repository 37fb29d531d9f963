"""CSV, TSV, JSONL, Parquet and frames, as batches of columns.

Enters: a file, plain or compressed (.gz, .zst), or a frame. Leaves: `Batch`es of tens of thousands of rows, whose cells are text
("" if empty) or lists, with the line of every row. A file is never held in memory as a whole.
"""

from __future__ import annotations

import csv
import io
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from kgrec.arguments.frames import as_table
from kgrec.errors import SourceError
from kgrec.ingest.batches import (
    HEADER_AGAIN,
    TORN,
    Batch,
    LeftOut,
    Table,
    as_text,
    unreadable,
)
from kgrec.ingest.cells import mask
from kgrec.ingest.compressed import compression_of
from kgrec.ingest.csv_quotes import Escapes, QuoteFaults, quote_faults
from kgrec.ingest.jsonl import open_json
from kgrec.ingest.mapping.schema import TableFormat
from kgrec.ingest.sources import Source
from kgrec.ingest.text_stream import TextStream, not_encoded

_BLOCK = 8 << 20
_ROWS_PER_BATCH = 65_536
_TABLE_FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
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
        return _opened(source, form, kind).with_fields().without(form.nulls)
    except pa.ArrowInvalid as error:
        raise unreadable(source, error) from None


def _opened(source: Source, form: TableFormat, kind: str) -> Table:
    if kind == "parquet":
        return _open_parquet(source)
    return open_json(source, form, kind) if kind in ("json", "jsonl") else _open_csv(source, form, kind)


def _check_fits(source: Source, form: TableFormat, kind: str) -> None:
    if form.header and kind in ("json", "jsonl", "parquet"):
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
    ).with_fields()


def format_by_suffix(source: Source) -> str | None:
    """The format by suffix; None if the suffix is unknown."""
    return _TABLE_FORMATS.get(source.suffix)


def _format(source: Source) -> str:
    kind = format_by_suffix(source)
    if kind is None:
        raise SourceError(
            f"{source.name}: the suffix does not show the format.",
            "Name it .csv, .tsv, .json, .jsonl or .parquet, or give `format:` beside `file:` in the mapping.",
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
    quoting = {"quotechar": form.quote} if form.quote else {"quoting": csv.QUOTE_NONE}
    try:
        with _opened_text(source, form, delimiter) as stream:
            text = next(stream.pieces, b"")
            reader = csv.reader(io.StringIO(text.decode(), newline=""), delimiter=delimiter, **quoting)
            header = next(reader, [])
            lines = reader.line_num
    except csv.Error:
        raise SourceError(
            f"{source.name}:1: the header has a cell of more than 128,000 characters.",
            "Check `delimiter:` and `quote:`, and that the file is a table.",
        ) from None
    except OSError as error:
        raise unreadable(source, error) from None
    if not header:
        raise SourceError(
            f"{source.name} has no header in its first line.",
            "Write the columns' names there, or beside `file:` as `header: [name, ...]`.",
        )
    if any(line <= lines for line in stream.garbled[:1]):
        raise not_encoded(f"{source.name}:{stream.garbled[0]}", form.encoding)
    if form.quote and lines > 1:
        faults = quote_faults(b"".join(text.splitlines(keepends=True)[:lines]), delimiter, form.quote)
        if faults.opened or faults.torn:
            raise _never_closed(source.name, faults.opened or faults.torn[0])
    return header, lines


def _opened_text(source: Source, form: TableFormat, delimiter: str) -> TextStream:
    """The file as UTF-8 without escapes."""
    rewrite = Escapes(delimiter, form.quote, form.escape).without if form.quote and form.escape else None
    return TextStream(source, form.encoding, longest=_BLOCK, rewrite=rewrite, keep=bool(form.quote))


def _never_closed(name: str, line: int) -> SourceError:
    return SourceError(
        f"{name}:{line}: a quote opens a cell here and is never closed.",
        'Close it, or give `quote: ""` beside `file:` if the file does not enclose cells in quotes.',
    )


@dataclass(frozen=True)
class _CsvOptions:
    source: Source
    form: TableFormat
    delimiter: str
    header: list[str]
    #: number of lines of the header; 0 if the mapping names the columns
    header_lines: int
    #: numbers of columns expected and found, of the first row with a wrong number of columns
    shapes: list[tuple[int, int]] = field(default_factory=list)

    @property
    def remedy(self) -> str:
        """Remedy for rows that cannot be split into columns."""
        if not self.shapes:
            return ""
        expected, found = self.shapes[0]
        cells = f"{found:,} cell{'s' if found != 1 else ''}"
        return f"The first has {cells} for {expected:,} columns: check `delimiter:` and `quote:`, and correct the row."

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read the file; line numbers need the line breaks in all cells, so all columns are read."""
        broken: list[tuple[int, str]] = []
        try:
            with _opened_text(self.source, self.form, self.delimiter) as stream:
                state = _CsvState(self, stream)
                try:
                    for record in self._records(stream, broken):
                        yield state.batch(record, broken, columns)
                except pa.ArrowException:
                    # an unclosed quote makes a row too long for the parser
                    state.check_end(state.line)
                    raise
                if len(broken) > state.seen:
                    # broken rows at the end of the file, after the last block
                    yield state.batch(self._no_rows(), broken, columns)
                state.check_end(state.last)
        except (pa.ArrowException, OSError) as error:
            raise unreadable(self.source, error) from None

    def _no_rows(self) -> pa.RecordBatch:
        nothing = [pa.array([], pa.string()) for _ in self.header]
        return pa.RecordBatch.from_arrays(nothing, names=self.header)

    def _records(self, stream: TextStream, broken: list[tuple[int, str]]) -> Iterator[pa.RecordBatch]:
        def note(row: Any) -> str:
            broken.append((row.number, row.text))
            if len(broken) == 1:
                self.shapes.append((row.expected_columns, row.actual_columns))
            return "skip"

        yield from pyarrow.csv.open_csv(
            stream,
            read_options=pyarrow.csv.ReadOptions(
                block_size=_BLOCK,
                use_threads=False,
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
    """Position of the next batch in the file."""

    def __init__(self, options: _CsvOptions, stream: TextStream) -> None:
        self.options, self.stream = options, stream
        self.rows, self.line, self.seen = 0, options.header_lines + 1, 0
        #: number of the first row in the parser, which counts the header too
        self.first = 2 if options.header_lines else 1
        #: first line of the last row
        self.last = self.line

    def batch(self, record: pa.RecordBatch, broken: list[tuple[int, str]], columns: Sequence[str]) -> Batch:
        """A batch with the line of each row: each row, broken or not, takes one line plus one per line break in it."""
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
        # adjacent broken rows come before the same row, one after the other
        ends = np.cumsum(broken_heights) + (self.line + np.cumsum(heights) - heights)[before]
        places = [
            (int(end - height), text)
            for end, height, (_, text) in zip(ends, broken_heights, new, strict=True)
        ]
        self.rows, self.seen, self.line = first + rows, self.seen + inside, int(lines[rows])
        self.last = max([self.last, *lines[:rows][-1:].tolist(), *(line for line, _ in places[-1:])])
        batch = self._checked(record, lines[:rows], heights[:rows], places, columns)
        self.stream.forget(self.last)
        return batch

    def check_end(self, line: int) -> None:
        """Raise SourceError if a quote is open at the end of the file, given the first line of some row.

        Raises:
            SourceError: A quote is open.
        """
        faults = self._faults(np.array([line]), np.array([self.stream.lines + 2 - line]))
        if faults.opened:
            raise _never_closed(self.options.source.name, line + faults.opened - 1)

    def _faults(self, lines: np.ndarray, heights: np.ndarray) -> QuoteFaults:
        if not self.options.form.quote or not self.stream.kept:
            return QuoteFaults([], 0)
        text = self.stream.text_of(lines, heights)
        return quote_faults(text, self.options.delimiter, self.options.form.quote)

    def _checked(
        self,
        record: pa.RecordBatch,
        lines: np.ndarray,
        heights: np.ndarray,
        places: list[tuple[int, str]],
        columns: Sequence[str],
    ) -> Batch:
        """The batch without rows that are blank, torn or repeat the header; with the numbers of rows with undecoded bytes."""
        torn = self._torn(lines, heights)
        left_out = [LeftOut(TORN, int(lines[row]), int(heights[row])) for row in torn]
        torn_lines = self._torn_lines(places)
        left_out += [LeftOut(TORN, line, 1 + text.count("\n")) for line, text in places if line in torn_lines]
        broken = [(line, text) for line, text in places if line not in torn_lines]
        again = self._headers(record)
        left_out += [LeftOut(HEADER_AGAIN, int(line), 1) for line in lines[again]]
        kept = _not_blank(record)
        if len(torn) or len(again):
            kept = np.setdiff1d(np.arange(len(record)) if kept is None else kept, [*torn, *again])
        chosen = {name: record.column(name) for name in columns}
        if kept is not None:
            chosen = {name: array.take(pa.array(kept)) for name, array in chosen.items()}
            lines, heights = lines[kept], heights[kept]
        return Batch(
            chosen,
            self.options.source.name,
            lambda: lines,
            tuple(broken),
            left_out=tuple(left_out),
            garbled=_rows_at(self.stream.garbled, lines, heights),
            encoding=self.stream.encoding,
            remedy=self.options.remedy,
        )

    def _torn(self, lines: np.ndarray, heights: np.ndarray) -> np.ndarray:
        """Rows whose quote swallowed the lines after it; only rows with line breaks are examined."""
        rows = np.flatnonzero(heights > 1)
        if not len(rows):
            return rows
        torn = self._faults(lines[rows], heights[rows]).torn
        starts = np.cumsum(heights[rows]) - heights[rows] + 1
        return np.unique(rows[np.searchsorted(starts, np.array(torn, dtype=np.int64), side="right") - 1])

    def _torn_lines(self, places: list[tuple[int, str]]) -> set[int]:
        """Like `_torn`, for broken rows, as their first lines."""
        found = [(line, 1 + text.count("\n")) for line, text in places if "\n" in text]
        lines, heights = (
            (np.array(part, dtype=np.int64) for part in zip(*found, strict=True))
            if found
            else (
                np.empty(0, dtype=np.int64),
                np.empty(0, dtype=np.int64),
            )
        )
        return set(lines[self._torn(lines, heights)].tolist())

    def _headers(self, record: pa.RecordBatch) -> np.ndarray:
        """Rows that repeat the header, for example where files were joined."""
        header = self.options.header
        if not self.options.header_lines:
            return np.empty(0, dtype=np.int64)
        rows = np.flatnonzero(mask(pc.equal(record.column(0), header[0])))
        for column, name in zip(record.columns[1:], header[1:], strict=True):
            if not len(rows):
                break
            rows = rows[mask(pc.equal(column.take(pa.array(rows)), name))]
        return rows


def _rows_at(places: Sequence[int], lines: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """The rows that contain one of the given ascending lines; row i starts at `lines[i]` and takes `heights[i]` lines."""
    if not len(lines) or not places:
        return np.empty(0, dtype=np.int64)
    first, last = bisect_left(places, int(lines[0])), bisect_left(places, int(lines[-1] + heights[-1]))
    found = np.array(places[first:last], dtype=np.int64)
    rows = np.searchsorted(lines, found, side="right") - 1
    inside = (rows >= 0) & (found < (lines + heights)[rows])
    return np.unique(rows[inside])


def _breaks(record: pa.RecordBatch) -> np.ndarray:
    total = np.zeros(len(record), dtype=np.int64)
    for column in record.columns:
        text = np.frombuffer(column.buffers()[2] or b"", dtype=np.uint8)
        if (text == ord("\n")).any():
            total += pc.count_substring(column, "\n").to_numpy(zero_copy_only=False)
    return total


def _not_blank(record: pa.RecordBatch) -> np.ndarray | None:
    """Rows with a cell that is not empty; None if all rows have such a cell."""
    blank = np.ones(len(record), dtype=bool)
    for column in record.columns:
        blank &= pc.equal(column, "").to_numpy(zero_copy_only=False)
        if not blank.any():
            return None
    return np.flatnonzero(~blank)


# Parquet and frames


def _open_parquet(source: Source) -> Table:
    try:
        if compression_of(source.path):
            raise SourceError(
                f"{source.name} is compressed as a whole.",
                "Unpack it: Parquet is compressed within the file.",
            )
        file = pyarrow.parquet.ParquetFile(source.path)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise unreadable(source, error) from None

    def read(columns: Sequence[str]) -> Iterator[Batch]:
        try:
            yield from _arrow_batches(
                file.iter_batches(_ROWS_PER_BATCH, columns=list(columns)), source.name, columns
            )
        except (pa.ArrowException, OSError, UnicodeError) as error:
            raise unreadable(source, error) from None

    return Table(source.name, list(file.schema_arrow.names), read)


def _arrow_batches(records: Any, name: str, columns: Sequence[str]) -> Iterator[Batch]:
    first = 1
    for record in records:
        chosen = {column: as_text(record.column(column), f"{name}: '{column}'") for column in columns}
        yield Batch(chosen, name, _counting(first, len(record)))
        first += len(record)


def _counting(first: int, rows: int) -> Callable[[], np.ndarray]:
    return lambda: np.arange(first, first + rows, dtype=np.int64)
