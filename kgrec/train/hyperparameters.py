"""The hyperparameter search: temperature, learning rate, epochs, whitening, and the fusion weights of the scorers.

Enters: items, and a split of the interactions. Leaves: `Choice`, the hyperparameters and weights that are best on the held-out
part. Nothing is written.

The search varies one option at a time (coordinate ascent). Each trial is a whole run, whose learning rate falls to zero at the
end: a run stopped halfway, at a high learning rate, does not predict the quality of a run that ends there. The search stops when
the next trial would probably exceed the CPU budget.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch.nn.functional import normalize

from kgrec.encode.config import UserEncoderName
from kgrec.encode.item_encoder import ItemEncoder, whitening_of
from kgrec.encode.user_encoders import user_encoder_of
from kgrec.encode.whitening import POWERS
from kgrec.rank.candidates import distinct, longest
from kgrec.rank.config import RescoreConfig, ScorerName
from kgrec.rank.fusion_weights import MIN_GAIN, FusionSearch, FusionWeights, Shortlist
from kgrec.rank.item_item import ItemItemOptions, profiles_of
from kgrec.rank.line_search import climb
from kgrec.rank.ranker import Ranker
from kgrec.storage.segments import Rows
from kgrec.train.checkpoint import Checkpoint, FinishedTrial
from kgrec.train.data import EpochRecord, Hyperparameters, TrainingData, degrees
from kgrec.train.learner import fresh_encoder
from kgrec.train.progress import EpochLog
from kgrec.train.ranker_search import RankerChoice, choose_ranker, tried_kinds
from kgrec.train.validation import ValidationSplit

logger = logging.getLogger(__name__)

#: temperatures to try, about equally spaced on a logarithmic scale
TEMPERATURES = (0.05, 0.07, 0.1, 0.15, 0.2, 0.3)
#: the base learning rate; the search tries it and its double
LEARNING_RATE = 0.015
#: the base learning rate for a user encoder that reads order
ORDERED_RATE = 0.005
#: factor by which a trial must improve NDCG before the next value is tried
_NEXT_TRIAL = 1.005
#: factor by which embeddings must improve NDCG before further trials run: tuning them changes only a part of their contribution
_WORTH_TUNING = 1.03
#: number of candidates per user by embedding
_SHORTLIST_WIDTH = 200
#: largest number of scores in memory at a time: 512 MiB of float32
_MAX_SCORES = 1 << 27

#: names of stages
FITTING_ITEM_ITEM, VALIDATING = "fitting item-item weights", "validating"

#: trains an encoder on the training part
Run = Callable[[Hyperparameters], ItemEncoder]


@dataclass(frozen=True)
class Choice:
    """The hyperparameters and weights that validation data chose."""

    hyperparameters: Hyperparameters
    #: power of the whitening of the embeddings; see kgrec.encode.whitening
    whitening: float
    #: how to fit the weights of each item-item scorer
    item_item: Mapping[ScorerName, ItemItemOptions]
    #: fusion weight by name of the scorer; the weights sum to 1
    weights: Mapping[str, np.float32]
    #: added to the score of items without interactions
    cold_offset: float
    #: added to the score of an item per unit of ln(1 + number of its users)
    popularity: float = 0.0
    #: "k": length of the lists; "new_share": share of held-out interactions with items unknown to training; "ndcg" and "recall" of the
    #: embeddings alone; "fused_ndcg" and "fused_recall" of the fused score. Empty if nothing was held out
    figures: dict[str, float] = field(default_factory=dict)
    #: learned ranker that corrects the fused score
    ranker: RankerChoice = field(default_factory=RankerChoice)
    #: whether the ranker corrects items without interactions
    corrects_new: bool = False


def default_hyperparameters(data: TrainingData) -> Hyperparameters:
    """The hyperparameters used without a search."""
    config = data.train
    user: UserEncoderName = "mean" if data.encoder.user == "auto" else data.encoder.user
    rate = config.learning_rate or (LEARNING_RATE if user == "mean" else ORDERED_RATE)
    return Hyperparameters(config.temperature or 0.1, rate, data.epochs, user)


def search_hyperparameters(
    data: TrainingData,
    split: ValidationSplit,
    rescore: RescoreConfig,
    run: Run,
    log: EpochLog,
    checkpoint: Checkpoint,
) -> Choice:
    """Find the best hyperparameters and fusion weights.

    Args:
        data: the items and the configuration.
        split: the training and the held-out part.
        rescore: options of the ranking; some may be fixed.
        run: trains an encoder.
        log: receives one record per trial.
        checkpoint: saves finished trials, and provides those of an interrupted training.
    """
    known = data.known(split.training)
    began = time.process_time()
    log.watcher.begin(FITTING_ITEM_ITEM)
    queries = split.queries
    evaluated = queries.histories, queries.truth, queries.seen
    fusion = FusionSearch(
        data.features, data.featurizer, split.histories, evaluated, known, data.valid_k, rescore
    )
    trials = _Trials(data, split, fusion, run, log, checkpoint, began)
    best = trials.best()
    logger.info("best of %d trials: %s", len(checkpoint.finished), best.hyperparameters)
    log.watcher.begin("choosing the whitening of the embeddings")
    whitening, shortlist = trials.whitened(best.ndcg)
    log.watcher.begin("choosing the weights of the scores")
    fused = fusion.with_popularity(shortlist, fusion.choose(shortlist))
    ranker, corrector = _ranker(data, split, fusion, fused, shortlist, log)
    cold_offset = 0.0 if rescore.cold_offset is None else rescore.cold_offset
    if rescore.cold_offset is None and split.without_interactions.any():
        cold_offset = fusion.cold_offset(trials.scenarios(whitening), split.held_out_items, fused, corrector)
    ndcg, recall = shortlist.quality(shortlist.cosines, data.valid_k)
    new = ~known[queries.truth.indices]
    figures = {"k": data.valid_k, "new_share": float(new.mean()), "ndcg": ndcg, "recall": recall}
    figures |= {"fused_ndcg": fused.ndcg, "fused_recall": fused.recall}
    return Choice(
        best.hyperparameters,
        whitening,
        fusion.options,
        fused.weights,
        cold_offset,
        fused.popularity,
        figures,
        ranker,
        bool(split.held_out_items.any()),
    )


def _ranker(
    data: TrainingData,
    split: ValidationSplit,
    fusion: FusionSearch,
    fused: FusionWeights,
    shortlist: Shortlist,
    log: EpochLog,
) -> tuple[RankerChoice, Ranker | None]:
    """The learned ranker that validation chose, and the same ranker for the training part."""
    name = fusion.config.ranker
    if not tried_kinds(name):
        return RankerChoice(), None
    log.watcher.begin("learning to rank the candidates")
    queries, source = split.queries, fusion.feature_source(fused)
    examples = fusion.examples(shortlist, fused, source)
    positives = np.diff(queries.truth.indptr)
    choice = choose_ranker(name, examples, positives, queries.users, data.valid_k, data.train.seed)
    if choice.ranker is None:
        return choice, None
    return choice, Ranker(source, choice.ranker, bool(split.held_out_items.any()))


class _Trials:
    """Trials on the training part with different hyperparameters, within a CPU budget."""

    def __init__(
        self,
        data: TrainingData,
        split: ValidationSplit,
        fusion: FusionSearch,
        run: Run,
        log: EpochLog,
        checkpoint: Checkpoint,
        began: float | None = None,
    ) -> None:
        began = time.process_time() if began is None else began
        #: CPU seconds of this process at the start of the search, minus those of trials of an interrupted training
        self._began = began - sum(trial.seconds for trial in checkpoint.finished.values())
        self.data, self.split, self.fusion = data, split, fusion
        self.run, self.log, self.checkpoint = run, log, checkpoint
        self._best_trial: FinishedTrial | None = None
        #: encoder of the best trial, if this process ran it
        self._best_encoder: ItemEncoder | None = None
        #: the encoder whose candidates were computed last, and these candidates
        self._latest: tuple[ItemEncoder, Shortlist] | None = None

    def best(self) -> FinishedTrial:
        """The best trial of a search along temperature, then learning rate, then epochs."""
        self._best_trial = self._searched()
        return self._best_trial

    def _searched(self) -> FinishedTrial:
        config, hyperparameters = self.data.train, default_hyperparameters(self.data)
        if hyperparameters.user != "mean":
            return self.make(hyperparameters, -1.0)
        best: FinishedTrial | None = None
        if self.data.encoder.user == "auto" and self.split.histories.ordered:
            ordered = replace(
                hyperparameters, learning_rate=config.learning_rate or ORDERED_RATE, user="linear"
            )
            first = self.make(ordered, -1.0)
            if self._order_counts() or not self._affordable(hyperparameters) or not self._pays(first):
                return first
            required = first.ndcg * MIN_GAIN
            best = self.make(hyperparameters, required)
            if best.ndcg <= required:
                return first
        # Temperature and learning rate are compared in runs of half the length, at half the cost; the length is chosen last.
        # If a whole run wins, the search continues from it, because its encoder is the one that is kept.
        short = replace(hyperparameters, epochs=max(1, hyperparameters.epochs // 2))
        best = best or self.make(short, -1.0)
        if not self._pays(best):
            return best
        if config.temperature is None:
            best = self._best_along(best, "temperature", TEMPERATURES)
        if config.learning_rate is None:
            best = self._best_along(best, "learning_rate", (LEARNING_RATE, 2 * LEARNING_RATE))
        whole = hyperparameters.epochs
        return self._best_along(best, "epochs", sorted({short.epochs, whole, 2 * whole}))

    def _order_counts(self) -> bool:
        """Whether co-occurrence or random-walk weights are better on validation data if newer items count more.

        Then a mean, which weighs all items of a history equally, is not tried: its run is the longest of the search.
        """
        return any(options.decay < 1 for options in self.fusion.options.values())

    def _pays(self, trial: FinishedTrial) -> bool:
        """Whether better embeddings are likely to improve the fused score."""
        others = self.fusion.without_embedding(self._plain_shortlist(self._best(trial)))
        logger.info("without embeddings: NDCG %.4f; with them: %.4f", others, trial.ndcg)
        return trial.ndcg > others * _WORTH_TUNING

    def whitened(self, ndcg: float) -> tuple[float, Shortlist]:
        """The best power of the whitening, and the best trial's candidates with it.

        Args:
            ndcg: NDCG of the best trial without whitening.
        """
        encoder, power, best = self._best(), POWERS[0], None
        if encoder.order is not None:  # its maps depend on the item space as it is
            return power, self._plain_shortlist(encoder)
        for tried in POWERS[1:]:
            shortlist = self._shortlist(encoder, tried)
            reached = self._fused(shortlist).ndcg
            if reached <= ndcg * MIN_GAIN:
                break
            power, best, ndcg = tried, shortlist, reached
        return power, best or self._plain_shortlist(encoder)

    def scenarios(self, whitening: float) -> list[Shortlist]:
        """The best trial's candidates in two scenarios: items without interactions are new, or they are unwanted.

        A log does not say which: an item may have no interactions because it is recent or because nobody likes it. The first
        scenario is left out if no item was held out whole.
        """
        split = self.split
        splits = (split, split.if_unwanted) if split.held_out_items.any() else (split.if_unwanted,)
        return [self._shortlist(self._best(), whitening, one) for one in splits if len(one.queries)]

    def _fused(self, shortlist: Shortlist) -> FusionWeights:
        """The weights of all scorers; the embeddings that rank best alone may not be the best in the fused score."""
        return self.fusion.choose(shortlist)

    def _best(self, trial: FinishedTrial | None = None) -> ItemEncoder:
        """The encoder of the best trial, which the caller may give."""
        if self._best_encoder is None:
            trial = trial or self._best_trial
            assert trial is not None
            self._best_encoder = fresh_encoder(self.data, trial.hyperparameters.user)
            self.checkpoint.load_best(self._best_encoder)
        return self._best_encoder

    def _best_along(self, best: FinishedTrial, option: str, values: Sequence[float]) -> FinishedTrial:
        """The best trial along increasing values of one option."""
        tried = {value: replace(best.hyperparameters, **{option: value}) for value in values}  # type: ignore[arg-type]
        trials = {best.hyperparameters: best}

        def quality(hyperparameters: Hyperparameters) -> float:
            if not self._affordable(hyperparameters):
                return 0.0
            required = max(trial.ndcg for trial in trials.values()) * MIN_GAIN
            trials[hyperparameters] = self.make(hyperparameters, required)
            return trials[hyperparameters].ndcg

        at = values.index(getattr(best.hyperparameters, option))
        found, _ = climb(list(tried.values()), at, best.ndcg, quality, MIN_GAIN, _NEXT_TRIAL)
        return trials[found]

    def _affordable(self, hyperparameters: Hyperparameters) -> bool:
        """Whether a trial fits into the remaining budget, if its epochs take as long as the mean so far."""
        finished = self.checkpoint.finished
        if hyperparameters in finished:
            return True
        seconds = sum(trial.seconds for trial in finished.values())
        per_epoch = seconds / sum(trial.hyperparameters.epochs for trial in finished.values())
        return self._spent() + per_epoch * hyperparameters.epochs <= self.data.train.search_seconds

    def _spent(self) -> float:
        """CPU seconds since the search began."""
        return time.process_time() - self._began

    def make(self, hyperparameters: Hyperparameters, required: float) -> FinishedTrial:
        """Train and validate with these hyperparameters, unless already done; above NDCG `required` they become the best so far."""
        finished = self.checkpoint.finished
        if hyperparameters not in finished:
            began, wall = time.process_time(), time.perf_counter()
            encoder = self.run(hyperparameters)
            self.log.watcher.begin(VALIDATING)
            fused = self._fused(self._plain_shortlist(encoder))
            ndcg, recall = fused.ndcg, fused.recall
            self._best_encoder = encoder if ndcg > required else self._best_encoder
            seconds = time.perf_counter() - wall
            epochs = hyperparameters.epochs
            self.log.add(EpochRecord("valid", epochs, hyperparameters, None, seconds, ndcg, recall))
            trial = FinishedTrial(hyperparameters, ndcg, recall, time.process_time() - began)
            self.checkpoint.save_trial(trial, encoder if ndcg > required else None, self.log.records)
        return finished[hyperparameters]

    def _plain_shortlist(self, encoder: ItemEncoder) -> Shortlist:
        """The candidates by embedding, without whitening; those of the latest encoder are cached."""
        if self._latest is None or self._latest[0] is not encoder:
            self._latest = encoder, self._shortlist(encoder)
        return self._latest[1]

    @torch.no_grad()
    def _shortlist(
        self, encoder: ItemEncoder, whitening: float = 0, split: ValidationSplit | None = None
    ) -> Shortlist:
        """The best candidates of each user by embedding and by each item-item scorer, over the whole catalogue."""
        data, split = self.data, split or self.split
        queries, training = split.queries, split.training
        k = min(max(_SHORTLIST_WIDTH, data.valid_k), training.shape[1])
        history_weight = (degrees(training) ** -float(encoder.degree_exponent)).astype(np.float32)
        arrays = {name: value.cpu().numpy() for name, value in encoder.state_dict().items()}
        items = encoder.items(data.inputs, encoder.identity)
        if whitening:
            items = normalize(items @ whitening_of(items, whitening), dim=1)
        excluded = torch.from_numpy(split.excluded).to(data.device)
        others = self.fusion.candidates(queries.histories, queries.seen)
        user_encoder = user_encoder_of(arrays, history_weight, items.shape[1])
        histories = queries.histories
        vectors = torch.from_numpy(user_encoder.encode(histories, Rows.of(items.cpu().numpy()))).to(
            data.device
        )
        found, cosines = [], []
        # Users per step, such that users times items stays below _MAX_SCORES.
        size = max(1, min(512, _MAX_SCORES // max(1, training.shape[1])))
        for start in range(0, len(queries), size):
            scores = vectors[start : start + size] @ items.T
            seen = queries.seen[start : start + size]
            row, column = (torch.from_numpy(part.astype(np.int64)) for part in seen.nonzero())
            scores[row.to(data.device), column.to(data.device)] = -torch.inf
            scores[:, excluded] = -torch.inf
            top = torch.topk(scores, k).indices.cpu().numpy()
            candidates = distinct(np.concatenate([top, others[start : start + size]], axis=1))
            of_candidates = torch.take_along_dim(scores, torch.from_numpy(candidates).to(data.device), dim=1)
            found.append(candidates)
            cosines.append(np.where(candidates < 0, -np.inf, of_candidates.cpu().numpy()))
        candidates = np.concatenate(found)
        width = longest(candidates)
        return Shortlist(
            users=profiles_of(histories, history_weight),
            truth=queries.truth,
            candidates=candidates[:, :width],
            cosines=np.concatenate(cosines)[:, :width],
            vectors=items.cpu().numpy(),
        )
