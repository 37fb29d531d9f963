"""Popularity: the number of users per item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from kgrec.errors import ConfigError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.graph.histories import Histories


@dataclass(frozen=True)
class Popularity:
    """The items with the most users, the same list for everybody (TopPop of Cremonesi et al. 2010).

    With a window, only interactions of the last days count (Ji et al. 2020, "A re-visit of the popularity baseline in
    recommender systems"). If interactions have no times, all of them count.
    """

    #: length in days, ending at the latest interaction; None: all interactions count
    window: float | None = None

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {"window": (None, 365.0, 90.0, 30.0, 7.0)}

    def fit(self, data: BaselineData) -> FittedPopularity:
        """Count the users of each item.

        Raises:
            ConfigError: The window is not positive.
        """
        if self.window is not None and not self.window > 0:
            raise ConfigError(
                f"Popularity's window is {self.window:g} days.", "Give a positive number, or None for all."
            )
        if self.window is None or data.ages is None:
            return FittedPopularity(data.counts.astype(np.float32))
        recent = data.ages.indices[data.ages.data <= self.window]
        return FittedPopularity(np.bincount(recent, minlength=data.n_items).astype(np.float32))


@dataclass(frozen=True)
class FittedPopularity:
    """The same scores for all users."""

    #: shape (n_items,), float32
    of_items: np.ndarray

    def scores(self, histories: Histories, users: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """See `FittedBaseline`."""
        return np.tile(self.of_items, (len(histories), 1))
