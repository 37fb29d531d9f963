"""A small search for options, the same for every baseline, on the same validation interactions.

Enters: a baseline, its training data, and validation interactions. Leaves: `TuningResult`. Nothing is written.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from kgrec.errors import TrainingError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.protocol import Baseline, FittedBaseline
from kgrec.metrics.accuracy import ranking_quality
from kgrec.metrics.topk import blocks, gains, some_of, top

logger = logging.getLogger(__name__)

#: largest number of users that a trial is validated on
_MAX_VALID_USERS = 5_000


@dataclass(frozen=True)
class Trial:
    """One setting of the options, and its metrics on the validation part."""

    baseline: Baseline
    ndcg: float
    recall: float
    #: CPU seconds for training and scoring
    seconds: float


@dataclass(frozen=True)
class TuningResult:
    """The result of a search. As a string: the best baseline, its metrics, and the budget."""

    trials: tuple[Trial, ...]
    #: budget of the search, in CPU seconds
    budget: float
    #: length of the lists that NDCG and recall were measured on
    k: int
    #: searches for options that are baselines themselves, as in a hybrid
    parts: tuple[TuningResult, ...] = ()

    @property
    def best(self) -> Trial:
        """The trial with the highest NDCG; the first one among ties."""
        return max(self.trials, key=lambda trial: trial.ndcg)

    @property
    def seconds(self) -> float:
        """CPU seconds spent."""
        return sum(trial.seconds for trial in self.trials) + sum(part.seconds for part in self.parts)

    @property
    def n_trials(self) -> int:
        """Number of settings tried, including those of the parts."""
        return len(self.trials) + sum(part.n_trials for part in self.parts)

    def __str__(self) -> str:
        best = self.best
        return (
            f"{best.baseline}: NDCG@{self.k} {best.ndcg:.4f}, recall@{self.k} {best.recall:.4f} on validation data; "
            f"{self.n_trials:,} trial{'s' * (self.n_trials > 1)}, {self.seconds:,.1f} of {self.budget:,.0f} CPU seconds"
        )


def tune(
    baseline: Baseline,
    data: BaselineData,
    valid: sp.csr_matrix,
    *,
    budget: float = 60.0,
    k: int = 20,
    seed: int = 0,
    clock: Callable[[], float] = time.process_time,
) -> TuningResult:
    """Vary one option at a time over its grid, keep the best value by NDCG, and repeat until nothing improves.

    The first trial is `baseline` itself, at any cost. A later trial starts only if it would end within the budget at the pace of the
    trials so far. Options that are baselines themselves, as in a hybrid, are tuned first, each with an equal share of the budget.
    Later settings that cannot learn from the data are skipped.

    Args:
        baseline: The starting point of the search.
        data: Training data.
        valid: Validation positives, none of them in `data.positives`; same shape.
        budget: Budget in CPU seconds.
        k: Length of the lists.
        seed: Draws 5,000 validation users if there are more.
        clock: Returns CPU seconds.

    Raises:
        TrainingError: There are no validation interactions, or `baseline` cannot learn from the data.
    """
    users = some_of(np.flatnonzero(np.diff(valid.indptr)), _MAX_VALID_USERS, seed)
    if not len(users):
        raise TrainingError(
            "There are no validation interactions to tune on.",
            "Hold out some interactions, or skip the search.",
        )
    nested = {option: part for option, part in vars(baseline).items() if hasattr(part, "GRID")}
    share = budget / (len(nested) + 1)
    parts = {
        option: tune(part, data, valid, budget=share, k=k, seed=seed, clock=clock)
        for option, part in nested.items()
    }
    for option, part in parts.items():
        baseline = _varied(baseline, option, part.best.baseline)

    def attempt(setting: Baseline) -> Trial:
        began = clock()
        ndcg, recall = quality(setting.fit(data), data, valid, users, k)
        logger.info("%s: NDCG@%d %.4f", setting, k, ndcg)
        return Trial(setting, ndcg, recall, clock() - began)

    left = budget - sum(part.seconds for part in parts.values())
    result = TuningResult(_search(baseline, attempt, left), budget, k, tuple(parts.values()))
    logger.info("%s", result)
    return result


def _search(baseline: Baseline, attempt: Callable[[Baseline], Trial], budget: float) -> tuple[Trial, ...]:
    """Coordinate search over the grid from `baseline`, until nothing improves or the next trial would exceed the budget."""
    trials = {baseline: attempt(baseline)}
    failed = set[Baseline]()
    best, previous = trials[baseline], None
    while best is not previous:
        previous = best
        for option, values in baseline.GRID.items():
            for setting in [_varied(best.baseline, option, value) for value in values]:
                if setting in trials or setting in failed:
                    continue
                spent = sum(trial.seconds for trial in trials.values())
                if spent + spent / len(trials) > budget:
                    return tuple(trials.values())
                try:
                    trials[setting] = attempt(setting)
                except TrainingError as error:
                    logger.info("%s", error)
                    failed.add(setting)
                    continue
                best = trials[setting] if trials[setting].ndcg > best.ndcg else best
    return tuple(trials.values())


def quality(
    fitted: FittedBaseline, data: BaselineData, truth: sp.csr_matrix, users: np.ndarray, k: int
) -> tuple[float, float]:
    """Mean NDCG and recall of lists for some training users; items that they have seen are not ranked.

    Args:
        fitted: A baseline fitted to `data`.
        data: Has the histories.
        truth: Positives to find; shape of `data.positives`.
        users: Rows of users with a positive in `truth`; shape (n,).
        k: Length of the lists.
    """
    hits, seen = [], data.positives if data.seen is None else data.seen
    for part in blocks(len(users), data.n_items):
        some = users[part]
        hits.append(gains(top(fitted.scores(data.histories.take(some), some), k, seen[some]), truth[some]))
    return ranking_quality(np.concatenate(hits), np.diff(truth.indptr)[users])


def _varied(baseline: Baseline, option: str, value: Any) -> Baseline:
    return replace(baseline, **{option: value})  # type: ignore[type-var]
