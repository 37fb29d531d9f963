"""LightGCN: embeddings of users and items, averaged over neighbours in the graph of interactions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from kgrec.encode.sparse import Adjacency, WeightedSum
from kgrec.errors import TrainingError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.bpr_sampling import NegativeSampler, TimeLimit, bpr_loss
from kgrec.evaluate.baselines.fitted import UserItemVectors, ones
from kgrec.train.data import degrees, interaction_counts
from kgrec.train.threads import threads


@dataclass(frozen=True)
class LightGCN:
    r"""LightGCN (He et al. 2020, "LightGCN: Simplifying and powering graph convolution network for recommendation", eq. 3 to 5).

    .. math::
        e_u^{(l+1)} = \sum_{i \in H_u} \frac{e_i^{(l)}}{\sqrt{|H_u|} \sqrt{d_i}}, \quad
        e_i^{(l+1)} = \sum_{u \ni i} \frac{e_u^{(l)}}{\sqrt{d_i} \sqrt{|H_u|}}, \quad
        e = \frac{1}{L + 1} \sum_{l=0}^{L} e^{(l)}, \quad s_{ui} = e_u^\top e_i

    Trained with the BPR loss, one negative item per interaction, and an L2 penalty on the zeroth embeddings of a batch.

    Not inductive: each user has its own embedding. A new user's zeroth embedding is zero; the higher layers come from the
    history.
    """

    dim: int = 64
    #: L, the number of layers
    layers: int = 3
    learning_rate: float = 0.01
    regularization: float = 1e-4
    epochs: int = 40
    batch_size: int = 2048
    seed: int = 0
    #: limit on the CPU seconds of training; training stops early if it would take longer
    limit: float = field(default=math.inf, repr=False, compare=False)

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "epochs": (20, 40, 80, 160),
        "layers": (1, 2, 3),
        "learning_rate": (0.002, 0.005, 0.01, 0.02),
        "regularization": (1e-5, 1e-4, 1e-3),
    }

    def fit(self, data: BaselineData) -> UserItemVectors:
        """Learn by gradient descent.

        Raises:
            TrainingError: There are no interactions, or training would take too long.
        """
        positives = ones(data.positives)
        if not positives.nnz:
            raise TrainingError("LightGCN: there are no positive interactions.", "Leave this baseline out.")
        # with several threads the order of summing gradients varies, and so would the results
        with threads(1):
            network = LightGCNNetwork(positives, self)
            self._learn(network, NegativeSampler(positives, data.known, np.random.default_rng(self.seed)))
            return network.fitted()

    def _learn(self, network: LightGCNNetwork, pairs: NegativeSampler) -> None:
        optimizer = torch.optim.Adam(network.parameters(), self.learning_rate)
        pace = TimeLimit("LightGCN", self.epochs * -(-len(pairs) // self.batch_size), self.limit)
        for _ in range(self.epochs):
            for user, positive, negative in pairs.epoch(self.batch_size):
                nodes = torch.stack([user, positive + network.n_users, negative + network.n_users])
                embedded = network.layers().mean(dim=0)
                loss = bpr_loss(*embedded[nodes]) + self.regularization / 2 * network.norm(nodes)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                pace.step()


class LightGCNNetwork(nn.Module):
    """The embeddings of users and items, in this order, and their layers.

    Args:
        positives: Interactions; shape (n_users, n_items).
        options: Width, number of layers, seed.
    """

    def __init__(self, positives: sp.csr_matrix, options: LightGCN) -> None:
        super().__init__()
        self.n_users, self.depth = positives.shape[0], options.layers
        self.degree, self.has_interactions = degrees(positives), interaction_counts(positives) > 0
        length = np.maximum(np.diff(positives.indptr), 1)
        scaled = sp.diags_array(length**-0.5) @ positives @ sp.diags_array(self.degree**-0.5)
        self.adjacency = Adjacency(sp.csr_matrix(sp.block_array([[None, scaled], [scaled.T, None]])))
        generator = torch.Generator().manual_seed(options.seed)
        self.table = nn.Parameter(0.1 * torch.randn(sum(positives.shape), options.dim, generator=generator))
        self.sum = WeightedSum()

    def layers(self) -> Tensor:
        """The zeroth embeddings and all layers; shape (layers + 1, n_users + n_items, dim)."""
        found: list[Tensor] = [self.table]
        for _ in range(self.depth):
            found.append(self.sum(found[-1], self.adjacency))
        return torch.stack(found)

    def norm(self, nodes: Tensor) -> Tensor:
        """Squared norm of the zeroth embeddings of a batch, divided by its length; nodes have shape (3, n)."""
        return self.table[nodes].square().sum() / nodes.shape[1]

    @torch.no_grad()
    def fitted(self) -> UserItemVectors:
        """The fitted baseline; an item without interactions has score 0."""
        layers = self.layers()
        nodes = layers.mean(dim=0).numpy()
        items = np.where(self.has_interactions[:, None], nodes[self.n_users :], 0)
        # layer l + 1 of a user is a weighted sum of layer l of the items in the history
        below = layers[:-1, self.n_users :].sum(dim=0).numpy() / len(layers)
        parts = (below * self.degree[:, None] ** -0.5).astype(np.float32)
        new = np.zeros(nodes.shape[1], np.float32)
        return UserItemVectors(nodes[: self.n_users], items.astype(np.float32), new, parts)
