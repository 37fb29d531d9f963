"""Line search: the best of a row of values, by few trials."""

from __future__ import annotations

import pytest

from kgrec.rank.line_search import climb


@pytest.mark.parametrize(
    ("qualities", "at", "gain", "best", "asked"),
    [
        ([1, 2, 3, 4, 3], 1, 1.0, 3, [2, 3, 4]),  # upwards, until it falls
        ([5, 4, 3, 2, 1], 2, 1.0, 0, [3, 1, 0]),  # not upwards, so downwards
        ([1, 5, 9, 9.5, 20], 2, 1.1, 2, [3, 1]),  # too small a gain on one side, none on the other
        ([9, 1, 2, 3, 1], 2, 1.0, 3, [3, 4]),  # what improves upwards is not sought downwards
        ([7], 0, 1.0, 0, []),
    ],
)
def test_values_are_tried_from_the_first_on(qualities, at, gain, best, asked):
    tried: list[int] = []

    def quality(place: int) -> float:
        tried.append(place)
        return qualities[place]

    found = climb(range(len(qualities)), at, qualities[at], quality, gain)
    assert found == (best, qualities[best]) and tried == asked


def test_after_a_small_step_no_further_one_is_made():
    assert climb([0, 1, 2], 0, 10.0, [10.0, 10.02, 99.0].__getitem__, 1.001, 1.005) == (1, 10.02)
    assert climb([0, 1, 2], 0, 10.0, [10.0, 10.06, 99.0].__getitem__, 1.001, 1.005) == (2, 99.0)
