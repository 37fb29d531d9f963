"""Learning the encoder's parameters from histories.

Enters: features of the items, the positive interactions, and a Hyperparameters. Leaves: an ItemEncoder. Nothing is written.

A training step hides half of each history in a batch and predicts the hidden items from the rest by
a softmax over the catalogue (Hidasi & Karatzoglou 2018; the multinomial likelihood of Liang et al.
2018), or over a uniform sample of it when the catalogue is large. Which hyperparameters is best is the business of
:mod:`kgrec.train.hyperparameters`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from kgrec.encode.item_encoder import EncoderInputs, ItemEncoder
from kgrec.encode.sparse import Adjacency
from kgrec.errors import TrainingError
from kgrec.train.data import EpochRecord, Hyperparameters, TrainingData, degrees, interaction_counts
from kgrec.train.optimizer import Optimizer

#: above so many, the rows of a table that a step does not touch are left alone
_SPARSE_ROWS = 50_000


#: called after each epoch with its line
OnRunEpoch = Callable[[EpochRecord], None]


def learn(
    data: TrainingData, positives: sp.csr_matrix, hyperparameters: Hyperparameters, progress: RunProgress
) -> ItemEncoder:
    """Train a fresh encoder.

    An item that nobody took has no residual, as a new one has none, and an entity that only items without interactions
    have stays at zero: nothing can be learned of them.

    Args:
        data: the items and the configuration.
        positives: shape (n_users, n_items).
        hyperparameters: of this run.
        progress: is told of each epoch, and may keep and give back the state in between.

    Raises:
        TrainingError: The loss is no longer a number.
    """
    encoder = fresh_encoder(data)
    learner = Learner(encoder, data, positives, hyperparameters)
    with torch.no_grad():
        encoder.identity[torch.from_numpy(~learner.taken)] = 0
        encoder.entity[torch.from_numpy(~data.features.touched(learner.known, len(encoder.entity)))] = 0
    first = progress.resume(learner)
    for epoch in range(first, hyperparameters.epochs + 1):
        started = time.perf_counter()
        loss = learner.epoch()
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss became {loss} in epoch {epoch}.",
                "Lower train.learning_rate, or raise train.temperature.",
            )
        progress.ended(learner, epoch, loss, time.perf_counter() - started)
    return encoder


def fresh_encoder(data: TrainingData) -> ItemEncoder:
    """An encoder that has learned nothing, drawn by the seed."""
    torch.manual_seed(data.train.seed)
    n_items = len(data.features)
    encoder = ItemEncoder.for_features(data.encoder, data.featurizer, n_items).to(data.device)
    rows = max(n_items, len(encoder.entity))
    encoder.sparse = rows > _SPARSE_ROWS and n_items > data.train.full_softmax_items
    return encoder


class RunProgress:
    """Records of the epochs of one run; this one passes them on, and has none of an earlier process."""

    def __init__(self, stage: str, hyperparameters: Hyperparameters, on_epoch: OnRunEpoch) -> None:
        self.stage, self.hyperparameters, self.on_epoch = stage, hyperparameters, on_epoch
        self.records: list[EpochRecord] = []

    def resume(self, learner: Learner) -> int:
        """Restore the state of the learner; gives the next epoch."""
        del learner
        return 1

    def ended(self, learner: Learner, epoch: int, loss: float, seconds: float) -> None:
        """Record an epoch that is over."""
        del learner
        self.add(EpochRecord(self.stage, epoch, self.hyperparameters, loss, seconds))

    def add(self, record: EpochRecord) -> None:
        """Keep a record, and pass it on."""
        self.records.append(record)
        self.on_epoch(record)


def content_encoder(data: TrainingData) -> ItemEncoder:
    """An encoder of content alone, where there is nothing to learn from.

    The residuals are zero. Dense blocks are projected on their principal axes, and each entity gets a random
    direction, which keeps the cosines of items as well as `dim` numbers can.
    """
    encoder = fresh_encoder(data).cpu()
    with torch.no_grad():
        encoder.identity.zero_()
        encoder.dense.copy_(_principal_axes(torch.from_numpy(data.features.dense), encoder.dense.shape[1]))
        # Rows as long as a text vector, so that an item's neighbours weigh as much as its text.
        encoder.entity.copy_(torch.nn.functional.normalize(torch.randn_like(encoder.entity), dim=1))
    return encoder


class Learner:
    """One encoder, its optimiser and its schedule, on one set of histories."""

    def __init__(
        self,
        encoder: ItemEncoder,
        data: TrainingData,
        positives: sp.csr_matrix,
        hyperparameters: Hyperparameters,
    ) -> None:
        self.encoder, self.data, self.positives, self.hyperparameters = (
            encoder,
            data,
            positives,
            hyperparameters,
        )
        config = data.train
        self.rng = np.random.default_rng(config.seed)
        self.users = np.flatnonzero(np.diff(positives.indptr) >= 2)
        self.size = config.batch_size or _batch_size(len(self.users))
        self.log_degree = torch.from_numpy(np.log(degrees(positives))).to(data.device)
        self.taken = interaction_counts(positives) > 0
        #: rows of the items that are candidates: that nobody met an item says nothing of it
        self.known = np.flatnonzero(data.known(positives))
        steps = max(1, hyperparameters.epochs * math.ceil(len(self.users) / self.size))
        warmup = min(config.warmup_steps, max(1, steps // 4))
        self.optimizer = Optimizer(encoder, hyperparameters.learning_rate, steps, warmup)

    def epoch(self) -> float:
        """Mean loss of one pass over the users."""
        losses = [self._step(batch) for batch in self._batches()]
        return float(np.mean(losses)) if losses else 0.0

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """All that the next epoch depends on: arrays, and the state of the generator as plain values."""
        arrays = {
            f"encoder.{name}": t.detach().cpu().numpy() for name, t in self.encoder.state_dict().items()
        }
        arrays |= {f"optimizer.{name}": array for name, array in self.optimizer.state().items()}
        return arrays, self.rng.bit_generator.state  # type: ignore[return-value]

    def restore(self, arrays: dict[str, np.ndarray], rng: dict[str, Any]) -> None:
        """Take on a state."""
        parts: dict[str, dict[str, np.ndarray]] = {"encoder": {}, "optimizer": {}}
        for name, array in arrays.items():
            part, _, of_part = name.partition(".")
            parts[part][of_part] = array
        tensors = {name: torch.from_numpy(array.copy()) for name, array in parts["encoder"].items()}
        self.encoder.load_state_dict(tensors)
        self.optimizer.restore(parts["optimizer"])
        self.rng.bit_generator.state = rng

    def _batches(self) -> Iterator[_Batch]:
        order = self.rng.permutation(self.users)
        for start in range(0, len(order), self.size):
            histories = self.positives[order[start : start + self.size]]
            batch = _Batch.hide(histories, self.data.train.history_dropout, self.rng)
            if len(batch.hidden[0]):
                yield batch

    def _step(self, batch: _Batch) -> float:
        device, encoder = self.data.device, self.encoder
        batch, items, rest = self._candidates(batch)
        if items is None:
            inputs, identity, log_degree = self.data.inputs, encoder.identity[:], self.log_degree
        else:
            at = torch.from_numpy(items).to(device)
            some = items is not self.known
            inputs = EncoderInputs(self.data.features.take(items), device) if some else self._known_inputs
            identity, log_degree = encoder.rows(encoder.identity, at), self.log_degree[at]
        keep = self.rng.random(len(identity)) >= encoder.config.identity_dropout
        keep &= self.taken if items is None else self.taken[items]
        z = encoder.items(inputs, identity * torch.from_numpy(keep.astype(np.float32)).to(device)[:, None])
        u = encoder.users(z, log_degree, Adjacency(batch.shown, device))
        with _mixed_precision(device):
            # the users are divided, who are fewer than the pairs
            logits = (u / self.hyperparameters.temperature) @ z.T
        loss = batch.loss(logits.float(), rest)
        self.optimizer.step(loss)
        return loss.item()

    @cached_property
    def _known_inputs(self) -> EncoderInputs:
        return EncoderInputs(self.data.features.take(self.known), self.data.device)

    def _candidates(self, batch: _Batch) -> tuple[_Batch, np.ndarray | None, Tensor | None]:
        """The batch over the candidates, these if they are not all items; in a large catalogue their log weights.

        Items of the batch stand for themselves; a uniform sample of the others, each weighted by
        (others / sampled), makes the denominator an unbiased estimate of the full one.
        """
        config = self.data.train
        n = len(self.known)
        if batch.shown.shape[1] <= config.full_softmax_items:
            whole = n == batch.shown.shape[1]
            return (batch, None, None) if whole else (batch.over(self.known, n), self.known, None)
        own = np.union1d(batch.shown.indices, batch.hidden[1])
        drawn = np.setdiff1d(self.known[self.rng.integers(0, n, min(n, config.sampled_items))], own)
        items = np.concatenate([own, drawn])
        weight = np.zeros(len(items), np.float32)
        if len(drawn):
            weight[len(own) :] = math.log((n - len(own)) / len(drawn))
        log_weight = torch.from_numpy(weight).to(self.data.device)
        return batch.over(items[: len(own)], len(items)), items, log_weight


@dataclass(frozen=True)
class _Batch:
    """Histories split in two: `shown` is read, `hidden` is predicted."""

    #: shape (n_users, n_items)
    shown: sp.csr_matrix
    #: row and item of each hidden interaction
    hidden: tuple[np.ndarray, np.ndarray]

    @classmethod
    def hide(cls, histories: sp.csr_matrix, share: float, rng: np.random.Generator) -> _Batch:
        """Hide a random `share` of each history, keeping one item of each at least."""
        rows = np.repeat(np.arange(histories.shape[0]), np.diff(histories.indptr))
        draw = rng.random(histories.nnz)
        hidden = draw < share
        # The item with the highest draw of its row is shown, so that no history is empty.
        hidden[_last_of_each(rows, draw)] = False
        kept = (histories.data[~hidden], (rows[~hidden], histories.indices[~hidden]))
        return cls(sp.csr_matrix(kept, histories.shape), (rows[hidden], histories.indices[hidden]))

    def over(self, items: np.ndarray, width: int) -> _Batch:
        """The same over `items` (sorted, holding all of the batch), padded to `width` columns."""
        local = np.searchsorted(items, self.shown.indices)
        shown = sp.csr_matrix((self.shown.data, local, self.shown.indptr), (self.shown.shape[0], width))
        return replace(self, shown=shown, hidden=(self.hidden[0], np.searchsorted(items, self.hidden[1])))

    def loss(self, logits: Tensor, log_weight: Tensor | None) -> Tensor:
        """Mean negative log-likelihood of the hidden items; shown items are no candidates."""
        shown = self.shown.tocoo()
        excluded = _tensors((shown.row, shown.col), logits.device)
        logits = logits.index_put(excluded, torch.tensor(-1e4, device=logits.device))
        rows, items = _tensors(self.hidden, logits.device)
        total = torch.logsumexp(logits if log_weight is None else logits + log_weight, dim=1)
        return (total[rows] - logits[rows, items]).mean()


def _mixed_precision(device: str) -> AbstractContextManager[Any]:
    """Products in half precision within the block, on a GPU; on CPUs they would be slower."""
    return torch.autocast(device, torch.bfloat16, enabled=device != "cpu")


def _batch_size(n_users: int) -> int:
    return int(np.clip(2 ** round(math.log2(max(1, n_users) / 16)), 64, 512))


def _principal_axes(dense: Tensor, dim: int) -> Tensor:
    """The directions in which dense vectors vary most, as columns; shape (dense_dim, dim), zero past dense_dim."""
    vectors = torch.linalg.eigh(dense.T @ dense).eigenvectors.flip(1)[:, :dim]
    return torch.nn.functional.pad(vectors, (0, dim - vectors.shape[1]))


def _last_of_each(rows: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Position of the largest `key` within each run of equal `rows`."""
    order = np.lexsort((key, rows))
    last: np.ndarray = np.append(rows[1:] != rows[:-1], True) if len(rows) else np.zeros(0, bool)
    positions: np.ndarray = order[last]
    return positions


def _tensors(positions: tuple[np.ndarray, np.ndarray], device: torch.device) -> tuple[Tensor, Tensor]:
    row, column = (torch.from_numpy(part.astype(np.int64)).to(device) for part in positions)
    return row, column
