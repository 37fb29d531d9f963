"""Dates and times as seconds since 1970.

Enters: the text of a cell. Leaves: seconds in UTC. A format is accepted only if it has a single reading: the year first, or
the month by its English name.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
        start=1,
    )
}
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?(?:\s*(?P<half>[ap]m))?"
_ZONE = r"(?P<zone>z|(?:utc|gmt)(?:[+-]\d{1,2}(?::?\d{2})?)?|[+-]\d{2}(?::?\d{2})?)"
#: time and zone after a date
_REST = rf"(?:(?:t|[\s,]\s*|\s+at\s+){_CLOCK}\s*{_ZONE}?)?"
_DAY = r"(?P<day>\d{1,2})"
_YEAR = r"(?P<year>\d{4})"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        # 2019/10/11, 2019-10-11 00:00:02 UTC
        rf"{_YEAR}(?P<mark>[-/.])(?P<number>\d{{1,2}})(?P=mark){_DAY}{_REST}",
        # 11 Oct 2019, Fri, 11-Oct-2019 00:00:02 GMT
        rf"{_WEEKDAY}{_DAY}(?:st|nd|rd|th)?[\s-]+{_MONTH}[\s,-]+{_YEAR}{_REST}",
        # October 11, 2019 12:02 AM
        rf"{_WEEKDAY}{_MONTH}\s+{_DAY}(?:st|nd|rd|th)?[\s,]+{_YEAR}{_REST}",
        # Fri Oct 11 00:00:02 +0000 2019
        rf"{_WEEKDAY}{_MONTH}\s+{_DAY}\s+{_CLOCK}\s+(?:{_ZONE}\s+)?{_YEAR}",
    )
)
_ORDINAL = re.compile(r"\d{4}-\d{3}")
_MONTH_ALONE = re.compile(r"\d{4}/\d{2}")


# cached, because files repeat dates
@lru_cache(maxsize=1 << 16)
def seconds_of(text: str, form: str | None) -> float | None:
    """Seconds since 1970 in UTC; None if the text is not such a date. A date without a zone is in UTC.

    Args:
        text: Trimmed.
        form: Format of `datetime.strptime`; None: ISO 8601 (also a year, or a year and a month) and its common variants.
    """
    try:
        value = datetime.strptime(text, form) if form else _without_format(text)
        value = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (value - _EPOCH).total_seconds()
    except (ValueError, OverflowError):
        return None


def is_iso(text: str) -> bool:
    """Whether a trimmed text is a date in ISO 8601, or a year, or a year and a month."""
    try:
        _iso(text)
    except ValueError:
        return False
    return True


def _without_format(text: str) -> datetime:
    # the usual zone in database logs, handled without raising an error
    plain, zone = (text[:-4], text[-4:]) if text.endswith((" UTC", " GMT")) else (text, "")
    try:
        value = _iso(plain)
    except ValueError:
        return _variant(text)
    if zone and value.tzinfo is not None:
        raise ValueError("two zones")
    return value


def _iso(text: str) -> datetime:
    """ISO 8601, or a year, or a year and a month, as in xsd:gYear and xsd:gYearMonth."""
    if len(text) == 4 and text.isdecimal():
        text = f"{text}-01-01"
    elif len(text) == 7 and text[4] == "-":
        text = f"{text}-01"
    elif len(text) == 11 and text.endswith("Z"):
        text = text[:-1]
    return datetime.fromisoformat(text)


def _variant(text: str) -> datetime:
    if _ORDINAL.fullmatch(text):
        return datetime.strptime(text, "%Y-%j")
    if _MONTH_ALONE.fullmatch(text):
        return datetime.strptime(text, "%Y/%m")
    for form in _FORMS:
        if (match := form.fullmatch(text)) is not None:
            return _of_parts({name: value for name, value in match.groupdict().items() if value})
    raise ValueError("no known form of a date")


def _of_parts(parts: dict[str, str]) -> datetime:
    """The date of the named groups of a form.

    Raises:
        ValueError: A part is out of range.
    """
    month = int(parts["number"]) if "number" in parts else _MONTHS[parts["month"][:3].lower()]
    hour = int(parts.get("hour", 0))
    if half := parts.get("half", "").lower():
        if not 1 <= hour <= 12:
            raise ValueError("an hour past 12 before am or pm")
        hour = hour % 12 + 12 * (half == "pm")
    return datetime(
        int(parts["year"]),
        month,
        int(parts["day"]),
        hour,
        int(parts.get("minute", 0)),
        int(parts.get("second", 0)),
        int(parts.get("fraction", "0")[:6].ljust(6, "0")),
        tzinfo=_zone(parts.get("zone", "")),
    )


def _zone(text: str) -> timezone:
    """The offset in `Z`, `UTC`, `GMT+2`, `+0000` or `+02:00`."""
    offset = text.upper().removeprefix("UTC").removeprefix("GMT").removeprefix("Z").replace(":", "")
    if not offset:
        return UTC
    digits = offset[1:]
    hours, minutes = (int(digits), 0) if len(digits) <= 2 else (int(digits[:-2]), int(digits[-2:]))
    span = timedelta(hours=hours, minutes=minutes)
    return timezone(-span if offset[0] == "-" else span)
