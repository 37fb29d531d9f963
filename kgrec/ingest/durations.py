"""Durations as numbers.

Enters: texts such as `PT1H30M` (ISO 8601, xsd:duration), `1 h 30 min`, `1:30:00` or `0 days 01:30:00`, and a unit of time.
Leaves: numbers in that unit. A year is 365.2425 days, a month a twelfth of that.
"""

from __future__ import annotations

import re
from functools import lru_cache

_DAY = 86_400.0
_YEAR = 365.2425 * _DAY
#: seconds -> names of the unit; drafts write the first one
_UNITS = {
    0.001: "ms msec msecs millisecond milliseconds",
    1.0: "s sec secs second seconds sek sekunde sekunden",
    60.0: "min mins minute minutes minuten",
    3600.0: "h hr hrs hour hours std stunde stunden",
    _DAY: "d day days tag tage",
    7 * _DAY: "week weeks woche wochen",
    _YEAR / 12: "month months monat monate",
    _YEAR: "year years yr yrs jahr jahre",
}
_SECONDS = {name: seconds for seconds, names in _UNITS.items() for name in names.split()}
#: units that name a notation of two numbers, which is read in seconds -> seconds of these numbers
_TWO_NUMBERS = {"mm:ss": (60.0, 1.0), "h:mm": (3600.0, 60.0)}
_NUMBER = r"(\d+(?:[.,]\d+)?)"
_ISO = re.compile(
    rf"([+-]?)P(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?=\d)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?"
)
_ISO_SECONDS = (_YEAR, _YEAR / 12, 7 * _DAY, _DAY, 3600.0, 60.0, 1.0)
_CLOCK = re.compile(r"(?:(\d+) days?,? )?(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)")
_PAIR = re.compile(r"(\d+):([0-5]\d)")
_PART = re.compile(rf"{_NUMBER}\s*([a-z]+)\.?(?:\s*,\s*|\s+and\s+|\s+und\s+|\s*)", re.IGNORECASE)
_REST = re.compile(r"[0-5]\d")
_LONGEST = 60


def is_time_unit(unit: str | None) -> bool:
    """Whether durations can be read in a unit; without a unit, they are read in seconds."""
    return unit is None or unit.lower() in _SECONDS or unit.lower() in _TWO_NUMBERS


# cached, because files repeat durations
@lru_cache(maxsize=1 << 16)
def duration(text: str, unit: str | None = None) -> float | None:
    """A duration in `unit`, or in seconds; None if the text is not a duration, or the unit is not a unit of time."""
    unit = unit.lower() if unit else "s"
    if len(text) > _LONGEST:
        return None
    if unit in _TWO_NUMBERS and (pair := _PAIR.fullmatch(text)):
        return sum(float(part) * size for part, size in zip(pair.groups(), _TWO_NUMBERS[unit], strict=True))
    seconds = _seconds(text)
    return None if seconds is None or not is_time_unit(unit) else seconds / _SECONDS.get(unit, 1.0)


def worded_unit(text: str) -> str | None:
    """The unit, as a draft writes it, of a text with one number and a unit of time, such as `75 mins`."""
    match = _PART.fullmatch(text)
    seconds = _SECONDS.get(match[2].lower()) if match else None
    return None if seconds is None else _UNITS[seconds].split()[0]


def _seconds(text: str) -> float | None:
    if match := _ISO.fullmatch(text):
        return _of_iso(match)
    if match := _CLOCK.fullmatch(text):
        parts = [float(part or 0) for part in match.groups()]
        return sum(part * size for part, size in zip(parts, (_DAY, 3600.0, 60.0, 1.0), strict=True))
    return _of_words(text)


def _of_iso(match: re.Match[str]) -> float | None:
    sign, *parts = match.groups()
    if not any(parts):
        return None
    total = sum(
        float(part.replace(",", ".")) * size
        for part, size in zip(parts, _ISO_SECONDS, strict=True)
        if part is not None
    )
    return -total if sign == "-" else total


def _of_words(text: str) -> float | None:
    """`1 h 30 min`, also `1h30`; each unit may occur once, after larger ones."""
    total, last, at = 0.0, float("inf"), 0
    while match := _PART.match(text, at):
        # a single m may mean metres; beside hours or seconds it means minutes
        is_minutes = match[2] == "m" and (match.start() > 0 or match.end() < len(text))
        size = 60.0 if is_minutes else _SECONDS.get(match[2].lower(), 0.0)
        if not 0 < size < last:
            return None
        total += float(match[1].replace(",", ".")) * size
        at, last = match.end(), size
    if at == len(text) and at:
        return total
    rest = _REST.fullmatch(text, at)
    return total + float(rest[0]) * last / 60 if rest and last in (60.0, 3600.0) and at else None
