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

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from kgrec.errors import ConfigError, did_you_mean
from kgrec.evaluate.baselines.scorers import ones
from kgrec.metrics.topk import blocks, rows_of
from kgrec.rank.slim import no_weights

Similarity = Callable[[np.ndarray, np.ndarray, np.ndarray, int, float], np.ndarray]


@dataclass(frozen=True)
class Neighborhood:
    """Which rows are like which, and how many of these count."""

    #: cosine, jaccard or pearson
    similarity: str = "cosine"
    neighbors: int = 100
    #: h above
    shrinkage: float = 10.0

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "neighbors": (20, 50, 100, 200, 500, 1000),
        "shrinkage": (0.0, 3.0, 10.0, 30.0, 100.0, 300.0),
        "similarity": ("cosine", "jaccard", "pearson"),
    }
    INDUCTIVE: ClassVar[bool] = True

    def nearest(self, rows: sp.csr_matrix, others: sp.csr_matrix, *, same: bool = False) -> sp.csr_matrix:
        """The most similar of other rows for each row.

        Args:
            rows: sets, stored where an element is; shape (n, N).
            others: sets of the same elements; shape (m, N).
            same: `others` are `rows`, and no row is its own neighbour.

        Returns:
            Similarities, of each row at most `neighbors`, of equal ones the first; shape (n, m), float32.
        """
        sizes, columns = np.diff(others.indptr).astype(np.float64), ones(others).T.tocsr()
        parts = []
        for part in blocks(rows.shape[0], others.shape[0]):
            counts = ones(rows[part]) @ columns
            at = rows_of(counts)
            own = np.diff(rows.indptr)[part].astype(np.float64)
            values = SIMILARITIES[self.similarity](
                counts.data.astype(np.float64), own[at], sizes[counts.indices], rows.shape[1], self.shrinkage
            )
            if same:
                values[at + part.start == counts.indices] = 0
            alike = sp.csr_matrix((values, counts.indices, counts.indptr), counts.shape)
            parts.append(largest(alike, self.neighbors))
        return sp.csr_matrix(sp.vstack([no_weights(0, others.shape[0]), *parts]))

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            ConfigError: There is no such similarity, or an option is out of range.
        """
        if self.similarity not in SIMILARITIES:
            raise ConfigError(
                f"There is no similarity '{self.similarity}'.",
                did_you_mean(self.similarity, sorted(SIMILARITIES)),
            )
        if self.shrinkage < 0 or self.neighbors < 1:
            raise ConfigError(
                f"shrinkage is {self.shrinkage:g}, neighbors {self.neighbors:,}.",
                "Shrinkage is at least 0, neighbors at least 1.",
            )


def largest(matrix: sp.csr_matrix, most: int) -> sp.csr_matrix:
    """The largest entries of each row that are above zero, of equal ones the first; float32, columns in order."""
    if not matrix.has_sorted_indices:
        matrix = matrix.sorted_indices()
    kept = matrix.data > 0
    for row in np.flatnonzero(np.diff(matrix.indptr) > most):
        part = slice(*matrix.indptr[row : row + 2])
        kept[part] &= _highest(matrix.data[part], most)
    until = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    return sp.csr_matrix((matrix.data[kept].astype(np.float32), matrix.indices[kept], until), matrix.shape)


def _highest(values: np.ndarray, most: int) -> np.ndarray:
    """Whether each is among so many highest, of equal ones the first; bool."""
    least = np.partition(values, len(values) - most)[len(values) - most]
    above, equal = values > least, values == least
    return np.asarray(above | (equal & (np.cumsum(equal) <= most - np.count_nonzero(above))))


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
