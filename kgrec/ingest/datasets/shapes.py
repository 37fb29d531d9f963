"""The content of a file without a header: a log, or triples.

Enters: the first lines of a file, or a NumPy array. Leaves: a `LogShape`, which is the delimiter and columns of a log; None if the
file is not a log. Users and items repeat in other patterns than heads, relations and tails: there are few relations, and few ratings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kgrec.errors import SourceError
from kgrec.ingest.compressed import COMPRESSION
from kgrec.ingest.datasets.plain import array_of, first_lines

#: names of parts of a log, and of logs
_PART = re.compile(r"(?:^|[._\-])(train|valid|val|dev|test)(?=$|[._\-\d]|ing)", re.IGNORECASE)
_LOG = re.compile(
    r"(?:^|[._\-])(ratings?|interactions?|users?|clicks|events|log)(?=$|[._\-\d])", re.IGNORECASE
)
_RATINGS = re.compile(r"(?:^|[._\-])(ratings?|interactions?)(?=$|[._\-\d])", re.IGNORECASE)
_KNOWLEDGE = re.compile(r"(?:^|[._\-])(kg|triples?|knowledge|graph|edges)(?=$|[._\-\d])", re.IGNORECASE)
_SUFFIXES = (
    ".txt",
    ".tsv",
    ".tab",
    ".csv",
    ".dat",
    ".data",
    ".rating",
    ".ratings",
    ".inter",
    ".base",
    ".test",
    "",
)
_DELIMITERS = ("::", "\t", ",", ";", " ")
#: largest number of different ratings
_FEW = 20
#: number of rows of an array that are examined
_SAMPLED = 20_000
#: 1990 and 2100 in seconds since 1970
_TIMES = (631_152_000, 4_102_444_800)
_COLUMNS = ["user_id", "item_id", "rating", "timestamp"]


#: a column that is not read
UNUSED = "_unused"


@dataclass(frozen=True)
class LogShape:
    """Delimiter and columns of a log without a header; the columns are those of `InteractionWriter`."""

    delimiter: str
    columns: tuple[str, ...]
    #: whether the third column is a label, 0 or 1
    is_labelled: bool = False

    @property
    def names(self) -> list[str]:
        """Columns for a reader with one-character delimiters: "::" is read as two of them, with an empty column between."""
        if len(self.delimiter) < 2:
            return list(self.columns)
        return [name for i, column in enumerate(self.columns) for name in ([f"_{i}"] if i else []) + [column]]


def part_of(name: str) -> str | None:
    """train, valid or test, if a file has the name of this part of a log."""
    found = _PART.search(name)
    part = found[1].lower() if found else None
    return "valid" if part in ("val", "dev") else part


def is_knowledge(name: str) -> bool:
    """Whether a file has a name used for triples."""
    return _KNOWLEDGE.search(name) is not None


def log_shapes(files: Mapping[str, Path]) -> dict[str, LogShape]:
    """The files that are logs without a header; valid and test files have the shape of their train file, if it fits."""
    names = [name for name in files if not is_knowledge(name)]
    found = {name: shape for name in names if (shape := log_shape(files[name], name)) is not None}
    train = next((shape for name, shape in found.items() if part_of(name) == "train"), None)
    if train is not None:
        parts = [name for name in names if part_of(name) in ("valid", "test")]
        found |= {name: train for name in parts if _fits(files[name], name, train)}
    return {name: found[name] for name in names if name in found}


def _fits(path: Path, name: str, shape: LogShape) -> bool:
    """Whether all lines have the columns of a shape."""
    if not shape.delimiter or not _is_text(path):
        return False
    lines = [line.strip(" \r") for line in first_lines(path, name) if line.strip()]
    return bool(lines) and all(len(line.split(shape.delimiter)) == len(shape.columns) for line in lines)


def log_shape(path: Path, name: str) -> LogShape | None:
    """The shape of a log; None if the file is not a log."""
    if name.endswith(".npy"):
        return _shape_of_array(path, name)
    if not _is_text(path):
        return None
    lines = [line for line in first_lines(path, name) if line.strip()]
    for delimiter in _DELIMITERS:
        rows = [line.strip(" \r").split(delimiter) for line in lines]
        if rows and 1 < len(rows[0]) < 5 and all(len(row) == len(rows[0]) for row in rows):
            return _shape(delimiter, rows, name)
    return None


def _shape_of_array(path: Path, name: str) -> LogShape | None:
    """The shape of an array; only an array with a name used for ratings is required to be a log, others may be features."""
    is_log = _RATINGS.search(name) is not None
    if not is_log and part_of(name) is None:
        return None
    try:
        array = array_of(path, name)
    except SourceError:
        if is_log:
            raise
        return None
    if not 1 < array.shape[1] < 5:
        return None
    return _shape("", np.asarray(array[:_SAMPLED]).astype(str).tolist(), name)


def begins_with_counts(path: Path, name: str) -> bool:
    """Whether each line begins with its number of items, so that the user is the line number."""
    rows = [line.split() for line in first_lines(path, name) if line.strip()]
    return len(rows) > 2 and all(row[0] == str(len(row) - 1) for row in rows)


def has_a_row_per_pair(path: Path, name: str) -> bool:
    """Whether each line has one item and a value such as a label, and users repeat, as opposed to all items of a user per line."""
    rows = [line.split() for line in first_lines(path, name) if line.strip()]
    return (
        len(rows) > 1
        and all(len(row) == len(rows[0]) > 2 for row in rows)
        and len({row[0] for row in rows}) < len(rows)
        and log_shape(path, name) is not None
    )


def delimiter_of(path: Path, name: str) -> str:
    """The delimiter of triples: a tab, or otherwise a space."""
    return "\t" if any("\t" in line for line in first_lines(path, name)[:1]) else " "


def _is_text(path: Path) -> bool:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in COMPRESSION]
    return (suffixes[-1] if suffixes else "") in _SUFFIXES


def _shape(delimiter: str, rows: list[list[str]], name: str) -> LogShape | None:
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    is_named = part_of(name) is not None or _LOG.search(name) is not None
    if len(columns) == 2:
        numbers = all(_numbers(column) is not None for column in columns)
        # a first number that is the same in every line counts the items of the line
        numbers &= len(np.unique(columns[0])) > 1
        return LogShape(delimiter, ("user_id", "item_id")) if is_named and numbers else None
    third = _numbers(columns[2])
    if third is None:
        return None
    if len(columns) == 3 and _are_times(third):
        return LogShape(delimiter, ("user_id", "item_id", "timestamp"))
    users, items, values = (len(np.unique(column)) for column in columns[:3])
    last = tuple(_COLUMNS[3:][: len(columns) - 3])
    if last and ((fourth := _numbers(columns[3])) is None or not _are_times(fourth)):
        # some files have a fourth column with a constant value
        if len(np.unique(columns[3])) > 1 or len(rows) < 2:
            return None
        last = (UNUSED,)
    if users == 1 < len(rows) and not is_named:
        return None
    if not (items > values or (is_named and values <= _FEW)):
        return None
    return LogShape(delimiter, (*_COLUMNS[:3], *last), bool(np.isin(third, (0, 1)).all()))


def _numbers(column: np.ndarray) -> np.ndarray | None:
    try:
        return column.astype(np.float64)
    except ValueError:
        return None


def _are_times(numbers: np.ndarray) -> bool:
    seconds = numbers / 1000 if numbers.min() > _TIMES[1] else numbers
    return bool(((seconds >= _TIMES[0]) & (seconds <= _TIMES[1])).all())
