"""Items of those whose history is alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from kgrec.baselines.data import Data
from kgrec.baselines.scorers import ones
from kgrec.baselines.similarity import nearest_rows


@dataclass(frozen=True)
class UserKNN:
    r"""User-based nearest neighbours (Resnick et al. 1994; Herlocker et al. 1999, for interactions without values).

    .. math:: s_{uj} = \sum_{v \in N(u),\; j \in H_v} \mathrm{sim}(u, v)

    N(u) are the training users whose sets of items are most like the history; see `kgrec.baselines.similarity`. A training
    user is a neighbour of the own history, too, and adds only to what that history holds.
    """

    #: cosine, jaccard or pearson
    similarity: str = "cosine"
    neighbors: int = 100
    shrinkage: float = 10.0

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "neighbors": (20, 50, 100, 200, 500, 1000),
        "shrinkage": (0.0, 10.0, 50.0, 100.0, 500.0),
        "similarity": ("cosine", "jaccard", "pearson"),
    }
    INDUCTIVE: ClassVar[bool] = True

    def fit(self, data: Data) -> LikeMinded:
        """Keep the histories."""
        return LikeMinded(self, ones(data.positives))


@dataclass(frozen=True)
class LikeMinded:
    """Histories of training, to find those that are alike."""

    options: UserKNN
    #: shape (n_users, n_items), float32
    positives: sp.csr_matrix

    def scores(self, histories: sp.csr_matrix, users: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """See `Scorer`."""
        options = self.options
        near = nearest_rows(
            histories, self.positives, options.similarity, options.shrinkage, options.neighbors
        )
        return np.asarray((near @ self.positives).toarray(), np.float32)
