"""What the values of a column look like.

Enters: an Arrow array of text, or of lists. Leaves: whether they are unique, long, separated, keys of another table, ...
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest import cells

#: separator -> share of the cells that must have it: commas are in prose, too
_SEPARATORS = {"|": 0.02, "::": 0.02, ";": 0.1, ", ": 0.5, ",": 0.5}
#: beginning of a separator that may be punctuation -> share of the parts that may differ
_REPEATING = {",": 0.5, ";": 0.8}
_LISTS = r"^\s*\[[\s\S]*\]\s*$"
#: 1980 and 2040 in seconds since 1970
_SECONDS = (315_532_800, 2_208_988_800)
LONG = 50
PICTURES = r"(?i)\.(jpe?g|png|gif|webp|svg)(\?\S*)?$"
IRIS = r"^\s*(https?://|urn:)\S+\s*$"


def filled(array: pa.Array) -> pa.Array:
    """The cells that hold something."""
    if cells.is_list(array):
        return array.filter(pc.greater(pc.fill_null(pc.list_value_length(array), 0), 0))
    return array.filter(pc.invert(pc.is_in(pc.utf8_trim_whitespace(array), value_set=pa.array(["", "[]"]))))


def is_unique(array: pa.Array) -> bool:
    """Whether every cell is filled, and with a value of its own."""
    if cells.is_list(array) or not len(array):
        return False
    return len(pc.unique(array)) == len(array) and not cells.mask(pc.equal(array, "")).any()


def distinct(array: pa.Array) -> int:
    """How many different values there are; of lists, how many cells."""
    return len(array) if cells.is_list(array) else len(pc.unique(array))


def overlap(values: pa.Array, keys: pa.Array) -> float:
    """Share of the distinct values that are among the keys."""
    if cells.is_list(values) or cells.is_list(keys):
        return 0.0
    found = pc.unique(values)
    found = found.filter(pc.not_equal(found, ""))
    if not len(found):
        return 0.0
    return float(cells.mask(pc.is_in(found, value_set=pc.cast(keys, found.type))).mean())


def has_lists(full: pa.Array) -> bool:
    """Whether the cells are lists, or JSON arrays."""
    return cells.is_list(full) or all_match(full, _LISTS)


def parts_of(full: pa.Array) -> tuple[pa.Array, str | None]:
    """The single values of the cells, and what separates them in a cell, None if nothing does or they are lists."""
    separator = None if has_lists(full) else separator_of(full)
    return cells.split(full, separator)[1], separator


def separator_of(full: pa.Array) -> str | None:
    """What separates lists: often enough in the cells, and with short parts; where it may be prose, parts that repeat."""
    if mean_length(full) > 400 or _has_decimal_commas(full):
        return None
    in_groups = share_matching(full, r"\d,\d{3}(\D|$)") > 0.1
    for separator in _SEPARATORS:
        if share_matching(full, re.escape(separator)) < _SEPARATORS[separator]:
            continue
        parts = cells.split_plain(full, separator)[1]
        if separator == "," and in_groups and numbers_of(parts) is None:
            continue
        if all_match(parts, IRIS):
            return separator
        if mean_length(parts) <= 40 and distinct(parts) < _REPEATING.get(separator[0], 2) * len(parts):
            return separator
    return None


def _has_decimal_commas(full: pa.Array) -> bool:
    return all_match(full, r"^\s*[+-]?[\d.]*,?\d+\s*$")


def mean_length(array: pa.Array) -> float:
    """Mean number of characters."""
    return float(pc.mean(pc.utf8_length(array)).as_py() or 0)


def is_long(array: pa.Array) -> bool:
    """Whether the values are sentences rather than names."""
    return not cells.is_list(array) and mean_length(array) > LONG


def all_match(array: pa.Array, pattern: str) -> bool:
    """Whether there are values, and all match a pattern."""
    return share_matching(array, pattern) == 1


def share_matching(array: pa.Array, pattern: str) -> float:
    """Share of the values that match a pattern; 0 if there are none, or lists."""
    if not len(array) or cells.is_list(array):
        return 0.0
    return float(cells.mask(pc.match_substring_regex(array, pattern)).mean())


def numbers_of(array: pa.Array) -> np.ndarray | None:
    """The numbers that all filled cells are, shape (n,), float64; None if there is a cell that is none, or no number."""
    if cells.is_list(array):
        return None
    _, found, bad = cells.numbers(array)
    return found if len(found) and not len(bad) else None


def is_clock(array: pa.Array) -> str:
    """What the numbers are if they are times of our days, in seconds or milliseconds since 1970; else ""."""
    found = numbers_of(array)
    if found is None:
        return ""
    for unit, factor in (("seconds", 1), ("milliseconds", 1000)):
        if found.min() >= _SECONDS[0] * factor and found.max() <= _SECONDS[1] * factor:
            return f"{unit} since 1970"
    return ""
