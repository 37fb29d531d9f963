"""Learning the encoder's parameters from histories.

Enters: features of the items and the positive interactions. Leaves: a Trained encoder, with the
validation figures that chose its temperature and its number of epochs. Nothing is written.

A training step hides half of each history in a batch and predicts the hidden items from the rest by
a softmax over the catalogue (Hidasi & Karatzoglou 2018; the multinomial likelihood of Liang et al.
2018), or over a uniform sample of it when the catalogue is large.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from kgrec.encoder import Adjacency, EncoderInputs, ItemEncoder
from kgrec.errors import TrainingError
from kgrec.features import ItemFeatures, Schema
from kgrec.settings import EncoderConfig, TrainConfig

logger = logging.getLogger(__name__)


TEMPERATURES = (0.1, 0.15, 0.2)


@dataclass(frozen=True)
class Epoch:
    """One line of the training log: `stage` is "select" on the training part or "refit" on all."""

    stage: str
    epoch: int
    temperature: float
    loss: float
    #: NDCG@k on the held-out part, at the end of a "select" run; else None
    valid_ndcg: float | None
    valid_recall: float | None
    seconds: float


#: called after each epoch with its line, and the number of epochs done and planned
OnEpoch = Callable[[Epoch, int, int], None]


@dataclass(frozen=True)
class Trained:
    """An encoder with the vectors of the items that it learned from."""

    encoder: ItemEncoder
    #: before normalisation; shape (n_items, dim), float32
    items: np.ndarray
    log: list[Epoch]


def train(
    features: ItemFeatures,
    schema: Schema,
    positives: sp.csr_matrix,
    held_out: Callable[[np.random.Generator], tuple[sp.csr_matrix, sp.csr_matrix]],
    encoder_config: EncoderConfig,
    config: TrainConfig,
    on_epoch: OnEpoch | None = None,
) -> Trained:
    """Choose temperature and epochs on held-out data, then learn from everything.

    Args:
        features: of the n items.
        schema: of these features.
        positives: shape (n_users, n_items).
        held_out: gives a training and a held-out part of `positives`, of the same shape; without
            entries in the second, nothing is chosen.
        encoder_config: shape of the embeddings.
        config: how to learn.
        on_epoch: is told of each epoch.

    Raises:
        TrainingError: the loss is no longer a number.
    """
    with _threads(config.threads), torch.random.fork_rng(devices=[]):
        run = _Run(features, schema, encoder_config, config, _Narrator(on_epoch))
        return run.selected_then_refit(positives, held_out)


class _Run:
    def __init__(
        self,
        features: ItemFeatures,
        schema: Schema,
        encoder_config: EncoderConfig,
        config: TrainConfig,
        narrator: _Narrator,
    ) -> None:
        self.features, self.schema = features, schema
        self.encoder_config, self.config, self.narrator = encoder_config, config, narrator
        self.inputs = EncoderInputs(features)

    def selected_then_refit(
        self, positives: sp.csr_matrix, held_out: Callable[..., tuple[sp.csr_matrix, sp.csr_matrix]]
    ) -> Trained:
        if not (np.diff(positives.indptr) >= 2).any():
            logger.warning("No user has two positive interactions: there is nothing to learn from.")
            return self._untrained()
        temperature, epochs = self.config.temperature or TEMPERATURES[0], self.config.epochs
        rng = np.random.default_rng(self.config.seed)
        training, valid = held_out(rng)
        if valid.nnz:
            temperature, epochs = self._selected(training, valid)
        self.narrator.planned = len(self.narrator.log) + epochs
        return self._result(self._fit(positives, temperature, epochs, None))

    def _selected(self, training: sp.csr_matrix, valid: sp.csr_matrix) -> tuple[float, int]:
        """Temperature and epochs: temperatures are compared over half of the epochs, the best then over all.

        Only runs whose learning rate has come down to zero are compared: the state of a run halfway
        says little about a run that ends there.
        """
        whole = self.config.epochs
        half = max(1, whole // 2)
        temperatures = (self.config.temperature,) if self.config.temperature else TEMPERATURES
        self.narrator.planned = half * len(temperatures) + 2 * whole
        for temperature in temperatures:
            self._fit(training, temperature, half, valid)
        if whole > half:
            self._fit(training, best_trial(self.narrator.log).temperature, whole, valid)
        best = best_trial(self.narrator.log)
        return best.temperature, best.epoch

    def _fit(
        self, positives: sp.csr_matrix, temperature: float, epochs: int, valid: sp.csr_matrix | None
    ) -> ItemEncoder:
        """Train a fresh encoder; with `valid`, report how it does at the end."""
        torch.manual_seed(self.config.seed)
        encoder = ItemEncoder.for_schema(self.encoder_config, self.schema, len(self.features))
        learner = _Learner(encoder, self, positives, temperature, epochs)
        for epoch in range(1, epochs + 1):
            started = time.perf_counter()
            loss = learner.epoch()
            if not math.isfinite(loss):
                raise TrainingError(
                    f"The loss became {loss} in epoch {epoch}.",
                    "Lower train.learning_rate, or raise train.temperature.",
                )
            ndcg, recall = None, None
            if valid is not None and epoch == epochs:
                ndcg, recall = self._validate(learner, positives, valid)
            stage = "refit" if valid is None else "select"
            self.narrator.tell(
                Epoch(stage, epoch, temperature, loss, ndcg, recall, time.perf_counter() - started)
            )
        return encoder

    @torch.no_grad()
    def _validate(
        self, learner: _Learner, training: sp.csr_matrix, valid: sp.csr_matrix
    ) -> tuple[float, float]:
        encoder = learner.encoder
        items = encoder.items(self.inputs, encoder.identity)
        users = np.flatnonzero(np.diff(valid.indptr))
        ndcg, recall = [], []
        for start in range(0, len(users), 512):
            some = users[start : start + 512]
            history = training[some]
            scores = encoder.users(items, learner.log_degree, Adjacency(history)) @ items.T
            scores[_tensors(history.tocoo())] = -torch.inf
            top = torch.topk(scores, min(self.config.valid_k, scores.shape[1])).indices.numpy()
            gained = _ranking_quality(top, valid[some])
            ndcg.append(gained[0])
            recall.append(gained[1])
        return float(np.concatenate(ndcg).mean()), float(np.concatenate(recall).mean())

    def _untrained(self) -> Trained:
        """Content alone: the identity residual has seen nothing, so it is zero; so are entities.

        Texts are projected on their principal axes, and each entity gets a random direction, which
        keeps the cosines of items as well as `dim` numbers can.
        """
        torch.manual_seed(self.config.seed)
        encoder = ItemEncoder.for_schema(self.encoder_config, self.schema, len(self.features))
        with torch.no_grad():
            encoder.identity.zero_()
            encoder.text.copy_(_principal_axes(self.inputs.text, encoder.text.shape[1]))
            # Rows as long as a text vector, so that an item's neighbours weigh as much as its text.
            encoder.entity.copy_(torch.nn.functional.normalize(torch.randn_like(encoder.entity), dim=1))
        return self._result(encoder)

    @torch.no_grad()
    def _result(self, encoder: ItemEncoder) -> Trained:
        return Trained(encoder, encoder(self.inputs, encoder.identity).numpy(), self.narrator.log)


class _Learner:
    """One encoder, its optimiser and its schedule, on one set of histories."""

    def __init__(
        self, encoder: ItemEncoder, run: _Run, positives: sp.csr_matrix, temperature: float, epochs: int
    ) -> None:
        self.encoder, self.run, self.positives, self.temperature = encoder, run, positives, temperature
        config = run.config
        self.rng = np.random.default_rng(config.seed)
        self.counts = np.diff(positives.indptr)
        self.users = np.flatnonzero(self.counts >= 2)
        self.size = config.batch_size or int(
            np.clip(2 ** round(math.log2(max(1, len(self.users)) / 8)), 64, 512)
        )
        degree = np.maximum(positives.sum(axis=0).A1, 1).astype(np.float32)
        self.log_degree = torch.from_numpy(np.log(degree))
        self.optimizer = torch.optim.Adam(encoder.parameters(), lr=config.learning_rate)
        steps = epochs * math.ceil(len(self.users) / self.size)
        warmup = min(config.warmup_steps, max(1, steps // 4))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: min(1.0, (step + 1) / (warmup + 1)) * max(0.0, 1 - step / steps)
        )

    def epoch(self) -> float:
        """Mean loss of one pass over the users."""
        losses = [self._step(batch) for batch in self._batches()]
        return float(np.mean(losses)) if losses else 0.0

    def _batches(self) -> Iterator[_Batch]:
        order = self.rng.permutation(self.users)
        for start in range(0, len(order), self.size):
            batch = _Batch.hide(
                self.positives[order[start : start + self.size]], self.run.config.history_dropout, self.rng
            )
            if len(batch.hidden[0]):
                yield batch

    def _step(self, batch: _Batch) -> float:
        batch, items, rest = self._candidates(batch)
        identity = self.encoder.identity if items is None else self.encoder.identity[torch.from_numpy(items)]
        inputs = self.run.inputs if items is None else EncoderInputs(self.run.features.take(items))
        keep = self.rng.random(len(identity)) >= self.encoder.config.identity_dropout
        z = self.encoder.items(inputs, identity * torch.from_numpy(keep.astype(np.float32))[:, None])
        log_degree = self.log_degree if items is None else self.log_degree[torch.from_numpy(items)]
        u = self.encoder.users(z, log_degree, Adjacency(batch.shown))
        loss = batch.loss(u @ z.T / self.temperature, rest)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.schedule.step()
        return loss.item()

    def _candidates(self, batch: _Batch) -> tuple[_Batch, np.ndarray | None, Tensor | None]:
        """In a large catalogue: the batch over the items it needs, these items, their log weights.

        Items of the batch stand for themselves; a uniform sample of the others, each weighted by
        (others / sampled), makes the denominator an unbiased estimate of the full one.
        """
        n, config = batch.shown.shape[1], self.run.config
        if n <= config.full_softmax_items:
            return batch, None, None
        own = np.union1d(batch.shown.indices, batch.hidden[1])
        drawn = np.setdiff1d(self.rng.choice(n, min(n, config.sampled_items), replace=False), own)
        items = np.concatenate([own, drawn])
        weight = np.zeros(len(items), np.float32)
        if len(drawn):
            weight[len(own) :] = math.log((n - len(own)) / len(drawn))
        return batch.over(items[: len(own)], len(items)), items, torch.from_numpy(weight)


@dataclass(frozen=True)
class _Batch:
    """Histories split in two: `shown` is read, `hidden` is predicted."""

    #: shape (n_users, n_items)
    shown: sp.csr_matrix
    #: row and item of each hidden interaction
    hidden: tuple[np.ndarray, np.ndarray]
    #: weight of each hidden interaction in the loss; they sum to 1
    weight: np.ndarray

    @classmethod
    def hide(cls, histories: sp.csr_matrix, share: float, rng: np.random.Generator) -> _Batch:
        """Hide a random `share` of each history, keeping one item of each at least."""
        rows = np.repeat(np.arange(histories.shape[0]), np.diff(histories.indptr))
        draw = rng.random(histories.nnz)
        hidden = draw < share
        # The item with the highest draw of its row is shown, so that no history is empty.
        hidden[_last_of_each(rows, draw)] = False
        rows_hidden, rows_shown = rows[hidden], rows[~hidden]
        shown = sp.csr_matrix(
            (np.ones(len(rows_shown), np.float32), (rows_shown, histories.indices[~hidden])), histories.shape
        )
        predicted = np.bincount(rows_hidden, minlength=histories.shape[0])
        # A user weighs as the square root of the history, so that heavy users do not drown the others.
        user = np.sqrt(np.diff(histories.indptr)) / np.maximum(predicted, 1)
        weight = user[rows_hidden]
        return cls(
            shown, (rows_hidden, histories.indices[hidden]), (weight / weight.sum()).astype(np.float32)
        )

    def over(self, items: np.ndarray, width: int) -> _Batch:
        """The same over `items` (sorted, holding all of the batch), padded to `width` columns."""
        local = np.searchsorted(items, self.shown.indices)
        shown = sp.csr_matrix((self.shown.data, local, self.shown.indptr), (self.shown.shape[0], width))
        return replace(self, shown=shown, hidden=(self.hidden[0], np.searchsorted(items, self.hidden[1])))

    def loss(self, logits: Tensor, log_weight: Tensor | None) -> Tensor:
        """Weighted negative log-likelihood of the hidden items; shown items are no candidates."""
        logits = logits.index_put(_tensors(self.shown.tocoo()), torch.tensor(-1e4))
        rows, items = (torch.from_numpy(part.astype(np.int64)) for part in self.hidden)
        total = torch.logsumexp(logits if log_weight is None else logits + log_weight, dim=1)
        return ((total[rows] - logits[rows, items]) * torch.from_numpy(self.weight)).sum()


class _Narrator:
    """Keeps the log and passes it on."""

    def __init__(self, on_epoch: OnEpoch | None) -> None:
        self.on_epoch, self.log, self.planned = on_epoch, list[Epoch](), 0

    def tell(self, line: Epoch) -> None:
        self.log.append(line)
        if self.on_epoch:
            self.on_epoch(line, len(self.log), self.planned)


class _threads:  # noqa: N801  # used as a function in a `with`
    """Torch's thread count within a block."""

    def __init__(self, count: int | None) -> None:
        self.count = count or idle_cores()

    def __enter__(self) -> None:
        self.before = torch.get_num_threads()
        torch.set_num_threads(self.count)

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self.before)


