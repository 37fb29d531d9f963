r"""Cosine, Jaccard and Pearson similarity of sparse binary rows, and the nearest rows of each.

With :math:`a, b` sets of N possible elements, h the shrinkage and :math:`c = |a \cap b|`:

.. math::
    \mathrm{cosine} = \frac{c}{\sqrt{|a| |b|} + h}, \quad
    \mathrm{jaccard} = \frac{c}{|a| + |b| - c + h}, \quad
    \mathrm{pearson} = \frac{c - |a||b|/N}{\sqrt{(|a| - |a|^2/N)(|b| - |b|^2/N)} + h}

Pearson's similarity is the correlation of two rows of zeros and ones, with both sides of the fraction multiplied by N.
Shrinkage in the denominator (Dacrema et al. 2021, "A troubling analysis of reproducibility and progress in recommender systems
research", after Bell and Koren 2007) keeps small sets that share an element by chance from becoming the nearest. Rows without a
common element have similarity zero, and rows with a similarity of zero or less are not neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from kgrec.errors import ConfigError, did_you_mean
from kgrec.evaluate.baselines.fitted import ones
from kgrec.metrics.topk import blocks, rows_of
from kgrec.rank.random_walk import largest
from kgrec.rank.slim import no_weights

#: function of common elements, sizes of both sets, N and shrinkage
Similarity = Callable[[np.ndarray, np.ndarray, np.ndarray, int, float], np.ndarray]


@dataclass(frozen=True)
class NearestNeighbors:
    """Options of a method that uses the nearest rows: the similarity, and the number of neighbours."""

    #: "cosine", "jaccard" or "pearson"
    similarity: str = "cosine"
    neighbors: int = 100
    #: h in the formulas
    shrinkage: float = 10.0

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "neighbors": (20, 50, 100, 200, 500, 1000),
        "shrinkage": (0.0, 3.0, 10.0, 30.0, 100.0, 300.0),
        "similarity": ("cosine", "jaccard", "pearson"),
    }

    def nearest(self, rows: sp.csr_matrix, others: sp.csr_matrix, *, same: bool = False) -> sp.csr_matrix:
        """The most similar other rows of each row.

        Args:
            rows: Sets, with a stored value for each element; shape (n, N).
            others: Sets to find neighbours in; shape (m, N).
            same: Whether `others` is `rows`; then no row is its own neighbour.

        Returns:
            Similarities, at most `neighbors` per row, the first ones among ties; shape (n, m), float32.
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
        """Check the options.

        Raises:
            ConfigError: The similarity is unknown, or an option is out of range.
        """
        if self.similarity not in SIMILARITIES:
            raise ConfigError(
                f"There is no similarity '{self.similarity}'.",
                did_you_mean(self.similarity, sorted(SIMILARITIES)),
            )
        if self.shrinkage < 0 or self.neighbors < 1:
            raise ConfigError(
                f"shrinkage is {self.shrinkage:g}, neighbors is {self.neighbors:,}.",
                "Give a shrinkage of at least 0, and at least 1 neighbor.",
            )


def _cosine(c: np.ndarray, a: np.ndarray, b: np.ndarray, n: int, h: float) -> np.ndarray:  # noqa: ARG001
    return np.asarray(c / (np.sqrt(a * b) + h))


def _jaccard(c: np.ndarray, a: np.ndarray, b: np.ndarray, n: int, h: float) -> np.ndarray:  # noqa: ARG001
    return np.asarray(c / (a + b - c + h))


def _pearson(c: np.ndarray, a: np.ndarray, b: np.ndarray, n: int, h: float) -> np.ndarray:
    spread = np.sqrt((a - a * a / n) * (b - b * b / n)) + h
    # a set of all elements has no variance: its correlation is undefined, and counts as zero
    return np.asarray(np.divide(c - a * b / n, spread, out=np.zeros_like(c), where=spread > 1e-12))


#: name -> function
SIMILARITIES: dict[str, Similarity] = {"cosine": _cosine, "jaccard": _jaccard, "pearson": _pearson}
