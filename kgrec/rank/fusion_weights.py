"""Fusion weights: the weight of each scorer, chosen on validation data.

Enters: the candidates of some users by embedding, and the ground truth. Leaves: `FusionWeights`, with the quality of the fused
score. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from kgrec.encode.featurizer import Featurizer, ItemFeatures
from kgrec.graph.histories import Histories
from kgrec.graph.interactions import of_items
from kgrec.metrics.accuracy import ranking_quality
from kgrec.metrics.topk import blocks, gains
from kgrec.rank.cold_transfer import transfer_shares, with_transfer
from kgrec.rank.config import SCORERS, RescoreConfig, ScorerName
from kgrec.rank.item_item import ItemItemOptions, ItemItemSearch, names_of, profiles_of
from kgrec.rank.ranker import Examples, Ranker
from kgrec.rank.ranking_features import FeatureSource
from kgrec.rank.rescorer import Rescorer, proportions
from kgrec.rank.scorers import Scorer, UserProfiles, content_scorers, unit_rows
from kgrec.rank.slim import no_weights
from kgrec.retrieve import IndexConfig, VectorIndex
from kgrec.storage.segments import Rows

#: candidates that each item-item scorer adds to those found by the embeddings
_ITEM_ITEM_CANDIDATES = 100
#: weights to try, for scores scaled to a standard deviation of 1
_GRID = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
#: largest number of passes over the weights of all scorers
_PASSES = 4
#: factors of popularity to try, for a popularity scaled to the standard deviation of the fused score
_SMALL_GRID = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
#: factor by which NDCG must improve before another weight or other hyperparameters are chosen; a smaller gain is noise
MIN_GAIN = 1.001


@dataclass(frozen=True)
class FusionWeights:
    """Weights of the scorers, and the quality of the fused score with them."""

    #: by name of the scorer; the weights sum to 1
    weights: Mapping[str, np.float32]
    ndcg: float
    recall: float
    #: added to the score per unit of `log_users`
    popularity: float = 0.0


@dataclass(frozen=True)
class Shortlist:
    """The candidates of some users by embedding and by item-item scorers, and the ground truth."""

    users: UserProfiles
    #: ground truth: held-out interactions; shape (n_users, n_items)
    truth: sp.csr_matrix
    #: rows of items, padded with -1; shape (n_users, width)
    candidates: np.ndarray
    #: cosines of user and candidate; shape (n_users, width), float32; -inf for excluded items and for padding
    cosines: np.ndarray
    #: unit vectors of the items; shape (n_items, dim), float32
    vectors: np.ndarray

    def with_truth_among(self, items: np.ndarray) -> Shortlist:
        """The shortlist with the ground truth restricted to these items.

        Args:
            items: a mask; shape (n_items,), bool.
        """
        return replace(self, truth=of_items(self.truth, items))

    def scores(self, rescorer: Rescorer) -> np.ndarray:
        """Fused scores of the candidates; shape (n_users, width)."""
        return rescorer.scores(self.users, self.candidates, self.cosines)

    def parts(self, rescorer: Rescorer) -> dict[str, np.ndarray]:
        """Scores of the candidates per active scorer; each of shape (n_users, width)."""
        return rescorer.parts(self.users, self.candidates)

    def quality(self, scores: np.ndarray, k: int) -> tuple[float, float]:
        """Mean NDCG and recall of the k candidates with the highest scores.

        Args:
            scores: scores of the candidates; shape (n_users, width).
            k: length of the lists.
        """
        user, place = self._hits
        found = np.zeros((len(scores), k), bool)
        # The rank of a hit, from 0, is the number of candidates before it: those with a higher score, and those with an equal
        # score further left. Hits are few, so counting takes a fraction of the time of a sort.
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
        features: features of the items.
        featurizer: the featurizer that made them.
        histories: the training part.
        evaluated: histories, what followed them, and the items excluded from their lists; the latter of shape (n, n_items).
        known: items with interactions in the training part; shape (n_items,), bool.
        k: length of the evaluated lists.
        config: options; some of them may fix weights.
    """

    def __init__(
        self,
        features: ItemFeatures,
        featurizer: Featurizer,
        histories: Histories,
        evaluated: tuple[Histories, sp.csr_matrix, sp.csr_matrix],
        known: np.ndarray,
        k: int,
        config: RescoreConfig,
    ) -> None:
        self.known, self.k, self.config = known, k, config
        self._featurizer, self._histories = featurizer, histories
        self._content = content_scorers(features, featurizer)
        self._neighbors = unit_rows(features.neighbors)
        search = ItemItemSearch(histories, *evaluated, k, config)
        found = {name: search.best(name) for name in names_of(histories, config)}
        #: how to fit the weights of each item-item scorer
        self.options: dict[ScorerName, ItemItemOptions] = {
            name: options for name, (options, _) in found.items()
        }
        #: item-item scorers of known items, fitted once for all trials
        self._fitted = {name: scorer for name, (_, scorer) in found.items()}
        self._retrieved: dict[Histories, np.ndarray] = {}
        #: the latest shortlist, and the scores of its candidates per scorer
        self._latest: tuple[Shortlist, dict[str, np.ndarray]] | None = None

    def candidates(self, histories: Histories, seen: sp.csr_matrix) -> np.ndarray:
        """Candidates that the item-item scorers add for some histories; shape (len(histories), width), padded with -1.

        Args:
            histories: n histories.
            seen: items excluded from the lists of these users; shape (n, n_items).
        """
        if histories not in self._retrieved:
            profiles = profiles_of(histories)
            found = [one.best(profiles, _ITEM_ITEM_CANDIDATES, seen) for one in self._fitted.values()]
            nothing = np.zeros((len(histories), 0), np.int64)
            self._retrieved[histories] = np.concatenate([nothing, *found], axis=1)
        return self._retrieved[histories]

    def choose(self, shortlist: Shortlist) -> FusionWeights:
        """The best weights, or the weights of the configuration if it sets them."""
        if self.config.weights is not None:
            weights = proportions(self.config.weights)
            scores = shortlist.scores(self._rescorer(weights, [shortlist]))
            return FusionWeights(weights, *shortlist.quality(scores, self.k))
        return FusionWeights(*best_weights(shortlist, self._parts(shortlist), self.k))

    def with_popularity(self, shortlist: Shortlist, chosen: FusionWeights) -> FusionWeights:
        """The weights, with the best factor of popularity added, or the factor of the configuration if it sets one.

        The factor is chosen only if histories have an order: a random hold-out overrates items that are popular in the whole log.
        """
        fixed = self.config.popularity
        if fixed == 0 or (fixed is None and not self._histories.ordered):
            return chosen
        scores = shortlist.scores(self._rescorer(chosen.weights, [shortlist]))
        popularity = log_users(self._histories)[shortlist.candidates]
        allowed = np.isfinite(scores)
        unit = _deviation(np.where(allowed, scores, 0), allowed) / max(_deviation(popularity, allowed), 1e-9)
        tried = [factor * unit for factor in _SMALL_GRID] if fixed is None else [fixed]
        quality = [shortlist.quality(scores + np.float32(factor) * popularity, self.k) for factor in tried]
        best = max(range(len(tried)), key=lambda at: (quality[at][0], -at))
        if quality[best][0] <= quality[0][0] * MIN_GAIN:
            best = 0
        return replace(chosen, ndcg=quality[best][0], recall=quality[best][1], popularity=tried[best])

    def without_embedding(self, shortlist: Shortlist) -> float:
        """NDCG of the same candidates with the best weights of the other scorers."""
        if self.config.weights is not None:
            return self.choose(shortlist).ndcg
        return best_weights(shortlist, self._parts(shortlist), self.k, embedding=False)[1]

    def _parts(self, shortlist: Shortlist) -> dict[str, np.ndarray]:
        """Scores of the candidates per scorer; each of shape (n_users, width)."""
        if self._latest is None or self._latest[0] is not shortlist:
            every = proportions(dict.fromkeys(SCORERS, 1.0))
            self._latest = shortlist, shortlist.parts(self._rescorer(every, [shortlist]))
        return self._latest[1]

    def feature_source(self, chosen: FusionWeights) -> FeatureSource:
        """The source of a learned ranker's features for the training part."""
        active = tuple(name for name in (*self._content, *self._fitted) if chosen.weights[name])
        return FeatureSource.of(active, self._content["graph"], self._histories, self._featurizer)

    def examples(self, shortlist: Shortlist, chosen: FusionWeights, source: FeatureSource) -> Examples:
        """The candidates of a shortlist, as examples for learned rankers."""
        rescorer = self._rescorer(chosen.weights, [shortlist], chosen.popularity)
        parts = shortlist.parts(rescorer)
        scores = rescorer.scores(shortlist.users, shortlist.candidates, shortlist.cosines, parts)
        features = source.values(
            shortlist.users,
            np.maximum(shortlist.candidates, 0),
            {"embedding": shortlist.cosines, **parts},
            Rows.of(self._neighbors),
        )
        return Examples(source.names, features, scores, gains(shortlist.candidates, shortlist.truth))

    def cold_offset(
        self,
        scenarios: Sequence[Shortlist],
        held_out_items: np.ndarray,
        chosen: FusionWeights,
        ranker: Ranker | None = None,
    ) -> float:
        """The best number, at most 0, to add to the score of items without interactions.

        There are two scenarios. In the first, these items are new and rank among the held-out items, which represent new ones; NDCG
        is then measured on held-out items and on known items separately, with equal weight. In the second, they are unwanted and
        take positions from known items. The offset minimises the larger relative loss of NDCG over the two scenarios ("minimax
        regret", Savage 1951). If no item was held out whole, only the second scenario exists.

        Args:
            scenarios: shortlists of both scenarios, or of the second alone if no item was held out whole.
            held_out_items: items that were held out whole; shape (n_items,), bool.
            chosen: the weights of the scorers.
            ranker: corrects the scores.
        """
        rescorer = replace(self._rescorer(chosen.weights, scenarios, chosen.popularity), ranker=ranker)
        scores = [one.scores(rescorer) for one in scenarios]
        unknown = [~self.known[one.candidates] for one in scenarios]
        allowed = np.isfinite(scores[0])
        deviation = _deviation(np.where(allowed, scores[0], 0), allowed)
        groups = (held_out_items, ~held_out_items) if held_out_items.any() else (~held_out_items,)
        compared = [
            [scenarios[0].with_truth_among(items) for items in groups],
            *([one] for one in scenarios[1:]),
        ]

        def reached(offset: float) -> list[float]:
            """NDCG per scenario."""
            shifted = (score + np.float32(offset) * at for score, at in zip(scores, unknown, strict=True))
            return [
                sum(one.quality(score, self.k)[0] for one in each)
                for each, score in zip(compared, shifted, strict=True)
            ]

        # `0.0 - x` instead of `-x`, which would give -0.0 for the first value.
        tried = [0.0 - factor * deviation for factor in _GRID]
        return tried[least_regret(np.array([reached(offset) for offset in tried]))]

    def _rescorer(
        self, weights: Mapping[str, np.float32], shortlists: Sequence[Shortlist], popularity: float = 0.0
    ) -> Rescorer:
        """A rescorer with these weights, for the candidates of shortlists made by the same embeddings."""
        new, shares = self._transfer(shortlists)
        item_item: dict[str, Scorer] = {
            name: with_transfer(scorer, new, shares) for name, scorer in self._fitted.items()
        }
        prior = np.float32(popularity) * log_users(self._histories)
        return Rescorer(weights, {**self._content, **item_item}, Rows.of(prior))

    def _transfer(self, shortlists: Sequence[Shortlist]) -> tuple[np.ndarray, sp.csr_matrix]:
        """Candidates without interactions, and the shares of known items in them; shapes (n,) and (n, n_items)."""
        known, graph = self.known, self._neighbors
        candidates = np.unique(np.concatenate([one.candidates.ravel() for one in shortlists]))
        candidates = candidates[candidates >= 0]
        new, vectors = candidates[~known[candidates]], shortlists[0].vectors
        if not len(new):
            return new, no_weights(0, len(known))
        index = VectorIndex.build(vectors, IndexConfig(kind="flat"))
        return new, transfer_shares(index, vectors[new], graph[new], np.flatnonzero(known), graph)


