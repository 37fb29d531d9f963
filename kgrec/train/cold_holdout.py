"""The cold-start hold-out: some items are held out whole, as substitutes for new items.

Enters: interactions, split into a training and a validation part. Leaves: another split, which holds out all interactions of some
items. Nothing is written.

Interactions held out one by one concern items that other users have interacted with in training, so they say little about new
items. If a catalogue has new items, some of the other items are held out whole. Validation then measures how well they are recommended
without any interaction, like an item that is added later. The counts of the log show whether the catalogue may have new items; see
`chance_explains`.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from kgrec.graph.histories import Histories
from kgrec.graph.interactions import of_items

#: largest share of held-out interactions with items held out whole
_MAX_SHARE = 0.5
#: largest part of that share for a single item
_MAX_OF_ONE = 0.1


def chance_explains(counts: np.ndarray, n_without: int) -> bool:
    """Whether chance explains how many items have no interactions, so that the catalogue need not contain new items.

    A log is a sample of all possible interactions. It misses about n1^2 / (2 n2) of the items, where n1 items have one interaction and
    n2 items have two (Chao 1984, "Nonparametric estimation of the number of classes in a population"; here in its unbiased form, which
    allows n2 = 0). This is a lower bound of the number of missed items.

    Args:
        counts: number of interactions of each item; shape (n_items,).
        n_without: number of items without interactions.
    """
    once, twice = (int(np.count_nonzero(counts == n)) for n in (1, 2))
    return n_without <= once * (once - 1) / (2 * (twice + 1))


def hold_out_items(
    training: Histories, valid: sp.csr_matrix, known: np.ndarray, rng: np.random.Generator
) -> tuple[Histories, sp.csr_matrix, np.ndarray]:
    """Hold out some items whole.

    Their share of the held-out interactions equals the share of items without interactions in the catalogue. An item that alone has
    more than a tenth of these interactions is not held out if others have fewer: in a small catalogue one popular item may have a tenth of
    all interactions, and would decide which options suit the known items.

    Args:
        training: the training part.
        valid: the held-out part; shape (n_users, n_items).
        known: which items have interactions; shape (n_items,), bool.
        rng: draws the items.

    Returns:
        The new training part; the new held-out part, with 1 per interaction; and which items were held out whole, shape
        (n_items,), bool.
    """
    share = min(1 - known.mean(), _MAX_SHARE)
    positives = training.matrix()
    in_training, in_valid = (np.bincount(part.indices, minlength=len(known)) for part in (positives, valid))
    items = rng.permutation(np.flatnonzero(known))
    counts = (in_training + in_valid)[items]
    fewest = counts[counts > 0].min(initial=len(training))
    items = items[counts <= max(_MAX_OF_ONE * share * valid.nnz, fewest)]
    # Holding out the first n items moves `moved[n - 1]` interactions from training to validation. Of the `valid.nnz + moved[n - 1]`
    # validation interactions, `cold[n - 1]` then belong to these items. This share grows with n: take the smallest n that reaches `share`.
    moved = np.cumsum(in_training[items])
    cold = np.cumsum(in_valid[items]) + moved
    n_items = 1 + int(np.searchsorted(cold / np.maximum(valid.nnz + moved, 1), share)) if share > 0 else 0
    warm = np.ones(len(known), bool)
    warm[items[:n_items]] = False
    later = of_items(positives, ~warm)
    later.data[:] = 1
    return training.of_items(warm), (valid + later).tocsr(), ~warm
