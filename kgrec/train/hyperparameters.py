"""What the data decides: temperature, learning rate, epochs, whitening, and the weights of a score's parts.

Enters: items, and interactions split in two. Leaves: `Choice`, the best hyperparameters and weights on the held-out part.
Nothing is written.

One option is varied at a time, each run is a whole one whose learning rate comes down to zero: the state of a run halfway
says little about a run that ends there. Trials stop when the next is likely to pass the CPU budget.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from torch.nn.functional import normalize

from kgrec.encode.item_encoder import ItemEncoder, whitening_of
from kgrec.encode.sparse import Adjacency
from kgrec.encode.whitening import POWERS
from kgrec.metrics.topk import some_of
from kgrec.rank.config import RescoreConfig
from kgrec.rank.fusion_weights import WORTH, FusionSearch, FusionWeights, Shortlist
from kgrec.rank.scorers import UserProfiles
from kgrec.train.checkpoint import Checkpoint, Finished
from kgrec.train.data import EpochRecord, Hyperparameters, TrainingData, degrees
from kgrec.train.learner import fresh_encoder
from kgrec.train.validation import ValidationSplit

logger = logging.getLogger(__name__)

TEMPERATURES = (0.05, 0.07, 0.1, 0.15, 0.2, 0.3)
LEARNING_RATE = 0.015
_USERS, _WIDTH = 5_000, 200
#: scores of users and items that are held at a time
_CELLS = 1 << 27

#: makes a run of a hyperparameters on the training part
Run = Callable[[Hyperparameters], ItemEncoder]


@dataclass(frozen=True)
class Choice:
    """What validation data chose."""

    hyperparameters: Hyperparameters
    #: power of the whitening of the embeddings, of kgrec.encode.whitening
    whitening: float
    #: of kgrec.rank.slim
    penalty: float
    #: fusion weights by the names in SCORERS; they sum to 1
    weights: Mapping[str, np.float32]
    #: added to the score of items without interactions
    cold_offset: float
    #: length k of the lists; the share of held-out items in the validation part; NDCG and recall of the embeddings alone, and
    #: of the fused score; empty if nothing was held out
    figures: dict[str, float] = field(default_factory=dict)


def default_hyperparameters(data: TrainingData) -> Hyperparameters:
    """The hyperparameters where nothing can be chosen."""
    config = data.train
    return Hyperparameters(config.temperature or 0.1, config.learning_rate or LEARNING_RATE, config.epochs)


def search_hyperparameters(
    data: TrainingData,
    parts: ValidationSplit,
    rescore: RescoreConfig,
    run: Run,
    log: TrialLog,
    checkpoint: Checkpoint,
) -> Choice:
    """Find the best hyperparameters and fusion weights.

    Args:
        data: the items and the configuration.
        parts: the training and the validation part.
        rescore: what of the ranking is fixed.
        run: trains an encoder.
        log: receives a record of each trial.
        checkpoint: keeps the trials that are over, and has those of an earlier process.
    """
    known = data.known(parts.training)
    fusion = FusionSearch(data.features, data.featurizer, parts.training, known, data.valid_k, rescore)
    trials = _Trials(data, parts, fusion, run, log, checkpoint)
    best = trials.best()
    logger.info("best of %d trials: %s", len(checkpoint.finished), best.hyperparameters)
    whitening, shortlist = trials.whitened(best.ndcg)
    fused = fusion.choose(shortlist, fusion.penalties)
    cold_offset = 0.0 if rescore.cold_offset is None else rescore.cold_offset
    if rescore.cold_offset is None and parts.without_interactions.any():
        cold_offset = fusion.cold_offset(trials.worlds(whitening), parts.held_out_items, fused)
    ndcg, recall = shortlist.quality(shortlist.cosines, data.valid_k)
    new = ~known[parts.valid.indices]
    figures = {"k": data.valid_k, "new_share": float(new.mean()), "ndcg": ndcg, "recall": recall}
    figures |= {"fused_ndcg": fused.ndcg, "fused_recall": fused.recall}
    return Choice(best.hyperparameters, whitening, fused.penalty, fused.weights, cold_offset, figures)


class TrialLog(Protocol):
    """Keeps the records of all runs."""

    records: list[EpochRecord]

    def add(self, record: EpochRecord) -> None:
        """Keep one more."""


class _Trials:
    """Runs on the training part, each with other hyperparameters, while the budget lasts."""

    def __init__(
        self,
        data: TrainingData,
        parts: ValidationSplit,
        fusion: FusionSearch,
        run: Run,
        log: TrialLog,
        checkpoint: Checkpoint,
    ) -> None:
        self.data, self.parts, self.fusion = data, parts, fusion
        self.run, self.log, self.checkpoint = run, log, checkpoint
        #: of the best trial, if this process made it
        self._best_encoder: ItemEncoder | None = None

    def best(self) -> Finished:
        """The best trial of a search along temperature, then learning rate, then epochs."""
        config, hyperparameters = self.data.train, default_hyperparameters(self.data)
        short = replace(hyperparameters, epochs=max(1, config.epochs // 2))
        best = self.make(short, -1.0)
        if config.temperature is None:
            best = self._climbed(best, "temperature", TEMPERATURES)
        if config.learning_rate is None:
            best = self._climbed(best, "learning_rate", (LEARNING_RATE, 2 * LEARNING_RATE))
        return self._climbed(best, "epochs", sorted({short.epochs, config.epochs, 2 * config.epochs}))

    def whitened(self, bar: float) -> tuple[float, Shortlist]:
        """The whitening that does best, and what the best trial's embeddings put first with it; `bar` is its NDCG without."""
        encoder, power, best = self._best(), POWERS[0], None
        for tried in POWERS[1:]:
            shortlist = self._shortlist(encoder, tried)
            ndcg = self._fused(shortlist).ndcg
            if ndcg <= bar * WORTH:
                break
            power, best, bar = tried, shortlist, ndcg
        return power, best or self._shortlist(encoder)

    def worlds(self, whitening: float) -> list[Shortlist]:
        """What the best trial's embeddings put first if items in no interaction are new, and if nobody wants them."""
        parts = self.parts
        worlds = (parts, parts.if_unwanted) if parts.held_out_items.any() else (parts,)
        return [
            self._shortlist(self._best(), whitening, world) for world in worlds if len(world.evaluated_users)
        ]

    def _fused(self, shortlist: Shortlist) -> FusionWeights:
        """With all parts of the score: the embeddings that are best alone need not be best among them."""
        return self.fusion.choose(shortlist, (self.fusion.usual,))

    def _best(self) -> ItemEncoder:
        """The encoder of the best trial."""
        if self._best_encoder is None:
            self._best_encoder = fresh_encoder(self.data)
            self.checkpoint.load_best(self._best_encoder)
        return self._best_encoder

    def _climbed(self, best: Finished, option: str, ladder: Sequence[float]) -> Finished:
        """The best along a ladder: up while it gets better, or else down."""
        at = ladder.index(getattr(best.hyperparameters, option))
        for rungs in (ladder[at + 1 :], ladder[:at][::-1]):
            start = best
            for value in rungs:
                hyperparameters = replace(best.hyperparameters, **{option: value})  # type: ignore[arg-type]
                bar = best.ndcg * WORTH
                if (
                    not self._affordable(hyperparameters)
                    or (trial := self.make(hyperparameters, bar)).ndcg <= bar
                ):
                    break
                best = trial
            if best is not start:
                break
        return best

    def _affordable(self, hyperparameters: Hyperparameters) -> bool:
        made = self.checkpoint.finished
        if hyperparameters in made:
            return True
        spent = sum(trial.seconds for trial in made.values())
        pace = spent / sum(trial.hyperparameters.epochs for trial in made.values())
        return spent + pace * hyperparameters.epochs <= self.data.train.search_seconds

    def make(self, hyperparameters: Hyperparameters, bar: float) -> Finished:
        """Run and validate these hyperparameters, once; above `bar` they are the best so far."""
        made = self.checkpoint.finished
        if hyperparameters not in made:
            began, wall = time.process_time(), time.perf_counter()
            encoder = self.run(hyperparameters)
            fused = self._fused(self._shortlist(encoder))
            ndcg, recall = fused.ndcg, fused.recall
            self._best_encoder = encoder if ndcg > bar else self._best_encoder
            seconds = time.perf_counter() - wall
            epochs = hyperparameters.epochs
            self.log.add(EpochRecord("valid", epochs, hyperparameters, None, seconds, ndcg, recall))
            trial = Finished(hyperparameters, ndcg, recall, time.process_time() - began)
            self.checkpoint.keep_trial(trial, encoder if ndcg > bar else None, self.log.records)
        return made[hyperparameters]

    @torch.no_grad()
    def _shortlist(
        self, encoder: ItemEncoder, whitening: float = 0, parts: ValidationSplit | None = None
    ) -> Shortlist:
        data, parts = self.data, parts or self.parts
        users, training = some_of(parts.evaluated_users, _USERS, data.train.seed), parts.training
        k = min(max(_WIDTH, data.valid_k), training.shape[1])
        log_degree = torch.from_numpy(np.log(degrees(training))).to(data.device)
        items = encoder.items(data.inputs, encoder.identity)
        if whitening:
            items = normalize(items @ whitening_of(items, whitening), dim=1)
        excluded = torch.from_numpy(parts.excluded).to(data.device)
        found, cosines = [], []
        size = max(1, min(512, _CELLS // max(1, training.shape[1])))
        for start in range(0, len(users), size):
            some = users[start : start + size]
            scores = encoder.users(items, log_degree, Adjacency(training[some], data.device)) @ items.T
            row, column = (torch.from_numpy(part.astype(np.int64)) for part in parts.seen[some].nonzero())
            scores[row.to(data.device), column.to(data.device)] = -torch.inf
            scores[:, excluded] = -torch.inf
            top = torch.topk(scores, k)
            found.append(top.indices.cpu().numpy())
            cosines.append(top.values.cpu().numpy())
        history_weight = np.exp(-float(encoder.degree_exponent) * log_degree.cpu().numpy())
        return Shortlist(
            users=UserProfiles(training[users], history_weight),
            truth=parts.valid[users],
            candidates=np.concatenate(found),
            cosines=np.concatenate(cosines),
            vectors=items.cpu().numpy(),
        )
