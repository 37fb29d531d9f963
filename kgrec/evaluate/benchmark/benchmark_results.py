"""The results of a benchmark: metrics, comparisons, example lists, and the files of a report.

Enters: folds, and the `Entry`s of all systems. Leaves: `BenchmarkResults`. Writes report/: metrics.json, per_user.parquet,
split/ and, if a function renders it, report.html.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from kgrec._version import __version__
from kgrec.evaluate.benchmark.run import Entry
from kgrec.evaluate.comparison import compare
from kgrec.evaluate.folds import Fold
from kgrec.evaluate.splits import Protocol, save_folds
from kgrec.storage import artifacts, files

#: confidence level of intervals; comparisons are significant below 1 - LEVEL
LEVEL = 0.95
#: permutations per test, and bootstrap resamples per interval of a difference
_PERMUTATIONS = 10_000
#: number of users with example lists, and how many items of a list, and of a history, are shown
_EXAMPLE_USERS, _EXAMPLE_LIST, _EXAMPLE_HISTORY = 4, 10, 15
#: smallest history of an example user, if such users exist
_MIN_EXAMPLE_HISTORY = 3

_PROTOCOL_SENTENCES = {
    "time": "All interactions after one moment are held out, {share:.0%} of all interactions; items without an earlier interaction are hidden.",
    "last": "The last {last} positive interactions of each user are held out.",
    "random": "{share:.0%} of each user's positive interactions are held out at random.",
    "folds": "Cross-validation with {folds} folds: each positive interaction is held out once.",
    "cold-items": "{share:.0%} of the items with interactions, drawn at random, are hidden in training and added afterwards.",
    "cold-users": "{share:.0%} of the users, drawn at random, are hidden in training: half of their positive interactions are given as history, the other half are held out.",
}


@dataclass(frozen=True)
class BenchmarkResults:
    """The results of all systems on the folds."""

    folds: Sequence[Fold]
    entries: Sequence[Entry]
    ks: Sequence[int]
    #: None: the split was given as files
    protocol: Protocol | None = None
    #: path of the graph
    graph: str = ""
    #: name of the data set, the title of the report; "": the path of the graph
    name: str = ""
    resamples: int = 1000
    seed: int = 0
    #: time of the benchmark, as ISO 8601
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def primary_metric(self) -> str:
        """The metric that systems are sorted by: NDCG at the first length in `ks`."""
        return f"ndcg@{self.ks[0]}"

    @property
    def ran(self) -> list[Entry]:
        """Systems that did not fail, sorted by the primary metric, best first."""
        ran = [entry for entry in self.entries if entry.evaluation is not None]
        return sorted(ran, key=lambda entry: -_sort_value(entry.evaluation, self.primary_metric))

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """The first system compared with each other one, on the primary metric and on recall; see `compare`."""
        models = {e.name: e.evaluation for e in self.entries if e.evaluation is not None}
        if len(models) < 2:
            return pd.DataFrame()
        metrics = [self.primary_metric, f"recall@{self.ks[0]}"]
        return compare(
            models, metrics, against=next(iter(models)), level=LEVEL, resamples=_PERMUTATIONS, seed=self.seed
        )

    def value(self, entry: Entry, name: str) -> tuple[float, float, float]:
        """The value of a metric over all items, such as "ndcg@20", and the bounds of its interval."""
        assert entry.metrics is not None
        metric, _, k = name.rpartition("@")
        frame = entry.metrics
        row = frame[(frame["bucket"] == "") & (frame["metric"] == metric) & (frame["k"] == int(k))]
        value, low, high = row[["value", "low", "high"]].to_numpy(np.float64)[0].tolist()
        return value, low, high

    def metrics(self) -> pd.DataFrame:
        """All metrics of all systems, with columns system, bucket, metric, k, value, low, high and users."""
        frames = [e.metrics.assign(system=e.name) for e in self.entries if e.metrics is not None]
        columns = ["system", "bucket", "metric", "k", "value", "low", "high", "users"]
        return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)

    def record(self) -> dict[str, Any]:
        """The content of metrics.json in plain values; None represents nan and infinity."""
        values = {
            "kgrec": __version__,
            "created": self.created,
            "cpu_seconds": sum(sum(entry.cpu_seconds.values()) for entry in self.entries),
            "graph": self.graph,
            "name": self.name or self.graph,
            "data": self._data(),
            "protocol": self._protocol(),
            "k": sorted(self.ks),
            "primary_metric": self.primary_metric,
            "level": LEVEL,
            "resamples": self.resamples,
            "permutations": _PERMUTATIONS,
            "folds": len(self.folds),
            "systems": [self._system(entry) for entry in self.entries],
            "comparisons": self.comparisons.to_dict("records"),
            "trade_offs": self._trade_offs(),
            "exposure": next((entry.exposure for entry in self.entries if entry.exposure), []),
            "examples": self._examples(),
        }
        return {name: _plain(value) for name, value in values.items()}

    def per_user(self) -> pa.Table:
        """Columns system, user_id and one per metric over all items, nan where undefined; one row per system and user."""
        tables = []
        for entry in self.entries:
            if entry.evaluation is not None:
                table = entry.evaluation.per_user()
                name = pa.DictionaryArray.from_arrays(
                    pa.array(np.zeros(len(table), np.int32)), pa.array([entry.name])
                )
                tables.append(table.add_column(0, "system", name))
        return pa.concat_tables(tables).unify_dictionaries() if tables else pa.table({})

    def save(self, folder: str | Path, page: Callable[[dict[str, Any]], str] | None = None) -> dict[str, Any]:
        """Write report/, whole or not at all.

        Args:
            folder: The folder to write.
            page: Renders report.html from the content of metrics.json; None: no report.html.

        Returns:
            The content of metrics.json.

        Raises:
            ArtifactError: The folder cannot be written.
        """
        record = self.record()
        inputs = self.folds[0].source.inputs
        with artifacts.writing(
            Path(folder), kind="report", inputs=inputs, config=record["protocol"]
        ) as place:
            files.write_json(record, place / "metrics.json")
            files.write_table(self.per_user(), place / "per_user.parquet")
            if page is not None:
                (place / "report.html").write_text(page(record), encoding="utf-8")
            save_folds(self.folds, place / "split", self.protocol)
        return record

    def _data(self) -> dict[str, int]:
        fold = self.folds[0]
        return {
            "items": len(fold.source.item_ids),
            "users": len(fold.graph.interactions.users),
            "edges": len(fold.source.triples),
            "train": len(fold.train),
            "valid": len(fold.valid),
            "test": sum(len(one.test) for one in self.folds),
            "test_users": len({name for one in self.folds for name in one.test.users.tolist()}),
            "new_items": len(fold.hidden),
        }

    def _protocol(self) -> dict[str, Any]:
        if self.protocol is None:
            return {"kind": "given", "sentence": "The split was given as files."}
        options = self.protocol.model_dump()
        return options | {"sentence": _PROTOCOL_SENTENCES[self.protocol.kind].format(**options)}

    def _system(self, entry: Entry) -> dict[str, Any]:
        first = entry.predictions[0] if entry.predictions else None
        return {
            "name": entry.name,
            "kind": entry.kind,
            "description": entry.description,
            "options": first.options if first else "",
            "trials": first.trials if first else 0,
            "cpu_budget": first.cpu_budget if first else None,
            "cpu_seconds": entry.cpu_seconds,
            "error": None if entry.error is None else entry.error.problem,
            "metrics": [] if entry.metrics is None else entry.metrics.to_dict("records"),
            "learning_curve": _learning_curve(first.training_log) if first else [],
        }

    def _trade_offs(self) -> list[dict[str, Any]]:
        """Metrics of lists with options about lists as a whole, for the first system that has such lists."""
        frames = [entry.trade_offs for entry in self.entries if entry.trade_offs is not None]
        rows = frames[0].to_dict("records") if frames else []
        return [{str(name): value for name, value in row.items()} for row in rows]

    def _examples(self) -> list[dict[str, Any]]:
        """Random test users of the first fold: their histories, their test positives, and lists of some systems."""
        fold, shown = self.folds[0], self._example_systems()
        rng = np.random.default_rng(self.seed)
        eligible = np.flatnonzero(np.diff(fold.known.indptr) >= _MIN_EXAMPLE_HISTORY)
        eligible = eligible if len(eligible) else np.arange(len(fold.test.users))
        users = np.sort(rng.choice(eligible, min(_EXAMPLE_USERS, len(eligible)), replace=False))
        labels = fold.source.entities["label"].take(pa.array(fold.source.item_entities)).to_pylist()

        def item(row: int) -> dict[str, Any]:
            name = fold.source.item_ids[row]
            return {"id": name, "label": labels[row] or name}

        def listed(user: int, row: int) -> dict[str, Any]:
            new = bool(fold.popularity[row] == 0)
            return item(row) | {"hit": bool(fold.truth[user, row]), "new": new}

        return [
            {
                "user": fold.test.users[user],
                "history": [item(row) for row in fold.known[user].indices[:_EXAMPLE_HISTORY].tolist()],
                "held_out": [item(row) for row in fold.truth[user].indices[:_EXAMPLE_HISTORY].tolist()],
                "lists": {
                    entry.name: [
                        listed(user, row)
                        for row in entry.predictions[0].lists[user, :_EXAMPLE_LIST].tolist()
                        if row >= 0
                    ]
                    for entry in shown
                },
            }
            for user in users.tolist()
        ]

    def _example_systems(self) -> list[Entry]:
        """The first system, the best baseline, and lists from files."""
        ran = self.ran
        best = next((entry for entry in ran if entry.kind == "baseline"), None)
        first = next((entry for entry in self.entries if entry.evaluation is not None), None)
        others = [entry for entry in ran if entry.kind == "lists"]
        return list({entry.name: entry for entry in (first, best, *others) if entry is not None}.values())


def _learning_curve(training_log: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records of a training log with stage, run (from 1), epoch, loss, ndcg and recall.

    The log does not number its runs: a new run begins where the epoch does not increase.
    """
    run, last_epoch = 0, 0
    curve = []
    for record in training_log:
        if record["stage"] != "valid":
            run += record["epoch"] <= last_epoch or not run
            last_epoch = record["epoch"]
        curve.append(
            {"stage": record["stage"], "run": run, "epoch": record["epoch"]}
            | {"loss": record["loss"], "ndcg": record["valid_ndcg"], "recall": record["valid_recall"]}
        )
    return curve


def _sort_value(evaluation: Any, name: str) -> float:
    """The value of a metric; nan sorts last."""
    value = float(evaluation[name])
    return -math.inf if math.isnan(value) else value


def _plain(value: Any) -> Any:
    """The same value in JSON's types; None represents nan and infinity."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
