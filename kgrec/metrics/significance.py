"""How sure a figure is, and whether a difference is more than noise.

Enters: figures of users, nan where a user has none. Leaves: intervals, p values, sizes of effects. Nothing is written.

Users are the sample: another draw of users would give other means. The noise of training, such as the seed, is not in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

#: numbers that are drawn together
_DRAWS = 2**22


def intervals(
    values: np.ndarray, rng: np.random.Generator, *, level: float = 0.95, resamples: int = 1000
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap intervals of means over users (Efron 1979; Efron and Tibshirani 1993, chapter 13).

    All columns share the users that are drawn, so one pass is enough for all figures of a model.

    Args:
        values: nan is passed over; shape (n_users, n_figures).
        rng: Draws users.
        level: Of confidence.
        resamples: How many.

    Returns:
        The lower and the upper ends, each of shape (n_figures,), float64; nan for a column without a value.
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
    # a resample in which nobody has the figure says nothing of it
    ends[:, some] = np.nanquantile(means[:, some], [tails, 1 - tails], axis=0)
    return ends[0], ends[1]


def permutation_test(differences: np.ndarray, rng: np.random.Generator, *, resamples: int = 10_000) -> float:
    """Two-sided p value of paired differences whose signs are by chance (Fisher's randomisation test).

    Smucker, Allan and Carterette (2007) recommend it for figures of ranked lists. All signs are tried where they
    are no more than `resamples`; else so many are drawn, and the observed ones count as one of them.

    Args:
        differences: of users, one model less the other; nan is passed over; shape (n_users,).
        rng: Draws signs.
        resamples: How many.

    Returns:
        0 to 1; 1 where there is no difference at all.
    """
    differences = differences[~np.isnan(differences)]
    n = len(differences)
    # what is equal but for rounding is as extreme
    bar = abs(differences.sum()) * (1 - 1e-12) - 1e-300
    if n <= np.log2(max(resamples, 1)):
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float((np.abs(signs @ differences) >= bar).mean())
    extreme = 0
    for size in _sizes(resamples, n):
        flipped = np.unpackbits(rng.integers(256, size=(size, -(-n // 8)), dtype=np.uint8), axis=1, count=n)
        sums = differences.sum() - 2 * (flipped.astype(np.float64) @ differences)
        extreme += int((np.abs(sums) >= bar).sum())
    return (extreme + 1) / (resamples + 1)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """P values corrected for their number (Holm 1979): the chance of any false one among them stays below the level.

    Returns:
        shape (len(p_values),), float64, in the order given.
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return corrected


def effect_size(differences: np.ndarray) -> float:
    """Mean over standard deviation of paired differences, Cohen's d_z (Lakens 2013); 0.2 small, 0.5 middling, 0.8 large.

    nan with fewer than two users; infinite where all differ by the same.
    """
    differences = differences[~np.isnan(differences)]
    if len(differences) < 2:
        return float("nan")
    mean, spread = differences.mean(), differences.std(ddof=1)
    if spread <= 1e-12 * abs(mean):
        return float(np.copysign(np.inf, mean)) if mean else 0.0
    return float(mean / spread)


def _resampled(sums: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Sums over users drawn with replacement; shape (size, sums.shape[1])."""
    n = len(sums)
    drawn = rng.integers(0, n, (size, n))
    drawn += np.arange(size)[:, None] * n
    times = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
    return np.asarray(times.astype(np.float64) @ sums)


def _sizes(total: int, n: int) -> Iterator[int]:
    """`total` in parts of about so many that a part of `n` columns stays small."""
    step = max(1, _DRAWS // max(n, 1))
    return (min(step, total - start) for start in range(0, total, step))
