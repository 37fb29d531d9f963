"""Fusion weights: the weight of each scorer, chosen on validation data.

Enters: candidates of some users by the embeddings, and the ground truth. Leaves: `FusionWeights`, with the quality of the fused
score. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from kgrec.encode.featurizer import Featurizer, ItemFeatures
from kgrec.graph.interactions import of_items
from kgrec.metrics.accuracy import ranking_quality
from kgrec.metrics.topk import blocks, gains
from kgrec.rank.cold_transfer import transfer_shares, with_transfer
from kgrec.rank.config import SCORERS, RescoreConfig
from kgrec.rank.rescorer import Rescorer, proportions
from kgrec.rank.scorers import CoOccurrenceScorer, UserProfiles, content_scorers, unit_rows
from kgrec.rank.slim import item_weights, no_weights
from kgrec.retrieve import IndexConfig, VectorIndex
from kgrec.storage.segments import Rows

#: ridge penalties of the co-occurrence weights, of which validation chooses one
PENALTIES = (5.0, 20.0, 80.0, 320.0)
#: the penalty while hyperparameters are compared, and in a large catalogue
DEFAULT_PENALTY = 20.0
#: items from which on only the default penalty is fitted
_LARGE_CATALOGUE = 100_000
#: weights that are tried, in units of the weight that gives a scorer's scores the standard deviation of the cosines
_GRID = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
#: factor by which NDCG must improve for another weight or other hyperparameters to be chosen: less is noise
MIN_GAIN = 1.001


@dataclass(frozen=True)
class FusionWeights:
    """Weights, and the quality of the fused score with them."""

    #: ridge penalty of the co-occurrence weights; see kgrec.rank.slim
    penalty: float
    #: by name of the scorer; they sum to 1
    weights: Mapping[str, np.float32]
    ndcg: float
    recall: float


@dataclass(frozen=True)
class Shortlist:
    """The candidates of some users by the embeddings, and the ground truth."""

    users: UserProfiles
    #: ground truth: held-out interactions; shape (n_users, n_items)
    truth: sp.csr_matrix
    #: rows of items; shape (n_users, width)
    candidates: np.ndarray
    #: of user and candidate; shape (n_users, width), float32; -inf for excluded items
    cosines: np.ndarray
    #: unit vectors of the items; shape (n_items, dim), float32
    vectors: np.ndarray

    def with_truth_among(self, items: np.ndarray) -> Shortlist:
        """The shortlist with only these items in the ground truth.

        Args:
            items: a mask; shape (n_items,), bool.
        """
        return replace(self, truth=of_items(self.truth, items))

    def scores(self, rescorer: Rescorer) -> np.ndarray:
        """Scores of the candidates; shape (n_users, width)."""
        return rescorer.scores(self.users, self.candidates, self.cosines)

    def parts(self, rescorer: Rescorer) -> dict[str, np.ndarray]:
        """Scores of the candidates by each active scorer; each of shape (n_users, width)."""
        return rescorer.parts(self.users, self.candidates)

    def quality(self, scores: np.ndarray, k: int) -> tuple[float, float]:
        """Mean NDCG and recall of the k candidates with the highest scores.

        Args:
            scores: of the candidates; shape (n_users, width).
            k: length of the lists.
        """
        user, place = self._hits
        found = np.zeros((len(scores), k), bool)
        # The rank of a hit, from 0, is the number of candidates before it: those with a higher score, and those with an equal
        # score that stand further left. Hits are few, so counting takes a fraction of the time of a sort.
        for some in blocks(len(user), scores.shape[1]):
            others, own = scores[user[some]], scores[user[some], place[some]][:, None]
            before = np.arange(scores.shape[1]) < place[some, None]
            rank = np.count_nonzero((others > own) | ((others == own) & before), axis=1)
            found[user[some][rank < k], rank[rank < k]] = True
        return ranking_quality(found, np.diff(self.truth.indptr))

    @cached_property
    def _hits(self) -> tuple[np.ndarray, np.ndarray]:
        """User and column of each candidate that is in the ground truth."""
        user, place = np.nonzero(gains(self.candidates, self.truth))
        return user, place


class FusionSearch:
    """Chooses the weights of the scorers on validation data.

    Args:
        features: of the items.
        featurizer: of the features.
        training: the training part; shape (n_users, n_items).
        known: items with interactions in the training part; shape (n_items,), bool.
        k: length of the evaluated lists.
        config: options, some of which may fix weights.
    """

    def __init__(
        self,
        features: ItemFeatures,
        featurizer: Featurizer,
        training: sp.csr_matrix,
        known: np.ndarray,
        k: int,
        config: RescoreConfig,
    ) -> None:
        self.known, self.k, self.config = known, k, config
        candidates = PENALTIES if len(features) <= _LARGE_CATALOGUE else (DEFAULT_PENALTY,)
        self.penalties = candidates if config.penalty is None else (config.penalty,)
        self.default_penalty = DEFAULT_PENALTY if config.penalty is None else config.penalty
        self._content = content_scorers(features, featurizer)
        self._neighbors = unit_rows(features.neighbors)
        needed = (
            config.co_occurrence if config.weights is None else config.weights.get("co_occurrence", 0) > 0
        )
        #: penalty -> co-occurrence weights of known items, fitted once for all trials
        self._fitted = dict(
            zip(self.penalties, item_weights(training, self.penalties, config.neighbors), strict=True)
            if needed
            else ()
        )

    def choose(self, shortlist: Shortlist, penalties: Sequence[float]) -> FusionWeights:
        """The best weights, with the best of some penalties; or the weights of the configuration, if it has some."""
        if self.config.weights is not None:
            return self._configured(shortlist, proportions(self.config.weights))
        k, penalty = self.k, self.default_penalty
        parts = shortlist.parts(
            Rescorer(dict.fromkeys(SCORERS, np.float32(1)), self._content, self._no_prior)
        )
        if self.config.co_occurrence:
            by_penalty = self._by_co_occurrence(shortlist, penalties)
            if len(penalties) > 1:
                # The penalty that is best beside the embeddings alone; of equal ones the smallest.
                alone = {one: {"co_occurrence": by_penalty[one]} for one in penalties}
                penalty = max(penalties, key=lambda one: (best_weights(shortlist, alone[one], k)[1], -one))
            parts["co_occurrence"] = by_penalty[penalty]
        return FusionWeights(penalty, *best_weights(shortlist, parts, k))

    def cold_offset(
        self, scenarios: Sequence[Shortlist], held_out_items: np.ndarray, chosen: FusionWeights
    ) -> float:
        """The best number, at most 0, to add to the score of items without interactions.

        There are two scenarios. In the first these items are new, and rank among the held-out items, which stand for new ones; NDCG
        is then measured on held-out items and on known items separately, with equal weight. In the second they are unwanted, and
        take places from known items. The offset minimises the larger relative loss of NDCG in the two scenarios ("minimax regret",
        Savage 1951). If no item was held out whole, there is only the first.

        Args:
            scenarios: shortlist of the first scenario, and of the second if items were held out whole.
            held_out_items: items that were held out whole; shape (n_items,), bool.
            chosen: the weights of the scorers.
        """
        rescorer = self._rescorer(chosen.weights, scenarios, chosen.penalty)
        scores = [one.scores(rescorer) for one in scenarios]
        unknown = [~self.known[one.candidates] for one in scenarios]
        deviation = _deviation(np.where(np.isfinite(scores[0]), scores[0], 0))
        groups = (held_out_items, ~held_out_items) if held_out_items.any() else (~held_out_items,)
        compared = [
            [scenarios[0].with_truth_among(items) for items in groups],
            *([one] for one in scenarios[1:]),
        ]

        def reached(offset: float) -> list[float]:
            """The NDCG in each scenario."""
            shifted = (score + np.float32(offset) * at for score, at in zip(scores, unknown, strict=True))
            return [
                sum(one.quality(score, self.k)[0] for one in each)
                for each, score in zip(compared, shifted, strict=True)
            ]

        # `0.0 - x` and not `-x`, which would be -0.0 for the first.
        tried = [0.0 - factor * deviation for factor in _GRID]
        return tried[least_regret(np.array([reached(offset) for offset in tried]))]

    @property
    def _no_prior(self) -> Rows[np.ndarray]:
        return Rows.of(np.zeros(len(self.known), np.float32))

    def _configured(self, shortlist: Shortlist, weights: Mapping[str, np.float32]) -> FusionWeights:
        """The weights of the configuration, and their quality."""
        scores = shortlist.scores(self._rescorer(weights, [shortlist], self.default_penalty))
        return FusionWeights(self.default_penalty, weights, *shortlist.quality(scores, self.k))

    def _rescorer(
        self, weights: Mapping[str, np.float32], shortlists: Sequence[Shortlist], penalty: float
    ) -> Rescorer:
        """A rescorer with these weights, for the candidates of shortlists by the same embeddings."""
        co_occurrence = no_weights(len(self.known), len(self.known))
        if weights["co_occurrence"]:
            co_occurrence = with_transfer(self._fitted[penalty], *self._transfer(shortlists))
        scorers = {**self._content, "co_occurrence": CoOccurrenceScorer(Rows.of(co_occurrence))}
        return Rescorer(weights, scorers, self._no_prior)

    def _by_co_occurrence(self, shortlist: Shortlist, penalties: Sequence[float]) -> dict[float, np.ndarray]:
        """Co-occurrence scores of the candidates by penalty; each of shape (n_users, width)."""
        new, shares = self._transfer([shortlist])
        alone = Rescorer(proportions({"co_occurrence": 1}), {}, self._no_prior)
        found = {}
        for penalty in penalties:
            scorer = CoOccurrenceScorer(Rows.of(with_transfer(self._fitted[penalty], new, shares)))
            found[penalty] = shortlist.parts(alone.with_scorer("co_occurrence", scorer))["co_occurrence"]
        return found

    def _transfer(self, shortlists: Sequence[Shortlist]) -> tuple[np.ndarray, sp.csr_matrix]:
        """Candidates without interactions, and the shares of known items in them; shapes (n,) and (n, n_items)."""
        known, graph = self.known, self._neighbors
        candidates = np.unique(np.concatenate([one.candidates.ravel() for one in shortlists]))
        new, vectors = candidates[~known[candidates]], shortlists[0].vectors
        if not len(new):
            return new, no_weights(0, len(known))
        index = VectorIndex.build(vectors, IndexConfig(kind="flat"))
        return new, transfer_shares(index, vectors[new], graph[new], np.flatnonzero(known), graph)


def least_regret(quality: np.ndarray) -> int:
    """The option with the smallest maximal regret; of equal ones the first.

    Args:
        quality: of each option in each scenario; shape (n_options, n_scenarios).
    """
    # Regret: the share of a scenario's best quality that an option loses there.
    lost = 1 - quality / np.maximum(quality.max(axis=0), 1e-12)
    return int(lost.max(axis=1).argmin())


def best_weights(
    shortlist: Shortlist, parts: Mapping[str, np.ndarray], k: int
) -> tuple[dict[str, np.float32], float, float]:
    """The best weights by coordinate ascent in the order of SCORERS, and their NDCG and recall.

    Args:
        shortlist: the candidates, with their cosines.
        parts: scores of the other scorers by name; each of shape (n_users, width).
        k: length of the lists.
    """
    deviation = _deviation(np.where(np.isfinite(shortlist.cosines), shortlist.cosines, 0))
    # The weight that gives a scorer's scores the standard deviation of the cosines: so one grid suits scorers of any scale.
    unit = {
        name: deviation / max(_deviation(parts[name]), 1e-9)
        for name in SCORERS
        if name in parts and parts[name].any()
    }
    factors, scores = dict.fromkeys(unit, 0.0), shortlist.cosines
    best, recall = shortlist.quality(scores, k)
    for _ in range(3):
        before = dict(factors)
        for name in unit:
            # The fused score without this scorer; the others keep their weights.
            base = scores - np.float32(factors[name] * unit[name]) * parts[name]
            tried = {g: base + np.float32(g * unit[name]) * parts[name] for g in _GRID}
            quality = {g: shortlist.quality(tried[g], k) for g in _GRID}
            # Of equal weights the smallest; and none is changed for a gain that is noise.
            chosen = max(_GRID, key=lambda g: (quality[g][0], -g))
            if quality[chosen][0] > best * MIN_GAIN:
                factors[name], (best, recall) = chosen, quality[chosen]
                scores = tried[chosen]
        if factors == before:
            break
    weights = {name: factors[name] * unit[name] for name in unit} | {"embedding": 1.0}
    shares = np.array([weights.get(name, 0.0) for name in SCORERS], np.float32)
    return dict(zip(SCORERS, shares / shares.sum(), strict=True)), best, recall


def _deviation(values: np.ndarray) -> float:
    """Mean over users of the standard deviation of their scores."""
    return float(values.std(axis=1).mean())
