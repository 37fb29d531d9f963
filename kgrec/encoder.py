r"""The graph neural network: features of items in, unit vectors of items and users out.

.. math::
    z_i = \mathrm{normalize}\Big(W x_i + \sum_r s_r \sum_{j \in N_r(i)} a_{rij} E_j + m_i\, ID_i\Big)
    \qquad
    u = \mathrm{normalize}\Big(\sum_{j \in H(u)} d_j^{-\alpha} z_j\Big)

`x_i` are the text and the vectors of the item side by side, `a_{ri}` the IDF weights of the neighbours of `i` by relation `r`, made a unit vector, `ID_i` exists for
items that training knew (`m_i = 1`) and not for new ones (`m_i = 0`), `d_j` is the number of training
users of item `j`. A user has no parameter: new users need no training.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, normalize
from torch_geometric.nn import MessagePassing

from kgrec.features import ItemFeatures, Schema
from kgrec.settings import EncoderConfig


class Adjacency:
    """A constant sparse matrix that a gradient passes through fast.

    Autograd would transpose the matrix anew at each backward pass; here both forms are kept.

    Args:
        matrix: shape (n_targets, n_sources).
        device: where it lies.
    """

    def __init__(self, matrix: sp.csr_matrix, device: str = "cpu") -> None:
        self.matrix = _torch_csr(matrix).to(device)
        self.transposed = _torch_csr(matrix.T.tocsr()).to(device)


class WeightedSum(MessagePassing):  # type: ignore[misc]
    r"""One hop: :math:`h_i = \sum_j a_{ij} x_j`, the neighbourhood sum of a graph convolution.

    With rows of `a` normalised for each relation and sources scaled by a learned `s_r`, this is the
    relational convolution of Schlichtkrull et al. 2018 (eq. 2) with a scalar for each relation in
    place of a matrix. The product of message and aggregation is fused into one sparse product.

    Shapes: x (n_sources, dim); adjacency (n_targets, n_sources); returns (n_targets, dim).
    """

    def __init__(self) -> None:
        super().__init__(aggr="sum")

    def forward(self, x: Tensor, adjacency: Adjacency) -> Tensor:
        """The weighted sum of each target's neighbours."""
        return self.propagate(adjacency.matrix, x=x, transposed=adjacency.transposed)  # type: ignore[no-any-return]

    def message_and_aggregate(self, edge_index: Tensor, x: Tensor, transposed: Tensor) -> Tensor:
        """The fused product, called by `propagate`."""
        return _SparseProduct.apply(edge_index, transposed, x)  # type: ignore[no-any-return,no-untyped-call]


class ItemEncoder(nn.Module):
    """Embeds items from their features, and known ones from a residual of their own too.

    Args:
        config: Width and dropout.
        dense_dim: Length of text and vectors together; 0 without any.
        n_relations: Relations of the schema.
        n_entities: Entities and quantiles of the schema.
        n_items: Items that training knows.
    """

    def __init__(
        self, config: EncoderConfig, *, dense_dim: int, n_relations: int, n_entities: int, n_items: int
    ) -> None:
        super().__init__()
        small = 0.1 * config.dim**-0.5
        self.config = config
        self.dense = nn.Parameter(torch.randn(dense_dim, config.dim) * max(1, dense_dim) ** -0.5)
        self.entity = nn.Parameter(torch.randn(n_entities, config.dim) * small)
        self.relation_scale = nn.Parameter(torch.ones(n_relations))
        residual = torch.randn(n_items, config.dim) * (small if config.identity else 0)
        self.identity = nn.Parameter(residual, requires_grad=config.identity)
        self.degree_exponent = nn.Parameter(torch.tensor(0.5))
        self.sum = WeightedSum()
        #: whether the gradients of `entity` and `identity` hold the rows that were read alone, not the whole table
        self.sparse = False

    @classmethod
    def for_schema(cls, config: EncoderConfig, schema: Schema, n_items: int) -> ItemEncoder:
        """An encoder with fresh parameters for what `schema` names."""
        return cls(
            config,
            dense_dim=schema.dense_dim,
            n_relations=len(schema.relations),
            n_entities=schema.n_nodes,
            n_items=n_items,
        )

    def forward(self, inputs: EncoderInputs, identity: Tensor | None = None) -> Tensor:
        """Vectors before normalisation.

        Args:
            inputs: n items.
            identity: the ID residuals of these items, shape (n, dim); None for new items.

        Returns:
            shape (n, dim).
        """
        hidden = inputs.dense @ self.dense
        if len(inputs.entity):
            sources = self.rows(self.entity, inputs.entity) * self.relation_scale[inputs.relation, None]
            hidden = hidden + self.sum(sources, inputs.neighbors)
        return hidden if identity is None else hidden + identity

    def items(self, inputs: EncoderInputs, identity: Tensor | None = None) -> Tensor:
        """Unit embeddings of items; shape (n, dim)."""
        return normalize(self(inputs, identity), dim=1)

    def rows(self, table: Tensor, at: Tensor) -> Tensor:
        """Rows of `entity` or `identity`; shape (len(at), dim)."""
        return embedding(at, table, sparse=True) if self.sparse else table[at]

    def users(self, items: Tensor, log_degree: Tensor, histories: Adjacency) -> Tensor:
        """Unit embeddings of users.

        Args:
            items: unit embeddings, shape (n_items, dim).
            log_degree: log of the number of users of each item, shape (n_items,).
            histories: shape (n_users, n_items).

        Returns:
            shape (n_users, dim); zero for an empty history.
        """
        weight = torch.exp(-self.degree_exponent * log_degree)
        return normalize(self.sum(items * weight[:, None], histories), dim=1)


class EncoderInputs:
    """ItemFeatures as tensors, on a device."""

    def __init__(self, features: ItemFeatures, device: str = "cpu") -> None:
        self.dense = torch.from_numpy(features.dense).to(device)
        self.neighbors = Adjacency(features.neighbors, device)
        self.relation = torch.from_numpy(features.relation).to(device)
        self.entity = torch.from_numpy(features.entity).to(device)


class _SparseProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, matrix: Tensor, transposed: Tensor, x: Tensor) -> Tensor:
        ctx.transposed = transposed
        product: Tensor = torch.sparse.mm(matrix, x)
        return product

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, Tensor]:
        return None, None, torch.sparse.mm(ctx.transposed, gradients[0].contiguous())


def _torch_csr(matrix: sp.csr_matrix) -> Tensor:
    matrix.sort_indices()
    with warnings.catch_warnings():
        # Torch calls the format a beta; the two operations used here are tested.
        warnings.filterwarnings("ignore", message="Sparse", category=UserWarning)
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int64)),
            torch.from_numpy(matrix.indices.astype(np.int64)),
            torch.from_numpy(matrix.data.astype(np.float32)),
            matrix.shape,
            check_invariants=False,
        )
