"""Columns of text as numbers, dates, lists and vectors.

Enters: an Arrow array of text ("" if empty) or of lists. Leaves: values with their rows, and the rows of unreadable
cells. Columns are processed as arrays; Python loops only over distinct values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from html.entities import html5
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest.dates import seconds_of
from kgrec.ingest.durations import duration, is_time_unit
from kgrec.ingest.objects import as_text, leaves, objects_of, parse, parts_of

#: a quick test for cells that may be lists, in JSON, Python or PostgreSQL, and for cells that may have objects
LISTS = r"""^\s*(\[[\s\S]*\]|[({]\s*[uU]?['"][\s\S]*[)}]|\{[^{}:]+\})\s*$"""
_MAY_BE_OBJECTS = r"^\s*[\[(]?\s*\{[\s\S]*\}\s*,?\s*[\])]?\s*$"
#: an HTML entity, whose final character is not a separator
_ENTITY = re.compile(r"(&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[A-Za-z][A-Za-z\d]{1,30}));")
#: a noncharacter that replaces that character
_GUARD = "\ufdd0"
_BARE_VECTOR = re.compile(r"\[[\s\d.eE+-]+\]")
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
    """The cells, "" where they are in `nulls`; lists do not change, because `split` skips such parts."""
    return cells if is_list(cells) else pc.if_else(_is_null(cells, nulls), "", cells)


def split(cells: pa.Array, separator: str | None, nulls: Sequence[str] = ()) -> tuple[np.ndarray, pa.Array]:
    """Rows (int64) and values of the parts of all cells: trimmed, without empty parts and parts in `nulls`.

    Lists in JSON or Python are split as lists, other cells at `separator`, but not within HTML entities such as `&amp;`.
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
    may_be_list = mask(pc.match_substring_regex(cells, LISTS))
    if may_be_list.any():
        rows, cells = _list_rows(cells, may_be_list, separator)
    elif separator is not None:
        rows, cells = split_plain(cells, separator)
    return rows, cells


def guarded(cells: pa.Array) -> pa.Array:
    """The cells with a noncharacter in place of the semicolons that end HTML entities."""
    at = mask(pc.match_substring_regex(cells, _ENTITY.pattern))
    if not at.any():
        return cells
    found = _per_distinct(cells.filter(pa.array(at)), without_entities)
    return pc.replace_with_mask(cells, pa.array(at), pa.array(found, cells.type))


def without_entities(text: str) -> str:
    """`text` with a noncharacter in place of the semicolons that end HTML entities such as `&amp;`."""
    return _ENTITY.sub(lambda e: e[1] + _GUARD if e[1][1] == "#" or f"{e[1][1:]};" in html5 else e[0], text)


def has_objects(cells: pa.Array) -> np.ndarray:
    """Whether each cell is an object, or a list of objects, in JSON or Python; shape (len(cells),), bool."""
    if is_list(cells):
        return np.zeros(len(cells), dtype=bool)
    found = mask(pc.match_substring_regex(cells, _MAY_BE_OBJECTS))
    at = np.flatnonzero(found)
    found[at] = _per_distinct(cells.take(pa.array(at)), lambda text: bool(objects_of(text)))
    return found


def fields_of(cells: pa.Array) -> list[str]:
    """The fields of the objects in cells, in order of appearance."""
    _, texts = encode(cells)
    return list(dict.fromkeys(name for text in texts for found in objects_of(text) for name in found))


def at_path(cells: pa.Array, path: Sequence[str]) -> pa.Array:
    """The values at a path of fields in each cell, as lists of text; null where a cell that is not empty has no object."""
    if is_list(cells):
        return pa.nulls(len(cells), pa.list_(pa.string()))
    codes, texts = encode(cells)
    found = [_at(text, path) for text in texts]
    return pa.array(found, pa.list_(pa.string())).take(pa.array(codes))


def _at(text: str, path: Sequence[str]) -> list[str] | None:
    if not text.strip():
        return []
    try:
        value = parse(text)
    except ValueError:
        return None
    if isinstance(value, list) and not value:
        return []
    return list(leaves(value, path)) if objects_of(text) else None


def joined(lists: pa.Array) -> pa.Array:
    """Lists of text as cells: a single value unchanged, several values as a JSON array."""
    found = [parts or [] for parts in lists.to_pylist()]
    return pa.array(
        [parts[0] if len(parts) == 1 else as_text(parts) if parts else "" for parts in found], pa.string()
    )


def _per_distinct(cells: pa.Array, get: Callable[[str], Any]) -> np.ndarray:
    codes, texts = encode(cells)
    values = np.empty(len(texts), dtype=object)
    values[:] = [get(text) for text in texts]
    return np.asarray(values[codes])


def amounts(cells: pa.Array, unit: str | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Like `numbers`, with durations such as `PT1H30M` in `unit`, a unit of time, or in seconds."""
    rows, values, bad = numbers(cells, unit)
    if not len(bad) or not is_time_unit(unit):
        return rows, values, bad
    codes, texts = encode(pc.utf8_trim_whitespace(cells.take(pa.array(bad))))
    read = [duration(text, unit) for text in texts]
    found = np.array([np.nan if value is None else value for value in read], dtype=np.float64)[codes]
    good = np.isfinite(found)
    order = np.argsort(np.concatenate([rows, bad[good]]), kind="stable")
    return (
        np.concatenate([rows, bad[good]])[order],
        np.concatenate([values, found[good]])[order],
        bad[~good],
    )


def numbers(cells: pa.Array, unit: str | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and values (float64) of the cells that are numbers, and the rows of other cells; empty cells are skipped.

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
    # adding 0.0 turns -0.0 into 0.0, so that equal numbers have equal bits
    values = pc.cast(text, pa.float64()).to_numpy(zero_copy_only=False) + 0.0
    finite = np.isfinite(values)
    return rows[finite], values[finite], np.sort(np.concatenate([np.flatnonzero(bad), rows[~finite]]))


def dates(cells: pa.Array, form: str | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Like `numbers`, for dates: seconds since 1970 in UTC; dates without a zone are in UTC."""
    codes, distinct = encode(pc.utf8_trim_whitespace(cells))
    parsed = [seconds_of(text, form) for text in distinct]
    seconds = np.array([np.nan if value is None else value for value in parsed], dtype=np.float64)[codes]
    empty = np.array([text == "" for text in distinct], dtype=bool)[codes]
    good = ~np.isnan(seconds)
    return np.flatnonzero(good), seconds[good], np.flatnonzero(~good & ~empty)


def vectors(cells: pa.Array) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Like `numbers`, for vectors of float32; a vector with a value that is not finite is unreadable."""
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


def _list_rows(
    cells: pa.Array, may_be_list: np.ndarray, separator: str | None
) -> tuple[np.ndarray, pa.Array]:
    at = np.flatnonzero(may_be_list)
    parsed = _per_distinct(cells.take(pa.array(at)), parts_of)
    are_lists = np.array([parts is not None for parts in parsed], dtype=bool)
    plain = np.setdiff1d(np.arange(len(cells)), at[are_lists])
    rest_rows, rest = split_plain(cells.take(pa.array(plain)), separator)
    lists = [parts for parts in parsed if parts is not None]
    rows = np.repeat(at[are_lists], [len(parts) for parts in lists])
    values = pa.array([part for parts in lists for part in parts], rest.type)
    return np.concatenate([rows, plain[rest_rows]]), pa.concat_arrays([values, rest])


def split_plain(cells: pa.Array, separator: str | None) -> tuple[np.ndarray, pa.Array]:
    """Like `split`, without lists and without trimming."""
    if separator is None:
        return np.arange(len(cells), dtype=np.int64), cells
    if ";" in separator:
        whole = guarded(cells)
        rows, values = _flattened(pc.split_pattern(whole, separator))
        return rows, pc.replace_substring(values, _GUARD, ";")
    return _flattened(pc.split_pattern(cells, separator))


def _vector(cell: object) -> np.ndarray | None:
    try:
        values = _numbers_of(cell) if isinstance(cell, str) else cell
        vector = np.asarray(values, dtype=np.float32) + np.float32(0)
    except (ValueError, TypeError, RecursionError):
        return None
    return vector if vector.ndim == 1 and len(vector) and np.isfinite(vector).all() else None


def _numbers_of(cell: str) -> Any:
    # numpy writes arrays without commas
    if "," not in cell and _BARE_VECTOR.fullmatch(cell.strip()):
        return [float(number) for number in cell.strip()[1:-1].split()]
    return json.loads(cell)
