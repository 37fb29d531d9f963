"""User-based nearest neighbours: items of users with a similar history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.fitted import dense, ones
from kgrec.evaluate.baselines.nearest_neighbors import NearestNeighbors
from kgrec.graph.histories import Histories


@dataclass(frozen=True)
class UserKNN(NearestNeighbors):
    r"""User-based nearest neighbours (Resnick et al. 1994; Herlocker et al. 1999, for interactions without values).

    .. math:: s_{uj} = \sum_{v \in N(u),\; j \in H_v} \mathrm{sim}(u, v)

    N(u) are the training users whose sets of items are most similar to the history; see
    `kgrec.evaluate.baselines.nearest_neighbors`. A training user is its own neighbour, which adds only to the scores of its own
    items.
    """

    def fit(self, data: BaselineData) -> FittedUserKNN:
        """Store the training histories.

        Raises:
            ConfigError: An option is out of range.
        """
        self.check()
        return FittedUserKNN(self, ones(data.positives))


@dataclass(frozen=True)
class FittedUserKNN:
    """Training histories, among which the most similar ones are found."""

    options: NearestNeighbors
    #: shape (n_users, n_items), float32
    positives: sp.csr_matrix

    def scores(self, histories: Histories, users: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """See `FittedBaseline`."""
        return dense(self.options.nearest(histories.matrix(), self.positives) @ self.positives)