def log_users(histories: Histories) -> np.ndarray:
    """ln(1 + number of users with a positive interaction) of each item; shape (n_items,), float32."""
    users = np.bincount(histories.item[histories.positive], minlength=histories.n_items)
    return np.log1p(users).astype(np.float32)


def least_regret(quality: np.ndarray) -> int:
    """The option with the smallest maximal regret; the first one if several are equal.

    Args:
        quality: quality per option and scenario; shape (n_options, n_scenarios).
    """
    # Regret: the share of a scenario's best quality that is lost by choosing this option.
    lost = 1 - quality / np.maximum(quality.max(axis=0), 1e-12)
    return int(lost.max(axis=1).argmin())


def best_weights(
    shortlist: Shortlist, parts: Mapping[str, np.ndarray], k: int, embedding: bool = True
) -> tuple[dict[str, np.float32], float, float]:
    """The best weights by coordinate ascent from the best single scorer, and their NDCG and recall.

    Args:
        shortlist: the candidates, with their cosines, which are the scores of "embedding".
        parts: scores of the other scorers by name; each of shape (n_users, width).
        k: length of the lists.
        embedding: whether the embedding may have a weight.
    """
    allowed = np.isfinite(shortlist.cosines)
    barred = np.where(allowed, np.float32(0), np.float32(-np.inf))
    every = {"embedding": np.where(allowed, shortlist.cosines, 0) * np.float32(embedding), **parts}
    names = [name for name in SCORERS if name == "embedding" or (name in every and every[name].any())]
    # Scores are divided by their standard deviation, so that one grid suits scorers of any scale.
    unit = {name: 1 / max(_deviation(every[name], allowed), 1e-9) for name in names}
    scaled = {name: np.float32(unit[name]) * every[name] for name in names}
    alone = {name: shortlist.quality(scaled[name] + barred, k) for name in names}
    # Among equal scorers, the first one: the embedding.
    start = max(names, key=lambda name: (alone[name][0] > alone["embedding"][0] * MIN_GAIN) * alone[name][0])
    factors = {name: float(name == start) for name in names}
    (best, recall), scores = alone[start], scaled[start] + barred
    for _ in range(_PASSES):
        before = dict(factors)
        for name in names:
            # The fused score without this scorer; the other weights stay.
            base = scores - np.float32(factors[name]) * scaled[name]
            others = sum(factors.values()) - factors[name]
            tried = {g: base + np.float32(g) * scaled[name] for g in _GRID if g or others}
            quality = {g: shortlist.quality(tried[g], k) for g in tried}
            # Among equal weights the smallest is chosen, and no weight changes for a gain that is noise.
            chosen = max(quality, key=lambda g: (quality[g][0], -g))
            if quality[chosen][0] > best * MIN_GAIN:
                factors[name], (best, recall) = chosen, quality[chosen]
                scores = tried[chosen]
        if factors == before:
            break
    weights = {name: factors[name] * unit[name] for name in names}
    shares = np.array([weights.get(name, 0.0) for name in SCORERS], np.float32)
    return dict(zip(SCORERS, shares / shares.sum(), strict=True)), best, recall


def _deviation(values: np.ndarray, allowed: np.ndarray) -> float:
    """Mean over users of the standard deviation of the scores of their allowed candidates."""
    n = np.maximum(allowed.sum(axis=1), 1)
    mean = np.where(allowed, values, 0).sum(axis=1) / n
    squares = np.where(allowed, (values - mean[:, None]) ** 2, 0).sum(axis=1) / n
    return float(np.sqrt(squares).mean())
