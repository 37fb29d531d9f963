"""The same small search for every baseline, on the same held-out interactions.

Enters: a baseline, what it may learn from, and what is held out. Leaves: `TuningResult`. Nothing is written.
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
from kgrec.evaluate.baselines.protocol import Baseline, Scorer
from kgrec.evaluate.baselines.training_data import Data
from kgrec.metrics.accuracy import ranking_quality
from kgrec.metrics.topk import blocks, gains, some_of, top

logger = logging.getLogger(__name__)

#: who are validated, at most
_USERS = 5_000


@dataclass(frozen=True)
class Trial:
    """One setting of the options, and what it reached on the held-out part."""

    baseline: Baseline
    ndcg: float
    recall: float
    #: of CPU, for learning and for scoring
    seconds: float


@dataclass(frozen=True)
class TuningResult:
    """What a search found. As a string: the baseline, its figures, and the budget."""

    trials: tuple[Trial, ...]
    #: seconds of CPU that were allowed
    budget: float
    #: length of the lists that the figures are of
    k: int
    #: the searches for the baselines that this one is made of
    parts: tuple[TuningResult, ...] = ()

    @property
    def best(self) -> Trial:
        """The trial with the highest NDCG, of equal ones the first."""
        return max(self.trials, key=lambda trial: trial.ndcg)

    @property
    def seconds(self) -> float:
        """Seconds of CPU that were spent."""
        return sum(trial.seconds for trial in self.trials) + sum(part.seconds for part in self.parts)

    @property
    def n_trials(self) -> int:
        """Settings that were tried, those of the parts among them."""
        return len(self.trials) + sum(part.n_trials for part in self.parts)

    def __str__(self) -> str:
        best = self.best
        return (
            f"{best.baseline}: NDCG@{self.k} {best.ndcg:.4f}, recall@{self.k} {best.recall:.4f} on held-out data; "
            f"{self.n_trials:,} trial{'s' * (self.n_trials > 1)}, {self.seconds:,.1f} of {self.budget:,.0f} CPU seconds"
        )


def tune(
    baseline: Baseline,
    data: Data,
    valid: sp.csr_matrix,
    *,
    budget: float = 60.0,
    k: int = 20,
    seed: int = 0,
    clock: Callable[[], float] = time.process_time,
) -> TuningResult:
    """Vary one option at a time over its grid, keeping what is best by NDCG, until nothing gets better.

    The first trial is that of `baseline` as it is, and is always made. Another begins only if, at the pace of those before,
    it would end within the budget. Options that are baselines themselves, as a hybrid has, are tuned before, each in an even share of
    the budget. A setting that cannot learn from the data, but for the first, is passed over.

    Args:
        baseline: where to start.
        data: what is learned from.
        valid: what is held out, of the shape of `data.positives`; nothing of it is in these.
        budget: seconds of CPU.
        k: length of the lists.
        seed: draws 5,000 users where there are more.
        clock: tells seconds of CPU.

    Raises:
        TrainingError: Nothing is held out, or the baseline cannot learn from the data.
    """
    users = some_of(np.flatnonzero(np.diff(valid.indptr)), _USERS, seed)
    if not len(users):
        raise TrainingError(
            "No interactions are held out, so nothing can be tuned.", "Hold some out, or skip the search."
        )
    within = {option: part for option, part in vars(baseline).items() if hasattr(part, "GRID")}
    share = budget / (len(within) + 1)
    parts = {
        option: tune(part, data, valid, budget=share, k=k, seed=seed, clock=clock)
        for option, part in within.items()
    }
    for option, part in parts.items():
        baseline = _varied(baseline, option, part.best.baseline)
    left = budget - sum(part.seconds for part in parts.values())
    made: dict[Baseline, Trial] = {}
    refused = set[Baseline]()

    def tried(setting: Baseline) -> Trial:
        began = clock()
        ndcg, recall = quality(setting.fit(data), data, valid, users, k)
        made[setting] = Trial(setting, ndcg, recall, clock() - began)
        logger.info("%s: NDCG@%d %.4f", setting, k, ndcg)
        return made[setting]

    def found() -> TuningResult:
        tuned = TuningResult(tuple(made.values()), budget, k, tuple(parts.values()))
        logger.info("%s", tuned)
        return tuned

    best, before = tried(baseline), None
    while best is not before:
        before = best
        for option, values in baseline.GRID.items():
            for setting in [_varied(best.baseline, option, value) for value in values]:
                if setting not in made and setting not in refused:
                    spent = sum(trial.seconds for trial in made.values())
                    if spent + spent / len(made) > left:
                        return found()
                    try:
                        trial = tried(setting)
                    except TrainingError as error:
                        logger.info("%s", error)
                        refused.add(setting)
                        continue
                    best = trial if trial.ndcg > best.ndcg else best
    return found()


def quality(
    scorer: Scorer, data: Data, truth: sp.csr_matrix, users: np.ndarray, k: int
) -> tuple[float, float]:
    """Mean NDCG and recall of lists for training users, without what they met in training, liked or not.

    Args:
        scorer: has learned from `data`.
        data: holds the histories.
        truth: what was taken, of the shape of `data.positives`.
        users: rows of both, who have something in `truth`; shape (n,).
        k: length of the lists.
    """
    found, seen = [], data.positives if data.seen is None else data.seen
    for part in blocks(len(users), data.n_items):
        some = users[part]
        found.append(gains(top(scorer.scores(data.positives[some], some), k, seen[some]), truth[some]))
    return ranking_quality(np.concatenate(found), np.diff(truth.indptr)[users])


def _varied(baseline: Baseline, option: str, value: Any) -> Baseline:
    return replace(baseline, **{option: value})  # type: ignore[type-var]
