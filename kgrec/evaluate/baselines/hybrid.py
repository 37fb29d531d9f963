"""A weighted sum of two baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from kgrec.errors import ConfigError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.content import ContentTfidf
from kgrec.evaluate.baselines.item_knn import ItemKNN
from kgrec.evaluate.baselines.protocol import Baseline, FittedBaseline
from kgrec.graph.histories import Histories


@dataclass(frozen=True)
class Hybrid:
    r"""A weighted hybrid of a collaborative and a content-based baseline (Burke 2002, "Hybrid recommender systems").

    .. math:: s_{uj} = (1 - w) \frac{a_{uj}}{\max_l |a_{ul}|} + w \frac{b_{uj}}{\max_l |b_{ul}|}

    A part with score 0 for all items of a user adds nothing.
    """

    #: a
    collaborative: Baseline = field(default_factory=ItemKNN)
    #: b
    content: Baseline = field(default_factory=ContentTfidf)
    #: w, the weight of the content-based part; 0 to 1
    share: float = 0.5

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "share": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    }

    def fit(self, data: BaselineData) -> FittedHybrid:
        """Fit both parts.

        Raises:
            ConfigError: The share is not between 0 and 1.
            TrainingError: One of the parts cannot be fitted.
        """
        if not 0 <= self.share <= 1:
            raise ConfigError(f"Hybrid's share is {self.share:g}.", "Give a number from 0 to 1.")
        return FittedHybrid(self.collaborative.fit(data), self.content.fit(data), self.share)


@dataclass(frozen=True)
class FittedHybrid:
    """Two fitted baselines; each user's scores are divided by the largest absolute score."""

    collaborative: FittedBaseline
    content: FittedBaseline
    share: float

    def scores(self, histories: Histories, users: np.ndarray | None = None) -> np.ndarray:
        """See `FittedBaseline`."""
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