def idle_cores() -> int:
    """Cores that no other process is using, at least one.

    Two threads on a machine with one free core are many times slower than one thread.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(1, min(cores, round(cores - busy)))


def best_trial(log: list[Epoch]) -> Epoch:
    """The end of the run that did best on held-out data."""
    return max((line for line in log if line.valid_ndcg is not None), key=lambda line: line.valid_ndcg or 0.0)


def _principal_axes(text: Tensor, dim: int) -> Tensor:
    """The directions in which texts vary most, as columns; shape (text_dim, dim), zero past text_dim."""
    vectors = torch.linalg.eigh(text.T @ text).eigenvectors.flip(1)[:, :dim]
    return torch.nn.functional.pad(vectors, (0, dim - vectors.shape[1]))


def _ranking_quality(top: np.ndarray, truth: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """NDCG and recall of each row; top: ranked items, shape (n_users, k); truth: (n_users, n_items)."""
    rows = np.repeat(np.arange(len(top)), top.shape[1])
    gains = np.asarray(truth[rows, top.ravel()]).reshape(top.shape) > 0
    discount = 1 / np.log2(np.arange(top.shape[1]) + 2)
    positives = np.diff(truth.indptr)
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(positives, top.shape[1])]
    return (gains * discount).sum(axis=1) / ideal, gains.sum(axis=1) / positives


def _last_of_each(rows: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Position of the largest `key` within each run of equal `rows`."""
    order = np.lexsort((key, rows))
    last: np.ndarray = np.append(rows[1:] != rows[:-1], True) if len(rows) else np.zeros(0, bool)
    positions: np.ndarray = order[last]
    return positions


def _tensors(matrix: sp.coo_matrix) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(matrix.row.astype(np.int64)), torch.from_numpy(matrix.col.astype(np.int64))
