"""Fusion weights: how much each scorer counts, chosen on validation data, and what the fused score reaches there.

Enters: candidates of some users by the embeddings, and what these users took in truth. Leaves: `FusionWeights`. Nothing is written.
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

PENALTIES = (5.0, 20.0, 80.0, 320.0)
#: the penalty where none is chosen: while hyperparameters are compared, and in a catalogue of more than so many items
USUAL, _MANY = 20.0, 100_000
#: weights that are tried, as multiples of the weight with which a scorer spreads scores as much as the embeddings do
_GRID = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
#: a scorer must better NDCG by this factor to get a weight, and hyperparameters to be preferred to those nearer the default
WORTH = 1.001


@dataclass(frozen=True)
class FusionWeights:
    """Weights, and what the fused score reaches with them."""

    #: of kgrec.rank.slim
    penalty: float
    #: by the names in SCORERS; they sum to 1
    weights: Mapping[str, np.float32]
    ndcg: float
    recall: float


@dataclass(frozen=True)
class Shortlist:
    """The candidates of some users by the embeddings, and what these users took in truth."""

    users: UserProfiles
    #: shape (n_users, n_items)
    truth: sp.csr_matrix
    #: rows of items; shape (n_users, width)
    candidates: np.ndarray
    #: shape (n_users, width), float32; -inf for what is in the history
    cosines: np.ndarray
    #: unit vectors of the items; shape (n_items, dim), float32
    vectors: np.ndarray

    def of(self, items: np.ndarray) -> Shortlist:
        """The same with some items alone to be found, given by a mask."""
        return replace(self, truth=of_items(self.truth, items))

    def scores(self, rescorer: Rescorer) -> np.ndarray:
        """Scores of the candidates; shape (n_users, width)."""
        return rescorer.scores(self.users, self.candidates, self.cosines)

    def parts(self, rescorer: Rescorer) -> dict[str, np.ndarray]:
        """Scores of the candidates by each active scorer; each of shape (n_users, width)."""
        return rescorer.parts(self.users, self.candidates)

    def quality(self, scores: np.ndarray, k: int) -> tuple[float, float]:
        """Mean NDCG and recall of the k first by these scores; shape (n_users, width)."""
        user, place = self._hits
        found = np.zeros((len(scores), k), bool)
        # where the few hits stand is found by counting, which takes a fraction of the time of a sort
        for some in blocks(len(user), scores.shape[1]):
            others, own = scores[user[some]], scores[user[some], place[some]][:, None]
            before = np.arange(scores.shape[1]) < place[some, None]
            rank = np.count_nonzero((others > own) | ((others == own) & before), axis=1)
            found[user[some][rank < k], rank[rank < k]] = True
        return ranking_quality(found, np.diff(self.truth.indptr))

    @cached_property
    def _hits(self) -> tuple[np.ndarray, np.ndarray]:
        """User and place of each candidate that was taken."""
        user, place = np.nonzero(gains(self.candidates, self.truth))
        return user, place


class FusionSearch:
    """Weighs the scorers on validation data.

    Args:
        features: of the items.
        featurizer: of the features.
        training: what is learned from; shape (n_users, n_items).
        known: items that training knows; shape (n_items,), bool.
        k: length of the lists that are compared.
        config: what of the weights is fixed.
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
        several = PENALTIES if len(features) <= _MANY else (USUAL,)
        self.penalties = several if config.penalty is None else (config.penalty,)
        self.usual = USUAL if config.penalty is None else config.penalty
        self._content = content_scorers(features, featurizer)
        self._neighbors = unit_rows(features.neighbors)
        counts = (
            config.co_occurrence if config.weights is None else config.weights.get("co_occurrence", 0) > 0
        )
        #: co-occurrence weights of known items by penalty: fitted once for all trials
        self._fitted = dict(
            zip(self.penalties, item_weights(training, self.penalties, config.neighbors), strict=True)
            if counts
            else ()
        )

    def choose(self, shortlist: Shortlist, penalties: Sequence[float]) -> FusionWeights:
        """The best weights, with the best of some penalties; or the weights that the configuration has."""
        if self.config.weights is not None:
            return self._given(shortlist, proportions(self.config.weights))
        k, penalty = self.k, self.usual
        parts = shortlist.parts(
            Rescorer(dict.fromkeys(SCORERS, np.float32(1)), self._content, self._no_prior)
        )
        if self.config.co_occurrence:
            by_penalty = self._by_co_occurrence(shortlist, penalties)
            if len(penalties) > 1:
                alone = {one: {"co_occurrence": by_penalty[one]} for one in penalties}
                penalty = max(penalties, key=lambda one: (best_weights(shortlist, alone[one], k)[1], -one))
            parts["co_occurrence"] = by_penalty[penalty]
        return FusionWeights(penalty, *best_weights(shortlist, parts, k))

    def cold_offset(
        self, worlds: Sequence[Shortlist], held_out_items: np.ndarray, chosen: FusionWeights
    ) -> float:
        """The best number to add to the score of items without interactions, which may be new or unwanted.

        If they are new, they belong where the held-out items are, and half of the ground truth is with these. If they
        are unwanted, they take places from known items. The largest share of NDCG lost in one of the two worlds
        is made as small as can be ("minimax regret", Savage 1951). Where no item was held out whole, the validation part decides alone.

        Args:
            worlds: shortlists of the first world, and of the second if items were held out whole.
            held_out_items: which; shape (n_items,), bool.
            chosen: the weights of the scorers.
        """
        rescorer = self._rescorer(chosen.weights, worlds, chosen.penalty)
        scores = [one.scores(rescorer) for one in worlds]
        unknown = [~self.known[one.candidates] for one in worlds]
        spread = _spread(np.where(np.isfinite(scores[0]), scores[0], 0))
        groups = (held_out_items, ~held_out_items) if held_out_items.any() else (~held_out_items,)
        compared = [[worlds[0].of(items) for items in groups], *([one] for one in worlds[1:])]

        def reached(offset: float) -> list[float]:
            """The NDCG in each world."""
            raised = (score + np.float32(offset) * at for score, at in zip(scores, unknown, strict=True))
            return [
                sum(one.quality(score, self.k)[0] for one in each)
                for each, score in zip(compared, raised, strict=True)
            ]

        tried = [0.0 - factor * spread for factor in _GRID]
        return tried[least_regret(np.array([reached(offset) for offset in tried]))]

    @property
    def _no_prior(self) -> Rows[np.ndarray]:
        return Rows.of(np.zeros(len(self.known), np.float32))

    def _given(self, shortlist: Shortlist, weights: Mapping[str, np.float32]) -> FusionWeights:
        scores = shortlist.scores(self._rescorer(weights, [shortlist], self.usual))
        return FusionWeights(self.usual, weights, *shortlist.quality(scores, self.k))

    def _rescorer(
        self, weights: Mapping[str, np.float32], shortlists: Sequence[Shortlist], penalty: float
    ) -> Rescorer:
        """The score with these weights, for the candidates of some shortlists of the same embeddings."""
        with_new = no_weights(len(self.known), len(self.known))
        if weights["co_occurrence"]:
            with_new = with_transfer(self._fitted[penalty], *self._transfer(shortlists))
        scorers = {**self._content, "co_occurrence": CoOccurrenceScorer(Rows.of(with_new))}
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
        """Candidates that training does not know, and the shares of known items in them; shapes (n,) and (n, n_items)."""
        known, graph = self.known, self._neighbors
        candidates = np.unique(np.concatenate([one.candidates.ravel() for one in shortlists]))
        new, vectors = candidates[~known[candidates]], shortlists[0].vectors
        if not len(new):
            return new, no_weights(0, len(known))
        index = VectorIndex.build(vectors, IndexConfig(kind="flat"))
        return new, transfer_shares(index, vectors[new], graph[new], np.flatnonzero(known), graph)


