"""Scores by item-item weights, and by vectors: what most baselines leave behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

#: scored at a time: products of sparse vectors take several times the memory of the scores
_USERS = 256


def ones(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """The same with a one wherever something is stored, float32."""
    return sp.csr_matrix((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), matrix.shape)


def dense(product: Any) -> np.ndarray:
    """A product of a sparse matrix with either kind, dense."""
    return np.asarray(product.toarray() if isinstance(product, sp.csr_matrix) else product)


@dataclass(frozen=True)
class ItemWeights:
    r"""Each item of a history votes for others: :math:`s_{uj} = \sum_{i \in H_u} W_{ij}`."""

    #: from the row's item to the column's; shape (n_items, n_items), float32
    weights: sp.csr_matrix | np.ndarray

    def scores(self, histories: sp.csr_matrix, users: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """See `Scorer`."""
        return np.asarray(dense(ones(histories) @ self.weights), np.float32)


@dataclass(frozen=True)
class ItemVectors:
    r"""A history is the mean of its items' vectors: :math:`s_{uj} = z_j^\top \frac{1}{|H_u|} \sum_{i \in H_u} z_i`."""

    #: shape (n_items, dim), float32
    vectors: sp.csr_matrix | np.ndarray

    def scores(self, histories: sp.csr_matrix, users: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """See `Scorer`."""
        scores = np.empty((histories.shape[0], self.vectors.shape[0]), np.float32)
        for start in range(0, len(scores), _USERS):
            part = ones(histories[start : start + _USERS])
            length = np.maximum(np.diff(part.indptr), 1).astype(np.float32)[:, None]
            products = (part @ self.vectors) @ self.vectors.T
            scores[start : start + _USERS] = dense(products)
            scores[start : start + _USERS] /= length
        return scores


@dataclass(frozen=True)
class KnownUserScorer:
    """Vectors of the users of training, and of items: a score is their inner product, whatever the history.

    A user whom training has not is `new`, and of each item in the history its `parts` by the root of the history's length.
    """

    #: shape (n_users, dim), float32
    users: np.ndarray
    #: shape (n_items, dim), float32
    items: np.ndarray
    #: shape (dim,), float32
    new: np.ndarray
    #: shape (n_items, dim), float32; None: all zero
    parts: np.ndarray | None = None

    def scores(self, histories: sp.csr_matrix, users: np.ndarray | None = None) -> np.ndarray:
        """See `Scorer`."""
        vectors = np.tile(self.new, (histories.shape[0], 1))
        if self.parts is not None:
            length = np.maximum(np.diff(histories.indptr), 1).astype(np.float32)
            vectors += dense(ones(histories) @ self.parts) / np.sqrt(length)[:, None]
        if users is not None:
            vectors[users >= 0] = self.users[users[users >= 0]]
        return np.asarray(vectors @ self.items.T, np.float32)
