"""The ordered learner: fits the encoder's parameters to the order of histories.

Enters: features of the items, histories in the order of time, and hyperparameters. Leaves: an ItemEncoder whose `order` is learned.
Nothing is written.

A training step predicts each item of some histories from the items before it, by a softmax over a uniform sample of the catalogue.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from kgrec.encode.item_encoder import EncoderInputs, ItemEncoder
from kgrec.encode.ordered_users import POSITIONS
from kgrec.graph.histories import Histories
from kgrec.train.data import Hyperparameters, TrainingData
from kgrec.train.learner import Learner

#: users whose histories are padded to one length
_USERS = 64


class OrderedLearner(Learner):
    """One encoder with order, its optimiser and its schedule, on one set of histories."""

    #: items that the softmax of a step has beside the true one
    negatives = 256
    #: share of the items before a position that are left out
    input_dropout = 0.2

    def __init__(
        self, encoder: ItemEncoder, data: TrainingData, histories: Histories, hyperparameters: Hyperparameters
    ) -> None:
        super().__init__(encoder, data, histories, hyperparameters)
        self.histories = histories

    def _losses(self) -> Iterator[float]:
        order = self.rng.permutation(self.users)
        for start in range(0, len(order), self.size):
            yield self._predict(self._sequences(order[start : start + self.size]))

    def _sequences(self, users: np.ndarray) -> np.ndarray:
        """The newest items of some users, oldest first, padded with -1, the shortest first; shape (len(users), length), int64."""
        newest = self.histories.take(users).newest_liked(POSITIONS + 1)
        rows = newest.padded(np.argsort(np.diff(newest.indptr), kind="stable"))
        return np.where(rows >= 0, newest.item[rows], -1).astype(np.int64)

    def _predict(self, sequences: np.ndarray) -> float:
        """One step on sequences of items; returns its loss."""
        device, encoder = self.data.device, self.encoder
        negatives = self.known[self.rng.integers(0, len(self.known), min(self.negatives, len(self.known)))]
        items = np.union1d(sequences[sequences >= 0], negatives)
        local = np.searchsorted(items, sequences)
        local[sequences < 0] = len(items)
        keep = self.rng.random(len(items)) >= encoder.config.identity_dropout
        keep &= self.has_positives[items]
        at = torch.from_numpy(items).to(device)
        identity = (
            encoder.rows(encoder.identity, at) * torch.from_numpy(keep.astype(np.float32)).to(device)[:, None]
        )
        z = encoder.items(EncoderInputs(self.data.features.take(items), device), identity)
        # a last row of zeros, which stands for what is past the end of a sequence
        z = torch.cat([z, z.new_zeros(1, z.shape[1])])
        weight = torch.exp(-encoder.degree_exponent * self.log_degree[at])
        weight = torch.cat([weight, weight.new_ones(1)])
        hidden = self.rng.random(sequences.shape) < self.input_dropout
        predicted = sequences[:, 1:] >= 0
        u = self._states(z, weight, np.where(hidden, len(items), local), predicted)
        true = torch.from_numpy(local[:, 1:][predicted]).to(device)
        logits = self._logits(u, z, true, np.searchsorted(items, negatives))
        loss = (torch.logsumexp(logits, dim=1) - logits[:, 0]).mean()
        self.optimizer.step(loss)
        return loss.item()

    def _states(self, z: Tensor, weight: Tensor, shown: np.ndarray, predicted: np.ndarray) -> Tensor:
        """Unit vectors of users before each predicted position; shape (n_predicted, dim).

        Args:
            z: vectors of items; shape (n, dim).
            weight: of the items; shape (n,).
            shown: the item at each position; shape (n_users, length).
            predicted: which positions from the second one on have an item; shape (n_users, length - 1).
        """
        order, states = self.encoder.order, []
        assert order is not None
        # Histories of about the same length together: most are short, and would be padded to the longest of all.
        for start in range(0, len(shown), _USERS):
            some = predicted[start : start + _USERS]
            width = int(some.sum(axis=1).max())
            at = torch.from_numpy(shown[start : start + _USERS, : width + 1]).to(z.device)
            states.append(order(z[at], weight[at], torch.from_numpy(some[:, :width]).to(z.device)))
        return torch.cat(states)

    def _logits(self, users: Tensor, z: Tensor, true: Tensor, negatives: np.ndarray) -> Tensor:
        """Of the true item, in the first column, and of the negatives; shape (n, 1 + n_negatives)."""
        others = torch.from_numpy(negatives).to(users.device)
        scaled = users / self.hyperparameters.temperature
        own = (scaled * z[true]).sum(dim=1, keepdim=True)
        # Each negative stands for as many items as the catalogue has per negative.
        rest = scaled @ z[others].T + math.log(max(1.0, (len(self.known) - 1) / len(negatives)))
        rest = rest.masked_fill(others[None, :] == true[:, None], -1e4)
        return torch.cat([own, rest], dim=1)


class TransformerLearner(OrderedLearner):
    """The learner of the Transformer, which gains from more negatives, and drops numbers rather than items."""

    negatives = 1024
    input_dropout = 0.0

    def epoch(self) -> float:
        """Mean loss of one pass over the users."""
        # Dropout draws from torch's generator: seeded like this, a resumed run goes on as the interrupted one would have.
        torch.manual_seed(int(self.rng.integers(2**63)))
        return super().epoch()
