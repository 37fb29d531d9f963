"""Sparse matrix products with a fast backward pass.

Enters: a sparse matrix and dense rows. Leaves: weighted sums of rows, as one message-passing operator.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing


class Adjacency:
    """A constant sparse matrix, kept with its transpose: autograd would transpose it again in each backward pass.

    Args:
        matrix: shape (n_targets, n_sources).
        device: where to put the tensors.
    """

    def __init__(self, matrix: sp.csr_matrix, device: str = "cpu") -> None:
        self.matrix = _torch_csr(matrix).to(device)
        self.transposed = _torch_csr(matrix.T.tocsr()).to(device)


class WeightedSum(MessagePassing):  # type: ignore[misc]
    r"""One hop: :math:`h_i = \sum_j a_{ij} x_j`, the neighbourhood sum of a graph convolution.

    With rows of `a` normalised per relation and sources scaled by a learned `s_r`, this is the
    relational convolution of Schlichtkrull et al. 2018 (eq. 2) with a scalar per relation in
    place of a matrix. Message and aggregation are fused into one sparse product.

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


class _SparseProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, matrix: Tensor, transposed: Tensor, x: Tensor) -> Tensor:
        # Of y = A x the gradient is dL/dx = A^T dL/dy; A is constant and gets none.
        ctx.transposed = transposed
        product: Tensor = torch.sparse.mm(matrix, x)
        return product

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, Tensor]:
        return None, None, torch.sparse.mm(ctx.transposed, gradients[0].contiguous())


def _torch_csr(matrix: sp.csr_matrix) -> Tensor:
    _silence_beta_warning()
    if not matrix.has_sorted_indices:
        matrix = matrix.sorted_indices()  # a copy, because the matrix belongs to the caller
    return torch.sparse_csr_tensor(
        torch.from_numpy(matrix.indptr.astype(np.int64)),
        torch.from_numpy(matrix.indices.astype(np.int64)),
        torch.from_numpy(matrix.data.astype(np.float32)),
        matrix.shape,
        check_invariants=False,
    )


@cache
def _silence_beta_warning() -> None:
    """Trigger and discard torch's warning that the CSR format is in beta, which it gives once per process.

    This runs once rather than around each use, because all threads of the process share warning filters. The tests cover the
    two operations used here.
    """
    nothing = torch.zeros(0, dtype=torch.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse", category=UserWarning)
        torch.sparse_csr_tensor(nothing.new_zeros(1), nothing, nothing.float(), (0, 0))
