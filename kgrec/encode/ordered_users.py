r"""Trainable parameters by which the order of a history enters a user's vector.

.. math::
    u = \mathrm{normalize}\Big(\sum_h \Big(\sum_k w_h(k)\, d_k^{-\alpha} z_k\Big) M_h\Big)

`k` counts the items of the history from its end. Each head `h` has a weight per position and a linear map. The first head starts as
the identity with slowly decaying weights, so it represents what a user likes; the second starts near zero with fast decaying weights,
and learns what follows an item.

Enters: vectors of items in the order of histories. Leaves: vectors of the next positions. Nothing is written.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

HEADS = 2
#: positions from the end that have a weight
POSITIONS = 50
#: initial decay factor per position, one per head
_FALL = (0.8, 0.5)


class OrderedUsers(nn.Module):
    """Weights by position, and a map per head.

    Args:
        dim: Length of an embedding.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        falls = torch.tensor(_FALL).log()[:, None]
        #: log of the weight; shape (HEADS, POSITIONS)
        self.log_weight = nn.Parameter(falls * torch.arange(POSITIONS))
        small = 0.1 * dim**-0.5
        maps = torch.stack([torch.eye(dim), torch.randn(dim, dim) * small])
        #: shape (HEADS, dim, dim)
        self.maps = nn.Parameter(maps)

    def forward(self, vectors: Tensor, weight: Tensor, wanted: Tensor) -> Tensor:
        """Unit vectors of users before the wanted positions.

        Args:
            vectors: of the items of histories, oldest first, padded with zeros; shape (n_users, length, dim), length at most
                POSITIONS + 1.
            weight: of these items; shape (n_users, length).
            wanted: which positions, from the second on, to compute; shape (n_users, length - 1), bool.

        Returns:
            Ordered by user, then by position; shape (number wanted, dim).
        """
        length = vectors.shape[1]
        at = torch.arange(length, device=vectors.device)
        # lag[t, s]: items between position t + 1 and s; -1 and below where s is not before t + 1
        lag = at[1:, None] - at[None, :] - 1
        by_lag = torch.where(lag >= 0, self.log_weight.exp()[:, lag.clamp(0, POSITIONS - 1)], 0.0)
        weighted = vectors * weight[:, :, None]
        # most positions of a padded batch lie past the end of a history, so only the wanted ones go through the maps
        heads = [torch.einsum("ts,usd->utd", one, weighted)[wanted] for one in by_lag]
        summed = sum(head @ one for head, one in zip(heads, self.maps, strict=True))
        return normalize(summed, dim=1)
