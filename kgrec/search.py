"""What the data decides: temperature, learning rate, epochs, evenness, and the weights of a score's parts.

Enters: items, and interactions split in two. Leaves: `Found`, the best setting and weights on the held-out part.
Nothing is written.

One option is varied at a time, each run is a whole one whose learning rate comes down to zero: the state of a run halfway
says little about a run that ends there. Trials stop when the next is likely to pass the CPU budget.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import scipy.sparse as sp
import torch
from torch.nn.functional import normalize

from kgrec.checkpoint import Checkpoint, Finished
from kgrec.encoder import Adjacency, ItemEncoder
from kgrec.evaluate.accuracy import ranking_quality
from kgrec.evaluate.ranking import gains, some_of
from kgrec.evening import POWERS, evening_map
from kgrec.index import IndexConfig, VectorIndex
from kgrec.newcomers import heirs, of_items, with_heirs
from kgrec.rescore import PARTS, RescoreConfig, Rescorer, proportions, unit_rows
from kgrec.slim import item_weights, no_weights
from kgrec.train import Course, Epoch, Setting, degrees, fresh_encoder

logger = logging.getLogger(__name__)

TEMPERATURES = (0.05, 0.07, 0.1, 0.15, 0.2, 0.3)
LEARNING_RATE = 0.015
PENALTIES = (5.0, 20.0, 80.0, 320.0)
#: of a part, in standard deviations of the first
_GRID = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
#: a part must better NDCG by this factor to get a weight, and a setting to be preferred to one nearer the default
_WORTH = 1.001
_USERS, _WIDTH = 5_000, 200
#: scores of users and items that are held at a time
_CELLS = 1 << 27

#: makes a run of a setting on the training part
Run = Callable[[Setting], ItemEncoder]


@dataclass(frozen=True)
class Parts:
    """Interactions, dealt out to choose by."""

    #: what is learned from; shape (n_users, n_items)
    training: sp.csr_matrix
    #: what is to be found; shape (n_users, n_items)
    valid: sp.csr_matrix
    #: items in no interaction at all; shape (n_items,), bool
    unmet: np.ndarray
    #: items that were held out whole, as if they came later; shape (n_items,), bool
    made_new: np.ndarray
    #: items that are in no list; shape (n_items,), bool
    barred: np.ndarray

    @classmethod
    def of(cls, training: sp.csr_matrix, valid: sp.csr_matrix, unmet: np.ndarray | None = None) -> Parts:
        """What is learned from and what is to be found, of whatever items."""
        none = np.zeros(training.shape[1], bool)
        return cls(training, valid, none if unmet is None else unmet, none, none)

    @property
    def judges(self) -> np.ndarray:
        """Users who have a history and something to be found; increasing."""
        searching = np.flatnonzero(np.diff(self.valid.indptr))
        judges: np.ndarray = searching[np.diff(self.training.indptr)[searching] > 0]
        return judges

    @property
    def if_unwanted(self) -> Parts:
        """The same in a world where no item is new: those in no interaction may be in a list, and nobody wants them."""
        return replace(self, valid=of_items(self.valid, ~self.made_new), barred=self.made_new)


@dataclass(frozen=True)
class Found:
    """What held-out data chose."""

    setting: Setting
    #: of kgrec.evening
    evenness: float
    #: of kgrec.slim
    penalty: float
    #: of PARTS; shape (4,), float32, summing to 1
    weights: np.ndarray
    #: added to the score of items in no interaction
    unmet: float
    #: length k of the lists; the share of items made new in what was held out; NDCG and recall of the embeddings alone, and
    #: of all parts together; empty if nothing was held out
    figures: dict[str, float]


def default_setting(course: Course) -> Setting:
    """The setting where nothing can be chosen."""
    config = course.train
    return Setting(config.temperature or 0.1, config.learning_rate or LEARNING_RATE, config.epochs)


def search(
    course: Course,
    parts: Parts,
    rescore: RescoreConfig,
    run: Run,
    log: Log,
    checkpoint: Checkpoint,
) -> Found:
    """Find the best setting and weights.

    Args:
        course: the items and the configuration.
        parts: what is learned from, and what is held out.
        rescore: what of the second stage is fixed.
        run: trains an encoder.
        log: is told of each trial.
        checkpoint: keeps the trials that are over, and gives those of an earlier process.
    """
    trials = _Trials(course, parts, run, log, checkpoint)
    best = trials.best()
    logger.info("best of %d trials: %s", len(checkpoint.finished), best.setting)
    evenness, shortlist = trials.evened()
    ndcg, recall = shortlist.quality(shortlist.cosines, course.valid_k)
    penalty, weights, figures = _blended(course, parts.training, shortlist, rescore)
    unmet = 0.0 if rescore.unmet is None else rescore.unmet
    if rescore.unmet is None and parts.unmet.any():
        unmet = trials.unmet(evenness, penalty, weights, rescore.neighbors)
    new = ~course.known(parts.training)[parts.valid.indices]
    figures = {"k": course.valid_k, "new_share": float(new.mean()), "ndcg": ndcg, "recall": recall} | figures
    return Found(best.setting, evenness, penalty, weights, unmet, figures)


class Log(Protocol):
    """Keeps the lines of all runs."""

    lines: list[Epoch]

    def tell(self, line: Epoch) -> None:
        """Hear of one more."""


class _Trials:
    """Runs on the training part, each setting once, while the budget lasts."""

    def __init__(
        self,
        course: Course,
        parts: Parts,
        run: Run,
        log: Log,
        checkpoint: Checkpoint,
    ) -> None:
        self.course, self.parts = course, parts
        self.run, self.log, self.checkpoint = run, log, checkpoint
        #: of the best trial, if this process made it
        self._best_encoder: ItemEncoder | None = None

    def best(self) -> Finished:
        """The best trial of a search along temperature, then learning rate, then epochs."""
        config, setting = self.course.train, default_setting(self.course)
        short = replace(setting, epochs=max(1, config.epochs // 2))
        best = self.make(short, -1.0)
        if config.temperature is None:
            best = self._climbed(best, "temperature", TEMPERATURES)
        if config.learning_rate is None:
            best = self._climbed(best, "learning_rate", (LEARNING_RATE, 2 * LEARNING_RATE))
        return self._climbed(best, "epochs", sorted({short.epochs, config.epochs, 2 * config.epochs}))

    def evened(self) -> tuple[float, Shortlist]:
        """The evenness that does best, and what the best trial's embeddings put first with it."""
        encoder = self._best()
        power, best = POWERS[0], self._shortlist(encoder)
        bar, _ = best.quality(best.cosines, self.course.valid_k)
        for tried in POWERS[1:]:
            shortlist = self._shortlist(encoder, tried)
            ndcg, _ = shortlist.quality(shortlist.cosines, self.course.valid_k)
            if ndcg <= bar * _WORTH:
                break
            power, best, bar = tried, shortlist, ndcg
        return power, best

    def unmet(self, evenness: float, penalty: float, weights: np.ndarray, neighbors: int) -> float:
        """What is best added to the score of items in no interaction, which may be new or unwanted.

        If they are new, they belong where those are that were made new, and half of what is to be found is with these. If they
        are unwanted, they take places from known items. The largest share of the NDCG that is lost in a world is
        to be as small as can be ("minimax regret", Savage 1951). Where no item was made new, what is to be found decides alone.
        """
        course, parts = self.course, self.parts
        worlds = (parts, parts.if_unwanted) if parts.made_new.any() else (parts,)
        lists = [self._shortlist(self._best(), evenness, world) for world in worlds if len(world.judges)]
        (together,) = _together(course, parts.training, lists, (penalty,), neighbors)
        scores = [one.scores(rescorer(course, together, weights)) for one in lists]
        unknown = [~course.known(parts.training)[one.candidates] for one in lists]
        spread = _spread(np.where(np.isfinite(scores[0]), scores[0], 0))
        groups = (parts.made_new, ~parts.made_new) if parts.made_new.any() else (~parts.made_new,)
        judged = [[lists[0].of(items) for items in groups], *([one] for one in lists[1:])]

        def reached(added: float) -> list[float]:
            """The NDCG in each world."""
            raised = (score + np.float32(added) * at for score, at in zip(scores, unknown, strict=True))
            return [
                sum(one.quality(score, course.valid_k)[0] for one in each)
                for each, score in zip(judged, raised, strict=True)
            ]

        tried = [0.0 - factor * spread for factor in _GRID]
        return tried[least_regret(np.array([reached(added) for added in tried]))]

    def _best(self) -> ItemEncoder:
        """The encoder of the best trial."""
        if self._best_encoder is None:
            self._best_encoder = fresh_encoder(self.course)
            self.checkpoint.load_best(self._best_encoder)
        return self._best_encoder

    def _climbed(self, best: Finished, option: str, ladder: Sequence[float]) -> Finished:
        """The best along a ladder: up while it gets better, or else down."""
        at = ladder.index(getattr(best.setting, option))
        for rungs in (ladder[at + 1 :], ladder[:at][::-1]):
            start = best
            for value in rungs:
                setting = replace(best.setting, **{option: value})  # type: ignore[arg-type]
                bar = best.ndcg * _WORTH
                if not self._affordable(setting) or (trial := self.make(setting, bar)).ndcg <= bar:
                    break
                best = trial
            if best is not start:
                break
        return best

    def _affordable(self, setting: Setting) -> bool:
        made = self.checkpoint.finished
        if setting in made:
            return True
        spent = sum(trial.seconds for trial in made.values())
        pace = spent / sum(trial.setting.epochs for trial in made.values())
        return spent + pace * setting.epochs <= self.course.train.search_seconds

    def make(self, setting: Setting, bar: float) -> Finished:
        """Run a setting and validate it; above `bar` it is the best so far."""
        made = self.checkpoint.finished
        if setting not in made:
            began, wall = time.process_time(), time.perf_counter()
            encoder = self.run(setting)
            shortlist = self._shortlist(encoder)
            ndcg, recall = shortlist.quality(shortlist.cosines, self.course.valid_k)
            self._best_encoder = encoder if ndcg > bar else self._best_encoder
            line = Epoch("valid", setting.epochs, setting, None, time.perf_counter() - wall, ndcg, recall)
            self.log.tell(line)
            trial = Finished(setting, ndcg, recall, time.process_time() - began)
            self.checkpoint.keep_trial(trial, encoder if ndcg > bar else None, self.log.lines)
        return made[setting]

    @torch.no_grad()
    def _shortlist(self, encoder: ItemEncoder, evenness: float = 0, parts: Parts | None = None) -> Shortlist:
        course, parts = self.course, parts or self.parts
        users, training = some_of(parts.judges, _USERS, course.train.seed), parts.training
        k = min(max(_WIDTH, course.valid_k), training.shape[1])
        log_degree = torch.from_numpy(np.log(degrees(training))).to(course.device)
        items = encoder.items(course.inputs, encoder.identity)
        if evenness:
            items = normalize(items @ evening_map(items, evenness), dim=1)
        barred = torch.from_numpy(parts.barred).to(course.device)
        found, cosines = [], []
        size = max(1, min(512, _CELLS // max(1, training.shape[1])))
        for start in range(0, len(users), size):
            history = training[users[start : start + size]]
            scores = encoder.users(items, log_degree, Adjacency(history, course.device)) @ items.T
            row, column = (torch.from_numpy(part.astype(np.int64)) for part in history.nonzero())
            scores[row.to(course.device), column.to(course.device)] = -torch.inf
            scores[:, barred] = -torch.inf
            top = torch.topk(scores, k)
            found.append(top.indices.cpu().numpy())
            cosines.append(top.values.cpu().numpy())
        return Shortlist(
            training[users],
            parts.valid[users],
            np.concatenate(found),
            np.concatenate(cosines),
            np.exp(-float(encoder.degree_exponent) * log_degree.cpu().numpy()),
            items.cpu().numpy(),
        )


@dataclass(frozen=True)
class Shortlist:
    """What the embeddings put first for some users, and what these took in truth."""

    #: shape (n_users, n_items)
    histories: sp.csr_matrix
    #: shape (n_users, n_items)
    truth: sp.csr_matrix
    #: rows of items; shape (n_users, width)
    candidates: np.ndarray
    #: shape (n_users, width), float32; -inf for what is in the history
    cosines: np.ndarray
    #: what an item counts for in a history; shape (n_items,)
    history_weight: np.ndarray
    #: unit vectors of the items; shape (n_items, dim), float32
    vectors: np.ndarray

    def parts(self, rescorer: Rescorer) -> np.ndarray:
        """The parts of the candidates' scores after the first; shape (3, n_users, width)."""
        return rescorer.parts(self.histories, self.history_weight, self.candidates)

    def of(self, items: np.ndarray) -> Shortlist:
        """The same with some items alone to be found, given by a mask."""
        return replace(self, truth=of_items(self.truth, items))

    def scores(self, rescorer: Rescorer) -> np.ndarray:
        """Scores of the candidates; shape (n_users, width)."""
        return rescorer.scores(self.histories, self.history_weight, self.candidates, self.cosines)

    def quality(self, scores: np.ndarray, k: int) -> tuple[float, float]:
        """Mean NDCG and recall of the k first by these scores; shape (n_users, width)."""
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return ranking_quality(np.take_along_axis(self.is_true, order, axis=1), np.diff(self.truth.indptr))

    @cached_property
    def is_true(self) -> np.ndarray:
        """Whether each candidate was taken; shape (n_users, width), bool."""
        return gains(self.candidates, self.truth)


def least_regret(quality: np.ndarray) -> int:
    """The option that loses least where it loses most, of equal ones the first.

    Args:
        quality: of each option in each world; shape (n_options, n_worlds).
    """
    lost = 1 - quality / np.maximum(quality.max(axis=0), 1e-12)
    return int(lost.max(axis=1).argmin())


# the parts of a score


def rescorer(
    course: Course, together: sp.csr_matrix, weights: np.ndarray, prior: np.ndarray | None = None
) -> Rescorer:
    """A rescorer of the items of a course."""
    features = course.features
    prior = np.zeros(len(features)) if prior is None else prior
    return Rescorer(
        weights=np.asarray(weights, np.float32),
        graph=unit_rows(features.neighbors),
        columns=course.schema.codes(features.relation, features.entity),
        text=features.dense.astype(np.float16),
        together=together,
        prior=prior.astype(np.float32),
    )


def heirs_among(
    course: Course, index: VectorIndex, vectors: np.ndarray, new: np.ndarray, positives: sp.csr_matrix
) -> sp.csr_matrix:
    """Shares of known items in new ones of a course; shape (n_new, n_items), float32.

    Args:
        course: the items.
        index: of them.
        vectors: unit embeddings of them; shape (n_items, dim).
        new: rows of those that the positives do not hold.
        positives: what is learned from; shape (n_users, n_items).
    """
    neighbors = unit_rows(course.features.neighbors)
    return heirs(index, vectors[new], neighbors[new], np.flatnonzero(course.known(positives)), neighbors)


def _blended(
    course: Course, training: sp.csr_matrix, shortlist: Shortlist, rescore: RescoreConfig
) -> tuple[float, np.ndarray, dict[str, float]]:
    """Penalty, weights, and what the whole score reaches on the held-out part."""
    penalties = PENALTIES if rescore.penalty is None else (rescore.penalty,)
    if rescore.weights is not None:
        return penalties[len(penalties) // 2], proportions(rescore.weights), {}
    k, every = course.valid_k, np.ones(len(PARTS), np.float32)
    nothing = no_weights(len(course.features), len(course.features))
    graph, text, _ = shortlist.parts(rescorer(course, nothing, every))
    if not rescore.together:
        weights, ndcg, recall = _weights(shortlist, np.stack([graph, text]), k)
        return (
            penalties[0],
            np.append(weights, np.float32(0)),
            {"blended_ndcg": ndcg, "blended_recall": recall},
        )
    only = np.array([1, 0, 0, 1], np.float32)
    found = []
    fitted = _together(course, training, [shortlist], penalties, rescore.neighbors)
    for penalty, together in zip(penalties, fitted, strict=True):
        parts = rescorer(course, together, only)
        taken = shortlist.parts(parts)[2]
        found.append((_weights(shortlist, taken[None], k)[1], -penalty, taken))
    _, negated, taken = max(found, key=lambda one: one[:2])
    weights, ndcg, recall = _weights(shortlist, np.stack([graph, text, taken]), k)
    return -negated, weights, {"blended_ndcg": ndcg, "blended_recall": recall}


def _together(
    course: Course,
    training: sp.csr_matrix,
    shortlists: Sequence[Shortlist],
    penalties: Sequence[float],
    neighbors: int,
) -> list[sp.csr_matrix]:
    """For each penalty, what is taken together with the candidates of some shortlists of the same embeddings."""
    candidates = np.unique(np.concatenate([one.candidates.ravel() for one in shortlists]))
    new = candidates[~course.known(training)[candidates]]
    vectors = shortlists[0].vectors
    index = VectorIndex.build(vectors, IndexConfig(kind="flat"))
    near = heirs_among(course, index, vectors, new, training)
    fitted = item_weights(training, penalties, neighbors, np.union1d(candidates, near.indices))
    return [with_heirs(together, new, near) for together in fitted]


def _weights(shortlist: Shortlist, parts: np.ndarray, k: int) -> tuple[np.ndarray, float, float]:
    """The weights that do best, by coordinate ascent, with the NDCG and the recall that they reach."""
    spread = _spread(np.where(np.isfinite(shortlist.cosines), shortlist.cosines, 0))
    unit = [spread / max(_spread(part), 1e-9) if part.any() else 0.0 for part in parts]
    factors, scores = np.zeros(len(parts)), shortlist.cosines
    best, recall = shortlist.quality(scores, k)
    for _ in range(3):
        before = factors.copy()
        for at in np.flatnonzero(unit):
            base = scores - np.float32(factors[at] * unit[at]) * parts[at]
            tried = {g: base + np.float32(g * unit[at]) * parts[at] for g in _GRID}
            quality = {g: shortlist.quality(tried[g], k) for g in _GRID}
            chosen = max(_GRID, key=lambda g: (quality[g][0], -g))
            if quality[chosen][0] > best * _WORTH:
                factors[at], (best, recall) = chosen, quality[chosen]
                scores = tried[chosen]
        if (factors == before).all():
            break
    weights = np.array([1, *(factors * unit)], np.float32)
    return weights / weights.sum(), best, recall


def _spread(values: np.ndarray) -> float:
    return float(values.std(axis=1).mean())
