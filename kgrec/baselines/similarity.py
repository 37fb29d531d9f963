r"""Cosine, Jaccard and Pearson of sparse binary rows, and the nearest of each.

With :math:`a, b` sets of N possible elements, h the shrinkage and :math:`c = |a \cap b|`:

.. math::
    \mathrm{cosine} = \frac{c}{\sqrt{|a| |b|} + h}, \quad
    \mathrm{jaccard} = \frac{c}{|a| + |b| - c + h}, \quad
    \mathrm{pearson} = \frac{c - |a||b|/N}{\sqrt{(|a| - |a|^2/N)(|b| - |b|^2/N)} + h}

Pearson's is the correlation of the two rows of zeros and ones, both terms of the fraction times N. Shrinkage in the
denominator, as Dacrema et al. 2021 have it ("A troubling analysis of reproducibility and progress in recommender systems
research", after Bell and Koren 2007), keeps sets that share an element or two by chance from being the nearest. Sets that
share nothing, and what is not above zero, count as not alike at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import scipy.sparse as sp

from kgrec.baselines.scorers import ones
from kgrec.errors import ConfigError, did_you_mean
from kgrec.slim import no_weights

#: pairs of rows whose common elements are held at a time
_PAIRS = 1 << 25

Similarity = Callable[[np.ndarray, np.ndarray, np.ndarray, int, float], np.ndarray]


def nearest_rows(
    rows: sp.csr_matrix,
    others: sp.csr_matrix,
    similarity: str,
    shrinkage: float,
    neighbors: int,
    *,
    same: bool = False,
) -> sp.csr_matrix:
    """The most similar of other rows for each row.

    Args:
        rows: sets, stored where an element is; shape (n, N).
        others: sets of the same elements; shape (m, N).
        similarity: a name of `SIMILARITIES`.
        shrinkage: h above.
        neighbors: most that each row keeps; of equal ones the first.
        same: `others` are `rows`, and no row is its own neighbour.

    Returns:
        Similarities; shape (n, m), float32.

    Raises:
        ConfigError: There is no such similarity, or an option is out of range.
    """
    if similarity not in SIMILARITIES:
        raise ConfigError(
            f"There is no similarity '{similarity}'.", did_you_mean(similarity, sorted(SIMILARITIES))
        )
    if shrinkage < 0 or neighbors < 1:
        raise ConfigError(
            f"shrinkage is {shrinkage:g}, neighbors {neighbors:,}.",
            "Shrinkage is at least 0, neighbors at least 1.",
        )
    sizes, columns = np.diff(others.indptr).astype(np.float64), ones(others).T.tocsr()
    parts = []
    for part in blocks(rows.shape[0], others.shape[0]):
        counts = ones(rows[part]) @ columns
        at = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
        own = np.diff(rows.indptr)[part].astype(np.float64)
        values = SIMILARITIES[similarity](
            counts.data.astype(np.float64), own[at], sizes[counts.indices], rows.shape[1], shrinkage
        )
        if same:
            values[at + part.start == counts.indices] = 0
        parts.append(largest(sp.csr_matrix((values, counts.indices, counts.indptr), counts.shape), neighbors))
    return sp.csr_matrix(sp.vstack([no_weights(0, others.shape[0]), *parts]))


def largest(matrix: sp.csr_matrix, most: int) -> sp.csr_matrix:
    """The largest entries of each row that are above zero, of equal ones the first; float32, columns in order."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    positive = matrix.data > 0
    row, column, value = row[positive], matrix.indices[positive], matrix.data[positive]
    order = np.lexsort((column, -value, row))
    lengths = np.bincount(row, minlength=matrix.shape[0])
    place = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    kept = order[place < most]
    found = sp.csr_matrix((value[kept].astype(np.float32), (row[kept], column[kept])), matrix.shape)
    found.sort_indices()
    return found


def blocks(n_rows: int, width: int) -> Iterator[slice]:
    """Rows in parts whose products with `width` others are held at a time."""
    step = max(1, _PAIRS // max(1, width))
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))


def _cosine(c: np.ndarray, a: np.ndarray, b: np.ndarray, n: int, h: float) -> np.ndarray:  # noqa: ARG001
    return np.asarray(c / (np.sqrt(a * b) + h))


def _jaccard(c: np.ndarray, a: np.ndarray, b: np.ndarray, n: int, h: float) -> np.ndarray:  # noqa: ARG001
    return np.asarray(c / (a + b - c + h))


def _pearson(c: np.ndarray, a: np.ndarray, b: np.ndarray, n: int, h: float) -> np.ndarray:
    spread = np.sqrt((a - a * a / n) * (b - b * b / n)) + h
    # a set of everything has no spread, and correlates with nothing
    return np.asarray(np.divide(c - a * b / n, spread, out=np.zeros_like(c), where=spread > 1e-12))


#: name -> similarity of the common elements, both sizes, N and the shrinkage
SIMILARITIES: dict[str, Similarity] = {"cosine": _cosine, "jaccard": _jaccard, "pearson": _pearson}
