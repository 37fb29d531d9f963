"""Line search: the best value of one option in few trials.

Enters: values in order, and a function that measures one value. Leaves: the best value. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Value = TypeVar("Value")


def climb(
    values: Sequence[Value],
    at: int,
    reached: float,
    quality: Callable[[Value], float],
    gain: float = 1.0,
    worth: float = 1.0,
) -> tuple[Value, float]:
    """The best value and its quality. Climbs from the first value while quality improves; if the first step up fails, climbs down.

    Args:
        values: in order.
        at: position of the first value.
        reached: its quality, above 0.
        quality: quality of another value; called once per value tried.
        gain: factor by which quality must improve for a value to be better than another.
        worth: factor by which quality must improve for the next value to be tried.
    """
    best = values[at]
    for direction in (values[at + 1 :], values[:at][::-1]):
        start = reached
        for value in direction:
            tried = quality(value)
            if tried <= reached * gain:
                break
            goes_on = tried > reached * worth
            best, reached = value, tried
            if not goes_on:
                break
        if reached > start:
            break
    return best, reached
