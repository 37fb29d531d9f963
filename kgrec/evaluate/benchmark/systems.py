"""The systems of a benchmark: kgrec, kgrec without a source, tuned baselines, and lists from another program.

Enters: a `Task`. Leaves: `Predictions`. Nothing is written.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
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
from kgrec.evaluate.benchmark.trade_offs import Variant
from kgrec.evaluate.folds import Fold
from kgrec.evaluate.measure import checked_lists, lists_as_rows
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.metrics.topk import blocks, top
from kgrec.recommend.recommender import Recommender
from kgrec.recommend.request import Request
from kgrec.train.progress import OnEpoch, OnStage

logger = logging.getLogger(__name__)

SystemKind = Literal["kgrec", "ablation", "baseline", "lists"]

#: left-out source -> name of the system
ABLATION_NAMES = {
    "graph": "kgrec without graph",
    "text": "kgrec without text",
    "id": "kgrec without id",
    "co-occurrence": "kgrec without co-occurrence",
    "shuffle-graph": "kgrec with shuffled graph",
}
#: sources that `default_ablations` chooses from
_DEFAULT_ABLATIONS = ("graph", "text", "shuffle-graph")
_USERS_PER_REQUEST = 4096
#: name of a stage
RECOMMENDING = "computing lists"
#: limit on the time of a single training, as a multiple of the search budget
_MAX_TRAINING_BUDGETS = 10
#: largest list length for tuning options
_TUNING_K = 20
#: hyperparameters of kgrec that the report shows
_SHOWN_HYPERPARAMETERS = (
    "temperature",
    "learning_rate",
    "epochs",
    "whitening",
    "penalty",
    "cold_offset",
    "popularity",
)


class System(Protocol):
    """A participant of a benchmark."""

    @property
    def name(self) -> str:
        """Its name in the results."""

    @property
    def kind(self) -> SystemKind:
        """Its kind."""

    @property
    def description(self) -> str:
        """One line for the report."""

    def predict(self, task: Task) -> Predictions:
        """Learn from the fold, and recommend lists for its test users.

        Raises:
            KgrecError: The system cannot learn from this data.
        """


@dataclass(frozen=True)
class Kgrec:
    """kgrec as `kgrec train` runs it: it holds out its own validation part, then trains on all training data."""

    config: Config
    #: a source to leave out; "": none
    ablate: str = ""
    text_encoder: TextEncoder | None = None
    on_text: TextProgress | None = None
    on_epoch: OnEpoch | None = None
    on_stage: OnStage | None = None
    #: options of lists whose trade-offs are measured
    variants: Sequence[Variant] = ()

    @property
    def name(self) -> str:
        """See `System`."""
        return ABLATION_NAMES.get(self.ablate, "kgrec")

    @property
    def kind(self) -> SystemKind:
        """See `System`."""
        return "ablation" if self.ablate else "kgrec"

    @property
    def description(self) -> str:
        """See `System`."""
        if self.ablate == "shuffle-graph":
            return "kgrec, trained with the edges and numbers of each item swapped for those of another item"
        return f"kgrec, trained without {self.ablate}" if self.ablate else "kgrec, as kgrec train runs it"

    def predict(self, task: Task) -> Predictions:
        """See `System`."""
        fold, seconds = task.fold, dict[str, float]()
        graph, config = ablated(fold.graph, self.config, [self.ablate] if self.ablate else [])
        recommender = Recommender(config, text_encoder=self.text_encoder)
        with _timed(seconds, "train"):
            recommender.fit(graph, on_text=self.on_text, on_epoch=self.on_epoch, on_stage=self.on_stage)
            if len(fold.hidden):
                _begin(self.on_stage, "adding new items")
                recommender.add_items(fold.later, on_text=self.on_text)
        _begin(self.on_stage, RECOMMENDING)
        with _timed(seconds, "recommend"):
            lists = lists_as_rows(fold, _recommended(recommender, task, Request(task.k)), task.k)
        varied = {}
        for variant in self.variants:
            _begin(self.on_stage, f"computing lists with {variant.name}")
            request = Request(task.k, **variant.options)
            varied[variant.name] = lists_as_rows(fold, _recommended(recommender, task, request), task.k)
        by_subset = {}
        for name, mask in task.ground_truth.candidate_subsets.items():
            items = fold.source.item_ids.labels.take(pa.array(np.flatnonzero(mask))).to_pylist()
            by_subset[name] = lists_as_rows(
                fold, _recommended(recommender, task, Request(task.k, items)), task.k
            )
        metrics: dict[str, Any] = recommender.model.metrics
        return Predictions(
            lists,
            by_subset,
            seconds,
            _hyperparameters(metrics["chosen"]),
            training_log=metrics["log"],
            variants=varied,
        )


@dataclass(frozen=True)
class TunedBaseline:
    """A baseline whose options are tuned on the validation part; it then learns from the training and the validation part."""

    name: str
    baseline: Baseline
    #: budget of the search, in CPU seconds
    cpu_budget: float = 60.0
    seed: int = 0
    on_stage: OnStage | None = None

    kind: SystemKind = "baseline"

    @property
    def description(self) -> str:
        """See `System`."""
        line = (type(self.baseline).__doc__ or "").strip().split("\n")[0]
        return line.split(" (")[0].split(":")[0].rstrip(".")

    def predict(self, task: Task) -> Predictions:
        """See `System`."""
        seconds = dict[str, float]()
        baseline, trials = self._tuned(task, seconds)
        _begin(self.on_stage, "training")
        with _timed(seconds, "train"):
            fitted = baseline.fit(task.full_data)
        _begin(self.on_stage, RECOMMENDING)
        subsets = task.ground_truth.candidate_subsets
        shape = (len(task.user_rows), task.k)
        lists = {name: np.full(shape, -1, np.int32) for name in ("", *subsets)}
        for users in blocks(len(task.user_rows), task.full_data.n_items):
            known = task.histories.take(np.arange(users.start, users.stop))
            seen = task.fold.seen[users]
            with _timed(seconds, "recommend"):
                scores = fitted.scores(known, task.user_rows[users])
                # `top` overwrites the scores
                lists[""][users] = top(scores.copy() if subsets else scores, task.k, seen)
            for name, mask in subsets.items():
                lists[name][users] = top(scores.copy(), task.k, seen, mask)
        budget = self.cpu_budget if trials else None
        return Predictions(lists.pop(""), lists, seconds, str(baseline), trials, budget)

    def _tuned(self, task: Task, seconds: dict[str, float]) -> tuple[Any, int]:
        """The baseline with the best options, and the number of trials; 0 trials if there is nothing to search."""
        baseline = _limited(self.baseline, _MAX_TRAINING_BUDGETS * self.cpu_budget)
        if not task.valid.nnz or not baseline.GRID:
            return baseline, 0
        _begin(self.on_stage, "searching for options")
        with _timed(seconds, "tune"):
            found = tune(
                baseline,
                task.train_data,
                task.valid,
                budget=self.cpu_budget,
                k=min(task.k, _TUNING_K),
                seed=self.seed,
            )
        return _limited(found.best.baseline, math.inf), found.n_trials


@dataclass(frozen=True)
class GivenLists:
    """Lists that another program made without the held-out part."""

    name: str
    #: a frame with user_id, item_id, and rank or score
    lists: Any

    kind: SystemKind = "lists"
    description: str = "lists from a file"

    def predict(self, task: Task) -> Predictions:
        """See `System`."""
        given = checked_lists(task.fold, self.lists, task.k, knows_valid=True)
        for remark in given.remarks:
            logger.warning("%s: %s", self.name, remark)
        return Predictions(given.rows)


def default_ablations(graph: KnowledgeGraph, config: Config) -> list[str]:
    """The ablations among graph, text and shuffle-graph that change something for this graph."""
    has_edges = bool(len(graph.triples))
    has_texts = config.text.model != "none" and bool(len(graph.text))
    present = {"graph": has_edges, "text": has_texts, "shuffle-graph": has_edges}
    return [source for source in _DEFAULT_ABLATIONS if present[source]]


def _begin(on_stage: OnStage | None, stage: str) -> None:
    if on_stage is not None:
        on_stage(stage)


def _recommended(recommender: Recommender, task: Task, request: Request) -> pa.Table:
    """Lists of all test users: known users by id, others by the history that the fold gives."""
    names, known = task.fold.test.users.labels, task.user_rows >= 0

    def for_users(rows: np.ndarray) -> pa.Table:
        users = names.take(pa.array(rows)).to_pylist()
        return recommender.recommend(users, request=request, arrow=True)

    def for_histories(rows: np.ndarray) -> pa.Table:
        likes, dislikes = _likes_and_dislikes(task.fold, rows)
        return recommender.recommend_for_history(
            likes,
            dislikes=dislikes,
            users=names.take(pa.array(rows)).to_pylist(),
            request=request,
            arrow=True,
        )

    parts = [
        recommend(rows[start : start + _USERS_PER_REQUEST])
        for recommend, rows in (
            (for_users, np.flatnonzero(known)),
            (for_histories, np.flatnonzero(~known)),
        )
        for start in range(0, len(rows), _USERS_PER_REQUEST)
    ]
    tables = [part.select(["user_id", "item_id", "rank"]) for part in parts]
    return pa.concat_tables(tables).unify_dictionaries()


def _likes_and_dislikes(fold: Fold, rows: np.ndarray) -> tuple[list[list[str]], list[list[str]]]:
    """Ids of the items that some test users liked, and of the items that they met but did not like."""
    items, liked = fold.source.item_ids.labels, fold.known[rows]
    disliked = fold.seen[rows] - liked
    disliked.eliminate_zeros()
    return tuple(  # type: ignore[return-value]
        [items.take(pa.array(row.indices)).to_pylist() for row in matrix] for matrix in (liked, disliked)
    )


def _hyperparameters(chosen: Mapping[str, Any]) -> str:
    """The choices of validation, in one line; weights of 0 and values of 0 are left out."""
    values = [f"{key.replace('_', ' ')} {chosen[key]:g}" for key in _SHOWN_HYPERPARAMETERS if chosen.get(key)]
    weights = [
        f"{name.replace('_', '-')} {value:.3g}" for name, value in chosen.get("weights", {}).items() if value
    ]
    return "; ".join(filter(None, (", ".join(values), f"weights: {', '.join(weights)}" if weights else "")))


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add the CPU seconds of a block to those of a stage."""
    began = time.process_time()
    yield
    seconds[stage] = seconds.get(stage, 0) + time.process_time() - began


def _limited(baseline: Any, seconds: float) -> Any:
    """The baseline with a limit on its CPU seconds, if it has such an option."""
    return replace(baseline, limit=seconds) if hasattr(baseline, "limit") else baseline
