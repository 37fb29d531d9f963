"""PureSVD: a truncated singular value decomposition of the matrix of interactions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import svds

from kgrec.errors import ConfigError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.fitted import ItemVectors, ones


@dataclass(frozen=True)
class PureSVD:
    r"""PureSVD, a truncated singular value decomposition (Cremonesi et al. 2010, "Performance of recommender algorithms on top-N recommendation tasks", eq. 9).

    .. math:: X \approx U \Sigma Q^\top, \quad s_{uj} = \frac{1}{|H_u|} \sum_{i \in H_u} q_i^\top q_j

    These are the paper's scores divided by :math:`|H_u|`, which does not change the order of a user's items.
    """

    #: number of singular values to keep
    dim: int = 64
    seed: int = 0

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {"dim": (16, 32, 64, 128, 256, 512)}

    def fit(self, data: BaselineData) -> ItemVectors:
        """Factorise the interactions.

        Raises:
            ConfigError: dim is below 1.
        """
        if self.dim < 1:
            raise ConfigError(f"PureSVD's dim is {self.dim}.", "Give at least 1.")
        return ItemVectors(_right_factors(ones(data.positives), self.dim, self.seed))


def _right_factors(matrix: sp.csr_matrix, dim: int, seed: int) -> np.ndarray:
    """Right singular vectors of the `dim` largest singular values above zero; shape (n_columns, dim or fewer), float32."""
    least = min(matrix.shape)
    if not matrix.nnz:
        return np.zeros((matrix.shape[1], 0), np.float32)
    if dim < least:
        start = np.random.default_rng(seed).random(least)
        _, values, rows = svds(matrix.astype(np.float64), dim, v0=start)
    else:
        _, values, rows = np.linalg.svd(matrix.toarray().astype(np.float64), full_matrices=False)
    kept = values > 1e-9 * values.max(initial=1.0)
    return np.ascontiguousarray(rows[kept].T, np.float32)
