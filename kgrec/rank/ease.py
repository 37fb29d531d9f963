r"""EASE: item-item weights from all other items by ridge regression, in closed form (Steck 2019, "Embarrassingly shallow
autoencoders for sparse data").

.. math:: P = (X^\top X + \lambda I)^{-1}, \quad B_{ij} = -P_{ij} / P_{jj}, \quad B_{jj} = 0, \quad s_u = x_u B

Enters: the number of users in common for each pair of items. Leaves: `ease_weights`. Nothing is written.

The matrix has an entry per pair of items: memory grows with the square of the number of items, time with the cube.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack

from kgrec.errors import TrainingError

#: bytes per pair of items: a float32 matrix that is inverted in place, and one temporary copy
BYTES_PER_PAIR = 8
_ROWS_PER_BLOCK = 1024


def ease_weights(counts: sp.csr_matrix, penalty: float) -> np.ndarray:
    """B, the weight of the row's item for the column's item; shape (n_items, n_items), float32, zero on the diagonal.

    Args:
        counts: number of users in common for each pair of items; shape (n_items, n_items).
        penalty: lambda, above 0.

    Raises:
        TrainingError: The penalty is too small for single precision.
    """
    # in column-major order LAPACK inverts in place
    gram = counts.toarray(order="F")
    gram[np.diag_indices_from(gram)] += np.float32(penalty)
    inverse = _inverted(gram)
    diagonal = inverse.diagonal().copy()
    inverse /= -diagonal
    inverse[np.diag_indices_from(inverse)] = 0
    return inverse


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
