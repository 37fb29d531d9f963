"""Properties of names and values.

Enters: names of files and columns; Arrow arrays of text or of lists. Leaves: whether values are unique, long, separated,
numbers, dates, keys of another table; names of types.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest import cells
from kgrec.ingest.dates import is_iso
from kgrec.ingest.mapping.roles import is_type_name
from kgrec.ingest.sources import COMPRESSION

_ID = r"([_ .-]?(id|key|code|no|nr|number|ref|uuid|uri|iri))?"
USER = re.compile(
    "(user|customer|visitor|member|account|uid|reviewer|viewer|listener|reader|client|buyer|shopper|subscriber"
    f"|session|kunden?|benutzer)s?{_ID}",
    re.IGNORECASE,
)
ITEM = re.compile(
    "(item|product|movie|film|video|show|series|book|article|paper|artist|album|track|song|podcast|episode|game|app"
    f"|recipe|news|post|page|course|job|offer|listing|business|restaurant|hotel|place|venue|asin|sku|isbn|iid)s?{_ID}",
    re.IGNORECASE,
)
VALUE = re.compile(
    r"(.*[_ ])?(rating|score|stars?|value|count|weight|quantity|qty|plays?|listens|overall|preference)", re.I
)
TIME = re.compile(
    r"(.*[_ ])?(time(stamp)?|date(time)?|ts|at|day)|created|.*(Time(stamp)?|Date|At)|(unix|event)time", re.I
)
NAMED_ID = re.compile(r"(.*[_ .-])?(id|key|code|sku|asin|isbn|uri|iri)|.*I[dD]", re.IGNORECASE)
#: beginning of the names of columns that have no name in the file
UNNAMED = "column_"
LABELS = ("title", "name", "label", "headline")
#: names of numbers that are not keys, even if all are among the keys
NUMERIC = re.compile(
    r"year|count|num|price|rating|score|age|length|runtime|duration|votes|rank", re.IGNORECASE
)
_NO_PLURAL = ("movies", "series", "cookies", "zombies")
#: suffixes of formats, which do not name the content
_FORM = re.compile("csv|tsv|tab|jsonl|ndjson|json|parquet|pq|dat|data|txt|text|out|log|dump|list", re.I)
#: marks of missing values in databases, frames and spreadsheets; SURE_NULLS are hardly ever values
SURE_NULLS = ("\\N", "NULL", "null", "NaN", "nan", "N/A", "n/a", "#N/A")
NULLS = (*SURE_NULLS, "NA", "na", "None", "none", "-", "--", "?")

#: separator -> least share of the cells with it; commas also occur in prose
_SEPARATORS = {"|": 0.02, "::": 0.02, ";": 0.1, ", ": 0.5, ",": 0.5}
#: first character of a separator that may be punctuation -> largest share of distinct parts
_REPEATING = {",": 0.5, ";": 0.8}
#: 1980 and 2040 in seconds since 1970
_SECONDS = (315_532_800, 2_208_988_800)
LONG = 50
PICTURES = r"(?i)\.(jpe?g|png|gif|webp|svg)(\?\S*)?$"
IRIS = r"^\s*(https?://|urn:)\S+\s*$"

#: of two formats that differ in the order of day and month, the one with the day first is preferred
_DAYS = ["%Y-%m-%d", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d-%m-%y", "%m-%d-%y", "%d-%b-%y"]
_DAYS += [*(day.replace("-", "/") for day in _DAYS), "%d.%m.%Y", "%Y.%m.%d", "%d.%m.%y"]
_DAYS += ["%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d %m %Y", "%m %d, %Y", "%d. %B %Y"]
_TIMES = ("", " %H:%M:%S", " %H:%M", " %H:%M:%S.%f", " %I:%M:%S %p", " %I:%M %p", "T%H:%M:%S", ", %H:%M:%S")
_TIMESTAMP_FORMATS = (
    "%a %b %d %H:%M:%S %z %Y",
    "%a, %d %b %Y %H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S %Z",
    "%Y%m%d%H%M%S",
)
_FORMS = [day + time for time, day in product(_TIMES, _DAYS)] + list(_TIMESTAMP_FORMATS)
_COMPACT = "%Y%m%d"
_NAMED_DATE = re.compile(r"date|day|released?|published|created|since|until|birth", re.IGNORECASE)


def singular(name: str) -> str:
    """A name in lower case, made a valid name of a type, in the singular."""
    stem = re.sub(r"\W+", "_", name).strip("_").lower() or "item"
    if stem.endswith("ies") and stem not in _NO_PLURAL:
        return stem[:-3] + "y"
    is_plural = stem.endswith("s") and not stem.endswith(("ss", "us", "is", "series", "news"))
    return stem[:-1] if is_plural else stem


def type_of_key(name: str) -> str:
    """The type that a column refers to by its name: `artist` for `artistID`."""
    return singular(re.sub(r"[_ .-]?(ids?|keys?)$", "", name, flags=re.IGNORECASE))


def type_of_file(path: Path) -> str:
    """The type of a file's nodes: its name, or the suffix in names such as u.item."""
    stem, *suffixes = path.name.split(".")
    rest = [s for s in suffixes if f".{s.lower()}" not in COMPRESSION and not _FORM.fullmatch(s)]
    return singular(rest[0] if len(stem) < 2 and rest else stem)


