"""How sure a figure is, and whether a difference is more than noise.

Enters: figures of users, nan where a user has none. Leaves: intervals, p values, and a verdict. Nothing is written.

Users are the sample: another draw of users would give other means. The noise of training, such as the seed, is not in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kgrec.errors import ConfigError, SourceError

if TYPE_CHECKING:
    from kgrec.evaluate.measure import Evaluation

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


def compare(
    models: Mapping[str, Evaluation],
    metrics: Sequence[str] = ("ndcg@20",),
    *,
    bucket: str = "",
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Hold every model against every other, on the same users.

    Args:
        models: By name, evaluated on the same fold.
        metrics: Figures of users, such as "ndcg@20".
        bucket: Of the evaluations; "" for everything.
        level: Of confidence.
        resamples: Of the intervals and of the permutation test.
        seed: Of both.

    Returns:
        A row for each metric and each two models: metric, model, other, difference (mean of model less other), low, high,
        effect (`effect_size`), users, p, p_holm (corrected over all rows) and higher: the model whose figure is higher beyond
        the noise, where p_holm is below 1 - level and the interval leaves 0 out; else "". Of calibration, less is better.

    Raises:
        ConfigError: There are fewer than two models.
        SourceError: The evaluations are of different users.
        UnknownId: There is no such figure or bucket.

    Example:
        >>> compare({"ours": ours, "popularity": theirs}, ["ndcg@20", "recall@20"])  # doctest: +SKIP
    """
    if len(models) < 2:
        raise ConfigError("There are fewer than two models to compare.", "Give evaluations of two or more.")
    rows = list(_compared(models, metrics, bucket, level, resamples, seed))
    columns = ["metric", "model", "other", "difference", "low", "high", "effect", "users", "p"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["p_holm"] = holm(frame["p"].tolist())
    sure = (frame["p_holm"] < 1 - level) & ((frame["low"] > 0) | (frame["high"] < 0))
    larger = frame["model"].where(frame["difference"] > 0, frame["other"])
    return frame.assign(higher=larger.where(sure, ""))


def _compared(
    models: Mapping[str, Evaluation],
    metrics: Sequence[str],
    bucket: str,
    level: float,
    resamples: int,
    seed: int,
) -> Iterator[tuple[object, ...]]:
    for (one, first), (other, second) in combinations(models.items(), 2):
        if first.users != second.users:
            raise SourceError(
                f"'{one}' and '{other}' are evaluated on different users.", "Evaluate both on the same fold."
            )
        matrix = np.column_stack([first.of(name, bucket) - second.of(name, bucket) for name in metrics])
        rng = np.random.default_rng(seed)
        low, high = intervals(matrix, rng, level=level, resamples=resamples)
        for n, name in enumerate(metrics):
            differences = matrix[~np.isnan(matrix[:, n]), n]
            mean = float(differences.mean()) if len(differences) else float("nan")
            p = permutation_test(differences, rng, resamples=resamples)
            effect = effect_size(differences)
            yield name, one, other, mean, low[n], high[n], effect, len(differences), p


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
