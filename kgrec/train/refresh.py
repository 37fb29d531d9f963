"""A refresh: continues training on newer interactions and a replay of older ones.

Enters: a model, and the same model with newer items and interactions added. Leaves: a `RefreshOutcome`, which holds another `Model` or
the reason why the parent is kept. Nothing is written.

The encoder starts from the parent's parameters, aligned by name. It learns from the histories with new interactions, and from a sample
of the others so that it does not forget them (experience replay: Rolnick et al. 2019, "Experience replay for continual learning"). The
hyperparameters and the fusion weights do not change. Item-item weights, popularity and the index are computed again from all histories,
so they equal those of a full training with the same options.

This happens twice: first without the newest slice of the new interactions, to compare the result with the parent on it, then with all of them.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch

from kgrec.encode.text import TextEncoder
from kgrec.errors import TrainingError
from kgrec.graph.histories import Histories
from kgrec.graph.live_histories import LiveHistories
from kgrec.model.model import LINEAGE, WHITENING, Model
from kgrec.train.assembly import Trained, assembled
from kgrec.train.continuation import choice_of, continued_encoder
from kgrec.train.data import EpochRecord, TrainingData
from kgrec.train.fit import as_learned, read_facts, training_data
from kgrec.train.hyperparameters import Choice
from kgrec.train.learner import RunProgress
from kgrec.train.newest_slice import HELD_OUT_SHARE, Comparison, compared, new_rows, newest
from kgrec.train.progress import FINAL_TRAINING, TRIAL, TrainingWatcher
from kgrec.train.run import learn
from kgrec.train.threads import threads

logger = logging.getLogger(__name__)

#: share of the histories without new interactions that a refresh replays
REPLAY = 0.2
#: epochs and learning rate of a refresh, relative to those of the training
_EPOCHS, _RATE = 1 / 3, 0.5


@dataclass(frozen=True)
class RefreshOutcome:
    """The outcome of a refresh."""

    #: the refreshed model; None: the parent is kept
    model: Model | None
    comparison: Comparison
    #: what was added, and the metrics; this becomes an entry of the model's lineage
    lineage: dict[str, Any]

    @property
    def accepted(self) -> bool:
        """Whether there is a refreshed model."""
        return self.model is not None


def refreshed(
    parent: Model,
    grown: Model,
    text_encoder: TextEncoder | None,
    watcher: TrainingWatcher,
    *,
    replay: float = REPLAY,
    force: bool = False,
) -> RefreshOutcome:
    """Learn from items and interactions that are newer than a model's training.

    Args:
        parent: The model as last trained or refreshed.
        grown: The same model with newer items and interactions, added by `Recommender.add_items` and `add_interactions`.
        text_encoder: The one used in training; None: texts are ignored.
        watcher: Receives the progress.
        replay: Share of the histories without new interactions to learn from as well; 0 to 1.
        force: Accept the refreshed model even if it ranks worse than its parent.

    Raises:
        TrainingError: Nothing is new, the parent was trained without interactions, or the loss is not finite.
        ConfigError: The text encoder differs from that of training.
    """
    before = LiveHistories.of(parent.histories).whole.with_items(len(grown.items))
    whole = LiveHistories.of(grown.histories).whole
    new = new_rows(before, whole)
    _check(parent, grown, new)
    refresh = _Refresh.of(parent, grown, text_encoder, watcher, replay)
    held = newest(whole, new, HELD_OUT_SHARE)
    shown = whole.of_rows(~held)
    watcher.begin(TRIAL)
    candidate = refresh.model(shown, new[~held])
    watcher.begin("comparing with the parent on the newest interactions")
    now = replace(grown, histories=shown)
    comparison = compared(now, candidate, shown, held, whole, parent.config.train.seed)
    lineage = _entry(parent, grown, before, whole, new, comparison)
    lineage |= {"replay": replay, "forced": bool(force and comparison.is_worse)}
    if comparison.is_worse and not force:
        return RefreshOutcome(None, comparison, lineage)
    watcher.begin(FINAL_TRAINING)
    final = refresh.model(whole, new)
    metrics = {**parent.metrics, "n_items": len(grown.items)}
    metrics["log"] = [record.record() for record in refresh.records]
    metrics[LINEAGE] = [*parent.metrics.get(LINEAGE, []), lineage]
    return RefreshOutcome(replace(final, metrics=metrics), comparison, lineage)


def _check(parent: Model, grown: Model, new: np.ndarray) -> None:
    if not parent.histories.has_positive.any():
        raise TrainingError(
            "The model was trained without interactions, so there is nothing to continue.",
            "Train it on a graph with interactions: kgrec train.",
        )
    if not new.any() and len(parent.items) == len(grown.items):
        raise TrainingError(
            "No interaction and no item is new to the model, so there is nothing to learn.",
            "Give interactions that are newer than its training.",
        )


@dataclass
class _Refresh:
    """One refresh: the state that its two runs share."""

    parent: Model
    grown: Model
    watcher: TrainingWatcher
    data: TrainingData
    choice: Choice
    #: which users without new interactions are replayed; shape (n_users,), bool
    replayed: np.ndarray
    records: list[EpochRecord]

    @classmethod
    def of(
        cls,
        parent: Model,
        grown: Model,
        text_encoder: TextEncoder | None,
        watcher: TrainingWatcher,
        replay: float,
    ) -> _Refresh:
        parameters, config = parent.parameters(), parent.config
        widths = {name: len(one.mean) for name, one in parameters.featurizer.whitenings.items()}
        entities = np.asarray(grown.items.entities.whole, np.int64)
        facts = read_facts(grown.graph(), entities, config, text_encoder, watcher, widths)
        watcher.begin("weighting neighbours")
        featurizer = parameters.featurizer.grown(facts, config.encoder.label_tokens)
        data = training_data(facts, featurizer, _as_learned(parent, grown.histories), config)
        # each refresh of a lineage draws another sample
        rng = np.random.default_rng([config.train.seed, len(parent.metrics.get(LINEAGE, []))])
        replayed = rng.random(len(grown.histories)) < replay
        return cls(parent, grown, watcher, data, choice_of(parent, data), replayed, [])

    def model(self, histories: Histories, new: np.ndarray) -> Model:
        """The parent, trained further on these histories; without metrics.

        Args:
            histories: Of n rows, over the items of `grown`.
            new: Which rows are new; shape (n,), bool.
        """
        learned = _as_learned(self.parent, histories)
        data = self.data.of_histories(learned)
        users = np.union1d(np.flatnonzero(self.replayed), histories.users()[new])
        with threads(data.train.threads), torch.random.fork_rng(devices=[]):
            trained = self._trained(data, learned, users)
            grown, config = self.grown, self.parent.config
            made = assembled(
                grown.graph(), grown.items.merged(), grown.users, learned, data, trained, config, self.watcher
            )
        ranker = made.rescorer.ranker
        if ranker is not None and ranker.source.names != _ranker_features(self.parent):
            logger.warning(
                "The learned ranker is dropped, because the set of the items' most frequent neighbours has changed."
            )
            made = replace(made, rescorer=replace(made.rescorer, ranker=None))
        return replace(
            made,
            histories=histories,
            own_text_encoder=self.parent.own_text_encoder,
            reranker=self.parent.reranker,
            inputs=grown.inputs,
        )

    def _trained(self, data: TrainingData, histories: Histories, users: np.ndarray) -> Trained:
        chosen, parameters = self.choice.hyperparameters, self.parent.parameters()
        epochs = math.ceil(chosen.epochs * _EPOCHS)
        some = replace(chosen, epochs=epochs, learning_rate=chosen.learning_rate * _RATE)
        encoder = continued_encoder(parameters, data, chosen.user)
        progress = RunProgress("refresh", some, lambda record: self._add(record, 2 * epochs))
        encoder = learn(data, histories, some, progress, encoder=encoder, users=users)
        # the whitening of a model from an older version is unknown, so it stays in the parameters
        whitening = None
        if WHITENING in parameters.arrays:
            whitening = encoder.whiten(data.inputs, self.choice.whitening)
        return Trained(encoder.cpu(), self.choice, [], whitening)

    def _add(self, record: EpochRecord, planned: int) -> None:
        self.records.append(record)
        if self.watcher.epoch:
            self.watcher.epoch(record, len(self.records), planned)


def _as_learned(parent: Model, histories: Histories | LiveHistories) -> Histories:
    """The histories, with an order only if the parent predicts the next item."""
    whole = LiveHistories.of(histories).whole
    target = (parent.metrics.get("chosen") or {}).get("target")
    if target is None:
        return as_learned(whole, parent.config)
    return replace(whole, ordered=target == "next" and whole.ordered)


def _ranker_features(model: Model) -> tuple[str, ...]:
    ranker = model.rescorer.ranker
    return () if ranker is None else ranker.source.names


def _entry(
    parent: Model, grown: Model, before: Histories, whole: Histories, new: np.ndarray, comparison: Comparison
) -> dict[str, Any]:
    """What was added, and the metrics before and after, as plain values."""
    liked = new & whole.positive
    with_interactions = np.union1d(whole.item[liked], before.item[before.positive])
    known = int(np.count_nonzero(parent.items.trained.whole))
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "parent": parent.origin[1].seal if parent.origin else "",
        "parent_created": parent.version,
        "interactions": int(new.sum()),
        "users": len(np.unique(whole.users()[new])),
        "new_users": len(grown.users) - len(parent.users),
        "new_items": len(grown.items) - len(parent.items),
        "newly_learned_items": max(0, len(with_interactions) - known),
        "ndcg": comparison.record(),
    }
