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
from torch.nn.functional import embedding

from kgrec.encode.item_encoder import EncoderInputs, ItemEncoder
from kgrec.encode.ordered_users import POSITIONS
from kgrec.graph.histories import Histories
from kgrec.train.data import Hyperparameters, TrainingData
from kgrec.train.learner import Learner

#: items that the softmax of a step has beside the true one
_NEGATIVES = 256
#: share of the items before a position that are left out
_INPUT_DROPOUT = 0.2
#: sequences up to these lengths are computed together
_WIDTHS = (6, 12, 25)


class OrderedLearner(Learner):
    """One encoder with order, its optimiser and its schedule, on one set of histories."""

    def __init__(
        self, encoder: ItemEncoder, data: TrainingData, histories: Histories, hyperparameters: Hyperparameters
    ) -> None:
        super().__init__(encoder, data, histories, hyperparameters)
        rows = np.flatnonzero(histories.positive)
        self.item, self.indptr = (
            histories.item[rows].astype(np.int64),
            np.searchsorted(rows, histories.indptr),
        )

    def _losses(self) -> Iterator[float]:
        order = self.rng.permutation(self.users)
        for start in range(0, len(order), self.size):
            yield self._predict(self._sequences(order[start : start + self.size]))

    def _sequences(self, users: np.ndarray) -> np.ndarray:
        """The newest items of some users, oldest first, padded with -1; shape (len(users), length), int64."""
        length = np.minimum(self.indptr[users + 1] - self.indptr[users], POSITIONS + 1)
        width = int(length.max())
        at = np.arange(width)
        rows = (self.indptr[users + 1] - length)[:, None] + at
        inside = at < length[:, None]
        return np.where(inside, self.item[np.where(inside, rows, 0)], -1)

    def _predict(self, sequences: np.ndarray) -> float:
        """One step on sequences of items; returns its loss."""
        device, encoder = self.data.device, self.encoder
        assert encoder.order is not None
        negatives = self.known[self.rng.integers(0, len(self.known), min(_NEGATIVES, len(self.known)))]
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
        weighted = torch.cat([z[:-1] * weight[:, None], z[-1:]])
        shown = np.where(self.rng.random(sequences.shape) >= _INPUT_DROPOUT, local, len(items))
        users, true = [], []
        for width, some in _by_length(sequences):
            predicted = sequences[some, 1:width] >= 0
            places = torch.from_numpy(shown[some, :width]).to(device)
            users.append(encoder.order(embedding(places, weighted), torch.from_numpy(predicted).to(device)))
            true.append(torch.from_numpy(local[some, 1:width][predicted]).to(device))
        logits = self._logits(torch.cat(users), z, torch.cat(true), np.searchsorted(items, negatives))
        loss = (torch.logsumexp(logits, dim=1) - logits[:, 0]).mean()
        self.optimizer.step(loss)
        return loss.item()

    def _logits(self, users: Tensor, z: Tensor, true: Tensor, negatives: np.ndarray) -> Tensor:
        """Of the true item, in the first column, and of the negatives; shape (n, 1 + n_negatives)."""
        others = torch.from_numpy(negatives).to(users.device)
        scaled = users / self.hyperparameters.temperature
        own = (scaled * embedding(true, z)).sum(dim=1, keepdim=True)
        # Each negative stands for as many items as the catalogue has per negative.
        rest = scaled @ embedding(others, z).T + math.log(max(1.0, (len(self.known) - 1) / len(negatives)))
        rest = rest.masked_fill(others[None, :] == true[:, None], -1e4)
        return torch.cat([own, rest], dim=1)


def _by_length(sequences: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Rows of sequences of like length, and the length of the longest of them: padding all to one length costs several times more."""
    length = (sequences >= 0).sum(axis=1)
    shorter = 0
    for width in (*_WIDTHS, sequences.shape[1]):
        some = np.flatnonzero((length > shorter) & (length <= width))
        if len(some):
            yield int(length[some].max()), some
        shorter = max(shorter, width)
