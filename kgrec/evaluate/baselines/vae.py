"""Mult-VAE: a variational autoencoder of histories."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from kgrec.errors import ConfigError, TrainingError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.bpr_sampling import TimeLimit
from kgrec.evaluate.baselines.fitted import ones
from kgrec.graph.histories import Histories
from kgrec.train.threads import threads

#: number of histories scored at a time
_QUERIES = 512


@dataclass(frozen=True)
class MultVAE:
    r"""A variational autoencoder with multinomial likelihood (Liang et al. 2018, "Variational autoencoders for collaborative filtering").

    .. math::
        h = \tanh\Big(W \sum_{i \in H_u} \frac{e_i}{\sqrt{|H_u|}}\Big), \quad
        z \sim N(\mu(h), \sigma^2(h)), \quad s_{uj} = \mathrm{softmax}_j\, f(z)^\top e_j

    .. math:: \max \sum_{i \in H_u} \ln s_{ui} - \beta\, \mathrm{KL}(N(\mu, \sigma^2) \,\|\, N(0, 1))

    The weight of the KL term rises to :math:`\beta` over the first half of training (eq. 6 and section 2.2.2). The encoder's and
    the decoder's item layers share the item vectors :math:`e`. If items have text vectors, a linear map of these is added to e, so that
    an item without interactions is scored by its text.
    """

    #: width of z and of the item vectors
    dim: int = 128
    #: beta
    beta: float = 0.2
    #: share of a history that is dropped from the encoder's input
    dropout: float = 0.5
    learning_rate: float = 0.003
    epochs: int = 60
    batch_size: int = 256
    seed: int = 0
    #: limit on the CPU seconds of training; training stops early if it would take longer
    limit: float = field(default=math.inf, repr=False, compare=False)

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "beta": (0.0, 0.05, 0.2, 0.5),
        "epochs": (30, 60, 120),
        "dim": (64, 128, 256),
        "dropout": (0.3, 0.5, 0.7),
    }

    def fit(self, data: BaselineData) -> FittedMultVAE:
        """Learn by gradient descent.

        Raises:
            ConfigError: An option is out of range.
            TrainingError: There are no interactions, or training would take too long.
        """
        self._check()
        if not data.positives.nnz:
            raise TrainingError("MultVAE: there are no positive interactions.", "Leave this baseline out.")
        positives = ones(data.positives)
        with_history = positives[np.flatnonzero(np.diff(positives.indptr))]
        known = data.counts > 0
        # with several threads the order of summing gradients varies, and so would the results
        with threads(1), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = MultVAENetwork(self, known, data.vectors)
            self._learn(network, with_history[:, known].tocsr(), torch.from_numpy(np.flatnonzero(known)))
            return network.fitted()

    def _check(self) -> None:
        counts = (self.dim, self.epochs, self.batch_size)
        if min(counts) < 1 or not (0 <= self.dropout < 1 and self.learning_rate > 0 and self.beta >= 0):
            raise ConfigError(
                f"{self} has an option out of range.",
                "Give counts of at least 1, a dropout from 0 to below 1, a learning rate above 0, and a beta of at least 0.",
            )

    def _learn(self, network: MultVAENetwork, histories: sp.csr_matrix, known: Tensor) -> None:
        optimizer = torch.optim.Adam(network.parameters(), self.learning_rate)
        steps = self.epochs * -(-histories.shape[0] // self.batch_size)
        pace, step = TimeLimit("MultVAE", steps, self.limit), 0
        rng = np.random.default_rng(self.seed)
        for _ in range(self.epochs):
            for rows in np.array_split(rng.permutation(histories.shape[0]), steps // self.epochs):
                taken = torch.from_numpy(histories[rows].toarray())
                vectors = network.items()[known]
                loss = network.loss(taken, vectors, self.beta * min(1.0, 2 * step / steps))
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                pace.step()
                step += 1


class MultVAENetwork(nn.Module):
    """Item vectors, the encoder, and the decoder.

    Args:
        options: Width and dropout.
        known: Which items have interactions; shape (n_items,), bool.
        content: Text vectors of the items, zero without a text; shape (n_items, width), float32; None: no text vectors.
    """

    def __init__(self, options: MultVAE, known: np.ndarray, content: np.ndarray | None) -> None:
        super().__init__()
        dim, self.rate = options.dim, options.dropout
        self.known = torch.from_numpy(known)
        self.table = nn.Parameter(torch.randn(len(known), dim) * dim**-0.5)
        self.bias = nn.Parameter(torch.zeros(len(known)))
        self.content = None if content is None else torch.from_numpy(content.astype(np.float32))
        self.of_content = None if content is None else nn.Linear(content.shape[1], dim, bias=False)
        self.hidden, self.moments = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim)
        self.decoder = nn.Sequential(nn.Linear(dim, dim), nn.Tanh(), nn.Linear(dim, dim))

    def items(self) -> Tensor:
        """Vectors of all items; zero for an item without interactions and without a text; shape (n_items, dim)."""
        own = self.table * self.known[:, None]
        return own if self.of_content is None or self.content is None else own + self.of_content(self.content)

    def encode(self, taken: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of z.

        Args:
            taken: Ones for the items of each history, or for those left after dropout; shape (n, m).
            vectors: Vectors of these m items; shape (m, dim).
        """
        summed = (taken / taken.square().sum(dim=1, keepdim=True).clamp(min=1).sqrt()) @ vectors
        mean, log_variance = self.moments(torch.tanh(self.hidden(summed))).chunk(2, dim=1)
        return mean, log_variance

    def loss(self, taken: Tensor, vectors: Tensor, beta: float) -> Tensor:
        """Negative evidence lower bound per history, over items with interactions; arguments as in `encode`."""
        mean, log_variance = self.encode(nn.functional.dropout(taken, self.rate), vectors)
        z = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        chance = log_softmax(self.decoder(z) @ vectors.T + self.bias[self.known], dim=1)
        divergence = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(dim=1)
        return (beta * divergence - (chance * taken).sum(dim=1)).mean()

    @torch.no_grad()
    def fitted(self) -> FittedMultVAE:
        """The fitted baseline."""
        vectors = self.items()
        # an item without interactions has no learned bias, and is treated as a rare item
        bias = torch.where(self.known, self.bias, self.bias[self.known].min())
        return FittedMultVAE(self, vectors, bias)


@dataclass(frozen=True)
class FittedMultVAE:
    """Scores are probabilities, computed from the mean of z; an item without interactions and without a text has no score."""

    network: MultVAENetwork
    #: shape (n_items, dim)
    vectors: Tensor
    #: shape (n_items,)
    bias: Tensor

    @torch.no_grad()
    def scores(self, histories: Histories, users: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """See `FittedBaseline`."""
        matrix = ones(histories.matrix())
        found = np.zeros(matrix.shape, np.float32)
        columns = torch.nonzero(self.vectors.any(dim=1))[:, 0]
        filled = np.flatnonzero(np.diff(matrix.indptr))
        with threads(1):
            for start in range(0, len(filled), _QUERIES):
                some = filled[start : start + _QUERIES]
                mean, _ = self.network.encode(torch.from_numpy(matrix[some].toarray()), self.vectors)
                logits = self.network.decoder(mean) @ self.vectors[columns].T + self.bias[columns]
                found[np.ix_(some, columns.numpy())] = torch.softmax(logits, dim=1).numpy()
        return found
