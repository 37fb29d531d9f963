"""A nightly run: the newest release learns from newer data, or a model is retrained, and the result becomes the next release.

Enters: a folder of releases, and a feedback store, tables, or both. Leaves: a `NightlyResult`. Writes: a complete release under its name; a server
that follows the folder loads it. Old releases are removed.

A run holds the lock of the folder, so a second run at the same time does nothing. A killed run leaves no release and no lock; the
next run removes its unfinished folder.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from filelock import FileLock, Timeout

from kgrec.config import Config
from kgrec.encode.text import TextEncoder
from kgrec.errors import ArtifactError, ConfigError
from kgrec.graph.interactions import Interactions
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.live_histories import LiveHistories
from kgrec.model.model import LINEAGE, Model
from kgrec.recommend.recommender import Recommender
from kgrec.serve import releases as releases_of
from kgrec.serve.feedback_log import training_feedback
from kgrec.serve.self_test import self_test
from kgrec.serve.store_refresh import caught_up
from kgrec.storage import atomic

if TYPE_CHECKING:
    from kgrec.serve.store.store import Store

logger = logging.getLogger(__name__)

#: trained: retrained; refreshed: the newest release learned from newer data; unchanged: there was no new data; rejected: the new model
#: ranks worse; busy: another run holds the lock
Outcome = Literal["trained", "refreshed", "unchanged", "rejected", "busy"]
#: verdict on whether a release still fits newer data: "stable", "watch" or "retrain"
Drift = Callable[[Recommender, Interactions], str]

_LOCK = ".nightly.lock"
_DAY = 86_400


@dataclass(frozen=True)
class NightlyRules:
    """When a model is retrained instead of refreshed, and how many releases are kept."""

    #: days since the last full training
    max_age: float = 7.0
    #: share of interactions since the last full training
    max_new: float = 0.3
    #: number of releases to keep
    keep: int = 5
    #: retrain in any case
    full: bool = False
    #: publish even a model that ranks worse
    force: bool = False
    #: as for `Recommender.refresh`
    replay: float | None = None


@dataclass(frozen=True)
class NightlySources:
    """The inputs of a run; each may be absent."""

    #: contains events and items since the training of each release
    store: Store | None = None
    #: graph of the catalogue and the log for full trainings; None: there are no full trainings
    graph: Path | None = None
    #: table of interactions since the newest release
    interactions: Path | None = None
    #: new items, as for `Recommender.add_items`
    items: Path | None = None


@dataclass(frozen=True)
class NightlyResult:
    """The result of a run."""

    outcome: Outcome
    #: why the run made a full training, a refresh, or nothing
    why: str
    #: name of the release that is served now; None: there is none
    release: str | None
    #: name of the release before the run; None: there was none
    parent: str | None = None
    #: figures on the newest interactions; see `kgrec.train.newest_slice.Comparison`
    ndcg: dict[str, float | None] = field(default_factory=dict)
    #: names of removed releases
    removed: list[str] = field(default_factory=list)
    #: why a full training is due but impossible without a graph; "" if none is due
    due: str = ""


def nightly(
    folder: Path,
    sources: NightlySources,
    rules: NightlyRules | None = None,
    *,
    config: Config | None = None,
    text_encoder: TextEncoder | None = None,
    drift: Drift | None = None,
    clock: Callable[[], float] = time.time,
    **callbacks: Any,
) -> NightlyResult:
    """Make the next release, unless there is no new data or the result ranks worse than the newest release.

    Args:
        folder: Folder of releases; created if it does not exist.
        sources: The inputs of the run.
        rules: When to retrain, and how many releases to keep.
        config: Options of a full training; None: those of the newest release.
        text_encoder: As for `Recommender`.
        drift: Returns a verdict on the newest release and newer data; on "retrain" the model is retrained. The command line passes
            `kgrec.evaluate.drift`.
        clock: Returns the seconds since 1970, which name the release.
        callbacks: on_text, on_epoch and on_stage, as for `Recommender.fit`.

    Raises:
        ConfigError: There is no release yet and no graph for training the first release.
        ArtifactError: The folder cannot be written.
        SelfTestError: The new model fails its self-test and is not published.
    """
    run = _Run(folder, sources, rules or NightlyRules(), config, text_encoder, drift, clock, callbacks)
    lock = FileLock(folder / _LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        there = releases_of.all_of(folder)
        name = there[0].folder.name if there else None
        return NightlyResult("busy", "another nightly run holds the lock", name, name)
    except OSError as error:
        raise ArtifactError(
            f"{folder}: cannot write there ({error.strerror}).", "Choose another folder of releases."
        ) from None
    with lock:
        atomic.sweep(folder)
        return run.result()


@dataclass(frozen=True)
class _Run:
    folder: Path
    sources: NightlySources
    rules: NightlyRules
    config: Config | None
    text_encoder: TextEncoder | None
    drift: Drift | None
    clock: Callable[[], float]
    callbacks: dict[str, Any]

    def result(self) -> NightlyResult:
        """Decide, learn, publish."""
        there = releases_of.all_of(self.folder)
        if not there:
            return self._first()
        parent = Recommender.load(there[0].folder, text_encoder=self.text_encoder)
        grown, name = self._grown(parent), there[0].folder.name
        recent = _recent(parent.model, grown.model)
        new = len(recent)
        why = self._reason(parent, grown.model, recent)
        if why and self.sources.graph is not None:
            return self._full(why, parent, name)
        if not new and len(grown.model.items) == len(parent.model.items):
            return NightlyResult("unchanged", "nothing is new", name, name, due=why)
        done = grown.refresh(
            parent=parent.model, replay=self.rules.replay, force=self.rules.force, **self.callbacks
        )
        if not done.accepted and self.sources.graph is not None:
            return self._full("the refreshed model ranks worse than its parent", parent, name)
        told = (
            "there were new interactions or items"
            if done.accepted
            else "the refreshed model ranks worse than its parent"
        )
        ndcg = done.lineage["ndcg"]
        if not done.accepted:
            return NightlyResult("rejected", told, name, name, ndcg, due=why or told)
        return self._published("refreshed", told, grown, name, ndcg, why)

    def _grown(self, parent: Recommender) -> Recommender:
        """The newest release with newer data, which takes effect without training."""
        grown = parent.with_model(parent.model)
        if self.sources.store is not None:
            grown = caught_up(parent, self.sources.store)
        if self.sources.items is not None:
            grown.add_items(self.sources.items)
        if self.sources.interactions is not None:
            grown.add_interactions(self.sources.interactions)
        return grown

    def _reason(self, release: Recommender, grown: Model, recent: Interactions) -> str:
        """Why a model must be retrained; "" if it can be refreshed."""
        if self.rules.full:
            return "a full training was requested"
        parent = release.model
        age = (self.clock() - _trained_at(parent)) / _DAY
        if age > self.rules.max_age:
            return f"the last full training is {age:.1f} days old"
        since = len(recent) + sum(entry["interactions"] for entry in parent.metrics.get(LINEAGE, []))
        whole = len(LiveHistories.of(grown.histories).whole.item)
        if since > self.rules.max_new * max(whole, 1):
            return f"{since / whole:.0%} of the interactions came since the last full training"
        if self.drift is not None and recent.positive.any() and self.drift(release, recent) == "retrain":
            return "the drift check against newer data says retrain"
        return ""

    def _first(self) -> NightlyResult:
        if self.sources.graph is None:
            raise ConfigError(
                f"{self.folder} has no release yet, and there is no graph for training the first release.",
                "Give --graph, or write a release: kgrec train graph/ -o FOLDER/NAME.",
            )
        return self._full("there was no release", None, None)

    def _full(self, why: str, parent: Recommender | None, name: str | None) -> NightlyResult:
        """Train on everything except the last day, compare on the last day, and then learn from it by a refresh."""
        assert self.sources.graph is not None
        graph = KnowledgeGraph.load(self.sources.graph)
        taken = None if self.sources.store is None else training_feedback(graph, self.sources.store)
        graph = taken.graph if taken else graph
        log = graph.interactions
        held = np.zeros(len(log), bool) if parent is None else _last_day(log, parent.model)
        config = self.config or (parent.config if parent is not None else Config())
        trained = Recommender(config, text_encoder=self.text_encoder)
        trained.fit(replace(graph, interactions=log.rows(~held)), **self.callbacks)
        trained = taken.completed(trained) if taken else trained
        ndcg: dict[str, float | None] = {}
        if parent is not None and held.any():
            from kgrec.train.newest_slice import compared_by_name

            before = parent.with_model(parent.model)
            before.add_interactions(log.rows(~held))
            found = compared_by_name(before.model, trained.model, log.rows(held), config.train.seed)
            ndcg = found.record()
            if found.is_worse and not self.rules.force:
                told = f"{why}, and the retrained model ranks worse than the newest release"
                return NightlyResult("rejected", told, name, name, ndcg)
        self._learn_rest(trained, log.rows(held))
        return self._published("trained", why, trained, name, ndcg)

    def _learn_rest(self, trained: Recommender, held: Interactions) -> None:
        """Learn from data that the training did not use: the held-out day, and the given tables."""
        before = trained.model
        if len(held):
            trained.add_interactions(held)
        if self.sources.items is not None:
            trained.add_items(self.sources.items)
        if self.sources.interactions is not None:
            trained.add_interactions(self.sources.interactions)
        new = len(_recent(before, trained.model)) or len(trained.model.items) > len(before.items)
        if new and before.histories.has_positive.any():
            trained.refresh(parent=before, replay=self.rules.replay, force=True, **self.callbacks)

    def _published(
        self,
        outcome: Outcome,
        why: str,
        made: Recommender,
        parent: str | None,
        ndcg: dict[str, float | None],
        due: str = "",
    ) -> NightlyResult:
        self_test(made)
        at = self.clock()
        # The lock keeps other runs out, so a release of this second is an earlier one: take the next free second.
        while (self.folder / (name := releases_of.dated_name(at))).exists():
            at += 1
        made.save(self.folder / name)
        removed = releases_of.prune(self.folder, self.rules.keep)
        return NightlyResult(outcome, why, name, parent, ndcg, removed, due)


def _recent(before: Model, after: Model) -> Interactions:
    """The interactions in a later state of a model that are not in an earlier state."""
    from kgrec.train.newest_slice import new_rows

    older = LiveHistories.of(before.histories).whole.with_items(len(after.items))
    whole = LiveHistories.of(after.histories).whole
    rows = np.flatnonzero(new_rows(older, whole))
    return Interactions(
        after.users,
        after.items.ids,
        whole.users()[rows],
        whole.item[rows],
        whole.positive[rows],
        whole.count[rows],
        time=None if whole.time is None else whole.time[rows],
    )


def _trained_at(model: Model) -> float:
    """Time of the last full training of a model, in seconds since 1970; -inf if unknown."""
    first = next(iter(model.metrics.get(LINEAGE, [])), None)
    # the parent of a first refresh in the run that trained it was never written
    at = model.version if first is None else first["parent_created"] or first["at"]
    return datetime.fromisoformat(at).timestamp() if at else -math.inf


def _last_day(log: Interactions, parent: Model) -> np.ndarray:
    """Mask of the rows in the last day of a log that are newer than all interactions of a model; shape (len(log),), bool."""
    if log.time is None or not log.time.any():
        return np.zeros(len(log), bool)
    known = LiveHistories.of(parent.histories).whole.time
    since = max(int(log.time.max()) - _DAY, int(known.max(initial=0)) if known is not None else 0)
    return np.asarray(log.time > since)
