r"""RP3beta: item-item weights from random walks of three steps: from an item to a user and to another item of that user.

.. math::
    W_{ij} = \frac{1}{d_j^\beta} \sum_v \left(\frac{x_{vi}}{d_i}\right)^\alpha \left(\frac{x_{vj}}{d_v}\right)^\alpha

d is the number of interactions of an item or user. Division by the popularity of the target follows Paudel et al. 2017,
"Updatable, accurate, diverse, and scalable recommendations"; :math:`\beta = 0` is P3alpha (Cooper et al. 2014, "Random walks in
recommender systems"). Enters: the positive interactions. Leaves: `walk_weights`. Nothing is written.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from kgrec.metrics.topk import blocks
from kgrec.rank.slim import no_weights


def walk_weights(positives: sp.csr_matrix, alpha: float, beta: float, neighbors: int) -> sp.csr_matrix:
    """W, the weight of the row's item for the column's item; shape (n_items, n_items), float32, zero on the diagonal.

    Args:
        positives: shape (n_users, n_items); the values are ignored.
        alpha: exponent of the transition probabilities.
        beta: exponent of the target's popularity.
        neighbors: number of largest weights kept per row.
    """
    n_items = positives.shape[1]
    from_item = _steps(positives.T.tocsr(), alpha)
    counts = np.bincount(positives.indices, minlength=n_items)
    penalty = np.maximum(counts, 1).astype(np.float32) ** np.float32(-beta)
    target = (_steps(positives, alpha) @ sp.diags_array(penalty)).tocsr()
    parts = []
    for part in blocks(n_items, n_items):
        walks = (from_item[part] @ target).tocoo()
        walks.data[walks.row + part.start == walks.col] = 0
        parts.append(largest(walks.tocsr(), neighbors))
    return sp.csr_matrix(sp.vstack([no_weights(0, n_items), *parts]))


def largest(matrix: sp.csr_matrix, most: int) -> sp.csr_matrix:
    """The largest positive entries of each row, the first ones among ties; float32, columns in order."""
    matrix = matrix if matrix.has_sorted_indices else matrix.sorted_indices()
    return _highest_of(matrix, matrix.data, most)


def strongest(matrix: sp.csr_matrix, most: int) -> sp.csr_matrix:
    """The entries of each row with the largest absolute value, the first ones among ties; float32, columns in order."""
    matrix = matrix if matrix.has_sorted_indices else matrix.sorted_indices()
    return _highest_of(matrix, np.abs(matrix.data), most)


def _highest_of(matrix: sp.csr_matrix, sizes: np.ndarray, most: int) -> sp.csr_matrix:
    """The entries of each row with the largest sizes, if these are above zero."""
    kept = sizes > 0
    for row in np.flatnonzero(np.diff(matrix.indptr) > most):
        part = slice(*matrix.indptr[row : row + 2])
        kept[part] &= _highest(sizes[part], most)
    until = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    return sp.csr_matrix((matrix.data[kept].astype(np.float32), matrix.indices[kept], until), matrix.shape)


def _highest(values: np.ndarray, most: int) -> np.ndarray:
    """Whether each value is among the `most` highest, the first ones among ties; shape (len(values),), bool."""
    least = np.partition(values, len(values) - most)[len(values) - most]
    above, equal = values > least, values == least
    return np.asarray(above | (equal & (np.cumsum(equal) <= most - np.count_nonzero(above))))


def _steps(matrix: sp.csr_matrix, alpha: float) -> sp.csr_matrix:
    """Transition probabilities from a row to each of its columns, raised to the power alpha; shape of `matrix`, float32."""
    degree = np.diff(matrix.indptr)
    chance = np.repeat(1 / np.maximum(degree, 1), degree) ** alpha
    return sp.csr_matrix((chance.astype(np.float32), matrix.indices, matrix.indptr), matrix.shape)
