"""Some items held out whole, as if they came after the training.

Enters: interactions, split into training and validation. Leaves: the same without those of some items.

Interactions that are held out one by one are with items that others took before, so they say little of new ones. Where a catalogue
has items without interactions, some others are held out whole: all who took such an item are to be found, as for an item that comes tomorrow.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from kgrec.graph.interactions import of_items

#: share of what is held out that is of items made new, at most
_MOST = 0.5


def hold_out_items(
    training: sp.csr_matrix, valid: sp.csr_matrix, known: np.ndarray, rng: np.random.Generator
) -> tuple[sp.csr_matrix, sp.csr_matrix, np.ndarray]:
    """Hold out some items whole, as if they came after the training.

    Of all that is held out then, as large a share is theirs as items of the catalogue have no interactions.

    Args:
        training: what is learned from; shape (n_users, n_items).
        valid: what is held out, of the same shape.
        known: which items have interactions; shape (n_items,), bool.
        rng: draws the items.

    Returns:
        What is left to learn from; what is held out now, a one for each interaction; which items are made new.
    """
    share = min(1 - known.mean(), _MOST)
    items = rng.permutation(np.flatnonzero(known))
    theirs, held = (np.bincount(part.indices, minlength=len(known)) for part in (training, valid))
    moved = np.cumsum(theirs[items])
    new = np.cumsum(held[items]) + moved
    enough = 1 + int(np.searchsorted(new / np.maximum(valid.nnz + moved, 1), share)) if share > 0 else 0
    stays = np.ones(len(known), bool)
    stays[items[:enough]] = False
    later = of_items(training, ~stays)
    later.data[:] = 1
    return of_items(training, stays), (valid + later).tocsr(), ~stays
