"""Item-item scorers: which ones can be fitted to histories, and the options with which each ranks best alone.

Enters: histories, and held-out interactions. Leaves: `ItemItemOptions` by name of the scorer, and fitted scorers. Nothing is written.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from kgrec.graph.histories import Histories
from kgrec.metrics.accuracy import ranking_quality
from kgrec.metrics.topk import gains
from kgrec.rank.config import RescoreConfig, ScorerName
from kgrec.rank.ease import ease_weights
from kgrec.rank.line_search import climb
from kgrec.rank.ordered_slim import WINDOW, following_weights
from kgrec.rank.random_walk import walk_weights
from kgrec.rank.scorers import ItemItemScorer, UserProfiles
from kgrec.rank.slim import co_counts, item_weights
from kgrec.storage.segments import Rows

logger = logging.getLogger(__name__)

Method = Literal["slim", "ease", "ordered_slim", "random_walk"]
#: from this number of items on, only the default options are fitted
_LARGE_CATALOGUE = 100_000
#: number of weights per item that random walks keep, relative to regressions
_WALKS = 2
#: users scored at a time
_USERS_PER_STEP = 256


@dataclass(frozen=True)
class ItemItemOptions:
    """How the weights of one item-item scorer are fitted."""

    method: Method
    #: ridge penalty; for random walks, the exponent of the target's popularity
    strength: float
    #: decay factor of a history item per newer item in the history; 1 without an order
    decay: float

    def fitted(self, histories: Histories, neighbors: int) -> ItemItemScorer:
        """The scorer of these histories."""
        window = WINDOW if self.method == "ordered_slim" else None
        return ItemItemScorer(Rows.of(self._weights(histories, neighbors)), self.decay, window)

    def _weights(self, histories: Histories, neighbors: int) -> Any:
        """Row i: weight of each history item for item i; shape (n_items, n_items), float32."""
        positives = histories.matrix()
        if self.method == "ease":
            return np.ascontiguousarray(ease_weights(co_counts(positives), self.strength).T)
        if self.method == "random_walk":
            return _comparable(walk_weights(positives, 1.0, self.strength, _WALKS * neighbors).T.tocsr())
        if self.method == "ordered_slim":
            return following_weights(histories, (self.strength,), self.decay, neighbors)[0]
        return item_weights(positives, (self.strength,), neighbors)[0]


#: options without validation data, and for large catalogues
DEFAULTS: dict[ScorerName, ItemItemOptions] = {
    "co_occurrence": ItemItemOptions("slim", 20.0, 1.0),
    "sequence": ItemItemOptions("ordered_slim", 80.0, 0.8),
    "random_walk": ItemItemOptions("random_walk", 0.4, 1.0),
}
#: strengths to try per method; and decays to try
_STRENGTHS: dict[Method, tuple[float, ...]] = {
    "slim": (5.0, 20.0, 80.0, 320.0),
    "ease": (30.0, 100.0, 300.0, 1000.0, 3000.0),
    "ordered_slim": (20.0, 80.0, 320.0, 1280.0),
    "random_walk": (0.2, 0.4, 0.6, 0.8),
}
_FIRST_EASE = 300.0
_DECAYS = (1.0, 0.9, 0.8, 0.6)
#: decay at which strengths are compared, if histories have an order
_FIRST_DECAY = 0.8


def names_of(histories: Histories, config: RescoreConfig) -> tuple[ScorerName, ...]:
    """The item-item scorers that the histories allow and the configuration enables."""
    if not config.co_occurrence and config.weights is None:
        return ()
    names: tuple[ScorerName, ...] = ("co_occurrence", "sequence", "random_walk")
    wanted = names if config.weights is None else tuple(name for name in names if config.weights.get(name))
    return tuple(name for name in wanted if histories.ordered or name != "sequence")


def default_options(name: ScorerName, config: RescoreConfig) -> ItemItemOptions:
    """The options used without validation data."""
    options = DEFAULTS[name]
    if name == "co_occurrence" and config.penalty is not None:
        return replace(options, strength=config.penalty)
    return options


@dataclass(frozen=True)
class ItemItemSearch:
    """Finds the options with which each scorer, used alone, ranks held-out interactions best."""

    #: the training part
    histories: Histories
    #: the n histories to continue
    queries: Histories
    #: items that followed; shape (n, n_items)
    truth: sp.csr_matrix
    #: items excluded from the lists; shape (n, n_items)
    seen: sp.csr_matrix
    #: length of the lists
    k: int
    config: RescoreConfig

    def best(self, name: ScorerName) -> tuple[ItemItemOptions, ItemItemScorer]:
        """The best options of one scorer, and the scorer of the training part with them."""
        first = self._first(name)
        if self.histories.n_items > _LARGE_CATALOGUE:
            return first, self._fit(first)
        fixed = name == "co_occurrence" and self.config.penalty is not None
        strengths = (first.strength,) if fixed else _STRENGTHS[first.method]
        fitted = self._of_strengths(first, strengths)
        quality: dict[ItemItemOptions, float] = {}

        def measured(options: ItemItemOptions) -> float:
            if options not in fitted:
                fitted[options] = self._fit(options)
            quality[options] = self.quality(fitted[options])
            return quality[options]

        tried = [replace(first, strength=strength) for strength in strengths]
        best, reached = climb(tried, tried.index(first), measured(first), measured)
        if self.histories.ordered:
            decays = [replace(best, decay=decay) for decay in _DECAYS]
            if best.method != "ordered_slim":  # its weights depend on the decay
                fitted |= {one: replace(fitted[best], decay=one.decay) for one in decays}
            best, reached = climb(decays, decays.index(best), reached, measured)
        logger.info("%s alone: NDCG %.4f with %s", name, reached, best)
        return best, fitted[best]

    def _first(self, name: ScorerName) -> ItemItemOptions:
        """The options with which the search starts."""
        first = default_options(name, self.config)
        if self.histories.ordered and first.decay == 1:
            first = replace(first, decay=_FIRST_DECAY)
        exact = self.config.penalty is None and self.histories.n_items <= self.config.exact_items
        return (
            replace(first, method="ease", strength=_FIRST_EASE)
            if name == "co_occurrence" and exact
            else first
        )

    def _fit(self, options: ItemItemOptions) -> ItemItemScorer:
        return options.fitted(self.histories, self.config.neighbors)

    def quality(self, scorer: ItemItemScorer) -> float:
        """Mean NDCG of the scorer's lists."""
        profiles = profiles_of(self.queries)
        found = []
        for start in range(0, len(self.queries), _USERS_PER_STEP):
            some = slice(start, start + _USERS_PER_STEP)
            hits = gains(scorer.best(profiles[some], self.k, self.seen[some]), self.truth[some])
            found.append(hits)
        return ranking_quality(np.concatenate(found), np.diff(self.truth.indptr))[0]

    def _of_strengths(
        self, first: ItemItemOptions, strengths: Sequence[float]
    ) -> dict[ItemItemOptions, ItemItemScorer]:
        """The scorers with these strengths if it is cheaper to fit them together; otherwise an empty result."""
        histories, neighbors = self.histories, self.config.neighbors
        if first.method == "slim":
            weights, window = item_weights(histories.matrix(), tuple(strengths), neighbors), None
        elif first.method == "ordered_slim":
            weights, window = following_weights(histories, tuple(strengths), first.decay, neighbors), WINDOW
        else:
            return {}
        return {
            replace(first, strength=strength): ItemItemScorer(Rows.of(one), first.decay, window)
            for strength, one in zip(strengths, weights, strict=True)
        }


def _comparable(weights: sp.csr_matrix) -> sp.csr_matrix:
    """Weights scaled so that the mean of the row maxima is 1/4, about as in SLIM, so that one donor weight suits all scorers."""
    largest = weights.max(axis=1).toarray().ravel()
    scale = np.float32(0.25 / max(largest[largest > 0].mean(), 1e-12)) if weights.nnz else np.float32(1)
    return (weights * scale).tocsr()


def profiles_of(histories: Histories, history_weight: np.ndarray | None = None) -> UserProfiles:
    """Users with these histories, as scorers read them; weights of history items default to 1."""
    weight = np.ones(histories.n_items, np.float32) if history_weight is None else history_weight
    return UserProfiles(histories.matrix(), weight, histories.lags)
