"""SASRec: a Transformer over the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from kgrec.errors import ConfigError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.next_item import FittedNextItem, NextItemNetwork, NextItemOptions, fit_next_item


@dataclass(frozen=True)
class SASRec(NextItemOptions):
    r"""Self-attention over the history (Kang and McAuley 2018, "Self-attentive sequential recommendation", eq. 1 to 6).

    .. math::
        x_p = e_{i_p} + t_{n - p}, \quad
        x \leftarrow x + \mathrm{Attention}(\mathrm{LN}(x)), \quad
        x \leftarrow x + W_2\, \mathrm{ReLU}(W_1\, \mathrm{LN}(x)), \quad
        s_{uj} = \mathrm{softmax}_j\, \mathrm{LN}(x_n)^\top e_j

    A position attends to positions up to itself, and has a learned vector for its distance from the end. The loss differs from the
    paper: it is that of `kgrec.evaluate.baselines.next_item` instead of a binary loss with a single negative item.
    """

    blocks: int = 2
    #: number of attention heads per block; `dim` must be a multiple of it
    heads: int = 2

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "epochs": (8, 15, 30, 60),
        "dropout": (0.0, 0.2, 0.4, 0.6),
        "learning_rate": (0.001, 0.002, 0.005),
        "blocks": (1, 2, 3),
    }

    def fit(self, data: BaselineData) -> FittedNextItem:
        """Learn by gradient descent.

        Raises:
            ConfigError: An option is out of range.
            TrainingError: There are no interactions, they have no order, or training would take too long.
        """
        if self.blocks < 1 or self.heads < 1 or self.dim % self.heads:
            raise ConfigError(
                f"SASRec's dim is {self.dim}, with {self.heads} heads and {self.blocks} blocks.",
                "Give at least 1 block, and a dim that is a multiple of the heads.",
            )
        return fit_next_item("SASRec", SASRecNetwork, self, data)


class SASRecNetwork(NextItemNetwork):
    """See `NextItemNetwork`."""

    def __init__(self, n_items: int, options: SASRec) -> None:
        super().__init__(n_items, options)
        self.distance = nn.Embedding(options.length, options.dim)
        nn.init.normal_(self.distance.weight, std=options.dim**-0.5)
        self.dropout = nn.Dropout(options.dropout)
        self.layers = nn.ModuleList(Block(options) for _ in range(options.blocks))
        self.norm = nn.LayerNorm(options.dim)

    def forward(self, sequences: Tensor, lengths: Tensor) -> Tensor:
        """See `NextItemNetwork`."""
        # past the end the distance has no effect: no position attends to later ones
        distance = (lengths[:, None] - 1 - torch.arange(sequences.shape[1])).clamp(min=0)
        x = self.dropout(self.table(sequences) + self.distance(distance))
        for layer in self.layers:
            x = layer(x)
        expected: Tensor = self.norm(x)
        return expected


class Block(nn.Module):
    """Attention and a feed-forward layer, each on normalised input with a residual connection.

    Args:
        options: Width, heads and dropout.
    """

    def __init__(self, options: SASRec) -> None:
        super().__init__()
        self.heads, dim = options.heads, options.dim
        self.before_attention, self.before_forward = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.projection, self.joined = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.forward_layer = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """The positions after attention to positions up to themselves; shape (n, length, dim), as `x`."""
        n, length, dim = x.shape
        # (n, length, 3 * dim) -> three of (n, heads, length, dim / heads)
        parts = self.projection(self.before_attention(x)).view(n, length, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        attended = scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.dropout(self.joined(attended.transpose(1, 2).reshape(n, length, dim)))
        added: Tensor = x + self.dropout(self.forward_layer(self.before_forward(x)))
        return added
