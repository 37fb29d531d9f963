"""Items of those whose history is alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from kgrec.evaluate.baselines.scorers import dense, ones
from kgrec.evaluate.baselines.similarity import Neighborhood
from kgrec.evaluate.baselines.training_data import Data


@dataclass(frozen=True)
class UserKNN(Neighborhood):
    r"""User-based nearest neighbours (Resnick et al. 1994; Herlocker et al. 1999, for interactions without values).

    .. math:: s_{uj} = \sum_{v \in N(u),\; j \in H_v} \mathrm{sim}(u, v)

    N(u) are the training users whose sets of items are most like the history; see `kgrec.evaluate.baselines.similarity`. A training
    user is a neighbour of the own history, too, and adds only to what that history holds.
    """

    def fit(self, data: Data) -> LikeMinded:
        """Keep the histories.

        Raises:
            ConfigError: An option is out of range.
        """
        self.check()
        return LikeMinded(self, ones(data.positives))


@dataclass(frozen=True)
class LikeMinded:
    """Histories of training, to find those that are alike."""

    options: Neighborhood
    #: shape (n_users, n_items), float32
    positives: sp.csr_matrix

    def scores(self, histories: sp.csr_matrix, users: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """See `Scorer`."""
        return dense(self.options.nearest(histories, self.positives) @ self.positives)
