"""Files without a header, as batches of columns.

Enters: a path, names of the columns, and their delimiter. Leaves: `Batch`es as from table_files.py: text columns with the line
of each row, and the lines that could not be split. A file is never held in memory as a whole.
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

_BLOCK, _HEAD, _ROWS = 8 << 20, 1 << 16, 1 << 18
_CHECK_FILE = "Check that the file is complete, and that you may read it."


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


def first_lines(path: Path, name: str) -> list[str]:
    """The lines in the first 64 KB of a file; the last one is left out if it may be cut off."""
    with opened(path, name) as stream:
        head: bytes = stream.read(_HEAD)
    lines = head.decode("utf-8-sig", "replace").splitlines()
    return lines[:-1] if len(head) == _HEAD else lines


def array_rows(path: Path, name: str, columns: Sequence[str]) -> Iterator[Batch]:
    """The rows of an array of integers as text, numbered from 1.

    Raises:
        SourceError: The file holds another kind of array, or objects, which are never loaded.
    """
    array = array_of(path, name)
    if array.shape[1] != len(columns):
        raise SourceError(
            f"{name} has {array.shape[1]} columns, but {len(columns)} are needed: {', '.join(columns)}.",
            "Check that it is the dataset's own file of this name.",
        )
    for start in range(0, len(array), _ROWS):
        rows = np.asarray(array[start : start + _ROWS])
        texts = {
            column: pc.cast(pa.array(rows[:, i].copy()), pa.string()) for i, column in enumerate(columns)
        }
        lines = np.arange(start + 1, start + 1 + len(rows), dtype=np.int64)
        yield Batch(texts, name, lambda lines=lines: lines)  # type: ignore[misc]


def array_of(path: Path, name: str) -> np.ndarray:
    """The rows of a NumPy file, shape (rows, columns), integer; the file is mapped, not read.

    Raises:
        SourceError: The file holds another kind of array, or objects, which are never loaded.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise SourceError(
            f"{name} is not a readable NumPy array: {str(error).splitlines()[0]}",
            "Save it again with numpy.save, as integers.",
        ) from None
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "iu":
        shown = (
            f"an array of {array.ndim} dimensions of {array.dtype}"
            if isinstance(array, np.ndarray)
            else "several arrays"
        )
        raise SourceError(f"{name} holds {shown}, but rows of integers are needed.", "Save one row per line.")
    return array


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
                # a broken line belongs to the batch with the rows around or after it
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
