"""The weights of a score's parts, chosen on held-out data, and what a score reaches there.

Enters: what embeddings put first for some users, and what these took in truth. Leaves: a `FusionWeights`. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from kgrec.rank.rescorer import Rescorer, proportions, unit_rows
from kgrec.rank.slim import item_weights, no_weights
from kgrec.retrieve import IndexConfig, VectorIndex

PENALTIES = (5.0, 20.0, 80.0, 320.0)
#: the penalty where none is chosen: while settings are compared, and in a catalogue of more than so many items
USUAL, _MANY = 20.0, 100_000
#: of a part, in standard deviations of the first
_GRID = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
#: a part must better NDCG by this factor to get a weight, and a setting to be preferred to one nearer the default
WORTH = 1.001


@dataclass(frozen=True)
class FusionWeights:
    """Weights, and what the whole score reaches with them."""

    #: of kgrec.rank.slim
    penalty: float
    #: of SCORERS; shape (4,), float32, summing to 1
    weights: np.ndarray
    ndcg: float
    recall: float


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
    """Weighs the parts of a score by what was held out.

    Args:
        features: of the items.
        featurizer: of the features.
        training: what is learned from; shape (n_users, n_items).
        known: items that training knows; shape (n_items,), bool.
        k: length of the lists that are judged.
        config: what of the second look is fixed.
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
        n_items = len(features)
        self._plain = rescorer(features, featurizer, no_weights(n_items, n_items), np.ones(len(SCORERS)))
        counts = config.co_occurrence if config.weights is None else config.weights[3] > 0
        #: what is taken together with known items, by penalty: fitted once for all trials, and in the time of none
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
        parts = shortlist.parts(self._plain)
        if self.config.co_occurrence:
            taken = self._taken(shortlist, penalties)
            if len(penalties) > 1:
                penalty = max(penalties, key=lambda one: (_weights(shortlist, taken[one][None], k)[1], -one))
            parts[2] = taken[penalty]
        return FusionWeights(penalty, *_weights(shortlist, parts, k))

    def cold_offset(
        self, worlds: Sequence[Shortlist], held_out_items: np.ndarray, weights_found: FusionWeights
    ) -> float:
        """What is best added to the score of items in no interaction, which may be new or unwanted.

        If they are new, they belong where those are that were made new, and half of what is to be found is with these. If they
        are unwanted, they take places from known items. The largest share of the NDCG that is lost in a world is
        to be as small as can be ("minimax regret", Savage 1951). Where no item was made new, what is to be found decides alone.

        Args:
            worlds: shortlists of the first world, and of the second if items were made new.
            held_out_items: which; shape (n_items,), bool.
            weights_found: what else the score is.
        """
        scorer = self._rescorer(weights_found.weights, worlds, weights_found.penalty)
        scores = [one.scores(scorer) for one in worlds]
        unknown = [~self.known[one.candidates] for one in worlds]
        spread = _spread(np.where(np.isfinite(scores[0]), scores[0], 0))
        groups = (held_out_items, ~held_out_items) if held_out_items.any() else (~held_out_items,)
        judged = [[worlds[0].of(items) for items in groups], *([one] for one in worlds[1:])]

        def reached(added: float) -> list[float]:
            """The NDCG in each world."""
            raised = (score + np.float32(added) * at for score, at in zip(scores, unknown, strict=True))
            return [
                sum(one.quality(score, self.k)[0] for one in each)
                for each, score in zip(judged, raised, strict=True)
            ]

        tried = [0.0 - factor * spread for factor in _GRID]
        return tried[least_regret(np.array([reached(added) for added in tried]))]

    def _given(self, shortlist: Shortlist, weights: np.ndarray) -> FusionWeights:
        scores = shortlist.scores(self._rescorer(weights, [shortlist], self.usual))
        return FusionWeights(self.usual, weights, *shortlist.quality(scores, self.k))

    def _rescorer(self, weights: np.ndarray, shortlists: Sequence[Shortlist], penalty: float) -> Rescorer:
        """The score with these weights, for the candidates of some shortlists of the same embeddings."""
        scorer = replace(self._plain, weights=weights)
        if not weights[3]:
            return scorer
        return replace(scorer, co_occurrence=with_transfer(self._fitted[penalty], *self._heirs(shortlists)))

    def _taken(self, shortlist: Shortlist, penalties: Sequence[float]) -> dict[float, np.ndarray]:
        """What is taken together with the candidates, by penalty; each of shape (n_users, width)."""
        only = replace(self._plain, weights=np.array([1, 0, 0, 1], np.float32))
        new, near = self._heirs([shortlist])
        by_penalty = {one: with_transfer(self._fitted[one], new, near) for one in penalties}
        return {one: shortlist.parts(replace(only, co_occurrence=by_penalty[one]))[2] for one in penalties}

    def _heirs(self, shortlists: Sequence[Shortlist]) -> tuple[np.ndarray, sp.csr_matrix]:
        """Candidates that training does not know, and the shares of known items in them; shapes (n,) and (n, n_items)."""
        known = self.known
        candidates = np.unique(np.concatenate([one.candidates.ravel() for one in shortlists]))
        new, vectors, graph = candidates[~known[candidates]], shortlists[0].vectors, self._plain.graph
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


def rescorer(
    features: ItemFeatures,
    featurizer: Featurizer,
    co_occurrence: sp.csr_matrix,
    weights: np.ndarray,
    prior: np.ndarray | None = None,
) -> Rescorer:
    """A rescorer of items with these features."""
    prior = np.zeros(len(features)) if prior is None else prior
    return Rescorer(
        weights=np.asarray(weights, np.float32),
        graph=unit_rows(features.neighbors),
        columns=featurizer.codes(features.relation, features.entity),
        text=features.dense.astype(np.float16),
        co_occurrence=co_occurrence,
        prior=prior.astype(np.float32),
    )


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
            if quality[chosen][0] > best * WORTH:
                factors[at], (best, recall) = chosen, quality[chosen]
                scores = tried[chosen]
        if (factors == before).all():
            break
    weights = np.array([1, *(factors * unit)], np.float32)
    return weights / weights.sum(), best, recall


def _spread(values: np.ndarray) -> float:
    return float(values.std(axis=1).mean())
