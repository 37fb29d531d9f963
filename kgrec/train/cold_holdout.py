"""The cold-start hold-out: some items held out whole, as stand-ins for new items.

Enters: interactions, split into training and validation part. Leaves: another split, in which all interactions of some items are
held out. Nothing is written.

Interactions held out one by one are with items that other users have interacted with in training, so they say little about new
items. If a catalogue has items without interactions, some of the others are held out whole: validation then measures how well
they are recommended without any interaction, as for an item that is added later.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from kgrec.graph.histories import Histories
from kgrec.graph.interactions import of_items

#: share of the held-out interactions that may belong to items held out whole
_MAX_SHARE = 0.5


def hold_out_items(
    training: Histories, valid: sp.csr_matrix, known: np.ndarray, rng: np.random.Generator
) -> tuple[Histories, sp.csr_matrix, np.ndarray]:
    """Hold out some items whole.

    Their share of the held-out interactions is the share of items without interactions in the catalogue.

    Args:
        training: the training part.
        valid: the held-out part; shape (n_users, n_items).
        known: which items have interactions; shape (n_items,), bool.
        rng: draws the items.

    Returns:
        The new training part; the new held-out part, with a 1 per interaction; and which items were held out whole, shape
        (n_items,), bool.
    """
    share = min(1 - known.mean(), _MAX_SHARE)
    items = rng.permutation(np.flatnonzero(known))
    positives = training.matrix()
    in_training, in_valid = (np.bincount(part.indices, minlength=len(known)) for part in (positives, valid))
    # Holding out the first n items moves `moved[n - 1]` interactions from training to validation, where `cold[n - 1]` of
    # `valid.nnz + moved[n - 1]` then belong to them. This share grows with n: take the smallest n that reaches `share`.
    moved = np.cumsum(in_training[items])
    cold = np.cumsum(in_valid[items]) + moved
    n_items = 1 + int(np.searchsorted(cold / np.maximum(valid.nnz + moved, 1), share)) if share > 0 else 0
    warm = np.ones(len(known), bool)
    warm[items[:n_items]] = False
    later = of_items(positives, ~warm)
    later.data[:] = 1
    return training.of_items(warm), (valid + later).tocsr(), ~warm
