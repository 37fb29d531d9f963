r"""User encoders: from a history to a vector in the space of the items.

Enters: histories, and vectors of items. Leaves: unit vectors of users. Nothing is written.

Every user encoder returns vectors that are compared with item vectors by inner product. So one index serves all encoders, and
new items and new users follow the same path as known ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp

from kgrec.graph.histories import Histories
from kgrec.storage.segments import Rows


class UserEncoder(Protocol):
    """Turns histories into vectors."""

    @property
    def history_weight(self) -> Rows[np.ndarray]:
        """Weight of each item in a history; shape (n_items,), float32."""

    def encode(self, histories: Histories, vectors: Rows[np.ndarray]) -> np.ndarray:
        """Unit vectors of users; zero for an empty history; shape (n_users, dim), float32.

        Args:
            histories: n_users histories; weights below 0 mark disliked items.
            vectors: of the items; shape (n_items, dim).
        """

    def with_items(self, n_items: int) -> UserEncoder:
        """The encoder for a catalogue of `n_items`; a new item has the weight of an item with one user."""

    def merged(self) -> UserEncoder:
        """The same encoder, with the weights of all items in the base."""


@runtime_checkable
class AdditiveUserEncoder(UserEncoder, Protocol):
    """A user encoder that is linear before normalisation, so that each history item has an exact share of the user's vector."""

    def added(
        self, history: Histories, vectors: Rows[np.ndarray], at: np.ndarray, parts: np.ndarray
    ) -> np.ndarray:
        """What parts of history items' vectors contribute to the user's vector, which is their sum over all parts; shape (n, dim), float32.

        Args:
            history: of a single user.
            vectors: of the items; shape (n_items, dim).
            at: the history item of each part, in the order of `Histories.matrix`; shape (n,).
            parts: summands of its vector; shape (n, dim).
        """


@dataclass(frozen=True)
class MeanUserEncoder:
    r"""The weighted mean of a history: :math:`u = \mathrm{normalize}(\sum_{j \in H(u)} d_j^{-\alpha} z_j)`.

    `d_j` is the number of training users of item j; alpha is learned, since a popular item says less about a user's taste.
    """

    #: `d ** -alpha`; shape (n_items,), float32
    history_weight: Rows[np.ndarray]

    def encode(self, histories: Histories, vectors: Rows[np.ndarray]) -> np.ndarray:
        """See `UserEncoder`; the order of a history is ignored."""
        bags = histories.matrix()
        # Multiply the histories by the weights, because they are few, and not the vectors of the whole catalogue.
        weights = bags.data * self.history_weight[bags.indices]
        weighted = sp.csr_matrix((weights, bags.indices, bags.indptr), bags.shape)
        return units(np.asarray(product(weighted, vectors), np.float32))[0]

    def added(
        self, history: Histories, vectors: Rows[np.ndarray], at: np.ndarray, parts: np.ndarray
    ) -> np.ndarray:
        """See `AdditiveUserEncoder`."""
        bag = history.matrix()
        rows = bag.indices
        weights = bag.data * self.history_weight[rows]
        length = np.linalg.norm(weights @ vectors[rows]) if len(rows) else 0.0
        shares = np.asarray(weights / max(float(length), 1e-12), np.float32)
        return np.asarray(shares[at, None] * parts)

    def with_items(self, n_items: int) -> MeanUserEncoder:
        """See `UserEncoder`."""
        new = np.arange(len(self.history_weight), n_items)
        return MeanUserEncoder(self.history_weight.with_rows(new, np.ones(len(new), np.float32)))

    def merged(self) -> MeanUserEncoder:
        """See `UserEncoder`."""
        return MeanUserEncoder(self.history_weight.merged())


