"""KGAT: attention over one graph of users, items and other entities."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, leaky_relu, logsigmoid, normalize
from torch_geometric.utils import softmax

from kgrec.encode.sparse import Adjacency, WeightedSum
from kgrec.errors import TrainingError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.bpr_sampling import NegativeSampler, TimeLimit, bpr_loss
from kgrec.evaluate.baselines.fitted import UserItemVectors, ones
from kgrec.train.threads import threads


@dataclass(frozen=True)
class KGAT:
    r"""A graph network with attention by relation (Wang et al. 2019, "KGAT: Knowledge graph attention network", eq. 1 to 14).

    .. math::
        \pi(h, r, t) = (W_r e_t)^\top \tanh(W_r e_h + e_r), \quad
        a_{ht} = \sum_r \mathrm{softmax}_{(r, t)}\, \pi(h, r, t), \quad
        e_{N(h)} = \sum_t a_{ht} e_t

    .. math::
        e_h^{(l)} = \mathrm{LeakyReLU}\big(W_1 (e_h + e_{N(h)})\big) + \mathrm{LeakyReLU}\big(W_2 (e_h \odot e_{N(h)})\big)

    The vector of a node is the concatenation of its layers, each of unit length except the zeroth; a score is the inner product of
    user and item. As in the authors' code, each epoch first minimises the BPR loss with fixed attention, then TransR's
    :math:`|W_r e_h + e_r - W_r e_t|^2` against random tails, and then recomputes the attention. Each layer is half as wide as
    the one below.

    Not inductive: users that are not part of training, and items hidden in training, have score 0.
    """

    dim: int = 32
    layers: int = 2
    learning_rate: float = 0.01
    regularization: float = 1e-4
    dropout: float = 0.1
    epochs: int = 20
    batch_size: int = 2048
    seed: int = 0
    #: limit on the CPU seconds of training; training stops early if it would take longer
    limit: float = field(default=math.inf, repr=False, compare=False)

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "epochs": (10, 20, 40, 80),
        "learning_rate": (0.002, 0.005, 0.01, 0.02),
        "layers": (1, 2, 3),
        "regularization": (1e-5, 1e-4, 1e-3),
    }

    def fit(self, data: BaselineData) -> UserItemVectors:
        """Learn by gradient descent.

        Raises:
            TrainingError: There are no interactions, the graph has no edges, or training would take too long.
        """
        if not data.positives.nnz or data.triples is None or not len(data.triples):
            missing = "the graph has no edges" if data.positives.nnz else "there are no positive interactions"
            raise TrainingError(f"KGAT: {missing}.", "Leave this baseline out.")
        rng = np.random.default_rng(self.seed)
        # with several threads the order of summing gradients varies, and so would the results
        with threads(1), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = KGATNetwork(data, self)
            optimizer = torch.optim.Adam(network.parameters(), self.learning_rate)
            pairs = NegativeSampler(ones(data.positives), data.known, rng)
            pace = TimeLimit("KGAT", self.epochs * -(-len(pairs) // self.batch_size), self.limit)
            for _ in range(self.epochs):
                adjacency = network.attention()
                for triple in pairs.epoch(self.batch_size):
                    _step(optimizer, network.preference_loss(adjacency, *triple))
                    pace.step()
                for edges in network.edge_batches(rng):
                    _step(optimizer, network.translation_loss(edges, rng))
            return network.fitted()


class KGATNetwork(nn.Module):
    """Nodes are users, items and other entities, in this order; edges are interactions and triples, in both directions.

    Args:
        data: Interactions and triples.
        options: Widths and losses.
    """

    def __init__(self, data: BaselineData, options: KGAT) -> None:
        super().__init__()
        self.options, self.n_items = options, data.n_items
        self.n_users = data.positives.shape[0]
        self.edges = torch.from_numpy(_edges(data))
        self.n_nodes = max(int(self.edges[:, [0, 2]].max()) + 1, self.n_users + self.n_items)
        n_relations, dim = int(self.edges[:, 1].max()) + 1, options.dim
        widths = [max(1, dim >> n) for n in range(options.layers)]
        self.table = nn.Parameter(nn.init.xavier_uniform_(torch.empty(self.n_nodes, dim)))
        self.relation = nn.Parameter(nn.init.xavier_uniform_(torch.empty(n_relations, dim)))
        self.projection = nn.Parameter(nn.init.xavier_uniform_(torch.empty(n_relations, dim, dim)))
        sizes = list(zip([dim, *widths], widths, strict=False))
        self.of_sum = nn.ModuleList(nn.Linear(*size) for size in sizes)
        self.of_product = nn.ModuleList(nn.Linear(*size) for size in sizes)
        self.sum = WeightedSum()

    @torch.no_grad()
    def attention(self) -> Adjacency:
        """Attention of each edge; sums to 1 over the edges of a head; shape (n_nodes, n_nodes)."""
        head, relation, tail = self.edges.T
        weight = torch.empty(len(self.edges))
        for r in range(len(self.relation)):
            at = torch.nonzero(relation == r)[:, 0]
            projected = self.table @ self.projection[r]
            likeness = projected[tail[at]] * torch.tanh(projected[head[at]] + self.relation[r])
            weight[at] = likeness.sum(dim=1)
        share = softmax(weight, head, num_nodes=self.n_nodes).numpy()
        where = (head.numpy(), tail.numpy())
        return Adjacency(sp.csr_matrix((share, where), (self.n_nodes, self.n_nodes)))

    def forward(self, adjacency: Adjacency) -> Tensor:
        """All layers, concatenated; shape (n_nodes, dim + sum of the layers' widths)."""
        hidden: Tensor = self.table
        found: list[Tensor] = [self.table]
        for of_sum, of_product in zip(self.of_sum, self.of_product, strict=True):
            around = self.sum(hidden, adjacency)
            hidden = leaky_relu(of_sum(hidden + around)) + leaky_relu(of_product(hidden * around))
            hidden = dropout(hidden, self.options.dropout, self.training)
            found.append(normalize(hidden, dim=1))
        return torch.cat(found, dim=1)

    def preference_loss(
        self, adjacency: Adjacency, user: Tensor, positive: Tensor, negative: Tensor
    ) -> Tensor:
        """BPR loss of a batch, plus the L2 penalty on its vectors; arguments of shape (n,), int64."""
        nodes = torch.stack([user, positive + self.n_users, negative + self.n_users])
        vectors: Tensor = self(adjacency)[nodes]
        norm = vectors.square().sum() / len(user)
        return bpr_loss(*vectors) + self.options.regularization / 2 * norm

    def translation_loss(self, edges: Tensor, rng: np.random.Generator) -> Tensor:
        """TransR loss of some edges, plus its L2 penalty; edges have shape (n, 3)."""
        head, relation, tail = edges.T
        drawn = torch.from_numpy(rng.integers(0, self.n_nodes, len(edges)))
        map_, moved = self.projection[relation], self.relation[relation]
        from_, to, wrong = (
            torch.einsum("nd,nde->ne", self.table[node], map_) for node in (head, tail, drawn)
        )
        closer = (from_ + moved - wrong).square().sum(dim=1) - (from_ + moved - to).square().sum(dim=1)
        norm = torch.stack([part.square().sum() for part in (from_, to, wrong, moved)]).sum() / len(edges)
        return -logsigmoid(closer).mean() + self.options.regularization / 2 * norm

    def edge_batches(self, rng: np.random.Generator) -> Iterator[Tensor]:
        """All edges in random order, in batches of shape (n, 3)."""
        order = torch.from_numpy(rng.permutation(len(self.edges)))
        return (self.edges[rows] for rows in torch.split(order, self.options.batch_size))

    @torch.no_grad()
    def fitted(self) -> UserItemVectors:
        """The fitted baseline; an item without edges has score 0."""
        self.eval()
        nodes = self(self.attention())
        nodes[torch.bincount(self.edges[:, 0], minlength=self.n_nodes) == 0] = 0
        found = nodes[: self.n_users + self.n_items].numpy()
        new = np.zeros(found.shape[1], np.float32)
        return UserItemVectors(found[: self.n_users], found[self.n_users :], new)


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _edges(data: BaselineData) -> np.ndarray:
    """Head, relation, tail of every edge and its inverse; relations 0 and 1 are interactions; shape (n_edges, 3), int64."""
    assert data.triples is not None
    positives = data.positives.sorted_indices()
    user, item = positives.nonzero()
    n_users = positives.shape[0]
    taken = np.column_stack([user, np.zeros(len(user), int), n_users + item])
    known = data.triples[~_has_hidden(data)] * [1, 2, 1] + [n_users, 2, n_users]
    forward = np.concatenate([taken, known]).astype(np.int64)
    return np.concatenate([forward, forward[:, ::-1] + [0, 1, 0]])


def _has_hidden(data: BaselineData) -> np.ndarray:
    """Whether each triple has a hidden item; shape (n_triples,), bool."""
    assert data.triples is not None
    if data.hidden is None:
        return np.zeros(len(data.triples), bool)
    ends = data.triples[:, [0, 2]]
    return np.asarray((data.hidden[np.minimum(ends, data.n_items - 1)] & (ends < data.n_items)).any(axis=1))