def least_regret(quality: np.ndarray) -> int:
    """The option that loses least where it loses most, of equal ones the first.

    Args:
        quality: of each option in each world; shape (n_options, n_worlds).
    """
    lost = 1 - quality / np.maximum(quality.max(axis=0), 1e-12)
    return int(lost.max(axis=1).argmin())


def best_weights(
    shortlist: Shortlist, parts: Mapping[str, np.ndarray], k: int
) -> tuple[dict[str, np.float32], float, float]:
    """The weights that do best, by coordinate ascent in the order of SCORERS, with the NDCG and the recall that they reach.

    Args:
        shortlist: the candidates, with their cosines.
        parts: scores of the other scorers by name; each of shape (n_users, width).
        k: length of the lists.
    """
    spread = _spread(np.where(np.isfinite(shortlist.cosines), shortlist.cosines, 0))
    # the weight with which a scorer spreads scores as much as the embeddings do
    unit = {
        name: spread / max(_spread(parts[name]), 1e-9)
        for name in SCORERS
        if name in parts and parts[name].any()
    }
    factors, scores = dict.fromkeys(unit, 0.0), shortlist.cosines
    best, recall = shortlist.quality(scores, k)
    for _ in range(3):
        before = dict(factors)
        for name in unit:
            base = scores - np.float32(factors[name] * unit[name]) * parts[name]
            tried = {g: base + np.float32(g * unit[name]) * parts[name] for g in _GRID}
            quality = {g: shortlist.quality(tried[g], k) for g in _GRID}
            chosen = max(_GRID, key=lambda g: (quality[g][0], -g))
            if quality[chosen][0] > best * WORTH:
                factors[name], (best, recall) = chosen, quality[chosen]
                scores = tried[chosen]
        if factors == before:
            break
    weights = {name: factors[name] * unit[name] for name in unit} | {"embedding": 1.0}
    shares = np.array([weights.get(name, 0.0) for name in SCORERS], np.float32)
    return dict(zip(SCORERS, shares / shares.sum(), strict=True)), best, recall


def _spread(values: np.ndarray) -> float:
    return float(values.std(axis=1).mean())
