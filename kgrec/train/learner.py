"""The learner, which fits the encoder's parameters to histories.

Enters: features of the items, the positive interactions, and hyperparameters. Leaves: an ItemEncoder. Nothing is written.

A training step hides half of each history in a batch and predicts the hidden items from the rest by a softmax over the catalogue
(Hidasi & Karatzoglou 2018; the multinomial likelihood of Liang et al. 2018), or over a uniform sample if the catalogue is large.
:mod:`kgrec.train.hyperparameters` chooses the hyperparameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from kgrec.encode.config import UserEncoderName
from kgrec.encode.item_encoder import EncoderInputs, ItemEncoder
from kgrec.encode.ordered_users import OrderedUsers
from kgrec.encode.sparse import Adjacency
from kgrec.encode.transformer import CausalTransformer
from kgrec.graph.histories import Histories
from kgrec.metrics.propensity import propensities
from kgrec.train.data import EpochRecord, Hyperparameters, TrainingData, degrees, interaction_counts
from kgrec.train.negatives import NegativeSampler
from kgrec.train.optimizer import Optimizer

#: number of users whose scores determine which items the model recommends
_SCORED_USERS = 256
#: number of rows from which on a table has sparse gradients
_SPARSE_ROWS = 50_000


#: called after each epoch with its record
OnRunEpoch = Callable[[EpochRecord], None]


def fresh_encoder(data: TrainingData, user: UserEncoderName = "mean") -> ItemEncoder:
    """An untrained encoder, initialised from the seed; `user` names the user encoder."""
    torch.manual_seed(data.train.seed)
    n_items = len(data.features)
    encoder = ItemEncoder.for_features(data.encoder, data.featurizer, n_items)
    if user == "linear":
        encoder.order = OrderedUsers(data.encoder.dim)
    elif user == "transformer":
        encoder.order = CausalTransformer(data.encoder)
    encoder = encoder.to(data.device)
    rows = max(n_items, len(encoder.entity))
    encoder.sparse = rows > _SPARSE_ROWS and n_items > data.train.full_softmax_items
    return encoder


class RunProgress:
    """Records and reports the epochs of one run, without saving anything."""

    def __init__(self, stage: str, hyperparameters: Hyperparameters, on_epoch: OnRunEpoch) -> None:
        self.stage, self.hyperparameters, self.on_epoch = stage, hyperparameters, on_epoch
        self.records: list[EpochRecord] = []

    def resume(self, learner: Learner) -> int:
        """Restore a saved state of the learner, if any, and return the number of the next epoch."""
        del learner
        return 1

    def ended(self, learner: Learner, epoch: int, loss: float, seconds: float) -> None:
        """Record a finished epoch."""
        del learner
        self.add(EpochRecord(self.stage, epoch, self.hyperparameters, loss, seconds))

    def add(self, record: EpochRecord) -> None:
        """Add a record, and report it."""
        self.records.append(record)
        self.on_epoch(record)


def content_encoder(data: TrainingData) -> ItemEncoder:
    """An encoder from content alone, for data without interactions to learn from.

    The residuals are zero. Dense vectors are projected onto their principal axes, and each node gets a random direction. Random
    projections approximately preserve cosines (Johnson & Lindenstrauss 1984).
    """
    encoder = fresh_encoder(data).cpu()
    with torch.no_grad():
        encoder.identity.zero_()
        encoder.dense.copy_(_principal_axes(torch.from_numpy(data.features.dense), encoder.dense.shape[1]))
        # Unit rows, like text vectors, so that an item's neighbours weigh as much as its text.
        encoder.entity.copy_(torch.nn.functional.normalize(torch.randn_like(encoder.entity), dim=1))
    return encoder


class Learner:
    """One encoder with its optimiser and schedule, on one set of histories.

    Args:
        encoder: the encoder to update.
        data: the items and the configuration.
        histories: histories of all users, which show which items are known and how popular they are.
        hyperparameters: hyperparameters of the run.
        users: rows of the users to learn from; None: all.
    """

    def __init__(
        self,
        encoder: ItemEncoder,
        data: TrainingData,
        histories: Histories,
        hyperparameters: Hyperparameters,
        users: np.ndarray | None = None,
    ) -> None:
        self.encoder, self.data = encoder, data
        positives = histories.matrix()
        self.positives, self.hyperparameters = positives, hyperparameters
        config = data.train
        self.rng = np.random.default_rng(config.seed)
        #: users with at least two items: a history of one item cannot be split into a hidden and a shown part
        several = np.flatnonzero(np.diff(positives.indptr) >= 2)
        self.users = several if users is None else np.intersect1d(several, users)
        self.size = config.batch_size or _batch_size(len(self.users))
        self.log_degree = torch.from_numpy(np.log(degrees(positives))).to(data.device)
        #: which items have positive interactions, and therefore a residual; shape (n_items,), bool
        self.has_positives = interaction_counts(positives) > 0
        #: rows of the candidates of the softmax, increasing; an item without interactions may be new rather than disliked, so it is not
        #: a negative
        self.known = np.flatnonzero(data.known(positives))
        #: weight of each item's interactions in the loss; shape (n_items,), float32; None: equal weights
        self.loss_weight = _loss_weight(positives, config.propensity)
        steps = max(1, hyperparameters.epochs * math.ceil(len(self.users) / self.size))
        warmup = min(config.warmup_steps, max(1, steps // 4))
        self.optimizer = Optimizer(encoder, hyperparameters.learning_rate, steps, warmup)
        #: draws negatives among `known`; None: uniform draws
        self.sampler: NegativeSampler | None = None

    def epoch(self) -> float:
        """Mean loss of one pass over the users."""
        losses = list(self._losses())
        return float(np.mean(losses)) if losses else 0.0

    def _losses(self) -> Iterator[float]:
        """The loss of each step of one pass over the users."""
        self.sampler = self._sampler()
        return (self._step(batch) for batch in self._batches())

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The full state before the next epoch: arrays, and the state of the random generator as plain values."""
        arrays = {
            f"encoder.{name}": t.detach().cpu().numpy() for name, t in self.encoder.state_dict().items()
        }
        arrays |= {f"optimizer.{name}": array for name, array in self.optimizer.state().items()}
        return arrays, self.rng.bit_generator.state  # type: ignore[return-value]

    def restore(self, arrays: dict[str, np.ndarray], rng: dict[str, Any]) -> None:
        """Restore the state that `state` returned."""
        parts: dict[str, dict[str, np.ndarray]] = {"encoder": {}, "optimizer": {}}
        for name, array in arrays.items():
            owner, _, rest = name.partition(".")
            parts[owner][rest] = array
        tensors = {name: torch.from_numpy(array.copy()) for name, array in parts["encoder"].items()}
        self.encoder.load_state_dict(tensors)
        self.optimizer.restore(parts["optimizer"])
        self.rng.bit_generator.state = rng

    def _batches(self) -> Iterator[_Batch]:
        order = self.rng.permutation(self.users)
        for start in range(0, len(order), self.size):
            histories = self.positives[order[start : start + self.size]]
            batch = _Batch.hide(histories, self.data.train.history_dropout, self.rng)
            # By chance a small batch may have no hidden items; its loss would be the mean of no terms.
            if len(batch.hidden[0]):
                yield batch

    def _step(self, batch: _Batch) -> float:
        device, encoder = self.data.device, self.encoder
        hidden = batch.hidden[1]
        batch, items, log_weight = self._candidates(batch)
        if items is None:
            inputs, identity, log_degree = self.data.inputs, encoder.identity[:], self.log_degree
        else:
            at = torch.from_numpy(items).to(device)
            sampled = items is not self.known
            inputs = EncoderInputs(self.data.features.take(items), device) if sampled else self._known_inputs
            identity, log_degree = encoder.rows(encoder.identity, at), self.log_degree[at]
        # Drop whole residuals (m_i in the formula of the encoder): without its residual an item looks like a new one, so training
        # sees items in the form that added items have.
        keep = self.rng.random(len(identity)) >= encoder.config.identity_dropout
        keep &= self.has_positives if items is None else self.has_positives[items]
        z = encoder.items(inputs, identity * torch.from_numpy(keep.astype(np.float32)).to(device)[:, None])
        u = encoder.users(z, log_degree, Adjacency(batch.shown, device))
        with _mixed_precision(device):
            # Divide (n_users, dim) numbers rather than the (n_users, n_items) products.
            logits = (u / self.hyperparameters.temperature) @ z.T
        loss = self._mean(batch.losses(logits.float(), log_weight), hidden)
        self.optimizer.step(loss)
        return loss.item()

    def _mean(self, losses: Tensor, items: np.ndarray) -> Tensor:
        """Mean of the losses of interactions with these items, weighted by their inverse propensities if there are any.

        Dividing by the sum of the weights keeps the variance low (Swaminathan and Joachims 2015), and the mean at the scale of other losses.
        """
        if self.loss_weight is None:
            return losses.mean()
        weight = torch.from_numpy(self.loss_weight[items]).to(losses.device)
        return (weight * losses).sum() / weight.sum()

    @cached_property
    def _known_inputs(self) -> EncoderInputs:
        return EncoderInputs(self.data.features.take(self.known), self.data.device)

    def _candidates(self, batch: _Batch) -> tuple[_Batch, np.ndarray | None, Tensor | None]:
        """The candidates of the softmax.

        In a large catalogue these are the items of the batch, with weight 1, and a sample of the others. In a uniform sample each item
        has weight (number of others / number sampled), otherwise see `NegativeSampler`. The denominator is therefore an unbiased estimate
        of the full one.

        Returns:
            The batch, with its columns renumbered to the candidates; the rows of the candidates, None if all items are candidates; and
                their log weights, None if all weights are 1, otherwise of shape (n_candidates,).
        """
        config = self.data.train
        n = len(self.known)
        if batch.shown.shape[1] <= config.full_softmax_items:
            whole = n == batch.shown.shape[1]
            return (batch, None, None) if whole else (batch.over(self.known, n), self.known, None)
        own = np.union1d(batch.shown.indices, batch.hidden[1])
        drawn, log_weights = self._negatives(own)
        items = np.concatenate([own, drawn])
        weight = np.zeros(len(items), np.float32)
        weight[len(own) :] = log_weights
        log_weight = torch.from_numpy(weight).to(self.data.device)
        return batch.over(items[: len(own)], len(items)), items, log_weight

    def _negatives(self, own: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
        """Rows of sampled items that are not among `own`, increasing, and the log of their weights."""
        n, size = len(self.known), min(len(self.known), self.data.train.sampled_items)
        if self.sampler is not None:
            drawn = self.sampler.draw(self.rng, size)
            drawn = drawn[~np.isin(self.known[drawn], own)]
            return self.known[drawn], self.sampler.log_weights(drawn, size)
        # Draw with replacement, then deduplicate: cheaper than drawing without, and the weight below counts what is left.
        rows = np.setdiff1d(self.known[self.rng.integers(0, n, size)], own)
        return rows, math.log((n - len(own)) / len(rows)) if len(rows) else 0.0

    @torch.no_grad()
    def _sampler(self) -> NegativeSampler | None:
        """The distribution of negatives in the next epoch; None if it is uniform, or if the softmax is over all items."""
        config, encoder = self.data.train, self.encoder
        if config.negatives == "uniform" or self.positives.shape[1] <= config.full_softmax_items:
            return None
        if config.negatives == "popularity":
            return NegativeSampler.by_popularity(interaction_counts(self.positives)[self.known])
        z = encoder.items(self.data.inputs, encoder.identity[:])
        some = self.positives[self.users[:: max(1, len(self.users) // _SCORED_USERS)]]
        u = encoder.users(z, self.log_degree, Adjacency(some, self.data.device))
        known = torch.from_numpy(self.known).to(self.data.device)
        return NegativeSampler.adversarial(u, z[known], self.hyperparameters.temperature)


@dataclass(frozen=True)
class _Batch:
    """Histories split in two: the hidden items are predicted from the shown ones."""

    #: shape (n_users, n_items)
    shown: sp.csr_matrix
    #: row and column of each hidden interaction; each of shape (n_hidden,)
    hidden: tuple[np.ndarray, np.ndarray]

    @classmethod
    def hide(cls, histories: sp.csr_matrix, share: float, rng: np.random.Generator) -> _Batch:
        """Hide a random `share` of each history, but never the whole history."""
        rows = np.repeat(np.arange(histories.shape[0]), np.diff(histories.indptr))
        draw = rng.random(histories.nnz)
        hidden = draw < share
        # The item with the highest draw in its row is always shown, so that no history is empty.
        hidden[_last_of_each(rows, draw)] = False
        kept = (histories.data[~hidden], (rows[~hidden], histories.indices[~hidden]))
        return cls(sp.csr_matrix(kept, histories.shape), (rows[hidden], histories.indices[hidden]))

    def over(self, items: np.ndarray, width: int) -> _Batch:
        """The batch with column j renumbered to the position of j in `items`.

        Args:
            items: increasing, with all columns that the batch uses.
            width: number of columns; those past `items` are empty.
        """
        local = np.searchsorted(items, self.shown.indices)
        shown = sp.csr_matrix((self.shown.data, local, self.shown.indptr), (self.shown.shape[0], width))
        return replace(self, shown=shown, hidden=(self.hidden[0], np.searchsorted(items, self.hidden[1])))

    def losses(self, logits: Tensor, log_weight: Tensor | None) -> Tensor:
        """Negative log-likelihood of each hidden item; shape (n_hidden,).

        Args:
            logits: shape (n_users, n_candidates).
            log_weight: shape (n_candidates,); None: zeros.
        """
        # Shown items are excluded from the softmax, as they are from a user's list. The value is finite, because -inf would give a
        # NaN gradient if all candidates are excluded.
        shown = self.shown.tocoo()
        excluded = _tensors((shown.row, shown.col), logits.device)
        logits = logits.index_put(excluded, torch.tensor(-1e4, device=logits.device))
        rows, items = _tensors(self.hidden, logits.device)
        # -log softmax = log-sum-exp over the candidates minus the logit of the hidden item. One denominator per user serves all
        # hidden items of the user. Weights count in the denominator only; those of hidden items are 1.
        denominator = torch.logsumexp(logits if log_weight is None else logits + log_weight, dim=1)
        return denominator[rows] - logits[rows, items]


def _loss_weight(positives: sp.csr_matrix, power: float) -> np.ndarray | None:
    return (1 / propensities(interaction_counts(positives), power)).astype(np.float32) if power else None


def _mixed_precision(device: str) -> AbstractContextManager[Any]:
    """bfloat16 products on a GPU; on most CPUs they would be slower."""
    return torch.autocast(device, torch.bfloat16, enabled=device != "cpu")


def _batch_size(n_users: int) -> int:
    """The power of two nearest to a sixteenth of the users, between 64 and 512."""
    return int(np.clip(2 ** round(math.log2(max(1, n_users) / 16)), 64, 512))


def _principal_axes(dense: Tensor, dim: int) -> Tensor:
    """The directions of largest variance of dense vectors, as columns; shape (dense_dim, dim), zero past dense_dim."""
    # eigh sorts by increasing eigenvalue.
    vectors = torch.linalg.eigh(dense.T @ dense).eigenvectors.flip(1)[:, :dim]
    return torch.nn.functional.pad(vectors, (0, dim - vectors.shape[1]))


def _last_of_each(rows: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Position of the largest `key` within each run of equal `rows`."""
    # Sorted by row, then by key: the last entry of a run is where the next row differs.
    order = np.lexsort((key, rows))
    last: np.ndarray = np.append(rows[1:] != rows[:-1], True) if len(rows) else np.zeros(0, bool)
    positions: np.ndarray = order[last]
    return positions


def _tensors(positions: tuple[np.ndarray, np.ndarray], device: torch.device) -> tuple[Tensor, Tensor]:
    row, column = (torch.from_numpy(part.astype(np.int64)).to(device) for part in positions)
    return row, column
