r"""Learned rankers: a correction of the weighted sum of the scorers, learned on held-out interactions.

Enters: users, candidates, and their scores by each scorer. Leaves: a correction per candidate, and its parts. Nothing is written.

.. math::
    \mathrm{score}(u, i) = \sum_s w_s\, \mathrm{scorer}_s(u, i) + b_i + f(x_{ui})

`x` are the features of :mod:`kgrec.rank.ranking_features`. A ranker corrects the weighted sum and does not replace it. Scores
therefore keep their scale, boosts and bounds keep their meaning, and a ranker without useful features adds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from kgrec.rank.ranking_features import FeatureSource
from kgrec.rank.scorers import UserProfiles
from kgrec.storage.segments import Rows

#: number of users whose features are in memory at a time
_USERS_PER_STEP = 128


class LearnedRanker(Protocol):
    """An immutable function of features."""

    @property
    def kind(self) -> str:
        """Its name in `rescore.ranker`."""

    def corrections(self, features: np.ndarray) -> np.ndarray:
        """The corrections to add to scores.

        Args:
            features: shape (n, n_features), float32.

        Returns:
            shape (n,), float32.
        """

    def added_weights(self, features: np.ndarray) -> dict[str, float]:
        """The correction of each scorer's weight for one pair; empty unless the correction is linear in the scores.

        Args:
            features: shape (n_features,), float32.
        """

    def shares(self, features: np.ndarray) -> dict[str, float]:
        """The rest of the correction for one pair, per feature; a single part with the name of the kind if there are no exact parts.

        Args:
            features: shape (n_features,), float32.
        """

    def arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays from which the ranker can be restored."""


@dataclass(frozen=True)
class Ranker:
    """A learned ranker, and the source of its features."""

    source: FeatureSource
    learned: LearnedRanker
    #: whether to correct items without interactions: only if validation had such items among its candidates
    corrects_new: bool

    def corrections(
        self,
        users: UserProfiles,
        items: np.ndarray,
        parts: Mapping[str, np.ndarray],
        neighbors: Rows[sp.csr_matrix],
    ) -> np.ndarray:
        """The corrections of candidates' scores; shape (n_users, width), float32; arguments as in `FeatureSource.values`."""
        found = np.zeros(items.shape, np.float32)
        for start in range(0, len(items), _USERS_PER_STEP):
            some = slice(start, start + _USERS_PER_STEP)
            own = {name: parts[name][some] for name in self.source.scorers}
            features = self.source.values(users[some], items[some], own, neighbors)
            values = self.learned.corrections(features.reshape(-1, features.shape[-1]))
            found[some] = values.reshape(features.shape[:2])
        return found if self.corrects_new else np.where(self.source.is_known(items), found, 0)

    def account(
        self, user: UserProfiles, item: int, parts: Mapping[str, np.ndarray], neighbors: Rows[sp.csr_matrix]
    ) -> tuple[dict[str, float], dict[str, float]]:
        """The correction of each scorer's weight for one pair, and the rest of the correction per feature."""
        at = np.array([[item]])
        if not (self.corrects_new or self.source.is_known(at).all()):
            return {}, {}
        features = self.source.values(user, at, parts, neighbors)[0, 0]
        return self.learned.added_weights(features), self.learned.shares(features)

    def with_items(self, n_items: int) -> Ranker:
        """The ranker for a catalogue of `n_items`."""
        return replace(self, source=self.source.with_items(n_items))

    def merged(self) -> Ranker:
        """The ranker with all rows of items in the base segment."""
        return replace(self, source=self.source.merged())


@dataclass(frozen=True)
class Examples:
    """Candidates of held-out queries, from which rankers are learned."""

    #: names of the features
    names: tuple[str, ...]
    #: shape (n_queries, width, len(names)), float32
    features: np.ndarray
    #: the weighted sums of the scorers; -inf for padding; shape (n_queries, width), float32
    scores: np.ndarray
    #: whether a candidate is in the ground truth; shape (n_queries, width), bool
    hits: np.ndarray

    @property
    def allowed(self) -> np.ndarray:
        """Where there is a candidate; shape (n_queries, width), bool."""
        return np.asarray(np.isfinite(self.scores))

    def take(self, queries: np.ndarray) -> Examples:
        """Some of the queries, by row or mask."""
        return replace(
            self, features=self.features[queries], scores=self.scores[queries], hits=self.hits[queries]
        )

    @property
    def with_hits(self) -> Examples:
        """The queries with a hit among the candidates; the others carry no information."""
        return self.take(np.asarray(self.hits.any(axis=1)))

    def temperature(self) -> float:
        """The factor that makes the softmax of the scores predict hits best; some queries must have hits."""
        from scipy.optimize import minimize_scalar

        some = self.with_hits
        weight = some.hits / some.hits.sum(axis=1, keepdims=True)
        own = (np.where(some.hits, some.scores, 0) * weight).sum(axis=1)

        def loss(log_scale: float) -> float:
            scale = float(np.exp(log_scale))
            return float((log_sum_exp(some.scores * scale) - scale * own).mean())

        return float(np.exp(minimize_scalar(loss, bounds=(-2, 8), method="bounded").x))


def log_sum_exp(logits: np.ndarray) -> np.ndarray:
    """Log of the sum of exponentials per row, without overflow; -inf counts as absent; shape (n,)."""
    largest = logits.max(axis=1, keepdims=True)
    return np.asarray((largest + np.log(np.exp(logits - largest).sum(axis=1, keepdims=True)))[:, 0])
