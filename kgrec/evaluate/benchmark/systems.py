"""What takes part: kgrec, whole or without a source, the baselines, and lists that were made elsewhere.

Enters: a `Task`. Leaves: an `Predictions`. Nothing is written.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa

from kgrec.config import Config
from kgrec.encode.text import TextEncoder, TextProgress
from kgrec.evaluate.ablation import ablated
from kgrec.evaluate.baselines.protocol import Baseline
from kgrec.evaluate.baselines.tune import tune
from kgrec.evaluate.benchmark.task import Predictions, Task
from kgrec.evaluate.folds import Fold
from kgrec.evaluate.measure import codes_of
from kgrec.metrics.topk import blocks, top
from kgrec.recommend.recommender import Recommender
from kgrec.train.progress import OnEpoch

SystemKind = Literal["kgrec", "ablation", "baseline", "lists"]

#: sources that can be left out, and what kgrec is called without them
ABLATION_NAMES = {
    "graph": "kgrec without graph",
    "text": "kgrec without text",
    "id": "kgrec without id",
    "co-occurrence": "kgrec without co-occurrence",
    "shuffle-graph": "kgrec with shuffled graph",
}
#: users who are answered at a time
_USERS = 4096
#: times the budget of a search that one training may take
_PATIENCE = 10


class System(Protocol):
    """What takes part."""

    @property
    def name(self) -> str:
        """What it is called in the results."""

    @property
    def kind(self) -> SystemKind:
        """What it is."""

    @property
    def about(self) -> str:
        """A line on it."""

    def answer(self, question: Task) -> Predictions:
        """Learn from the fold, and recommend.

        Raises:
            KgrecError: The system cannot learn from this data.
        """


@dataclass(frozen=True)
class Kgrec:
    """kgrec as `kgrec train` makes it: it holds out its own validation part, and learns from everything in the end."""

    config: Config
    #: a source to leave out
    ablate: str = ""
    text_encoder: TextEncoder | None = None
    on_text: TextProgress | None = None
    on_epoch: OnEpoch | None = None

    @property
    def name(self) -> str:
        """See `System`."""
        return ABLATION_NAMES.get(self.ablate, "kgrec")

    @property
    def kind(self) -> SystemKind:
        """See `System`."""
        return "ablation" if self.ablate else "kgrec"

    @property
    def about(self) -> str:
        """See `System`."""
        if self.ablate == "shuffle-graph":
            return "kgrec, trained with each item's edges and numbers swapped for another's"
        return f"kgrec, trained without {self.ablate}" if self.ablate else "kgrec, as kgrec train makes it"

    def answer(self, question: Task) -> Predictions:
        """See `System`."""
        fold, seconds = question.fold, dict[str, float]()
        graph, config = ablated(fold.graph, self.config, [self.ablate] if self.ablate else [])
        recommender = Recommender(config, text_encoder=self.text_encoder)
        with _timed(seconds, "learn"):
            recommender.fit(graph, on_text=self.on_text, on_epoch=self.on_epoch)
            if len(fold.hidden):
                recommender.add_items(fold.later, on_text=self.on_text)
        with _timed(seconds, "lists"):
            lists = codes_of(fold, _tables(recommender, question, None), question.k)
        among = {}
        for name, mask in question.world.parts.items():
            names = fold.source.item_ids.labels.take(pa.array(np.flatnonzero(mask))).to_pylist()
            among[name] = codes_of(fold, _tables(recommender, question, names), question.k)
        metrics: dict[str, Any] = recommender.model.metrics
        chosen = metrics["chosen"]
        keys = ("temperature", "learning_rate", "epochs", "whitening", "weights", "cold_offset")
        options = ", ".join(f"{key.replace('_', ' ')} {chosen[key]}" for key in keys if chosen.get(key))
        return Predictions(lists, among, seconds, options, log=metrics["log"])


@dataclass(frozen=True)
class TunedBaseline:
    """A baseline, its options searched on the validation part, then fitted to everything."""

    name: str
    baseline: Baseline
    #: seconds of CPU for the search
    budget: float = 60.0
    seed: int = 0

    kind: SystemKind = "baseline"

    @property
    def about(self) -> str:
        """See `System`."""
        line = (type(self.baseline).__doc__ or "").strip().split("\n")[0]
        return line.split(" (")[0].split(":")[0].rstrip(".")

    def answer(self, question: Task) -> Predictions:
        """See `System`."""
        seconds, trials = dict[str, float](), 0
        baseline = _limited(self.baseline, _PATIENCE * self.budget)
        if question.valid.nnz and baseline.GRID:
            with _timed(seconds, "search"):
                found = tune(
                    baseline,
                    question.learned,
                    question.valid,
                    budget=self.budget,
                    k=min(question.k, 20),
                    seed=self.seed,
                )
            baseline, trials = _limited(found.best.baseline, math.inf), found.n_trials
        with _timed(seconds, "learn"):
            scorer = baseline.fit(question.everything)
        parts = question.world.parts
        shape = (len(question.rows), question.k)
        lists = {name: np.full(shape, -1, np.int32) for name in ("", *parts)}
        for rows in blocks(len(question.rows), question.everything.n_items):
            with _timed(seconds, "lists"):
                scores = scorer.scores(question.fold.known[rows], question.rows[rows])
                found_here = top(scores.copy() if parts else scores, question.k, question.fold.seen[rows])
            lists[""][rows] = found_here
            for name, mask in parts.items():
                lists[name][rows] = top(scores.copy(), question.k, question.fold.seen[rows], mask)
        budget = self.budget if trials else None
        return Predictions(lists.pop(""), lists, seconds, str(baseline), trials, budget)


@dataclass(frozen=True)
class GivenLists:
    """Lists from elsewhere, made without what is held back."""

    name: str
    #: user_id, item_id, and rank or score
    lists: Any

    kind: SystemKind = "lists"
    about: str = "lists that were given"

    def answer(self, question: Task) -> Predictions:
        """See `System`."""
        return Predictions(codes_of(question.fold, self.lists, question.k))


def _tables(recommender: Recommender, question: Task, candidates: list[str] | None) -> pa.Table:
    """Lists of all users of the fold, by training's histories, or by what is told with the question."""
    names, known = question.fold.test.users.labels, question.rows >= 0
    learned, told = np.flatnonzero(known), np.flatnonzero(~known)

    def of_users(rows: np.ndarray) -> pa.Table:
        users = names.take(pa.array(rows)).to_pylist()
        return recommender.recommend(users, question.k, candidates=candidates, arrow=True)

    def of_histories(rows: np.ndarray) -> pa.Table:
        likes, dislikes = _histories(question.fold, rows)
        return recommender.recommend_for_history(
            likes,
            question.k,
            dislikes=dislikes,
            users=names.take(pa.array(rows)).to_pylist(),
            candidates=candidates,
            arrow=True,
        )

    parts = [
        ask(rows[start : start + _USERS])
        for ask, rows in ((of_users, learned), (of_histories, told))
        for start in range(0, len(rows), _USERS)
    ]
    tables = [part.select(["user_id", "item_id", "rank"]) for part in parts]
    return pa.concat_tables(tables).unify_dictionaries()


def _histories(fold: Fold, rows: np.ndarray) -> tuple[list[list[str]], list[list[str]]]:
    """What some users liked, and what they did not, by names of items."""
    items, liked = fold.source.item_ids.labels, fold.known[rows]
    disliked = fold.seen[rows] - liked
    disliked.eliminate_zeros()
    return tuple(  # type: ignore[return-value]
        [items.take(pa.array(row.indices)).to_pylist() for row in matrix] for matrix in (liked, disliked)
    )


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    began = time.process_time()
    yield
    seconds[name] = seconds.get(name, 0) + time.process_time() - began


def _limited(baseline: Any, seconds: float) -> Any:
    """A baseline that refuses to learn for longer, if it is one that can tell."""
    return replace(baseline, limit=seconds) if hasattr(baseline, "limit") else baseline
