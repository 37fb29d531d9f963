"""Columns of text as numbers, dates, lists and vectors.

Enters: an Arrow array of text ("" if empty) or of lists. Leaves: values with their rows, and the rows of unreadable
cells. Columns are processed as arrays; Python loops only over distinct values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest.dates import seconds_of

#: half of a surrogate pair, which cannot be encoded
_HALF = re.compile("[\ud800-\udfff]")
_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"


def encode(values: pa.Array) -> tuple[np.ndarray, list[str]]:
    """Code of each value, shape (len(values),), int64, and the distinct values by code."""
    encoded = pc.dictionary_encode(values)
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary.to_pylist()


def distinct(numbers: np.ndarray) -> np.ndarray:
    """The distinct numbers, sorted. `np.unique` hashes them first, which takes ten times as long."""
    numbers = np.sort(numbers, axis=None)
    return np.asarray(numbers[np.append(True, numbers[1:] != numbers[:-1])[: len(numbers)]])


def mask(values: pa.Array) -> np.ndarray:
    """A boolean Arrow array as numpy's; null is False."""
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=bool)


def is_list(array: pa.Array) -> bool:
    """Whether the cells are lists."""
    kind = array.type
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def emptied(cells: pa.Array, nulls: Sequence[str]) -> pa.Array:
    """The cells, "" where they are in `nulls`; lists are unchanged, since `split` skips such parts."""
    return cells if is_list(cells) else pc.if_else(_is_null(cells, nulls), "", cells)


def split(cells: pa.Array, separator: str | None, nulls: Sequence[str] = ()) -> tuple[np.ndarray, pa.Array]:
    """Rows (int64) and values of the parts of all cells: trimmed, without empty parts and parts in `nulls`.

    JSON arrays are split as JSON, other cells at `separator`.
    """
    rows, values = _split(cells, separator)
    values = pc.utf8_trim_whitespace(values)
    full = mask(pc.not_equal(values, ""))
    if nulls:
        full &= ~mask(_is_null(values, nulls))
    return rows[full], values.filter(pa.array(full))


def _is_null(cells: pa.Array, nulls: Sequence[str]) -> pa.Array:
    return pc.is_in(pc.utf8_trim_whitespace(cells), value_set=pa.array(nulls, cells.type))


def _split(cells: pa.Array, separator: str | None) -> tuple[np.ndarray, pa.Array]:
    if is_list(cells):
        return _flattened(cells)
    rows = np.arange(len(cells), dtype=np.int64)
    as_json = mask(pc.and_(pc.starts_with(cells, "["), pc.ends_with(cells, "]")))
    if as_json.any():
        rows, cells = _json_rows(cells, as_json, separator)
    elif separator is not None:
        rows, cells = _flattened(pc.split_pattern(cells, separator))
    return rows, cells


def numbers(cells: pa.Array, unit: str | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and values (float64) of the cells that are numbers, and the rows of cells that are not; empty cells are skipped.

    `unit` may follow a number.
    """
    cells = pc.utf8_trim_whitespace(cells)
    full = mask(pc.not_equal(cells, ""))
    if unit is not None:
        without = pc.utf8_rtrim_whitespace(pc.utf8_slice_codeunits(cells, 0, -len(unit)))
        cells = pc.if_else(pc.ends_with(cells, unit), without, cells)
    good = mask(pc.match_substring_regex(cells, _NUMBER))
    bad = ~good & full
    rows = np.flatnonzero(good)
    # Arrow does not parse a leading "+"
    text = pc.utf8_ltrim(cells.filter(pa.array(good)), "+")
    # adding 0.0 turns -0.0 into 0.0: equal numbers have equal bits
    values = pc.cast(text, pa.float64()).to_numpy(zero_copy_only=False) + 0.0
    finite = np.isfinite(values)
    return rows[finite], values[finite], np.sort(np.concatenate([np.flatnonzero(bad), rows[~finite]]))


def dates(cells: pa.Array, form: str | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `numbers`, for dates: seconds since 1970 in UTC; dates without a zone are in UTC."""
    codes, distinct = encode(pc.utf8_trim_whitespace(cells))
    parsed = [seconds_of(text, form) for text in distinct]
    seconds = np.array([np.nan if value is None else value for value in parsed], dtype=np.float64)[codes]
    empty = np.array([text == "" for text in distinct], dtype=bool)[codes]
    good = ~np.isnan(seconds)
    return np.flatnonzero(good), seconds[good], np.flatnonzero(~good & ~empty)


def parse_json(text: str) -> Any:
    """The value of a JSON text, with numbers as text; half of a surrogate pair becomes U+FFFD.

    Raises:
        ValueError: The text is not JSON.
        RecursionError: The text is nested too deeply.
    """
    value = json.loads(text, parse_int=str, parse_float=str)
    if "\\ud" in text or "\\uD" in text:
        value = json.loads(_HALF.sub("\ufffd", json.dumps(value, ensure_ascii=False)))
    return value


def vectors(cells: pa.Array) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """As `numbers`, for vectors of float32; a vector with a value that is not finite is unreadable."""
    rows, values, bad = [], [], []
    for row, cell in enumerate(cells.to_pylist()):
        if cell is None or cell == "":
            continue
        vector = _vector(cell)
        if vector is None:
            bad.append(row)
        else:
            rows.append(row)
            values.append(vector)
    return np.array(rows, dtype=np.int64), values, np.array(bad, dtype=np.int64)


def _flattened(lists: pa.Array) -> tuple[np.ndarray, pa.Array]:
    rows = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    values = pc.list_flatten(lists)
    return rows, pc.fill_null(pc.cast(values, pa.string()), "")


def _json_rows(cells: pa.Array, as_json: np.ndarray, separator: str | None) -> tuple[np.ndarray, pa.Array]:
    at = np.flatnonzero(as_json)
    parsed = [_json_parts(cells[int(row)].as_py()) for row in at]
    as_json[at[[parts is None for parts in parsed]]] = False
    plain = np.flatnonzero(~as_json)
    rest_rows, rest = split_plain(cells.take(pa.array(plain)), separator)
    lists = [parts for parts in parsed if parts is not None]
    rows = np.repeat(np.flatnonzero(as_json), [len(parts) for parts in lists])
    values = pa.array([part for parts in lists for part in parts], rest.type)
    return np.concatenate([rows, plain[rest_rows]]), pa.concat_arrays([values, rest])


def split_plain(cells: pa.Array, separator: str | None) -> tuple[np.ndarray, pa.Array]:
    """As `split`, without JSON and without trimming."""
    if separator is None:
        return np.arange(len(cells), dtype=np.int64), cells
    return _flattened(pc.split_pattern(cells, separator))


def _json_parts(cell: str) -> list[str] | None:
    try:
        parts = parse_json(cell)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(part, str | None) for part in parts):
        return None
    return [part or "" for part in parts]


def _vector(cell: object) -> np.ndarray | None:
    try:
        values = json.loads(cell) if isinstance(cell, str) else cell
        vector = np.asarray(values, dtype=np.float32) + np.float32(0)
    except (ValueError, TypeError, RecursionError):
        return None
    return vector if vector.ndim == 1 and len(vector) and np.isfinite(vector).all() else None
