r"""Diversity: items unlike the earlier items of the list.

Enters: vectors of items. Leaves: the gain of each candidate. Nothing is written.

Two methods, with similarity the cosine of the items' vectors:

mmr
    Maximal marginal relevance (Carbonell and Goldstein 1998): :math:`g(i \mid S) = -\max_{j \in S} \cos(i, j)`, 0 for the first item.
    An item loses by its similarity to the most similar listed item.
dpp
    Greedy maximum a posteriori inference of a determinantal point process (Chen, Zhang and Zhou 2018, algorithm 1):
    :math:`g(i \mid S) = \log \det C_{S \cup i} - \log \det C_S`, with C the cosines. An item loses by its similarity to all listed
    items together. With the kernel of the paper's section 4.2, the objective is :math:`(1 - w) \sum r_i + w \log \det C_S`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from kgrec.rank.lists.greedy import Term, Wish
from kgrec.rank.lists.pool import Pool

DiversityMethod = Literal["mmr", "dpp"]
#: smallest share of an item's squared length left unexplained by the listed items; keeps its logarithm finite
_LEAST = 1e-6


@dataclass(frozen=True)
class Diversity(Wish):
    """Wish for items unlike each other."""

    weight: float
    #: unit vectors per item row, as an array or as `Rows`; shape (n_items, dim)
    vectors: Any
    method: DiversityMethod = "mmr"

    def term(self, pool: Pool, users: np.ndarray) -> Term:
        """See `Wish`."""
        del users
        # padding reads the last item; such candidates are never chosen
        vectors = np.asarray(self.vectors[pool.rows.ravel()], np.float32).reshape(*pool.rows.shape, -1)
        return DIVERSITY_TERMS[self.method](vectors, pool.k)


class MarginalRelevance:
    """See `mmr` above.

    Args:
        vectors: Vectors of the candidates; shape (n_users, width, dim), float32.
        k: Items per list.
    """

    def __init__(self, vectors: np.ndarray, k: int) -> None:
        del k
        self._vectors = vectors
        self._nearest: np.ndarray | None = None

    def gains(self) -> np.ndarray:
        """See `Term`."""
        return np.zeros(self._vectors.shape[:2]) if self._nearest is None else -self._nearest

    def take(self, at: np.ndarray) -> None:
        """See `Term`."""
        cosines = _cosines(self._vectors, at)
        self._nearest = cosines if self._nearest is None else np.maximum(self._nearest, cosines)


class Determinant:
    """See `dpp` above: the Cholesky factor of the listed items' cosines grows by a row per item.

    Args:
        vectors: Vectors of the candidates; shape (n_users, width, dim), float32.
        k: Items per list.
    """

    def __init__(self, vectors: np.ndarray, k: int) -> None:
        self._vectors, self._listed = vectors, 0
        #: inner products of each candidate with the orthonormalised listed items
        self._factor = np.zeros((*vectors.shape[:2], k))
        #: squared length of the part of each candidate that the listed items do not explain
        self._left = np.ones(vectors.shape[:2])

    def gains(self) -> np.ndarray:
        """See `Term`."""
        return np.log(self._left)

    def take(self, at: np.ndarray) -> None:
        """See `Term`."""
        users, n = np.arange(len(at)), self._listed
        done = self._factor[:, :, :n]
        rest = _cosines(self._vectors, at) - np.einsum("uwn,un->uw", done, done[users, at])
        column = rest / np.sqrt(self._left[users, at])[:, None]
        self._factor[:, :, n] = column
        self._left = np.maximum(self._left - column**2, _LEAST)
        self._listed += 1


DIVERSITY_TERMS: dict[DiversityMethod, Callable[[np.ndarray, int], Term]] = {
    "mmr": MarginalRelevance,
    "dpp": Determinant,
}


def _cosines(vectors: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Cosines of all candidates with one candidate per user; shape (n_users, width), float64."""
    chosen = vectors[np.arange(len(at)), at]
    return np.asarray(np.matmul(vectors, chosen[:, :, None])[:, :, 0], np.float64)
