r"""Common parts of neural next-item models: sequences of items, training, and scores.

Enters: histories in order, and a network that reads sequences. Leaves: a `FittedNextItem`. Nothing is written.

Every position of a sequence is predicted from the positions before it, by a softmax over a uniform sample of the items (Klenitskiy and
Vasilev 2023, "Turning dross into gold loss: is BERT4Rec really better than SASRec?"), or over all items if there are few.
Item vectors are both the input of the network and the weights of its softmax.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from kgrec.errors import ConfigError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.bpr_sampling import TimeLimit
from kgrec.graph.histories import Histories
from kgrec.metrics.topk import blocks
from kgrec.train.threads import threads

#: largest catalogue for which the softmax covers all items
_MAX_CLASSES = 1024
#: number of sequences read at a time when scores are requested
_QUERIES = 256


@dataclass(frozen=True)
class NextItemOptions:
    """Options that the networks share."""

    #: width of the item vectors
    dim: int = 64
    #: number of newest items of a history that are read
    length: int = 50
    dropout: float = 0.2
    learning_rate: float = 0.005
    epochs: int = 15
    batch_size: int = 128
    #: number of items in the softmax besides the true one, if there are more than 1,024 items
    negatives: int = 512
    seed: int = 0
    #: limit on the CPU seconds of training; training stops early if it would take longer
    limit: float = field(default=math.inf, repr=False, compare=False)

    def check(self) -> None:
        """Check the options.

        Raises:
            ConfigError: An option is out of range.
        """
        counts = (self.dim, self.length, self.epochs, self.batch_size, self.negatives)
        if min(counts) < 1 or not (0 <= self.dropout < 1 and self.learning_rate > 0):
            raise ConfigError(
                f"{self} has an option out of range.",
                "Give counts of at least 1, a dropout from 0 to below 1, and a learning rate above 0.",
            )


class NextItemNetwork(nn.Module):
    """Item vectors; a subclass reads sequences of them.

    Args:
        n_items: Number of items; a last vector of zeros represents positions past the end of a sequence.
        options: Width and dropout.
    """

    def __init__(self, n_items: int, options: NextItemOptions) -> None:
        super().__init__()
        self.table = nn.Embedding(n_items + 1, options.dim, padding_idx=n_items)
        nn.init.normal_(self.table.weight[:n_items], std=options.dim**-0.5)

    def forward(self, sequences: Tensor, lengths: Tensor) -> Tensor:
        """Expected next item after each position, as a vector.

        Args:
            sequences: Rows of items, oldest first, padded with n_items; shape (n, length), int64.
            lengths: Items in each sequence; shape (n,), int64.

        Returns:
            shape (n, length, dim).
        """
        raise NotImplementedError


@dataclass(frozen=True)
class FittedNextItem:
    """Scores are the probabilities of the next item; an item without interactions has no score."""

    network: NextItemNetwork
    length: int
    #: which items have interactions; shape (n_items,), bool
    known: np.ndarray

    @torch.no_grad()
    def scores(self, histories: Histories, users: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """See `FittedBaseline`."""
        found = np.zeros((len(histories), histories.n_items), np.float32)
        newest = histories.last(self.length)
        filled = np.flatnonzero(np.diff(newest.indptr))
        columns = torch.from_numpy(np.flatnonzero(self.known))
        self.network.eval()
        with threads(1):
            for start in range(0, len(filled), _QUERIES):
                some = filled[start : start + _QUERIES]
                sequences, lengths = (torch.from_numpy(part) for part in padded(newest.take(some)))
                state = self.network(sequences, lengths)[torch.arange(len(some)), lengths - 1]
                chance = torch.softmax(state @ self.network.table.weight[columns].T, dim=1)
                found[np.ix_(some, columns.numpy())] = chance.numpy()
        return found


def fit_next_item(
    name: str, make: type[NextItemNetwork], options: NextItemOptions, data: BaselineData
) -> FittedNextItem:
    """Train a network on all sequences.

    Args:
        name: Name of the method, for errors.
        make: The network.
        options: Options of the method; also passed to the network.
        data: Histories with an order.

    Raises:
        ConfigError: An option is out of range.
        TrainingError: There are no interactions, they have no order, or training would take too long.
    """
    options.check()
    histories = data.in_order(name)
    known = data.counts > 0
    sequences = parts_of(histories, options.length + 1)
    rng = np.random.default_rng(options.seed)
    # with several threads the order of summing gradients varies, and so would the results
    with threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        network = make(data.n_items, options)
        optimizer = torch.optim.Adam(network.parameters(), options.learning_rate)
        steps = options.epochs * -(-len(sequences) // options.batch_size)
        pace = TimeLimit(name, steps, options.limit)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
        for _ in range(options.epochs):
            for some in _batches(sequences, options.batch_size, rng):
                loss = _loss(network, some, np.flatnonzero(known), options.negatives, rng)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                pace.step()
    return FittedNextItem(network, options.length, known)


def parts_of(histories: Histories, length: int) -> Histories:
    """Sequences of two to `length` items that cover the histories, newest first; each begins with the last item of the one before it."""
    starts, ends = [], []
    for first, end in zip(histories.indptr[:-1].tolist(), histories.indptr[1:].tolist(), strict=True):
        while end - first > 1:
            start = max(first, end - length)
            starts.append(start)
            ends.append(end)
            end = start + 1
    return histories.between(np.array(starts, np.int64), np.array(ends, np.int64))


def padded(histories: Histories) -> tuple[np.ndarray, np.ndarray]:
    """Items of each history, oldest first, padded with n_items, and their number; shapes (n, longest) and (n,), int64."""
    rows = histories.padded(np.arange(len(histories)))
    items = np.where(rows >= 0, histories.item[rows], histories.n_items)
    return items.astype(np.int64), np.diff(histories.indptr)


def _batches(sequences: Histories, size: int, rng: np.random.Generator) -> Iterator[Histories]:
    """All sequences once, in random order; sequences in a batch have similar lengths."""
    order = rng.permutation(len(sequences))
    lengths = np.diff(sequences.indptr)[order]
    # sorted within 32 batches, so that short sequences are not padded to the longest one
    for part in blocks(len(order), 1, 32 * size):
        by_length = order[part][np.argsort(lengths[part], kind="stable")]
        groups = [by_length[start : start + size] for start in range(0, len(by_length), size)]
        yield from (sequences.take(groups[at]) for at in rng.permutation(len(groups)))


def _loss(
    network: NextItemNetwork, some: Histories, known: np.ndarray, negatives: int, rng: np.random.Generator
) -> Tensor:
    """Cross-entropy of the items that follow each position of some sequences."""
    items, lengths = padded(some)
    state = network(torch.from_numpy(items[:, :-1]), torch.from_numpy(lengths - 1))
    there = torch.from_numpy(items[:, 1:] < some.n_items)
    state, target = state[there], torch.from_numpy(items[:, 1:])[there]
    vectors = network.table.weight
    if len(known) <= _MAX_CLASSES:
        classes = torch.from_numpy(known)
        return cross_entropy(state @ vectors[classes].T, torch.searchsorted(classes, target))
    drawn = torch.from_numpy(known[rng.integers(0, len(known), negatives)])
    own = (state * vectors[target]).sum(dim=1, keepdim=True)
    # each negative represents the number of catalogue items per negative
    rest = state @ vectors[drawn].T + math.log(len(known) / negatives)
    rest = rest.masked_fill(drawn[None, :] == target[:, None], -1e4)
    return cross_entropy(torch.cat([own, rest], dim=1), torch.zeros(len(target), dtype=torch.int64))


def _rate(step: int, steps: int) -> float:
    """Factor of the learning rate: it rises over the first tenth of the steps, and then falls to zero."""
    warm = max(1, steps // 10)
    return min((step + 1) / warm, max(0.0, (steps - step) / max(1, steps - warm)))
