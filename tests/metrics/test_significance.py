"""Intervals and p values, compared with scipy's where it has the same method."""

import numpy as np
import pytest
from scipy import stats

from kgrec.metrics.significance import effect_size, holm, intervals, permutation_test


def test_intervals_equal_scipy_s():
    values = np.random.default_rng(0).exponential(size=(50, 1))
    low, high = intervals(values, np.random.default_rng(1), level=0.9, resamples=999)
    theirs = stats.bootstrap(
        (values[:, 0],), np.mean, confidence_level=0.9, n_resamples=999, method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert (low[0], high[0]) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_intervals_ignore_nan():
    rng = np.random.default_rng(0)
    values = rng.normal(3, 1, (400, 1))
    padded = np.concatenate([values, np.full((100, 1), np.nan)])
    low, high = intervals(np.hstack([padded, np.full((500, 1), np.nan)]), rng)
    assert low[0] < values.mean() < high[0]
    # about the normal interval of 400 values, not of 500
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert np.isnan([low[1], high[1]]).all()
    nobody = intervals(np.zeros((0, 2)), rng)
    assert np.isnan(nobody).all() and nobody[0].shape == (2,)


def test_intervals_have_the_stated_coverage():
    rng = np.random.default_rng(0)
    values = rng.exponential(size=(80, 300))
    low, high = intervals(values, rng, level=0.9, resamples=500)
    assert 0.83 < ((low <= 1) & (high >= 1)).mean() < 0.95


@pytest.mark.parametrize("n", [2, 5, 10])
def test_the_exact_test_equals_scipy_s(n: int):
    differences = np.random.default_rng(n).normal(0.5, 1, n).round(1)
    theirs = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert permutation_test(differences, np.random.default_rng(0)) == pytest.approx(theirs.pvalue, abs=1e-9)


def test_the_random_test_is_near_the_exact_one():
    differences = np.random.default_rng(1).normal(0.2, 1, 16)
    exact = permutation_test(differences, np.random.default_rng(0), resamples=2**16)
    drawn = permutation_test(differences, np.random.default_rng(0), resamples=20_000)
    assert 0.01 < exact < 0.5 and drawn == pytest.approx(exact, abs=0.015)


def test_p_values_of_clear_cases():
    rng = np.random.default_rng(0)
    assert permutation_test(np.zeros(30), rng) == 1
    assert permutation_test(np.array([np.nan]), rng) == 1
    assert permutation_test(np.ones(30), rng, resamples=999) == pytest.approx(1 / 1000)
    spread = np.array([0.1] * 8 + [np.nan] * 5)
    assert permutation_test(spread, rng) == pytest.approx(2 / 2**8)


def test_p_values_of_noise_are_uniform():
    """Without a difference, 5 % of the p values are below 0.05."""
    rng = np.random.default_rng(0)
    found = [permutation_test(rng.normal(size=40), rng, resamples=500) for _ in range(400)]
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_holm_by_hand():
    """Three p values: .01 * 3, .02 * 2, and .04, none below the one before it."""
    assert holm([0.04, 0.01, 0.02]).tolist() == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.02, 0.03]).tolist() == pytest.approx([0.04, 0.04])
    assert holm([0.7, 0.6]).tolist() == [1, 1]
    assert holm([]).shape == (0,)


def test_effect_sizes():
    differences = np.array([1.0, 2, 3, np.nan])
    assert effect_size(differences) == pytest.approx(2)
    # of paired samples it is the t statistic over the root of their number
    t = stats.ttest_rel([2, 4, 6], [1, 2, 3]).statistic
    assert effect_size(differences) == pytest.approx(t / np.sqrt(3))
    assert effect_size(np.full(4, -0.3)) == -np.inf and effect_size(np.zeros(4)) == 0
    assert np.isnan(effect_size(np.array([1.0])))
