"""Pairwise comparisons of models on the same users, with significance tests.

Enters: `Evaluation`s by name. Leaves: a frame with one row per pair of models and metric. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from kgrec.arguments import options
from kgrec.arguments.ids import as_texts
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
    """Test whether models differ: every pair of models, or one model against all others.

    Args:
        models: Evaluations by the model's name, all on the same fold.
        metrics: Per-user metrics, such as "ndcg@20".
        against: Compare this model with each other one; None: compare every pair. Holm's correction grows with the number
            of comparisons.
        bucket: The bucket of users or items to compare on; "" for all.
        level: Confidence level of the intervals; the significance level is 1 - level.
        resamples: Number of resamples of the bootstrap and of the permutation test.
        seed: Seed of both.

    Returns:
        One row per metric and pair of models, with columns metric, model, other, difference (mean of model minus other),
        low, high, effect (`effect_size`), users, p, p_holm (corrected over all rows) and higher. `higher` names the model
        with the significantly higher value: p_holm is below 1 - level and the interval excludes 0. Otherwise it is "".
        For calibration, lower is better.

    Raises:
        ConfigError: Fewer than two models are given.
        SourceError: The evaluations cover different users.
        UnknownId: A model, metric or bucket does not exist.

    Example:
        >>> compare({"ours": ours, "popularity": theirs}, ["ndcg@20", "recall@20"])  # doctest: +SKIP
    """
    options.mapping("models", models, 'Give evaluations by name, such as {"kgrec": one, "other": two}.')
    for name, evaluation in models.items():
        options.instance(f"models[{name!r}]", evaluation, Evaluation, "Give what evaluate_lists returned.")
    metrics = as_texts(metrics, "metrics")
    options.number("level", level, above=0, below=1)
    options.whole_number("resamples", resamples)
    options.whole_number("seed", seed, least=0)
    if len(models) < 2:
        raise ConfigError("There are fewer than two models to compare.", "Give evaluations of two or more.")
    if against is not None and options.text("against", against) not in models:
        raise UnknownId(f"There is no model '{against}' to compare with.", did_you_mean(against, [*models]))
    pairs = (
        [(against, other) for other in models if other != against]
        if against is not None
        else combinations(models, 2)
    )
    rows = [row for pair in pairs for row in _compared(models, pair, metrics, bucket, level, resamples, seed)]
    columns = ["metric", "model", "other", "difference", "low", "high", "effect", "users", "p"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["p_holm"] = holm(frame["p"].tolist())
    significant = (frame["p_holm"] < 1 - level) & ((frame["low"] > 0) | (frame["high"] < 0))
    larger = frame["model"].where(frame["difference"] > 0, frame["other"])
    return frame.assign(higher=larger.where(significant, ""))


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
            f"'{one}' and '{other}' were evaluated on different users.", "Evaluate both on the same fold."
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
