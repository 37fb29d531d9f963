"""Files without a header, as batches of columns.

Enters: a path, names of the columns, and their delimiter. Leaves: `Batch`es as from tables.py: text columns with the line
of each row, and the lines that could not be split. Files are never held in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from kgrec.errors import SourceError
from kgrec.ingest import cells
from kgrec.ingest.batches import Batch, Utf8, wrong_encoding
from kgrec.ingest.compressed import open_bytes
from kgrec.ingest.sources import Source

_BLOCK = 8 << 20
_CHECK_FILE = "Check that the file is complete, and that it may be read."


@contextmanager
def opened(path: Path, name: str) -> Iterator[Any]:
    """A stream of the file's bytes, decompressed by suffix.

    Raises:
        SourceError: The file cannot be read.
    """
    try:
        with open_bytes(path) as stream:
            yield stream
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {str(error).splitlines()[0]}", _CHECK_FILE) from None


def first_line(path: Path, name: str) -> str:
    """The first line of a file, up to 4096 bytes."""
    with opened(path, name) as stream:
        head: bytes = stream.read(4096)
    return head.decode("utf-8-sig", "replace").partition("\n")[0].rstrip("\r")


def plain_rows(path: Path, name: str, columns: Sequence[str], delimiter: str) -> Iterator[Batch]:
    """Rows of a file without a header and without quotes, with their lines; broken lines are part of a batch.

    Raises:
        SourceError: The file cannot be read.
    """
    broken: list[tuple[int, str]] = []

    def note(row: Any) -> str:
        broken.append((row.number, row.text))
        return "skip"

    first, seen = 1, 0
    try:
        with opened(path, name) as stream:
            for record in _opened(stream, columns, delimiter, note):
                # a broken line belongs to the batch whose rows it is among, or before
                last, until = first + len(record), seen
                while until < len(broken) and broken[until][0] < last + until - seen + 1:
                    until += 1
                numbers = np.arange(first, last + until - seen, dtype=np.int64)
                lines = np.setdiff1d(numbers, [number for number, _ in broken[seen:until]])
                yield _batch(record, name, lines, tuple(broken[seen:until]))
                first, seen = first + len(numbers), until
        if seen < len(broken):
            nothing = {column: pa.array([], pa.string()) for column in columns}
            yield Batch(nothing, name, lambda: np.empty(0, dtype=np.int64), tuple(broken[seen:]))
    except pa.ArrowInvalid as error:
        raise SourceError(f"{name} cannot be read: {str(error).splitlines()[0]}", _CHECK_FILE) from None
    except UnicodeError:
        place = wrong_encoding(Source(path, name), "utf-8").problem
        raise SourceError(place, "Save the file as UTF-8.") from None


def _opened(stream: Any, columns: Sequence[str], delimiter: str, note: Callable[[Any], str]) -> Any:
    return pyarrow.csv.open_csv(
        Utf8(stream),
        read_options=pyarrow.csv.ReadOptions(
            column_names=list(columns), block_size=_BLOCK, use_threads=False
        ),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=delimiter, quote_char=False, ignore_empty_lines=False, invalid_row_handler=note
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            check_utf8=False, strings_can_be_null=False, column_types=dict.fromkeys(columns, pa.string())
        ),
    )


def _batch(
    record: pa.RecordBatch, name: str, lines: np.ndarray, broken: tuple[tuple[int, str], ...]
) -> Batch:
    """A batch without its blank lines."""
    full = np.zeros(len(record), dtype=bool)
    for column in record.columns:
        full |= cells.mask(pc.not_equal(column, ""))
    kept = record if full.all() else record.filter(pa.array(full))
    chosen = {column: kept.column(column) for column in kept.schema.names}
    return Batch(chosen, name, lambda: lines[full], broken)
