"""The metric values of one model, per user and per bucket.

Enters: per-user values by bucket and metric. Leaves: means, frames with intervals, tables. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from kgrec.arguments import options
from kgrec.errors import UnknownId, did_you_mean
from kgrec.graph.vocabulary import Vocabulary
from kgrec.metrics.significance import intervals


@dataclass(frozen=True)
class Evaluation:
    """Metric values of one model; metrics are named `metric@k`, such as "ndcg@20".

    A user without positives in a bucket, or with a list for which a metric is not defined, has nan. Means ignore nan.
    """

    users: Vocabulary
    #: bucket ("" for all) -> metric -> value per user, nan where undefined; shape (len(users),), float64
    values: dict[str, dict[str, np.ndarray]]
    #: bucket -> metric of all lists together, such as coverage -> value
    totals: dict[str, dict[str, float]]
    #: bucket -> number of lists that `totals` covers
    lists: dict[str, int]
    #: what was left out of the lists, and which users have no list
    remarks: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> float:
        """Mean over all users, or the value over all lists, of a metric such as "ndcg@20".

        Raises:
            UnknownId: The metric does not exist.
        """
        if options.text("name", name, "'ndcg@20'") in self.totals[""]:
            return self.totals[""][name]
        return _mean(self.of(name))

    def of(self, name: str, bucket: str = "") -> np.ndarray:
        """Values of a metric per user; shape (len(users),), float64.

        Raises:
            UnknownId: The metric or the bucket does not exist.
        """
        options.text("name", name, "'ndcg@20'")
        if options.text("bucket", bucket) not in self.values:
            raise UnknownId(f"There is no bucket '{bucket}'.", did_you_mean(bucket, sorted(self.values)))
        if name not in self.values[bucket]:
            known = sorted(self.values[bucket])
            raise UnknownId(f"There is no per-user metric '{name}'.", did_you_mean(name, known))
        return self.values[bucket][name]

    def frame(self, *, level: float = 0.95, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
        """All metrics with confidence intervals.

        Args:
            level: Confidence level.
            resamples: Number of bootstrap resamples of the users; 0: no intervals.
            seed: Seed of the bootstrap.

        Returns:
            Columns bucket ("" for all), metric, k, value, low, high and users. `low` and `high` are nan for metrics over all
                lists; `users` counts the users with a value, or the lists.
        """
        options.number("level", level, above=0, below=1)
        options.whole_number("resamples", resamples, least=0)
        options.whole_number("seed", seed, least=0)
        names = [(bucket, name) for bucket, columns in self.values.items() for name in columns]
        matrix = np.column_stack([self.values[bucket][name] for bucket, name in names])
        rng = np.random.default_rng(seed)
        low, high = (
            intervals(matrix, rng, level=level, resamples=resamples)
            if resamples
            else np.full((2, len(names)), np.nan)
        )
        rows = [
            (
                bucket,
                *_metric_and_k(name),
                _mean(matrix[:, n]),
                low[n],
                high[n],
                int((~np.isnan(matrix[:, n])).sum()),
            )
            for n, (bucket, name) in enumerate(names)
        ]
        rows += [
            (bucket, *_metric_and_k(name), value, np.nan, np.nan, self.lists[bucket])
            for bucket, columns in self.totals.items()
            for name, value in columns.items()
        ]
        return pd.DataFrame(rows, columns=["bucket", "metric", "k", "value", "low", "high", "users"])

    def per_user(self) -> pa.Table:
        """Column user_id, and one column per metric over all items; nan where undefined."""
        return pa.table({"user_id": self.users.labels, **self.values[""]})


def pooled(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Average the evaluations of one model over folds.

    A user's value is the mean over the folds whose test part has the user. A value over all lists is the mean over the folds.

    Args:
        evaluations: One per fold. Buckets that are missing in some fold are left out.
    """
    if len(evaluations) == 1:
        return evaluations[0]
    first = evaluations[0]
    users = Vocabulary.of(pa.concat_arrays([one.users.labels for one in evaluations]))
    places = [users.ids(one.users.labels) for one in evaluations]

    def mean(bucket: str, name: str) -> np.ndarray:
        total, count = np.zeros(len(users)), np.zeros(len(users))
        for one, place in zip(evaluations, places, strict=True):
            column = one.values[bucket][name]
            there = ~np.isnan(column)
            total[place[there]] += column[there]
            count[place[there]] += 1
        return np.asarray(np.divide(total, count, out=np.full(len(users), np.nan), where=count > 0))

    buckets = [b for b in first.values if all(b in one.values for one in evaluations)]
    values = {b: {name: mean(b, name) for name in first.values[b]} for b in buckets}
    shared = [b for b in first.totals if b in values]
    totals = {
        b: {name: float(np.mean([one.totals[b][name] for one in evaluations])) for name in first.totals[b]}
        for b in shared
    }
    lists = {b: sum(one.lists[b] for one in evaluations) for b in shared}
    return Evaluation(users, values, totals, lists)


def _metric_and_k(name: str) -> tuple[str, int]:
    metric, _, k = name.rpartition("@")
    return metric, int(k)


def _mean(values: np.ndarray) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else float("nan")
