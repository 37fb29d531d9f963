"""What the values of a column look like.

Enters: an Arrow array of text, or of lists. Leaves: whether they are unique, long, separated, keys of another table, ...
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest import cells

#: separator -> share of the cells that must have it: commas are in prose, too
_SEPARATORS = {"|": 0.02, "::": 0.02, ";": 0.1, ", ": 0.5, ",": 0.5}


def is_unique(array: pa.Array) -> bool:
    """Whether every cell is filled, and with a value of its own."""
    if cells.is_list(array) or not len(array):
        return False
    return len(pc.unique(array)) == len(array) and not cells.mask(pc.equal(array, "")).any()


def overlap(values: pa.Array, keys: pa.Array) -> float:
    """Share of the distinct values that are among the keys."""
    distinct = pc.unique(values)
    distinct = distinct.filter(pc.not_equal(distinct, ""))
    if not len(distinct) or cells.is_list(values):
        return 0.0
    return float(cells.mask(pc.is_in(distinct, value_set=keys)).mean())


def separator_of(full: pa.Array) -> str | None:
    """What separates lists: often enough in the cells, and with short parts; where it may be prose, parts that repeat."""
    if mean_length(full) > 400:
        return None
    for separator in _SEPARATORS:
        having = cells.mask(pc.match_substring(full, separator))
        if having.mean() < _SEPARATORS[separator]:
            continue
        parts = cells.split_plain(full, separator)[1]
        if mean_length(parts) <= 40 and (
            not separator.startswith(",") or len(pc.unique(parts)) < 0.5 * len(parts)
        ):
            return separator
    return None


def mean_length(array: pa.Array) -> float:
    """Mean number of characters."""
    return float(pc.mean(pc.utf8_length(array)).as_py() or 0)


def is_long(array: pa.Array) -> bool:
    """Whether the values are sentences rather than names."""
    return not cells.is_list(array) and mean_length(array) > 50


def all_match(array: pa.Array, pattern: str) -> bool:
    """Whether there are values, and all match a pattern."""
    return bool(len(array)) and bool(cells.mask(pc.match_substring_regex(array, pattern)).all())
