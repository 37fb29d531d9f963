r"""Causal self-attention over a history: the trainable parameters.

.. math::
    x_t &= \sqrt{d}\, z_t, \qquad
    x_t \leftarrow x_t + \sum_h \sum_{s \le t} a_{hts}\, \mathrm{norm}(x_s) V_h O_h, \qquad
    x_t \leftarrow x_t + \mathrm{relu}(\mathrm{norm}(x_t) F) G, \\
    a_{hts} &= \mathrm{softmax}_s\Big(\tfrac{1}{\sqrt{w}} \mathrm{norm}(x_t) Q_h \cdot \mathrm{norm}(x_s) K_h
        + b_h(t - s) + \log d_s^{-\alpha}\Big), \qquad u_t = \mathrm{normalize}(x_t)

A Transformer (Vaswani et al. 2017) that reads from left to right, as in SASRec (Kang & McAuley 2018), with normalisation before each
part of a block. A learned bias per head for the number of items between two positions replaces position vectors (as in Press et al.
2022, where the bias is fixed). Values and outputs start as the identity, so a user starts as the newest item plus a mean of the history
whose weights decay towards its beginning. The vector therefore lies in the space of the items, where new items are found too.

Enters: vectors of items in the order of histories. Leaves: vectors of users before each next item. Nothing is written.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, normalize, relu, rms_norm, scaled_dot_product_attention

from kgrec.encode.config import EncoderConfig
from kgrec.encode.ordered_users import POSITIONS
from kgrec.encode.transformer_user_encoder import EPSILON

#: range of the initial decay factors per position; the heads are spread between these two
_FALLS = (0.8, 0.5)


class CausalTransformer(nn.Module):
    """Blocks of causal self-attention and a feed-forward layer; the parameters of all blocks are stacked.

    Args:
        config: Length of an embedding, number of blocks and heads, and dropout.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        blocks, heads, dim = config.blocks, config.heads, config.dim
        self.heads, self.left_out = heads, config.dropout
        inner = heads * max(1, dim // heads)
        #: gains of the two norms of each block; shape (blocks, 2, dim)
        self.gain = nn.Parameter(torch.ones(blocks, 2, dim))
        falls = torch.linspace(*_FALLS, heads).log()[:, None] * torch.arange(POSITIONS)
        #: bias by lag; shape (blocks, heads, POSITIONS)
        self.position = nn.Parameter(falls.repeat(blocks, 1, 1))
        # Attention starts with the positions alone, because its products are small.
        small = 0.3 * dim**-0.5
        #: each of shape (blocks, dim, heads * width)
        self.query = nn.Parameter(torch.randn(blocks, dim, inner) * small)
        self.key = nn.Parameter(torch.randn(blocks, dim, inner) * small)
        self.value = nn.Parameter(torch.eye(dim, inner).repeat(blocks, 1, 1))
        #: shape (blocks, heads * width, dim)
        self.output = nn.Parameter(torch.eye(inner, dim).repeat(blocks, 1, 1))
        #: the feed-forward layer; shape (blocks, dim, dim)
        self.expand = nn.Parameter(torch.randn(blocks, dim, dim) * dim**-0.5)
        self.contract = nn.Parameter(torch.zeros(blocks, dim, dim))

    def forward(self, vectors: Tensor, weight: Tensor, predicted: Tensor) -> Tensor:
        """Unit vectors of a user before each predicted position, as `OrderedUsers`."""
        bias = self._bias(weight[:, :-1])
        # Only the positions inside histories go through the linear layers, not the padding: shape (n_predicted, dim).
        x = self._dropped(vectors[:, :-1][predicted] * math.sqrt(vectors.shape[2]))
        for block in range(len(self.gain)):
            h = rms_norm(x, x.shape[-1:], self.gain[block, 0], EPSILON)
            x = x + self._dropped(self._attended(block, h, bias[block], predicted) @ self.output[block])
            h = rms_norm(x, x.shape[-1:], self.gain[block, 1], EPSILON)
            x = x + self._dropped(relu(h @ self.expand[block]) @ self.contract[block])
        return normalize(x, dim=1)

    def _attended(self, block: int, h: Tensor, bias: Tensor, predicted: Tensor) -> Tensor:
        """Values averaged by attention, the heads side by side; shape (n_predicted, heads * width)."""
        padded = []
        for table in (self.query, self.key, self.value):
            rows = h.new_zeros(*predicted.shape, table.shape[2])
            rows[predicted] = h @ table[block]
            # (n_users, length, heads * width) -> (n_users, heads, length, width)
            padded.append(rows.view(*predicted.shape, self.heads, -1).transpose(1, 2))
        query, key, value = padded
        left_out = self.left_out if self.training else 0.0
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=left_out)
        return mixed.transpose(1, 2).flatten(2)[predicted]

    def _bias(self, weight: Tensor) -> Tensor:
        """The bias added to the products of queries and keys; shape (blocks, n_users, heads, length, length)."""
        at = torch.arange(weight.shape[1], device=weight.device)
        lag = at[:, None] - at[None, :]
        by_lag = self.position[:, :, lag.clamp(0, POSITIONS - 1)].masked_fill(lag < 0, -torch.inf)
        return by_lag[:, None] + weight.log()[None, :, None, None, :]

    def _dropped(self, x: Tensor) -> Tensor:
        return dropout(x, self.left_out, self.training)
