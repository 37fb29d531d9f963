r"""User encoders: from a history to a vector in the space of the items.

Enters: histories, and vectors of items. Leaves: unit vectors of users. Nothing is written.

Every user encoder returns vectors that are compared with item vectors by inner product. So one index serves all encoders, and
new items and new users take the same path as known ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

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
            histories: n_users of them; weights below 0 are of disliked items.
            vectors: of the items; shape (n_items, dim).
        """

    def shares(self, history: Histories, vectors: Rows[np.ndarray]) -> np.ndarray | None:
        """Coefficients of the history items' vectors in the user's vector, which is their weighted sum; shape (n,), float32.

        In the order of `Histories.matrix`. None if the encoder is not linear: then no exact explanation by history items exists.

        Args:
            history: of one user.
            vectors: of the items; shape (n_items, dim).
        """

    def with_items(self, n_items: int) -> UserEncoder:
        """The encoder for a catalogue of `n_items`; a new item has the weight of an item with one user."""

    def merged(self) -> UserEncoder:
        """The same with the weights of all items in the base."""


@dataclass(frozen=True)
class MeanUserEncoder:
    r"""The weighted mean of a history: :math:`u = \mathrm{normalize}(\sum_{j \in H(u)} d_j^{-\alpha} z_j)`.

    `d_j` is the number of training users of item j; alpha is learned, since a popular item says less about a user's taste.
    """

    #: `d ** -alpha`; shape (n_items,), float32
    history_weight: Rows[np.ndarray]

    def encode(self, histories: Histories, vectors: Rows[np.ndarray]) -> np.ndarray:
        """See `UserEncoder`; the order of a history plays no part."""
        bags = histories.matrix()
        # The weights multiply the histories, which are few, and not the vectors of the whole catalogue.
        weights = bags.data * self.history_weight[bags.indices]
        weighted = sp.csr_matrix((weights, bags.indices, bags.indptr), bags.shape)
        return units(np.asarray(_product(weighted, vectors), np.float32))[0]

    def shares(self, history: Histories, vectors: Rows[np.ndarray]) -> np.ndarray:
        """See `UserEncoder`."""
        bag = history.matrix()
        rows = bag.indices
        weights = bag.data * self.history_weight[rows]
        length = np.linalg.norm(weights @ vectors[rows]) if len(rows) else 0.0
        return np.asarray(weights / max(float(length), 1e-12), np.float32)

    def with_items(self, n_items: int) -> MeanUserEncoder:
        """See `UserEncoder`."""
        new = np.arange(len(self.history_weight), n_items)
        return MeanUserEncoder(self.history_weight.with_rows(new, np.ones(len(new), np.float32)))

    def merged(self) -> MeanUserEncoder:
        """See `UserEncoder`."""
        return MeanUserEncoder(self.history_weight.merged())


def units(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows scaled to unit length, float32, and their lengths before; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1)
    safe = np.where(lengths > 1e-12, lengths, 1)
    return (vectors / safe[:, None]).astype(np.float32), lengths.astype(np.float32)


def _product(weighted: sp.csr_matrix, vectors: Rows[np.ndarray]) -> np.ndarray:
    """`weighted @ vectors`; with a delta, only the rows of history items are gathered."""
    if not len(vectors.at):
        return np.asarray(weighted @ vectors.base)
    used, place = np.unique(weighted.indices, return_inverse=True)
    local = sp.csr_matrix((weighted.data, place, weighted.indptr), (weighted.shape[0], len(used)))
    return np.asarray(local @ vectors[used])
