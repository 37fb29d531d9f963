"""Properties of values.

Enters: Arrow arrays of text or of lists. Leaves: whether values are unique, long, separated, numbers, dates, or keys of
another table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest import cells
from kgrec.ingest.dates import is_iso, seconds_of
from kgrec.ingest.durations import duration, worded_unit
from kgrec.ingest.objects import parts_of as parts_of_list

#: marks of missing values in databases, frames and spreadsheets; SURE_NULLS are almost never values
SURE_NULLS = ("\\N", "NULL", "null", "NaN", "nan", "N/A", "n/a", "#N/A")
NULLS = (*SURE_NULLS, "NA", "na", "None", "none", "-", "--", "?")

#: separator -> smallest share of the cells that have it; commas also occur in prose
_SEPARATORS = {"|": 0.02, "::": 0.02, ";": 0.1, ", ": 0.5, ",": 0.5}
#: first character of a separator that may be punctuation -> largest share of distinct parts
_REPEATING = {",": 0.5, ";": 0.8}
#: separators that few of the cells may have, and the smallest share of the cells; with fewer cells than this, none is found
_RARE, _RARELY, _FEW = (", ", ";", " / ", "/"), 0.02, 4
#: share of the parts that are known from elsewhere; a third of it if the name is a plural; all if there are few parts
_KNOWN_PART, _FEW_PARTS = 0.3, 20
#: share of the parts with several words from which on people have their full names, as opposed to "Doe, Ann"
_FULL_NAMES = 0.6
_PEOPLE = re.compile(
    r"(author|actor|artist|director|writer|producer|performer|singer|creator|developer|publisher|designer|composer|editor"
    r"|translator|contributor|narrator|speaker|member|cast|crew|people|person)s?\b",
    re.IGNORECASE,
)
_THINGS = re.compile(
    r"(genre|tag|keyword|topic|subject|theme|language|categor|mechanic|platform|ingredient|colou?r|skill|feature"
    r"|cuisine|allergen)(ie|y)?s?\b",
    re.IGNORECASE,
)
_FEW_SUFFIXES = 0.1
_SUFFIX = r"^(Inc|Jr|Sr|Ltd|LLC|Corp|Co|GmbH|AG|SA|PLC|PhD|Ph\.D|M\.?D|Esq|The|etc)\.?$"
#: 1980 and 2040 in seconds since 1970
_SECONDS = (315_532_800, 2_208_988_800)
#: units of numeric times, each a thousandth of the one before
UNITS = ("seconds", "milliseconds", "microseconds", "nanoseconds")
LONG = 50
#: unit of durations -> its seconds; the first that divides all values is used
_DURATIONS = {"day": 86_400, "min": 60}
#: number of cells that are parsed as lists, and the share of them that must be lists
_LISTS_LOOKED_AT, _NEARLY = 500, 0.95
PICTURES = r"(?i)\.(jpe?g|png|gif|webp|svg)(\?\S*)?$"
IRIS = r"^\s*(https?://|urn:)\S+\s*$"

#: if two formats differ in the order of day and month, the one with the day first is preferred
_DAYS = ["%Y-%m-%d", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d-%m-%y", "%m-%d-%y", "%d-%b-%y"]
_DAYS += [*(day.replace("-", "/") for day in _DAYS), "%d.%m.%Y", "%Y.%m.%d", "%d.%m.%y"]
_DAYS += ["%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d %m %Y", "%m %d, %Y", "%d. %B %Y"]
_CLOCKS = (" %H:%M:%S", " %H:%M", " %H:%M:%S.%f", "T%H:%M:%S", "T%H:%M:%S.%f")
_TIMES: tuple[str, ...] = ("", *_CLOCKS, " %I:%M:%S %p", " %I:%M %p", ", %H:%M:%S")
_TIMES += tuple(f"{clock}{zone}" for clock in _CLOCKS for zone in (" %Z", " %z", "%z"))
_TIMESTAMP_FORMATS = (
    "%a %b %d %H:%M:%S %z %Y",
    "%a, %d %b %Y %H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S %Z",
    "%Y%m%d%H%M%S",
)
_FORMS = [day + time for time, day in product(_TIMES, _DAYS)] + list(_TIMESTAMP_FORMATS)
_COMPACT = "%Y%m%d"
_NAMED_DATE = re.compile(r"date|day|released?|published|created|since|until|birth", re.IGNORECASE)


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
    """Share of the values that match a pattern; 0 if there are no values, or if they are lists."""
    if not len(array) or cells.is_list(array):
        return 0.0
    return float(cells.mask(pc.match_substring_regex(array, pattern)).mean())


def has_lists(full: pa.Array) -> bool:
    """Whether the cells are lists, also in JSON or Python notation."""
    if cells.is_list(full):
        return True
    some = full.slice(0, _LISTS_LOOKED_AT).to_pylist() if share(full, cells.LISTS) == 1 else []
    return bool(some) and sum(parts_of_list(text) is not None for text in some) > _NEARLY * len(some)


def parts_of(full: pa.Array, name: str = "") -> tuple[pa.Array, str | None]:
    """The single values of all cells, and their separator; None if the cells are lists or have one value each.

    Args:
        full: The filled cells.
        name: Name of the column: if few cells have separators, the name may show that there are several values.
    """
    separator = None if has_lists(full) else _separator_of(full, name)
    return cells.split(full, separator)[1], separator


def how_often(full: pa.Array, separator: str | None) -> str:
    """The share of the cells that have a separator, if it is small, as part of a reason."""
    part = share(full, re.escape(separator)) if separator else 1.0
    return f" (in {part:.0%} of the cells)" if part < 0.5 else ""


def _separator_of(full: pa.Array, name: str) -> str | None:
    """The separator of values within cells: frequent, with short parts, which must repeat if the text may be prose."""
    # the semicolon of `&amp;` is not a separator
    full = cells.guarded(full)
    # neither long texts nor numbers with decimal commas
    if mean_length(full) > 400 or share(full, r"^\s*[+-]?[\d.]*,?\d+\s*$") == 1:
        return None
    in_groups = share(full, r"\d,\d{3}(\D|$)") > 0.1
    for separator, least in _SEPARATORS.items():
        if share(full, re.escape(separator)) < least:
            continue
        parts = cells.split_plain(full, separator)[1]
        if separator != "|" and share(pc.utf8_trim_whitespace(parts), _SUFFIX) > _FEW_SUFFIXES:
            continue
        if separator == "," and in_groups and numbers_of(parts) is None:
            continue
        repeat = distinct(parts) < _REPEATING.get(separator[0], 2) * len(parts)
        if share(parts, IRIS) == 1 or (mean_length(parts) <= 40 and repeat):
            return separator
    if in_groups or is_long(full):
        return None
    return next((separator for separator in _RARE if _separates(full, separator, name)), None)


def _separates(full: pa.Array, separator: str, name: str) -> bool:
    """Whether a rare separator separates names: its parts are also whole cells, or parts of other cells.

    This excludes "Paris, France" and "Doe, Ann", whose parts have fixed places, and "Simon & Sons, Inc.".
    """
    has = cells.mask(pc.match_substring_regex(full, re.escape(separator)))
    if "/" in separator and share(full, r"\d\s?/\s?\d") > _FEW_SUFFIXES:
        return False
    if has.mean() < _RARELY or len(full) < _FEW:
        return False
    rows, parts = cells.split_plain(full.filter(pa.array(has)), separator)
    parts = pc.utf8_trim_whitespace(parts)
    if mean_length(parts) > 40 or share(parts, _SUFFIX) > _FEW_SUFFIXES:
        return False
    alone = cells.mask(pc.is_in(parts, value_set=pc.utf8_trim_whitespace(full.filter(pa.array(~has)))))
    starts = np.append(True, rows[1:] != rows[:-1])
    first, later = parts.filter(pa.array(starts)), parts.filter(pa.array(~starts))
    # parts in the last place must be similar to those in the first
    known = (
        alone
        | cells.mask(pc.is_in(parts, value_set=later)) & starts
        | cells.mask(pc.is_in(parts, value_set=first)) & ~starts
    )
    if _PEOPLE.search(name) and share(parts, r"\S\s+\S") >= _FULL_NAMES:
        return True
    if _THINGS.search(name) and (len(parts) < _FEW_PARTS or distinct(parts) <= 0.5 * len(parts)):
        return True
    least = _KNOWN_PART / 3 if _THINGS.search(name) or _PEOPLE.search(name) else _KNOWN_PART
    return float(known[~starts].mean()) >= least and float(known[starts].mean()) >= least


def numbers_of(array: pa.Array) -> np.ndarray | None:
    """The values of the cells as numbers, shape (n,), float64; None if a filled cell is not a number, or all are empty."""
    if cells.is_list(array):
        return None
    _, found, bad = cells.numbers(array)
    return found if len(found) and not len(bad) else None


def duration_unit(array: pa.Array) -> str | None:
    """The unit to read durations in, if all filled cells are durations, or plain numbers beside one unit; otherwise None."""
    if cells.is_list(array) or not len(array):
        return None
    texts = pc.unique(pc.utf8_trim_whitespace(array)).to_pylist()
    plain = [text for text in texts if re.fullmatch(r"\d+(\.\d+)?", text)]
    units = {worded_unit(text) for text in texts if text not in plain}
    if len(units) == 1 and None not in units:
        return units.pop()
    seconds = [duration(text) for text in texts]
    if plain or None in seconds:
        return None
    return next(
        (unit for unit, size in _DURATIONS.items() if all((value or 0) % size == 0 for value in seconds)), "s"
    )


def are_pairs(array: pa.Array) -> bool:
    """Whether all filled cells are two numbers with a colon, such as 3:45."""
    return len(array) > 0 and share(array, r"^\s*\d+:[0-5]\d\s*$") == 1


def clock_of(array: pa.Array) -> str:
    """The unit since 1970, such as "seconds", if the numbers are times between 1980 and 2040; else ""."""
    found = numbers_of(array)
    for power, unit in enumerate(UNITS):
        factor = 1000**power
        if found is not None and _SECONDS[0] * factor <= found.min() and found.max() <= _SECONDS[1] * factor:
            return unit
    return ""


@dataclass(frozen=True)
class DateForm:
    """A format of dates."""

    #: format of `datetime.strptime`; None: ISO 8601
    format: str | None
    reason: str


def date_form(full: pa.Array, name: str) -> DateForm | None:
    """The known format of all filled cells; None if there is none. `name` is the name of the column.

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
    # The first cell rules out most formats, and one without a digit all of them.
    first = full[0].as_py().strip()
    forms = _FORMS if re.search(r"\d", first) else []
    fits = [form for form in forms if seconds_of(first, form) is not None and _fits(full, form)]
    if not fits:
        reason = "all its values are dates, with the year first or the month by its name"
        return DateForm(None, reason) if known else None
    reason = f'all its values match "{fits[0]}"'
    swapped = fits[0].translate(str.maketrans("dm", "md"))
    if swapped != fits[0] and swapped in fits[1:]:
        reason += f', and "{swapped}" too: check whether the day or the month is first'
    return DateForm(fits[0], reason)


def _fits(full: pa.Array, form: str | None) -> bool:
    """Whether all cells match a format; the first cell is tried alone, which excludes most columns."""
    return all(len(cells.dates(part, form)[2]) == 0 for part in (full.slice(0, 1), full))
