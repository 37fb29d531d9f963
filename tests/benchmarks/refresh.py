"""What a refresh costs and keeps, against a full training, over the slices of a log.

    python tests/benchmarks/refresh.py SET/ --first 5 --slices 10                  # trained on five of ten slices, then refreshed
    python tests/benchmarks/refresh.py SET/ --first 11 --slices 21                 # ten refreshes in a row, each measured
    python tests/benchmarks/refresh.py SET/ --replays 0 0.1 0.2 0.5 1 --plot replay.svg

Enters: a folder with kgrec.yaml whose log has times or an order. Leaves: one JSON object per line on standard output, and a plot. The log is
cut into slices of equal length, by time; with --by place by the place of a row in the history of its user, for sets without times that
users share. A model is trained on the first slices, and then refreshed with one slice at a time. After each of these steps, both the refreshed
model and a full training on the same slices are asked for lists of 20 of the users of the next slice, without what they have.

Users who are absent from all later slices are measured, too: a fifth of their positive interactions, the newest, are held out from
the beginning, so a model that forgets these users loses there.

CPU seconds are those of the process. Vectors of texts come from the cache (KGREC_CACHE).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np

import kgrec
from kgrec.graph.histories import Histories
from kgrec.graph.live_histories import LiveHistories
from kgrec.metrics.accuracy import ndcg
from kgrec.metrics.topk import gains
from kgrec.model.model import Model
from kgrec.model.retrieval import Filters

K, HELD_OUT = 20, 0.2


def slices_of(log: kgrec.Interactions, n: int, by: str) -> np.ndarray:
    """Slice of each row, 0 to n - 1."""
    place = np.arange(len(log)) - np.searchsorted(log.user, log.user)
    length = np.bincount(log.user)[log.user]
    stamp = log.stamps if by == "time" else (place + 0.5) / length
    rank = np.empty(len(log), np.int64)
    rank[np.lexsort((place, stamp))] = np.arange(len(log))
    return rank * n // len(log)


def absent_rows(log: kgrec.Interactions, part: np.ndarray, first: int) -> np.ndarray:
    """The newest fifth of the positive rows of users without rows from slice `first` on."""
    absent = np.ones(len(log.users), bool)
    absent[log.user[part >= first]] = False
    rows = np.flatnonzero(log.positive & absent[log.user])
    count = np.bincount(log.user[rows], minlength=len(log.users))
    from_end = count[log.user[rows]] - (
        np.arange(len(rows)) - np.searchsorted(log.user[rows], log.user[rows])
    )
    held = np.zeros(len(log), bool)
    held[rows[from_end <= HELD_OUT * count[log.user[rows]]]] = True
    return held


def quality(model: Model, truth: kgrec.Interactions) -> tuple[float | None, int]:
    """Mean NDCG of the users of `truth` whom the model knows, for their positive interactions; and how many users these are."""
    rows = model.users.ids(truth.users.labels)
    matrix = truth.matrix()
    there = np.flatnonzero((rows >= 0) & (np.diff(matrix.indptr) > 0))
    histories: Histories = LiveHistories.of(model.histories).take(rows[there])
    there, histories = there[histories.has_positive], histories.take(np.flatnonzero(histories.has_positive))
    if not len(there):
        return None, 0
    seen = [histories.item[histories.rows(user)].astype(np.int64) for user in range(len(histories))]
    lists, _ = model.ranked(histories, K, Filters(exclude=seen))
    return float(ndcg(gains(lists, matrix[there]), np.diff(matrix[there].indptr)).mean()), len(there)


def timed(call: Any) -> tuple[Any, float]:
    """The result, and CPU seconds."""
    began = time.process_time()
    return call(), time.process_time() - began


def over_users(log: kgrec.Interactions) -> kgrec.Interactions:
    """The same rows over the users who have some: a training must not know users of later slices."""
    rows, user = np.unique(log.user, return_inverse=True)
    return replace(log, users=kgrec.Vocabulary(log.users.take(rows)), user=user.astype(np.int32))


class Experiment:
    """A graph, and its log in slices."""

    def __init__(self, folder: Path, first: int, slices: int, by: str, settings: list[str]) -> None:
        self.graph = kgrec.build_graph(folder / "kgrec.yaml")
        self.log, self.first, self.slices = self.graph.interactions, first, slices
        self.part = slices_of(self.log, slices, by)
        self.held = absent_rows(self.log, self.part, first)
        self.config = kgrec.Config.read(settings=["train.threads=1", *settings])

    def rows(self, part: np.ndarray) -> kgrec.Interactions:
        return over_users(self.log.rows(part & ~self.held))

    def trained(self, until: int) -> tuple[kgrec.Recommender, float]:
        """A full training on the slices before `until`."""
        log = self.rows(self.part < until)
        return timed(lambda: kgrec.Recommender(self.config).fit(replace(self.graph, interactions=log)))

    def figures(self, model: Model, after: int) -> dict[str, Any]:
        """Quality on the slice after the ones that a model knows, if there is one, and for users who are absent from later slices."""
        following, users = (
            (None, 0) if after >= self.slices else quality(model, self.rows(self.part == after))
        )
        absent, absent_users = quality(model, self.log.rows(self.held))
        return {"next": following, "users": users, "absent": absent, "absent_users": absent_users}

    def refreshes(self, rec: kgrec.Recommender, replay: float | None) -> list[dict[str, Any]]:
        """Refresh with one slice after the other."""
        lines = []
        for step in range(self.first, self.slices):
            given = self.rows(self.part == step)
            done, seconds = timed(partial(rec.refresh, given, replay=replay))
            if not done.accepted:
                rec.add_interactions(given)
            figures = self.figures(rec.model, step + 1)
            told = {"accepted": done.accepted, "before": done.before, "after": done.after, "high": done.high}
            lines.append({"slices": step + 1, "cpu": seconds, **figures, **told})
            print(json.dumps({"what": "refresh", "replay": replay, **lines[-1]}), flush=True)
        return lines


def plot(by_replay: dict[float, list[dict[str, Any]]], full: dict[int, dict[str, Any]], path: Path) -> None:
    """Quality relative to full trainings, on next slices and for absent users, by the share of replay."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    shares = sorted(by_replay)

    def relative(name: str, lines: list[dict[str, Any]]) -> float:
        pairs = [(line[name], full[line["slices"]][name]) for line in lines if line["slices"] in full]
        pairs = [(own, other) for own, other in pairs if own is not None and other is not None]
        return float(np.mean([own for own, _ in pairs]) / np.mean([other for _, other in pairs]))

    for name, label in (("next", "next slice"), ("absent", "absent users")):
        axes.plot(shares, [relative(name, by_replay[share]) for share in shares], marker="o", label=label)
    cost = np.mean([line["cpu"] for line in full.values()])
    axes.plot(
        shares,
        [np.mean([line["cpu"] for line in by_replay[s]]) / cost for s in shares],
        marker="s",
        label="CPU",
    )
    axes.axhline(1, color="gray", linewidth=0.8)
    axes.set(
        xlabel="share of old histories that are replayed",
        ylabel="relative to a full training",
        ylim=(0, None),
    )
    axes.legend()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--first", type=int, default=5)
    parser.add_argument("--slices", type=int, default=10)
    parser.add_argument("--by", choices=("time", "place"), default="time")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--replays", type=float, nargs="*", default=[None])
    parser.add_argument(
        "--full-at", type=int, nargs="*", help="Numbers of slices of full trainings; default: all."
    )
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    experiment = Experiment(given.folder, given.first, given.slices, given.by, given.settings)
    base, seconds = experiment.trained(given.first)
    start = {"cpu": seconds, **experiment.figures(base.model, given.first)}
    print(
        json.dumps({"what": "first", **start, "chosen": base.model.metrics["chosen"]}, default=str),
        flush=True,
    )
    first = base.model
    chains = {}
    for replay in given.replays:
        rec = base.with_model(first)
        chains[replay] = experiment.refreshes(rec, replay)
    steps = range(given.first + 1, given.slices + 1) if given.full_at is None else given.full_at
    full = {}
    for step in steps:
        rec, seconds = experiment.trained(step)
        full[step] = {"cpu": seconds, **experiment.figures(rec.model, step)}
        print(json.dumps({"what": "full", "slices": step, **full[step]}), flush=True)
    if given.plot:
        plot(chains, full, given.plot)


if __name__ == "__main__":
    main()
