"""In which of the usual forms the dates of a column are written.

Enters: an Arrow array of text. Leaves: `DateForm`, what `format:` of a date says, and how sure it is; None for no dates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product

import pyarrow as pa

from kgrec.ingest import cells
from kgrec.ingest.draft.values import all_match

#: where two differ in the order of day and month, that with the day first stands first
_DAYS = [
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d-%b-%Y",
    "%d/%b/%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%y",
    "%d-%b-%y",
]
_WORDS = ("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d %m %Y", "%m %d, %Y", "%d. %B %Y")
_TIMES = ("", " %H:%M:%S", " %H:%M", " %H:%M:%S.%f", " %I:%M:%S %p", " %I:%M %p", "T%H:%M:%S", ", %H:%M:%S")
_WHOLE = ("%a %b %d %H:%M:%S %z %Y", "%a, %d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S %Z", "%Y%m%d%H%M%S")
_FORMS = [day + time for time, day in product(_TIMES, (*_DAYS, *_WORDS))] + list(_WHOLE)
_COMPACT = "%Y%m%d"
_NAMED_DATE = re.compile(r"date|day|released?|published|created|since|until|birth", re.IGNORECASE)


@dataclass(frozen=True)
class DateForm:
    """How dates are written."""

    #: as `datetime.strptime` has it; None: ISO 8601
    format: str | None
    reason: str


def date_form(full: pa.Array, name: str) -> DateForm | None:
    """The form that all filled cells have, if it is one of those known; `name` is the column's.

    A number of eight digits is a date only where the name says so.
    """
    if cells.is_list(full) or not len(full):
        return None
    if len(cells.numbers(full)[2]) == 0:
        return _compact(full, name)
    if _fits(full, None):
        return DateForm(None, "all its values are ISO 8601 dates")
    fits = [form for form in _FORMS if _fits(full, form)]
    if not fits:
        return None
    reason = f'all its values match "{fits[0]}"'
    if (other := _swapped(fits[0])) in fits:
        reason += f', and "{other}" too: see whether the day or the month is first'
    return DateForm(fits[0], reason)


def _compact(full: pa.Array, name: str) -> DateForm | None:
    if not all_match(full, r"^\s*\d{8}\s*$") or not _NAMED_DATE.search(name) or not _fits(full, _COMPACT):
        return None
    return DateForm(_COMPACT, f'its name says that it is a date, and all its values match "{_COMPACT}"')


def _fits(full: pa.Array, form: str | None) -> bool:
    """Whether all cells can be read so; the first alone tells most of the forms apart."""
    return all(len(cells.dates(part, form)[2]) == 0 for part in (full.slice(0, 1), full))


def _swapped(form: str) -> str:
    return form.translate(str.maketrans("dm", "md")) if "%m" in form else ""
