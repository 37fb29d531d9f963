"""A weighted sum of two baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from kgrec.errors import ConfigError
from kgrec.evaluate.baselines.content import ContentTfidf
from kgrec.evaluate.baselines.item_knn import ItemKNN
from kgrec.evaluate.baselines.protocol import Baseline, Scorer
from kgrec.evaluate.baselines.training_data import Data


@dataclass(frozen=True)
class Hybrid:
    r"""What is taken together, and what is alike (Burke 2002, "Hybrid recommender systems", the weighted kind).

    .. math:: s_{uj} = (1 - w) \frac{a_{uj}}{\max_l |a_{ul}|} + w \frac{b_{uj}}{\max_l |b_{ul}|}

    A part that says nothing of a user, zero for every item, adds nothing.
    """

    #: a
    collaborative: Baseline = field(default_factory=ItemKNN)
    #: b
    content: Baseline = field(default_factory=ContentTfidf)
    #: w, of the content; 0 to 1
    share: float = 0.5

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "share": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    }
    INDUCTIVE: ClassVar[bool] = True

    def fit(self, data: Data) -> HybridScorer:
        """Fit both.

        Raises:
            ConfigError: The share is not one.
            TrainingError: One of the two cannot be fitted.
        """
        if not 0 <= self.share <= 1:
            raise ConfigError(f"Hybrid's share is {self.share:g}.", "Give a number from 0 to 1.")
        return HybridScorer(self.collaborative.fit(data), self.content.fit(data), self.share)


@dataclass(frozen=True)
class HybridScorer:
    """Two scorers, each scaled to its largest score of the user."""

    collaborative: Scorer
    content: Scorer
    share: float

    def scores(self, histories: sp.csr_matrix, users: np.ndarray | None = None) -> np.ndarray:
        """See `Scorer`."""
        first, second = (
            _scaled(part.scores(histories, users)) for part in (self.collaborative, self.content)
        )
        first *= np.float32(1 - self.share)
        second *= np.float32(self.share)
        first += second
        return first


def _scaled(scores: np.ndarray) -> np.ndarray:
    largest = np.abs(scores).max(axis=1, keepdims=True, initial=0)
    return np.asarray(np.divide(scores, largest, out=np.zeros_like(scores), where=largest > 0))