def type_of_values(name: str, taken: Collection[str]) -> str:
    """The type of the values of a column or predicate: `actor` for `actor_1_name`.

    Args:
        name: Name of the column or predicate.
        taken: Types with keys, whose names cannot be used for values.
    """
    bare = name if name.startswith(UNNAMED) else re.sub(r"[_ .-]?\d+(?=[_ .-]|$)", "", name)
    bare = re.sub(r"(?<=\w)([_ .-]names?|Names?)$", "", bare)
    names = (singular(bare), singular(name))
    free = (made for made in names if made not in taken and is_type_name(made))
    return next(free, f"{singular(name)}_value")


def unique(name: str, taken: Collection[str]) -> str:
    """`name`, with a number if it is taken."""
    number, made = 2, name
    while made in taken:
        made, number = f"{name}_{number}", number + 1
    return made


def filled(array: pa.Array) -> pa.Array:
    """The cells that are not empty."""
    if cells.is_list(array):
        return array.filter(pc.greater(pc.fill_null(pc.list_value_length(array), 0), 0))
    return array.filter(pc.invert(pc.is_in(pc.utf8_trim_whitespace(array), value_set=pa.array(["", "[]"]))))


def is_unique(array: pa.Array) -> bool:
    """Whether every cell is filled, and no value repeats."""
    if cells.is_list(array) or not len(array):
        return False
    return len(pc.unique(array)) == len(array) and not cells.mask(pc.equal(array, "")).any()


def distinct(array: pa.Array) -> int:
    """Number of distinct values; for lists, the number of cells."""
    return len(array) if cells.is_list(array) else len(pc.unique(array))


def overlap(values: pa.Array, keys: pa.Array) -> float:
    """Share of the distinct values that are keys."""
    if cells.is_list(values) or cells.is_list(keys):
        return 0.0
    found = pc.unique(values)
    found = found.filter(pc.not_equal(found, ""))
    if not len(found):
        return 0.0
    return float(cells.mask(pc.is_in(found, value_set=pc.cast(keys, found.type))).mean())


def mean_length(array: pa.Array) -> float:
    """Mean number of characters."""
    return float(pc.mean(pc.utf8_length(array)).as_py() or 0)


def is_long(array: pa.Array) -> bool:
    """Whether the values are sentences rather than names."""
    return not cells.is_list(array) and mean_length(array) > LONG


