"""Models against one another, on the same users; none wins inside the noise.

Enters: `Evaluation`s by name. Leaves: a frame with a row for each two models. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from kgrec.errors import ConfigError, SourceError, UnknownId, did_you_mean
from kgrec.evaluate.evaluation import Evaluation
from kgrec.metrics.significance import effect_size, holm, intervals, permutation_test


def compare(
    models: Mapping[str, Evaluation],
    metrics: Sequence[str] = ("ndcg@20",),
    *,
    against: str | None = None,
    bucket: str = "",
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Hold every model against every other, or one against all others, on the same users.

    Args:
        models: By name, evaluated on the same fold.
        metrics: Figures of users, such as "ndcg@20".
        against: The one that is held against all others; None: every two are compared. Fewer comparisons are corrected less.
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
        UnknownId: There is no such model, figure or bucket.

    Example:
        >>> compare({"ours": ours, "popularity": theirs}, ["ndcg@20", "recall@20"])  # doctest: +SKIP
    """
    if len(models) < 2:
        raise ConfigError("There are fewer than two models to compare.", "Give evaluations of two or more.")
    if against is not None and against not in models:
        raise UnknownId(f"There is no model '{against}' to compare.", did_you_mean(against, [*models]))
    pairs = (
        [(against, other) for other in models if other != against]
        if against is not None
        else combinations(models, 2)
    )
    rows = [row for pair in pairs for row in _compared(models, pair, metrics, bucket, level, resamples, seed)]
    columns = ["metric", "model", "other", "difference", "low", "high", "effect", "users", "p"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["p_holm"] = holm(frame["p"].tolist())
    sure = (frame["p_holm"] < 1 - level) & ((frame["low"] > 0) | (frame["high"] < 0))
    larger = frame["model"].where(frame["difference"] > 0, frame["other"])
    return frame.assign(higher=larger.where(sure, ""))


def _compared(
    models: Mapping[str, Evaluation],
    pair: tuple[str, str],
    metrics: Sequence[str],
    bucket: str,
    level: float,
    resamples: int,
    seed: int,
) -> Iterator[tuple[object, ...]]:
    one, other = pair
    first, second = models[one], models[other]
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
