"""EASE: each item from all others by ridge regression, in closed form."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import lapack

from kgrec.errors import ConfigError, TrainingError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.fitted import ItemWeights
from kgrec.rank.slim import co_counts

#: bytes per pair of items: a float32 matrix that is inverted in place, and one copy while it is made
_BYTES_PER_PAIR = 8
#: share of the machine's memory that may be used by default
_MEMORY_SHARE = 0.5
_ROWS_PER_BLOCK = 1024


@dataclass(frozen=True)
class Ease:
    r"""EASE, a dense linear autoencoder (Steck 2019, "Embarrassingly shallow autoencoders for sparse data").

    .. math:: P = (X^\top X + \lambda I)^{-1}, \quad B_{ij} = -P_{ij} / P_{jj}, \quad B_{jj} = 0, \quad s_u = x_u B

    The matrix has an entry per pair of items: memory grows with the square of the number of items, time with the cube.
    """

    #: lambda
    penalty: float = 200.0
    #: GB that may be used; None: half of the machine's memory
    memory: float | None = None

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "penalty": (10.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
    }

    def fit(self, data: BaselineData) -> ItemWeights:
        """Solve the regressions.

        Raises:
            ConfigError: The penalty is not positive.
            TrainingError: The matrix would not fit into memory.
        """
        if not self.penalty > 0:
            raise ConfigError(f"EASE's penalty is {self.penalty:g}.", "Give a positive number.")
        self._check(data.n_items)
        # in column-major order LAPACK inverts in place
        gram = co_counts(data.positives).toarray(order="F")
        gram[np.diag_indices_from(gram)] += np.float32(self.penalty)
        inverse = _inverted(gram)
        diagonal = inverse.diagonal().copy()
        inverse /= -diagonal
        inverse[np.diag_indices_from(inverse)] = 0
        return ItemWeights(inverse)

    def _check(self, n_items: int) -> None:
        allowed = self.memory if self.memory is not None else _MEMORY_SHARE * _machine_memory()
        needed = _BYTES_PER_PAIR * n_items**2 / 1e9
        if needed > allowed:
            raise TrainingError(
                f"EASE of {n_items:,} items needs {needed:,.1f} GB of memory; {allowed:,.1f} GB may be used.",
                "Leave it out, raise `memory`, or use a baseline with sparse weights, such as RP3beta.",
            )


def _inverted(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a symmetric positive definite float32 matrix in column-major order, which is overwritten."""
    if not len(matrix):
        return matrix
    factor, failed = lapack.spotrf(matrix, lower=1, overwrite_a=1)
    inverse, failed_too = lapack.spotri(factor, lower=1, overwrite_c=1) if not failed else (factor, 0)
    if failed or failed_too:
        raise TrainingError(
            "The matrix of EASE cannot be inverted in single precision.", "Give a larger penalty."
        )
    for start in range(0, len(inverse), _ROWS_PER_BLOCK):
        stop = start + _ROWS_PER_BLOCK
        # LAPACK fills the lower triangle only
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
        corner = np.tril(inverse[start:stop, start:stop])
        inverse[start:stop, start:stop] = corner + np.tril(corner, -1).T
    return np.asarray(inverse)


def _machine_memory() -> float:
    """Memory of the machine in GB; 16 where the system does not tell it."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return 16.0
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
