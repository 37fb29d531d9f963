"""Accuracy of lists by week, on two users whose lists are written out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kgrec.evaluate.drift.accuracy import Lists, calibration, weeks
from kgrec.evaluate.drift.recent import Sample

WEEK = 7 * 86_400
NOW = 1_700_000_000


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def lists(user: list[int], item: list[int], time: list[int] | None) -> Lists:
    """User 0 has the list 5, 6, 7 and user 1 the list 6, 7, 8."""
    stamps = None if time is None else np.array(time, np.int64)
    hits = Sample(np.array(user), np.array(item), stamps)
    return Lists(np.arange(2), np.array([[5, 6, 7], [6, 7, 8]]), np.array([[3.0, 2, 1], [3, 2, 1]]), hits)


def test_ndcg_by_week_is_the_mean_gain_of_single_interactions():
    """A busy week must not look better or worse than another."""
    end = NOW + 2 * WEEK - 1
    made = lists([0, 0, 0, 1], [5, 6, 9, 8], [NOW, NOW + 1, NOW + 2, end])
    (first, last), check = weeks(made, 3, rng())
    assert (first.start, first.end, last.end, first.users, last.users) == (NOW, NOW + WEEK, end + 1, 1, 1)
    assert first.ndcg == pytest.approx((1 + 1 / math.log2(3) + 0) / 3)
    assert last.ndcg == pytest.approx(1 / 2)
    assert (first.low, first.high) == (None, None)
    assert (check.name, check.value) == ("ndcg@3", None)
    assert "two weeks with 30 users each" in check.note


def test_only_the_first_k_of_a_list_count():
    made = lists([0, 1], [7, 6], [NOW, NOW])
    ((week,), _) = weeks(made, 2, rng())
    assert week.ndcg == pytest.approx((0 + 1) / 2)


def test_without_times_the_whole_is_told():
    found, check = weeks(lists([0, 1], [5, 9], None), 3, rng())
    assert found == ()
    assert "Over all recent time it is 0.5000." in check.note
    assert calibration(lists([0], [5], None), rng()).value is None


def test_calibration_compares_hits_by_score_in_two_halves():
    """120 users hit the best item first, and the worst one later."""
    n = 120
    user = np.r_[np.arange(n), np.arange(n)]
    item = np.r_[np.zeros(n, np.int64), np.full(n, 4)]
    hits = Sample(user, item, NOW + np.arange(2 * n))
    made = Lists(np.arange(n), np.tile(np.arange(5), (n, 1)), np.tile(np.arange(5.0)[::-1], (n, 1)), hits)
    check = calibration(made, rng())
    assert check.value is not None and check.value > 1
    assert check.p is not None and check.p < 0.001
    assert {part.name for part in check.parts} >= {"others"} or len(check.parts) > 1
