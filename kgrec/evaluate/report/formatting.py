"""Numbers in the format of the page; an en dash represents a missing number.

Enters: numbers. Leaves: text. Nothing is written.
"""

from __future__ import annotations

import math
from typing import Any

NONE = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"


def finite(value: Any) -> float | None:
    """A finite number as float; None for None, nan and infinity."""
    return None if value is None or not math.isfinite(value) else float(value)


def number(value: Any) -> str:
    """Four significant digits, with thousands separators."""
    found = finite(value)
    if found is None:
        return NONE
    size = abs(found)
    if 0 < size < 0.001:
        text = f"{found:.2g}"
    else:
        places = next((n for bound, n in ((1, 4), (10, 3), (100, 2), (1000, 1)) if size < bound), 0)
        text = f"{found:,.{places}f}" if size else "0"
    return text.replace("-", _MINUS, 1) if found < 0 else text


def signed(value: Any) -> str:
    """Like `number`, with a plus sign above 0."""
    found = finite(value)
    return f"+{number(found)}" if found is not None and found > 0 else number(found)


def count(value: Any) -> str:
    """A rounded number, with thousands separators."""
    found = finite(value)
    return NONE if found is None else f"{found:,.0f}"


def seconds(value: Any) -> str:
    """Seconds without a unit, with three significant digits below 100."""
    found = finite(value)
    if found is None:
        return NONE
    return f"{found:.2f}" if found < 10 else f"{found:.1f}" if found < 100 else f"{found:,.0f}"


def probability(value: Any) -> str:
    """A p value; "< 0.001" below that."""
    found = finite(value)
    if found is None:
        return NONE
    return "< 0.001" if found < 0.001 else f"{found:.3f}"


def interval(low: Any, high: Any) -> str:
    """The two bounds of an interval, or "" if one is missing."""
    return "" if finite(low) is None or finite(high) is None else f"{number(low)} to {number(high)}"
