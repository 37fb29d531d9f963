"""JSON Lines as batches of text columns.

Enters: a file with one JSON object per line. Leaves: `Batch`es; numbers keep their digits as written, arrays and objects
are JSON text, null is "". It is pure Python because Arrow's reader guesses types, and reads "007" and 7 as equal.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from kgrec.errors import SourceError
from kgrec.ingest.batches import Batch, Table, wrong_encoding
from kgrec.ingest.cells import parse_json
from kgrec.ingest.compressed import open_bytes
from kgrec.ingest.mapping.schema import TableFormat
from kgrec.ingest.sources import Source

_ROWS_PER_BATCH = 10_000


def open_jsonl(source: Source, form: TableFormat) -> Table:
    """Read the keys of the first ten thousand lines as columns; rows are read later.

    Raises:
        SourceError: The file is in another encoding, or has no object in these lines.
    """
    parsed = [row for _, _, row in islice(_lines(source, form), _ROWS_PER_BATCH) if row is not None]
    columns = list(dict.fromkeys(key for row in parsed for key in row))
    if not columns:
        raise SourceError(
            f"{source.name} has no JSON object in its first lines.", "Write one object per line."
        )
    return Table(source.name, columns, lambda names: _batches(source, form, names))


def _batches(source: Source, form: TableFormat, columns: Sequence[str]) -> Iterator[Batch]:
    lines = _lines(source, form)
    while chunk := list(islice(lines, _ROWS_PER_BATCH)):
        good = [(line, row) for line, _, row in chunk if row is not None]
        broken = tuple((line, text) for line, text, row in chunk if row is None)
        cells = {name: pa.array([_text(row.get(name)) for _, row in good], pa.string()) for name in columns}
        numbers = np.array([line for line, _ in good], dtype=np.int64)
        yield Batch(cells, source.name, lambda numbers=numbers: numbers, broken)  # type: ignore[misc]


def _lines(source: Source, form: TableFormat) -> Iterator[tuple[int, str, dict[str, Any] | None]]:
    """Line number, text, and the object (None if the line has none) of each line that is not blank."""
    encoding = "utf-8-sig" if form.encoding.lower() in ("utf-8", "utf8") else form.encoding
    try:
        with io.TextIOWrapper(open_bytes(source.path), encoding=encoding, newline="\n") as text:
            for number, line in enumerate(text, 1):
                if line.strip():
                    yield number, line.strip(), _object(line)
    except UnicodeError:
        raise wrong_encoding(source, form.encoding) from None


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = parse_json(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
