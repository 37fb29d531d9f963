"""All figures of one model, by user and in buckets.

Enters: values of users by bucket and name. Leaves: means, frames with intervals, tables. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from kgrec.errors import UnknownId, did_you_mean
from kgrec.graph.vocabulary import Vocabulary
from kgrec.metrics.significance import intervals


@dataclass(frozen=True)
class Evaluation:
    """Figures of one model, a column a figure, named metric@k.

    Means pass over nan: over users without a positive in the bucket, and lists that cannot have the figure.
    """

    users: Vocabulary
    #: bucket, "" for everything -> name of a figure -> a value a user, nan where there is none; shape (len(users),)
    values: dict[str, dict[str, np.ndarray]]
    #: bucket -> name of a figure that belongs to all lists together -> value
    totals: dict[str, dict[str, float]]
    #: bucket -> lists that these are of
    lists: dict[str, int]

    def __getitem__(self, name: str) -> float:
        """A figure over everything, such as "ndcg@20".

        Raises:
            UnknownId: There is no such figure.
        """
        if name in self.totals[""]:
            return self.totals[""][name]
        return _mean(self.of(name))

    def of(self, name: str, bucket: str = "") -> np.ndarray:
        """A figure of each user; shape (len(users),), float64.

        Raises:
            UnknownId: There is no such figure, or no such bucket.
        """
        if bucket not in self.values:
            raise UnknownId(f"There is no bucket '{bucket}'.", did_you_mean(bucket, sorted(self.values)))
        if name not in self.values[bucket]:
            known = sorted(self.values[bucket])
            raise UnknownId(f"There is no figure '{name}' of users.", did_you_mean(name, known))
        return self.values[bucket][name]

    def frame(self, *, level: float = 0.95, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
        """All figures with intervals.

        Args:
            level: What share of intervals holds the true mean.
            resamples: Of the bootstrap over users; 0: no intervals.
            seed: Of the bootstrap.

        Returns:
            Columns bucket ("" for everything), metric, k, value, low, high (nan for what belongs to all lists
            together) and users (how many have the figure, or lists that it is of).
        """
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
                *_parted(name),
                _mean(matrix[:, n]),
                low[n],
                high[n],
                int((~np.isnan(matrix[:, n])).sum()),
            )
            for n, (bucket, name) in enumerate(names)
        ]
        rows += [
            (bucket, *_parted(name), value, np.nan, np.nan, self.lists[bucket])
            for bucket, columns in self.totals.items()
            for name, value in columns.items()
        ]
        return pd.DataFrame(rows, columns=["bucket", "metric", "k", "value", "low", "high", "users"])

    def per_user(self) -> pa.Table:
        """Column user_id, and one for each figure over everything, nan where there is none."""
        return pa.table({"user_id": self.users.labels, **self.values[""]})


def pooled(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Figures over several folds: of a user the mean over the folds that ask about it, of all lists together the mean.

    Args:
        evaluations: One a fold, of one model. Buckets that not all have are left out.
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
    together = [b for b in first.totals if b in values]
    totals = {
        b: {name: float(np.mean([one.totals[b][name] for one in evaluations])) for name in first.totals[b]}
        for b in together
    }
    lists = {b: sum(one.lists[b] for one in evaluations) for b in together}
    return Evaluation(users, values, totals, lists)


def _parted(name: str) -> tuple[str, int]:
    metric, _, k = name.rpartition("@")
    return metric, int(k)


def _mean(values: np.ndarray) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else float("nan")
