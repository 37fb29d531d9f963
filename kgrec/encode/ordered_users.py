r"""The order of a history in a user's vector, as parameters that training learns.

.. math::
    u = \mathrm{normalize}\Big(\sum_h \Big(\sum_k w_h(k)\, d_k^{-\alpha} z_k\Big) M_h\Big)

`k` counts the items of the history from its end. Each head `h` has a weight per position and a linear map: the first starts as the
identity with slowly falling weights, so it says what a user likes; the second starts near zero with fast falling weights, and learns
what follows an item.

Enters: vectors of items in the order of histories. Leaves: vectors of the next positions. Nothing is written.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

HEADS = 2
#: positions from the end that have a weight
POSITIONS = 50
#: factor per position with which the heads start
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
        """Unit vectors of users before some positions.

        Args:
            vectors: of the items of histories, oldest first; zeros after the last; shape (n_users, length, dim), length at most
                POSITIONS + 1.
            weight: of these items; shape (n_users, length).
            wanted: of the positions from the second one on, which are wanted; shape (n_users, length - 1), bool.

        Returns:
            By user, then by position; shape (number wanted, dim).
        """
        length = vectors.shape[1]
        at = torch.arange(length, device=vectors.device)
        # lag[t, s]: items between position t + 1 and s, and -1 and below where s is not before it
        lag = at[1:, None] - at[None, :] - 1
        by_lag = torch.where(lag >= 0, self.log_weight.exp()[:, lag.clamp(0, POSITIONS - 1)], 0.0)
        weighted = vectors * weight[:, :, None]
        # most positions of a padded batch are past the end of a history: only what is wanted goes through the maps
        heads = [torch.einsum("ts,usd->utd", one, weighted)[wanted] for one in by_lag]
        summed = sum(head @ one for head, one in zip(heads, self.maps, strict=True))
        return normalize(summed, dim=1)
