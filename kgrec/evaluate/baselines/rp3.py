"""Random walks of three steps: from a user to an item of the history, to another user of it, to an item of that user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.fitted import ItemWeights
from kgrec.rank.random_walk import walk_weights


@dataclass(frozen=True)
class RP3beta:
    r"""P3alpha, re-ranked by popularity: :math:`s_{uj} = \sum_{i \in H_u} W_{ij}`, see :mod:`kgrec.rank.random_walk`.

    Each item i keeps only its largest weights. The first step of the walk, :math:`1 / |H_u|^\alpha`, is the same for all items of a
    user and is left out.
    """

    alpha: float = 1.0
    beta: float = 0.5
    neighbors: int = 100

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "beta": (0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0),
        "alpha": (0.4, 0.6, 0.8, 1.0, 1.2, 1.6),
        "neighbors": (20, 50, 100, 200, 500, 1000),
    }

    def fit(self, data: BaselineData) -> ItemWeights:
        """Compute the weights of the walks from each item."""
        return ItemWeights(walk_weights(data.positives, self.alpha, self.beta, self.neighbors))


@dataclass(frozen=True)
class P3alpha:
    """P3alpha, random walks of three steps (Cooper et al. 2014): `RP3beta` with beta 0."""

    alpha: float = 1.0
    neighbors: int = 100

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "alpha": RP3beta.GRID["alpha"],
        "neighbors": RP3beta.GRID["neighbors"],
    }

    def fit(self, data: BaselineData) -> ItemWeights:
        """Compute the weights of the walks from each item."""
        return RP3beta(self.alpha, 0.0, self.neighbors).fit(data)