def share(array: pa.Array, pattern: str) -> float:
    """Share of the values that match a pattern; 0 if there are no values, or lists."""
    if not len(array) or cells.is_list(array):
        return 0.0
    return float(cells.mask(pc.match_substring_regex(array, pattern)).mean())


def has_lists(full: pa.Array) -> bool:
    """Whether the cells are lists, or JSON arrays."""
    return cells.is_list(full) or share(full, r"^\s*\[[\s\S]*\]\s*$") == 1


def parts_of(full: pa.Array) -> tuple[pa.Array, str | None]:
    """The single values of all cells, and their separator; None if the cells are lists or have one value each."""
    separator = None if has_lists(full) else _separator_of(full)
    return cells.split(full, separator)[1], separator


def _separator_of(full: pa.Array) -> str | None:
    """The separator of values within cells: frequent, with short parts, which must repeat where it may be prose."""
    # neither long texts nor numbers with decimal commas
    if mean_length(full) > 400 or share(full, r"^\s*[+-]?[\d.]*,?\d+\s*$") == 1:
        return None
    in_groups = share(full, r"\d,\d{3}(\D|$)") > 0.1
    for separator, least in _SEPARATORS.items():
        if share(full, re.escape(separator)) < least:
            continue
        parts = cells.split_plain(full, separator)[1]
        if separator == "," and in_groups and numbers_of(parts) is None:
            continue
        repeat = distinct(parts) < _REPEATING.get(separator[0], 2) * len(parts)
        if share(parts, IRIS) == 1 or (mean_length(parts) <= 40 and repeat):
            return separator
    return None


def numbers_of(array: pa.Array) -> np.ndarray | None:
    """The values of the cells as numbers, shape (n,), float64; None if a filled cell is not a number, or all are empty."""
    if cells.is_list(array):
        return None
    _, found, bad = cells.numbers(array)
    return found if len(found) and not len(bad) else None


def clock_of(array: pa.Array) -> str:
    """The unit if the numbers are times between 1980 and 2040: seconds or milliseconds since 1970; else ""."""
    found = numbers_of(array)
    for unit, factor in (("seconds", 1), ("milliseconds", 1000)):
        if found is not None and _SECONDS[0] * factor <= found.min() and found.max() <= _SECONDS[1] * factor:
            return f"{unit} since 1970"
    return ""


@dataclass(frozen=True)
class DateForm:
    """A format of dates."""

    #: format of `datetime.strptime`; None: ISO 8601
    format: str | None
    reason: str


def date_form(full: pa.Array, name: str) -> DateForm | None:
    """The known format of all filled cells; None if there is none. `name` is that of the column.

    Numbers of eight digits are dates only if the name is that of a date.
    """
    if cells.is_list(full) or not len(full):
        return None
    if len(cells.numbers(full)[2]) == 0:
        is_compact = _NAMED_DATE.search(name) and share(full, r"^\s*\d{8}\s*$") == 1 and _fits(full, _COMPACT)
        reason = f'its name is that of a date, and all its values match "{_COMPACT}"'
        return DateForm(_COMPACT, reason) if is_compact else None
    known = _fits(full, None)
    if known and all(map(is_iso, pc.unique(pc.utf8_trim_whitespace(full)).to_pylist())):
        return DateForm(None, "all its values are ISO 8601 dates")
    fits = [form for form in _FORMS if _fits(full, form)]
    if not fits:
        reason = "all its values are dates, with the year first or the month by its name"
        return DateForm(None, reason) if known else None
    reason = f'all its values match "{fits[0]}"'
    swapped = fits[0].translate(str.maketrans("dm", "md"))
    if swapped != fits[0] and swapped in fits[1:]:
        reason += f', and "{swapped}" too: check whether the day or the month is first'
    return DateForm(fits[0], reason)


def _fits(full: pa.Array, form: str | None) -> bool:
    """Whether all cells match a format; the first cell is tried alone, which rules out most formats."""
    return all(len(cells.dates(part, form)[2]) == 0 for part in (full.slice(0, 1), full))
