"""Numbers as text: three or four significant digits, separators of thousands, a dash for a missing number."""

import math

import pytest

from kgrec.evaluate.report.formatting import count, interval, number, probability, seconds, signed

DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.31416, "0.3142"),
        (3.14159, "3.142"),
        (31.4159, "31.42"),
        (314.159, "314.2"),
        (31415.9, "31,416"),
        (0.00012345, "0.00012"),
        (-0.5, f"{MINUS}0.5000"),
        (0.0, "0"),
        (None, DASH),
        (math.nan, DASH),
        (-math.inf, DASH),
    ],
)
def test_numbers(value: float | None, text: str):
    assert number(value) == text


def test_signs_counts_and_the_rest():
    assert (signed(0.01), signed(-0.01), signed(0), signed(None)) == ("+0.0100", f"{MINUS}0.0100", "0", DASH)
    assert (count(1234567), count(None)) == ("1,234,567", DASH)
    assert (seconds(3.14159), seconds(31.4159), seconds(3141.59), seconds(math.nan)) == (
        "3.14",
        "31.4",
        "3,142",
        DASH,
    )
    assert (probability(0.0004), probability(0.04), probability(None)) == ("< 0.001", "0.040", DASH)
    assert (interval(0.1, 0.2), interval(None, 0.2)) == ("0.1000 to 0.2000", "")
