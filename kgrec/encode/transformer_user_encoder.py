r"""The user encoder with causal self-attention, without torch.

Enters: histories, vectors of items, and the parameters of :mod:`kgrec.encode.transformer`. Leaves: unit vectors of users, and the attention that
each item of a history gets. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from kgrec.encode.user_encoder import product, units
from kgrec.graph.histories import Histories
from kgrec.storage.segments import Rows

#: number of users encoded at once
_USERS = 256
#: added to the mean square in a norm, as in training
EPSILON = 1e-6
#: arrays of a block, as in `CausalTransformer`; the first axis of each is the block
PARAMETERS = ("gain", "position", "query", "key", "value", "output", "expand", "contract")


@dataclass(frozen=True)
class TransformerUserEncoder:
    r"""A history read from left to right by self-attention: :math:`u = \mathrm{normalize}(x_n)`.

    See :mod:`kgrec.encode.transformer`. Only the newest liked items are read, as many as there are positions. An item of weight w
    counts as w items in attention. A disliked item subtracts its vector times its weight from the user's vector, relative to the weights
    of liked items (Rocchio 1971). A history without order is read in row order.

    The encoder is not linear, so the contribution of one item depends on the others.
    """

    #: `d ** -alpha`; shape (n_items,), float32
    history_weight: Rows[np.ndarray]
    #: by name: PARAMETERS
    arrays: Mapping[str, np.ndarray]

    def encode(self, histories: Histories, vectors: Rows[np.ndarray]) -> np.ndarray:
        """See `UserEncoder`."""
        users = np.zeros((len(histories), vectors.shape[1]), np.float32)
        newest = histories.newest_liked(self.n_positions)
        lengths = np.diff(newest.indptr)
        # Users with histories of similar length go together, which needs little padding.
        order = np.argsort(lengths, kind="stable")[(lengths == 0).sum() :]
        for start in range(0, len(order), _USERS):
            some = order[start : start + _USERS]
            users[some] = self._states(newest, newest.padded(some), vectors)[0]
        return units(users + self._disliked(histories, vectors))[0]

    def attention(self, history: Histories, vectors: Rows[np.ndarray]) -> np.ndarray:
        """Attention of the newest item to each item of a history in the last block, averaged over heads; it sums to 1.

        It shows where the encoder looks, not what an item contributes: values and layers follow (Jain & Wallace 2019).

        Args:
            history: of a single user.
            vectors: of the items; shape (n_items, dim).

        Returns:
            In the order of `Histories.matrix`; 0 for items that are not read; shape (n,), float32.
        """
        columns = history.matrix().indices
        weights = np.zeros(len(columns), np.float32)
        newest = history.newest_liked(self.n_positions)
        if len(newest.item):
            rows = newest.padded(np.zeros(1, np.int64))
            weights[np.searchsorted(columns, newest.item)] = self._states(newest, rows, vectors)[1][0]
        return weights

    def with_items(self, n_items: int) -> TransformerUserEncoder:
        """See `UserEncoder`."""
        new = np.arange(len(self.history_weight), n_items)
        return replace(self, history_weight=self.history_weight.with_rows(new, np.ones(len(new), np.float32)))

    def merged(self) -> TransformerUserEncoder:
        """See `UserEncoder`."""
        return replace(self, history_weight=self.history_weight.merged())

    @property
    def n_positions(self) -> int:
        """Largest number of items of a history that are read."""
        return int(self.arrays["position"].shape[2])

    def _states(
        self, histories: Histories, rows: np.ndarray, vectors: Rows[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Unit vectors at the last item of each history, and the attention there; shapes (n_users, dim) and (n_users, width).

        Args:
            histories: contain the items.
            rows: of the items to read, at least one, padded with -1; shape (n_users, width).
            vectors: of the items; shape (n_items, dim).
        """
        item = histories.item[rows]
        x = vectors[item] * np.float32(np.sqrt(vectors.shape[1]))
        weight = histories.weight[rows] * self.history_weight[item]
        log_weight = np.log(np.where(rows >= 0, weight, 1))
        at = np.broadcast_to(np.arange(rows.shape[1]), rows.shape)
        last = (rows >= 0).sum(axis=1, keepdims=True) - 1
        n_blocks = len(self.arrays["gain"])
        for block in range(n_blocks):
            # in the last block, nothing reads the states at earlier items
            at = last if block == n_blocks - 1 else at
            x, attention = self._block(block, x, at, log_weight)
        return units(x[:, 0])[0], attention[:, :, 0].mean(axis=1)

    def _block(
        self, block: int, x: np.ndarray, at: np.ndarray, log_weight: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """One block; shapes (n_users, n_at, dim) and, of the attention, (n_users, heads, n_at, width).

        Args:
            block: its number.
            x: states at all items; shape (n_users, width, dim).
            at: positions whose states are wanted; shape (n_users, n_at).
            log_weight: log of the weight of each item; shape (n_users, width).
        """
        gain, position, query, key, value, output, expand, contract = (
            self.arrays[name][block] for name in PARAMETERS
        )
        heads, dim = len(position), x.shape[2]
        by_head = (dim, heads, -1)
        h = _normed(x, gain[0])
        asked = np.take_along_axis(h, at[:, :, None], axis=1) @ query
        # Keys and values are never computed: the few queries are mapped back instead, and the mean of the items is mapped once.
        asked = np.einsum(
            "nqhw,dhw->nhqd", asked.reshape(*at.shape, heads, -1), key.reshape(by_head), optimize=True
        )
        products = asked @ h[:, None].swapaxes(2, 3) / np.float32(np.sqrt(query.shape[1] // heads))
        lag = at[:, :, None] - np.arange(x.shape[1])
        by_lag = np.where(lag >= 0, position[:, np.maximum(lag, 0)], -np.inf).swapaxes(0, 1)
        attention = _softmax(products + by_lag + log_weight[:, None, None])
        mixed = np.einsum("nhqd,dhw->nqhw", attention @ h[:, None], value.reshape(by_head), optimize=True)
        x = np.take_along_axis(x, at[:, :, None], axis=1) + mixed.reshape(*at.shape, -1) @ output
        return x + np.maximum(_normed(x, gain[1]) @ expand, 0) @ contract, attention

    def _disliked(self, histories: Histories, vectors: Rows[np.ndarray]) -> np.ndarray:
        """Contribution of disliked items to the users; shape (n_users, dim)."""
        bags = histories.matrix()
        weights = bags.data * self.history_weight[bags.indices]
        user = np.repeat(np.arange(bags.shape[0]), np.diff(bags.indptr))
        likes = np.bincount(user, np.maximum(weights, 0), bags.shape[0])
        disliked = np.flatnonzero(weights < 0)
        share = weights[disliked] / np.where(likes > 0, likes, 1)[user[disliked]]
        where = user[disliked], bags.indices[disliked]
        return product(sp.csr_matrix((share.astype(np.float32), where), bags.shape), vectors)


def _normed(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Root mean square normalisation (Zhang & Sennrich 2019)."""
    return np.asarray(x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + np.float32(EPSILON)) * gain)


def _softmax(products: np.ndarray) -> np.ndarray:
    """Over the last axis; float32."""
    exponents = np.exp(products - products.max(axis=-1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True), np.float32)
