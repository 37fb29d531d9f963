"""Random walks of three steps: from a user to an item of the history, to another user of it, to an item of that user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.fitted import ItemWeights, ones
from kgrec.evaluate.baselines.nearest_neighbors import largest
from kgrec.metrics.topk import blocks
from kgrec.rank.slim import no_weights


@dataclass(frozen=True)
class RP3beta:
    r"""P3alpha, re-ranked by popularity (Paudel et al. 2017, "Updatable, accurate, diverse, and scalable recommendations").

    .. math::
        s_{uj} = \sum_{i \in H_u} W_{ij}, \quad
        W_{ij} = \frac{1}{d_j^\beta} \sum_v \left(\frac{x_{vi}}{d_i}\right)^\alpha \left(\frac{x_{vj}}{d_v}\right)^\alpha

    d is the number of interactions of an item or user. Each item i keeps its largest weights only. The first step of the walk,
    :math:`1 / |H_u|^\alpha`, is the same for all items of a user and is left out. :math:`\beta = 0` is P3alpha (Cooper et
    al. 2014, "Random walks in recommender systems").
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
        positives = ones(data.positives)
        from_item = _steps(positives.T.tocsr(), self.alpha)
        from_user = _steps(positives, self.alpha)
        penalty = np.maximum(data.counts, 1).astype(np.float32) ** np.float32(-self.beta)
        target = (from_user @ sp.diags_array(penalty)).tocsr()
        parts = []
        for part in blocks(data.n_items, data.n_items):
            walks = (from_item[part] @ target).tocoo()
            walks.data[walks.row + part.start == walks.col] = 0
            parts.append(largest(walks.tocsr(), self.neighbors))
        return ItemWeights(sp.csr_matrix(sp.vstack([no_weights(0, data.n_items), *parts])))


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


def _steps(matrix: sp.csr_matrix, alpha: float) -> sp.csr_matrix:
    """Transition probabilities from a row to each of its columns, to the power alpha; shape of `matrix`, float32."""
    degree = np.diff(matrix.indptr)
    chance = np.repeat(1 / np.maximum(degree, 1), degree) ** alpha
    return sp.csr_matrix((chance.astype(np.float32), matrix.indices, matrix.indptr), matrix.shape)
