r"""A linear map that evens out how far embeddings spread in each direction.

Enters: unit embeddings of items. Leaves: a map, and an encoder that it has become a part of. Nothing is written.

.. math::
    z_i \leftarrow \mathrm{normalize}(S^{-p/2} z_i) \qquad S = \frac{d}{n} \sum_i z_i z_i^\top + 0.1\,I

Cosines of vectors that lie along a few directions tell little of the others (Su et al. 2021, "Whitening sentence
representations"). What comes before the normalisation of an item is linear in the encoder's tables, so the
map is folded into them, and new items pass through it too.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kgrec.encoder import ItemEncoder
from kgrec.train import Course

#: powers p that are tried: 0 leaves embeddings as they are, 1 makes all directions nearly alike
POWERS = (0.0, 0.25, 0.5, 0.75)
#: of the mean variance, so that a direction with next to none is not blown up
_FLOOR = 0.1


def evening_map(items: Tensor, power: float) -> Tensor:
    """The map for unit embeddings, some of which may be zero; shapes (n, dim) -> (dim, dim), symmetric."""
    spread = (items.T @ items).double()
    spread /= (spread.trace() / len(spread)).clamp(min=1e-12)
    variances, axes = torch.linalg.eigh(spread)
    evened: Tensor = (axes * (variances.clamp(min=0) + _FLOOR) ** (-power / 2)) @ axes.T
    return evened.to(items.dtype)


@torch.no_grad()
def even(encoder: ItemEncoder, course: Course, power: float) -> None:
    """Fold the map for the items of a course into an encoder; power 0 leaves it as it is."""
    if power:
        evened = evening_map(encoder.items(course.inputs, encoder.identity), power)
        for table in (encoder.dense, encoder.entity, encoder.identity):
            table.copy_(table @ evened)
