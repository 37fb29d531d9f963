"""The times of a log as seconds since 1970, in the unit that its file uses.

Enters: columns of text, batch by batch. Leaves: seconds, the unit, and the rows whose times are in another unit. The unit is known
only when the whole file is read, so times are scaled then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import pyarrow as pa

from kgrec.ingest import cells
from kgrec.ingest.mapping.interaction_table import InteractionTable, TimeUnit

#: unit -> units per second
UNITS: dict[TimeUnit, int] = {
    "seconds": 1,
    "milliseconds": 10**3,
    "microseconds": 10**6,
    "nanoseconds": 10**9,
}
_NAMES = list(UNITS)
#: smallest number that is read as milliseconds, microseconds, nanoseconds: a time in 1973 in that unit, and in 5138 in the smaller
_LEAST = np.array([1e11, 1e14, 1e17])
#: numbers above this do not fit into 64 bits
_MOST = 9.2e18
_DAY = 86_400
_PLACES = 10


@dataclass
class Clock:
    """Reads the times of one file."""

    mapped: InteractionTable
    #: seconds of each batch; numbers are scaled by `close`
    _parts: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    #: count of numbers per unit, without zeros; shape (4,)
    _counts: np.ndarray = field(default_factory=lambda: np.zeros(len(UNITS), np.int64))
    #: for each unit, places and texts of its first numbers
    _first: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    #: whether all numbers so far are dates written as digits, such as 20191011
    _as_digits: bool = True

    def read(
        self, texts: pa.Array, places: Callable[[np.ndarray], Iterable[str]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Times of one batch, 0 where there is none, and the rows of cells that are not times.

        Args:
            texts: One cell per row.
            places: Returns the places of rows.

        Returns:
            int64, shape (len(texts),), which `close` changes in place; and row numbers, int64.
        """
        times = np.zeros(len(texts), dtype=np.int64)
        rest = np.arange(len(texts))
        bad = rest[:0]
        if self.mapped.time_format is None:
            at, numbers, rest = cells.numbers(texts)
            huge = np.abs(numbers) > _MOST
            at, numbers, bad = at[~huge], numbers[~huge], at[huge]
            self._note(texts, at, numbers, places)
            times[at] = numbers.astype(np.int64)
            self._parts.append((times, at))
        if len(rest):
            at, seconds, unread = cells.dates(texts.take(pa.array(rest)), self.mapped.time_format)
            times[rest[at]] = seconds.astype(np.int64)
            bad = np.sort(np.concatenate([bad, rest[unread]]))
        return times, bad

    def close(self) -> tuple[str, list[tuple[str, str]], int]:
        """Scale the numbers.

        Returns:
            The unit, "" if no cell is a number; the first cells in another unit, as place and text; and the count of such
                cells. Their times are set to 0.
        """
        if not self._counts.any():
            self._parts.clear()
            return "", [], 0
        if self.mapped.time_unit is not None:
            return self._scaled(self.mapped.time_unit), [], 0
        if self._as_digits:
            return self._of_digits(), [], 0
        # the unit of the median number
        half = self._counts.sum() / 2
        code = int(np.searchsorted(np.cumsum(self._counts), half))
        others = [place for unit, places in sorted(self._first.items()) if unit != code for place in places]
        count = int(self._counts.sum() - self._counts[code])
        if count:
            for times, at in self._parts:
                times[at[_codes(times[at]) != code]] = 0
        return self._scaled(_NAMES[code]), others[:_PLACES], count

    def _note(
        self,
        texts: pa.Array,
        at: np.ndarray,
        numbers: np.ndarray,
        places: Callable[[np.ndarray], Iterable[str]],
    ) -> None:
        filled = numbers != 0
        at, numbers = at[filled], numbers[filled]
        codes = _codes(numbers)
        self._counts += np.bincount(codes, minlength=len(UNITS))
        self._as_digits = self._as_digits and bool(_are_digits(numbers).all())
        for code in np.unique(codes).tolist():
            known = self._first.setdefault(code, [])
            if len(known) < _PLACES:
                rows = at[codes == code][: _PLACES - len(known)]
                known.extend(
                    zip(islice(places(rows), _PLACES), texts.take(pa.array(rows)).to_pylist(), strict=True)
                )

    def _scaled(self, unit: TimeUnit) -> str:
        for times, at in self._parts:
            times[at] //= UNITS[unit]
        self._parts.clear()
        return f"{unit} since 1970"

    def _of_digits(self) -> str:
        for times, at in self._parts:
            filled = at[times[at] != 0]
            times[filled] = _seconds_of_digits(times[filled])
        self._parts.clear()
        return "dates as digits"


def _codes(numbers: np.ndarray) -> np.ndarray:
    """Index in `UNITS` of the unit of each number, by its size."""
    return np.asarray(np.searchsorted(_LEAST, np.abs(numbers), side="right"))


def _date_of_digits(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part YYYYMMDD of each number, and the part HHMMSS; 20191011 and 20191011000002 have both."""
    whole = numbers.astype(np.int64)
    long = whole >= 10**13
    return np.where(long, whole // 10**6, whole), np.where(long, whole % 10**6, 0)


def _are_digits(numbers: np.ndarray) -> np.ndarray:
    """Whether each number is a date from 1900 to 2100 as YYYYMMDD or YYYYMMDDHHMMSS."""
    date, clock = _date_of_digits(numbers)
    month, day = date // 100 % 100, date % 100
    fits = (
        (date >= 19_000_101) & (date <= 21_001_231) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    )
    fits &= (clock < 240_000) & (clock // 100 % 100 < 60) & (clock % 100 < 60)
    return np.asarray(fits & (numbers == np.floor(numbers)))


def _seconds_of_digits(numbers: np.ndarray) -> np.ndarray:
    """Seconds since 1970 of numbers for which `_are_digits` holds; int64."""
    date, clock = _date_of_digits(numbers)
    months = (date // 10_000 - 1970) * 12 + date // 100 % 100 - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + date % 100 - 1
    return np.asarray(days * _DAY + clock // 10_000 * 3600 + clock // 100 % 100 * 60 + clock % 100)