@dataclass(frozen=True)
class LinearUserEncoder:
    r"""A history in order: :math:`u = \mathrm{normalize}(\sum_h (\sum_k w_h(k)\, d_k^{-\alpha} z_k) M_h)`.

    See :mod:`kgrec.encode.ordered_users`. Items older than the last learned position do not contribute. In a history without order
    each item has the mean weight of the positions.
    """

    #: `d ** -alpha`; shape (n_items,), float32
    history_weight: Rows[np.ndarray]
    #: weight of each position from the end, by head; shape (n_heads, n_positions), float32
    positions: np.ndarray
    #: map of each head; shape (n_heads, dim, dim), float32
    maps: np.ndarray

    def encode(self, histories: Histories, vectors: Rows[np.ndarray]) -> np.ndarray:
        """See `UserEncoder`."""
        return units(self._raw(histories, vectors))[0]

    def added(
        self, history: Histories, vectors: Rows[np.ndarray], at: np.ndarray, parts: np.ndarray
    ) -> np.ndarray:
        """See `AdditiveUserEncoder`."""
        length = max(float(np.linalg.norm(self._raw(history, vectors))), 1e-12)
        weights = [bag.data[at, None] for bag in self._weighted(history)]
        return np.asarray(
            sum((weight * parts) @ one for weight, one in zip(weights, self.maps, strict=True)) / length
        )

    def with_items(self, n_items: int) -> LinearUserEncoder:
        """See `UserEncoder`."""
        new = np.arange(len(self.history_weight), n_items)
        return replace(self, history_weight=self.history_weight.with_rows(new, np.ones(len(new), np.float32)))

    def merged(self) -> LinearUserEncoder:
        """See `UserEncoder`."""
        return replace(self, history_weight=self.history_weight.merged())

    def _raw(self, histories: Histories, vectors: Rows[np.ndarray]) -> np.ndarray:
        """Vectors before normalisation; shape (n_users, dim)."""
        products = zip(self._weighted(histories), self.maps, strict=True)
        return np.asarray(sum(product(bag, vectors) @ one for bag, one in products), np.float32)

    def _weighted(self, histories: Histories) -> list[sp.csr_matrix]:
        """Weights of the items in histories, one matrix per head; each of shape (n_users, n_items)."""
        bags = histories.matrix()
        of_items = bags.data * self.history_weight[bags.indices]
        by_head = position_weights(histories, self.positions)
        return [sp.csr_matrix((of_items * one, bags.indices, bags.indptr), bags.shape) for one in by_head]


def position_weights(histories: Histories, positions: np.ndarray) -> np.ndarray:
    """Weights of history items by their positions; shape (n_heads, nnz), in the order of `Histories.matrix`.

    Args:
        histories: if they have no order, each item has the mean weight of the positions.
        positions: weight per position from the end; shape (n_heads, n_positions). Older items have weight 0.
    """
    padded = np.pad(positions, ((0, 0), (0, 1)))
    if histories.lags is not None:
        return np.asarray(padded[:, np.minimum(histories.lags, positions.shape[1])])
    lengths = np.diff(histories.matrix().indptr)
    total = np.concatenate([[[0.0]] * len(positions), np.cumsum(positions, axis=1)], axis=1)
    mean = total[:, np.minimum(lengths, positions.shape[1])] / np.maximum(lengths, 1)
    return np.repeat(mean, lengths, axis=1).astype(np.float32)


def units(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows scaled to unit length, float32, and their original lengths; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1)
    safe = np.where(lengths > 1e-12, lengths, 1)
    return (vectors / safe[:, None]).astype(np.float32), lengths.astype(np.float32)


def product(weighted: sp.csr_matrix, vectors: Rows[np.ndarray]) -> np.ndarray:
    """`weighted @ vectors` as a dense array; with a delta, only the rows of history items are gathered."""
    if not len(vectors.at):
        return np.asarray(weighted @ vectors.base)
    used, place = np.unique(weighted.indices, return_inverse=True)
    local = sp.csr_matrix((weighted.data, place, weighted.indptr), (weighted.shape[0], len(used)))
    return np.asarray(local @ vectors[used])
