"""Confidence intervals of metrics, and significance of differences.

Enters: values per user, nan if undefined. Leaves: intervals, p values, effect sizes. Nothing is written.

Users are the sampling unit: intervals and p values cover the variance between samples of users. They do not cover the variance
between trainings, such as that of the seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

#: random numbers per block
_DRAWS_PER_BLOCK = 2**22


def intervals(
    values: np.ndarray, rng: np.random.Generator, *, level: float = 0.95, resamples: int = 1000
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap intervals of means over users (Efron 1979; Efron and Tibshirani 1993, chapter 13).

    All columns use the same resamples, so one pass covers all metrics of a model.

    Args:
        values: One column per metric; nan is ignored; shape (n_users, n_metrics).
        rng: Draws the users of each resample.
        level: Confidence level.
        resamples: Number of resamples.

    Returns:
        The lower and the upper bounds, each of shape (n_metrics,), float64; nan for a column without a value.
    """
    there = ~np.isnan(values)
    if not there.any():
        return np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
    sums = np.hstack([np.where(there, values, 0), there])
    means = np.concatenate([_resampled(sums, size, rng) for size in _sizes(resamples, len(values))])
    with np.errstate(invalid="ignore"):
        means = means[:, : values.shape[1]] / means[:, values.shape[1] :]
    ends = np.full((2, values.shape[1]), np.nan)
    some = there.any(axis=0)
    tails = (1 - level) / 2
    # in a resample where no user has the metric, the value is nan, which is ignored
    ends[:, some] = np.nanquantile(means[:, some], [tails, 1 - tails], axis=0)
    return ends[0], ends[1]


def permutation_test(differences: np.ndarray, rng: np.random.Generator, *, resamples: int = 10_000) -> float:
    """Two-sided p value of paired differences under random signs (Fisher's randomisation test).

    Smucker, Allan and Carterette (2007) recommend the test for metrics of ranked lists. If there are at most `resamples`
    combinations of signs, all are used. Otherwise `resamples` combinations are drawn, and the observed one is added.

    Args:
        differences: Value of one model minus value of the other, per user; nan is ignored; shape (n_users,).
        rng: Draws signs.
        resamples: Number of combinations.

    Returns:
        The p value, 0 to 1; 1 if all differences are 0.
    """
    differences = differences[~np.isnan(differences)]
    n = len(differences)
    # a sum equal to the observed one up to rounding counts as extreme
    bound = abs(differences.sum()) * (1 - 1e-12) - 1e-300
    if n <= np.log2(max(resamples, 1)):
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float((np.abs(signs @ differences) >= bound).mean())
    extreme = 0
    for size in _sizes(resamples, n):
        flipped = np.unpackbits(rng.integers(256, size=(size, -(-n // 8)), dtype=np.uint8), axis=1, count=n)
        sums = differences.sum() - 2 * (flipped.astype(np.float64) @ differences)
        extreme += int((np.abs(sums) >= bound).sum())
    return (extreme + 1) / (resamples + 1)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Correct p values for multiple comparisons (Holm 1979); this bounds the probability of any false positive.

    Returns:
        Corrected p values in the order given; shape (len(p_values),), float64.
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return corrected


def effect_size(differences: np.ndarray) -> float:
    """Cohen's d_z: mean of paired differences divided by their standard deviation (Lakens 2013).

    0.2 is small, 0.5 medium, 0.8 large; nan with fewer than two users, infinite if all differences are equal and not 0.
    """
    differences = differences[~np.isnan(differences)]
    if len(differences) < 2:
        return float("nan")
    mean, spread = differences.mean(), differences.std(ddof=1)
    if spread <= 1e-12 * abs(mean):
        return float(np.copysign(np.inf, mean)) if mean else 0.0
    return float(mean / spread)


def _resampled(sums: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Column sums over users drawn with replacement, once per resample; shape (size, sums.shape[1])."""
    n = len(sums)
    drawn = rng.integers(0, n, (size, n))
    drawn += np.arange(size)[:, None] * n
    times = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
    return np.asarray(times.astype(np.float64) @ sums)


def _sizes(total: int, n: int) -> Iterator[int]:
    """Split `total` resamples into blocks with about `_DRAWS_PER_BLOCK` random numbers, `n` per resample."""
    step = max(1, _DRAWS_PER_BLOCK // max(n, 1))
    return (min(step, total - start) for start in range(0, total, step))
