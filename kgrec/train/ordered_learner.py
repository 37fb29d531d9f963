"""The ordered learner, which fits the encoder's parameters to the order of histories.

Enters: features of the items, histories in time order, and hyperparameters. Leaves: an ItemEncoder with a trained `order`.
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

#: upper bounds of the length classes that are computed together
_WIDTHS = (6, 12, 25)


class OrderedLearner(Learner):
    """One encoder with order, its optimiser and its schedule, on one set of histories."""

    #: number of items in the softmax of a step besides the true one
    negatives = 256
    #: share of earlier items that a step leaves out
    input_dropout = 0.2

    def __init__(
        self,
        encoder: ItemEncoder,
        data: TrainingData,
        histories: Histories,
        hyperparameters: Hyperparameters,
        users: np.ndarray | None = None,
    ) -> None:
        super().__init__(encoder, data, histories, hyperparameters, users)
        self.newest = histories.newest_liked(POSITIONS + 1)

    def _losses(self) -> Iterator[float]:
        order = self.rng.permutation(self.users)
        for start in range(0, len(order), self.size):
            yield self._predict(self._sequences(order[start : start + self.size]))

    def _sequences(self, users: np.ndarray) -> np.ndarray:
        """The newest items of some users, oldest first, padded with -1; shape (len(users), length), int64."""
        rows = self.newest.padded(users)
        return np.where(rows >= 0, self.newest.item[rows], -1).astype(np.int64)

    def _predict(self, sequences: np.ndarray) -> float:
        """One step on sequences of items; returns its loss."""
        device, encoder = self.data.device, self.encoder
        assert encoder.order is not None
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
        # a last row of zeros, which represents positions past the end of a sequence
        z = torch.cat([z, z.new_zeros(1, z.shape[1])])
        weight = torch.exp(-encoder.degree_exponent * self.log_degree[at])
        weight = torch.cat([weight, weight.new_ones(1)])[:, None]
        hidden = self.rng.random(sequences.shape) < self.input_dropout
        shown = np.where(hidden, len(items), local)
        users, true = [], []
        for width, some in _by_length(sequences):
            predicted = sequences[some, 1:width] >= 0
            places = torch.from_numpy(shown[some, :width]).to(device)
            of_places = embedding(places, z), embedding(places, weight)[:, :, 0]
            users.append(encoder.order(*of_places, torch.from_numpy(predicted).to(device)))
            true.append(local[some, 1:width][predicted])
        wanted = np.concatenate(true)
        logits = self._logits(
            torch.cat(users), z, torch.from_numpy(wanted).to(device), np.searchsorted(items, negatives)
        )
        loss = self._mean(torch.logsumexp(logits, dim=1) - logits[:, 0], items[wanted])
        self.optimizer.step(loss)
        return loss.item()

    def _logits(self, users: Tensor, z: Tensor, true: Tensor, negatives: np.ndarray) -> Tensor:
        """Logits of the true item, in the first column, and of the negatives; shape (n, 1 + n_negatives)."""
        others = torch.from_numpy(negatives).to(users.device)
        scaled = users / self.hyperparameters.temperature
        own = (scaled * embedding(true, z)).sum(dim=1, keepdim=True)
        # Each negative represents the number of catalogue items per negative.
        rest = scaled @ embedding(others, z).T + math.log(max(1.0, (len(self.known) - 1) / len(negatives)))
        rest = rest.masked_fill(others[None, :] == true[:, None], -1e4)
        return torch.cat([own, rest], dim=1)


class TransformerLearner(OrderedLearner):
    """The learner of the Transformer, which benefits from more negatives, and uses dropout of numbers rather than of items."""

    negatives = 1024
    input_dropout = 0.0

    def epoch(self) -> float:
        """Mean loss of one pass over the users."""
        # Dropout draws from torch's generator. With this seed, a resumed run continues exactly as the interrupted one would have.
        torch.manual_seed(int(self.rng.integers(2**63)))
        return super().epoch()


def _by_length(sequences: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Rows of sequences of similar length, and the longest length among them; padding all to one length costs several times more."""
    length = (sequences >= 0).sum(axis=1)
    shorter = 0
    for width in (*_WIDTHS, sequences.shape[1]):
        some = np.flatnonzero((length > shorter) & (length <= width))
        if len(some):
            yield int(length[some].max()), some
        shorter = max(shorter, width)
