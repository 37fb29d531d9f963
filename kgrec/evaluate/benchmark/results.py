"""Figures, comparisons and examples of a contest, and its files.

Enters: folds, and the `Entry`s of all systems. Leaves: `Results`. Writes a folder: metrics.json, per_user.parquet, split/
and, given a page, report.html.
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

#: of confidence
LEVEL = 0.95
#: of the tests, and resamples of the intervals of differences
_PERMUTATIONS = 10_000
#: users whose lists are shown, and items of each list, and of each history
_EXAMPLES, _SHOWN, _HISTORY = 4, 10, 15

_SENTENCES = {
    "time": "All interactions from one moment on are held back, {share:.0%} of them; items that nobody took before it are hidden whole.",
    "last": "Of each user the last {last} positive interactions are held back.",
    "random": "Of each user's positive interactions {share:.0%} are held back at random.",
    "folds": "Cross-validation: each positive interaction is held back once, in one of {folds} parts.",
    "cold-items": "Of the items that somebody took {share:.0%} are hidden whole, drawn at random: they are added after training.",
    "cold-users": "Of the users {share:.0%} are hidden whole, drawn at random: half of what they took is told with the question.",
}


@dataclass(frozen=True)
class Results:
    """What came out."""

    folds: Sequence[Fold]
    entries: Sequence[Entry]
    ks: Sequence[int]
    #: None: the split was given
    protocol: Protocol | None = None
    #: how the graph is named
    graph: str = ""
    resamples: int = 1000
    seed: int = 0
    made: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def main(self) -> str:
        """The figure by which systems are put in order: at the first of the lengths."""
        return f"ndcg@{self.ks[0]}"

    @property
    def ran(self) -> list[Entry]:
        """Those that ran, the best by the main figure first."""
        there = [entry for entry in self.entries if entry.evaluation is not None]
        return sorted(there, key=lambda entry: -_number(entry.evaluation, self.main))

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """kgrec, or else the first system, against each other: on the main figure and on recall; see `compare`."""
        models = {e.name: e.evaluation for e in self.entries if e.evaluation is not None}
        if len(models) < 2:
            return pd.DataFrame()
        metrics = [self.main, f"recall@{self.ks[0]}"]
        return compare(
            models, metrics, against=next(iter(models)), level=LEVEL, resamples=_PERMUTATIONS, seed=self.seed
        )

    def value(self, entry: Entry, name: str) -> tuple[float, float, float]:
        """A figure over everything, such as "ndcg@20", and its interval."""
        assert entry.figures is not None
        metric, _, k = name.rpartition("@")
        frame = entry.figures
        row = frame[(frame["bucket"] == "") & (frame["metric"] == metric) & (frame["k"] == int(k))]
        value, low, high = row[["value", "low", "high"]].to_numpy(np.float64)[0].tolist()
        return value, low, high

    def figures(self) -> pd.DataFrame:
        """All figures of all systems: system, bucket, metric, k, value, low, high, users."""
        frames = [e.figures.assign(system=e.name) for e in self.entries if e.figures is not None]
        columns = ["system", "bucket", "metric", "k", "value", "low", "high", "users"]
        return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)

    def record(self) -> dict[str, Any]:
        """Everything in plain values, as metrics.json has it; None where there is no number."""
        comparisons = self.comparisons.to_dict("records")
        seconds = sum(sum(entry.seconds.values()) for entry in self.entries)
        values = {
            "kgrec": __version__,
            "made": self.made,
            "seconds": seconds,
            "graph": self.graph,
            "data": self._data(),
            "protocol": self._protocol(),
            "k": sorted(self.ks),
            "main": self.main,
            "level": LEVEL,
            "resamples": self.resamples,
            "permutations": _PERMUTATIONS,
            "folds": len(self.folds),
            "systems": [self._system(entry) for entry in self.entries],
            "comparisons": comparisons,
            "examples": self._examples(),
        }
        return {name: _plain(value) for name, value in values.items()}

    def per_user(self) -> pa.Table:
        """Figures of each user over everything: system, user_id, and a column for each figure, nan where there is none."""
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
        """Write a folder, whole or not at all.

        Args:
            folder: Where.
            page: Makes report.html of the record; None: without.

        Returns:
            The record.

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
            return {"kind": "given", "sentence": "Training and test interactions were given as files."}
        options = self.protocol.model_dump()
        return options | {"sentence": _SENTENCES[self.protocol.kind].format(**options)}

    def _system(self, entry: Entry) -> dict[str, Any]:
        first = entry.answers[0] if entry.answers else None
        return {
            "name": entry.name,
            "kind": entry.kind,
            "about": entry.about,
            "options": first.options if first else "",
            "trials": first.trials if first else 0,
            "budget": first.budget if first else None,
            "seconds": entry.seconds,
            "problem": None if entry.problem is None else entry.problem.problem,
            "figures": [] if entry.figures is None else entry.figures.to_dict("records"),
            "curve": _curve(first.log) if first else [],
        }

    def _examples(self) -> list[dict[str, Any]]:
        """Some users of the first fold: what they had, what they took, and what the first system and others list."""
        fold, shown = self.folds[0], self._shown()
        rng = np.random.default_rng(self.seed)
        some = np.flatnonzero(np.diff(fold.known.indptr) >= 3)
        some = some if len(some) else np.arange(len(fold.test.users))
        users = np.sort(rng.choice(some, min(_EXAMPLES, len(some)), replace=False))
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
                "history": [item(row) for row in fold.known[user].indices[:_HISTORY].tolist()],
                "taken": [item(row) for row in fold.truth[user].indices[:_HISTORY].tolist()],
                "lists": {
                    entry.name: [
                        listed(user, row)
                        for row in entry.answers[0].lists[user, :_SHOWN].tolist()
                        if row >= 0
                    ]
                    for entry in shown
                },
            }
            for user in users.tolist()
        ]

    def _shown(self) -> list[Entry]:
        """The first system, the best baseline, and lists from elsewhere."""
        ran = self.ran
        best = next((entry for entry in ran if entry.kind == "baseline"), None)
        first = next((entry for entry in self.entries if entry.evaluation is not None), None)
        others = [entry for entry in ran if entry.kind == "lists"]
        return list({entry.name: entry for entry in (first, best, *others) if entry is not None}.values())


def _curve(log: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines of a training log, with the number of the run that each belongs to, from 1."""
    run, before = 0, 0
    lines = []
    for line in log:
        if line["stage"] != "valid":
            run += line["epoch"] <= before or not run
            before = line["epoch"]
        lines.append(
            {"stage": line["stage"], "run": run, "epoch": line["epoch"]}
            | {"loss": line["loss"], "recall": line["valid_recall"]}
        )
    return lines


def _number(evaluation: Any, name: str) -> float:
    value = float(evaluation[name])
    return -math.inf if math.isnan(value) else value


def _plain(value: Any) -> Any:
    """The same in JSON's types; None for what is no number."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
