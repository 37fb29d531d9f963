"""Fitted baselines that several methods share: item-item weights, item vectors, and vectors of users and items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from kgrec.graph.histories import Histories

#: number of users scored at a time: a product of sparse vectors takes several times the memory of the scores
_USERS_PER_PRODUCT = 256


def ones(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """The matrix with 1 for each stored value, float32."""
    return sp.csr_matrix((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), matrix.shape)


def decayed(histories: Histories, decay: float, window: int) -> sp.csr_matrix:
    """Decay to the power of the number of newer items, for the newest `window` items; shape (len(histories), n_items), float32.

    Items of histories without an order all count as new.
    """
    matrix, lags = histories.matrix(), histories.lags
    lags = np.zeros(matrix.nnz, np.int32) if lags is None else lags
    values = np.where(lags < window, np.float32(decay) ** lags, np.float32(0)).astype(np.float32)
    found = sp.csr_matrix((values, matrix.indices, matrix.indptr), matrix.shape, copy=True)
    found.eliminate_zeros()
    return found


def dense(product: Any) -> np.ndarray:
    """The product of a sparse matrix with a sparse or a dense one, as a dense array."""
    return np.asarray(product.toarray() if isinstance(product, sp.csr_matrix) else product)


@dataclass(frozen=True)
class ItemWeights:
    r"""Each item of a history adds its weights to the scores: :math:`s_{uj} = \sum_{i \in H_u} W_{ij}`."""

    #: weight of the row's item for the column's item; shape (n_items, n_items), float32
    weights: sp.csr_matrix | np.ndarray

    def scores(self, histories: Histories, users: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """See `FittedBaseline`."""
        return np.asarray(dense(ones(histories.matrix()) @ self.weights), np.float32)


@dataclass(frozen=True)
class DecayingItemWeights:
    r"""Like `ItemWeights`, with less weight for older items: :math:`s_{uj} = \sum_{i \in H_u} \gamma^{k_i} W_{ij}`.

    :math:`k_i` is the number of newer items in the history; only the newest `window` items count.
    """

    #: weight of the row's item for the column's item; shape (n_items, n_items), float32
    weights: sp.csr_matrix
    decay: float
    window: int

    def scores(self, histories: Histories, users: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """See `FittedBaseline`."""
        return np.asarray(dense(decayed(histories, self.decay, self.window) @ self.weights), np.float32)


@dataclass(frozen=True)
class ItemVectors:
    r"""A user is the mean vector of the history: :math:`s_{uj} = z_j^\top \frac{1}{|H_u|} \sum_{i \in H_u} z_i`."""

    #: shape (n_items, dim), float32
    vectors: sp.csr_matrix | np.ndarray

    def scores(self, histories: Histories, users: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """See `FittedBaseline`."""
        matrix = histories.matrix()
        scores = np.empty((len(histories), self.vectors.shape[0]), np.float32)
        for start in range(0, len(scores), _USERS_PER_PRODUCT):
            part = ones(matrix[start : start + _USERS_PER_PRODUCT])
            length = np.maximum(np.diff(part.indptr), 1).astype(np.float32)[:, None]
            products = (part @ self.vectors) @ self.vectors.T
            scores[start : start + _USERS_PER_PRODUCT] = dense(products)
            scores[start : start + _USERS_PER_PRODUCT] /= length
        return scores


@dataclass(frozen=True)
class UserItemVectors:
    """Vectors of training users and of items: a score is their inner product, and ignores the history.

    The vector of a user that is not part of training is `new`, plus the sum of `parts` over the items of the history, divided
    by the square root of the history's length.
    """

    #: shape (n_users, dim), float32
    users: np.ndarray
    #: shape (n_items, dim), float32
    items: np.ndarray
    #: shape (dim,), float32
    new: np.ndarray
    #: shape (n_items, dim), float32; None: all zero
    parts: np.ndarray | None = None

    def scores(self, histories: Histories, users: np.ndarray | None = None) -> np.ndarray:
        """See `FittedBaseline`."""
        vectors = np.tile(self.new, (len(histories), 1))
        if self.parts is not None:
            matrix = histories.matrix()
            length = np.maximum(np.diff(matrix.indptr), 1).astype(np.float32)
            vectors += dense(ones(matrix) @ self.parts) / np.sqrt(length)[:, None]
        if users is not None:
            vectors[users >= 0] = self.users[users[users >= 0]]
        return np.asarray(vectors @ self.items.T, np.float32)
