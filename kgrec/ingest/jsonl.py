"""Objects of JSON files as batches of text columns.

Enters: a file with one object per line, in JSON or as Python prints it; or one JSON text with a list of objects. Leaves:
`Batch`es; numbers keep their digits as written, arrays and objects are JSON text, null is "". This is pure Python because
Arrow's reader guesses types, and reads "007" and 7 as equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
import pyarrow as pa

from kgrec.errors import SourceError
from kgrec.ingest.batches import Batch, Table, unreadable
from kgrec.ingest.json_objects import JsonObjects, Row
from kgrec.ingest.mapping.schema import TableFormat
from kgrec.ingest.objects import as_text, is_keyed, object_of, objects_in
from kgrec.ingest.sources import Source
from kgrec.ingest.text_stream import TextStream

_ROWS_PER_BATCH, _FIRST_LINES, _LONGEST = 10_000, 10, 64 << 20
#: a JSON text may be one line
_LONGEST_TEXT = 512 << 20


def open_json(source: Source, form: TableFormat, kind: str) -> Table:
    """Read the keys of the first ten thousand objects as columns; rows are read later.

    Args:
        source: The file.
        form: Its format.
        kind: `jsonl` or `json`; a file is read as the other kind if its first lines show it.

    Raises:
        SourceError: The first lines contain no object; or a JSON text is malformed, or has no list of objects, or has several.
    """
    with TextStream(source, form.encoding, longest=_LONGEST_TEXT) as stream:
        lines = [line for _, line in islice(stream.numbered(), _FIRST_LINES)]
    objects = [found for line in lines if (found := object_of(line)) is not None]
    # the last element of a list may be alone on its line too
    is_text = 2 * len(objects) < len(lines) or any(line.startswith("[") for line in lines[:1])
    is_text |= kind == "json" and len(lines) == 1 and any(objects_in(one) or is_keyed(one) for one in objects)
    if is_text and (kind == "json" or lines[0][0] in "[{"):
        remedy = "Write a list of objects, or one object per line."
        return _opened(source, form, lambda: _of_text(source, form), remedy)
    return _opened(source, form, lambda: _by_line(source, form), "Write one object per line.")


def _opened(source: Source, form: TableFormat, rows: Callable[[], Iterator[Row]], remedy: str) -> Table:
    parsed = [row.value for row in islice(rows(), _ROWS_PER_BATCH) if row.value is not None]
    columns = list(dict.fromkeys(key for row in parsed for key in row))
    if not columns:
        raise SourceError(f"{source.name} has no JSON object in its first lines.", remedy)
    return Table(source.name, columns, lambda names: _batches(source, form, rows(), names))


def _batches(
    source: Source, form: TableFormat, rows: Iterator[Row], columns: Sequence[str]
) -> Iterator[Batch]:
    while chunk := list(islice(rows, _ROWS_PER_BATCH)):
        good = [row for row in chunk if row.value is not None]
        values = [row.value or {} for row in good]
        lines = np.array([row.line for row in good], dtype=np.int64)
        yield Batch(
            {name: pa.array([as_text(value.get(name)) for value in values], pa.string()) for name in columns},
            source.name,
            lambda lines=lines: lines,  # type: ignore[misc]
            tuple((row.line, row.text) for row in chunk if row.value is None),
            garbled=np.flatnonzero(np.array([row.is_garbled for row in good], dtype=bool)),
            encoding=form.encoding,
            remedy="Write one object per line, in JSON or as Python prints it.",
        )


def _by_line(source: Source, form: TableFormat) -> Iterator[Row]:
    try:
        with TextStream(source, form.encoding, longest=_LONGEST) as stream:
            for number, text in stream.numbered():
                yield Row(number, text, object_of(text), stream.is_garbled(number, number))
    except OSError as error:
        raise unreadable(source, error) from None


def _of_text(source: Source, form: TableFormat) -> Iterator[Row]:
    try:
        with TextStream(source, form.encoding, longest=_LONGEST_TEXT) as stream:
            yield from JsonObjects(source.name, stream).rows()
    except OSError as error:
        raise unreadable(source, error) from None
