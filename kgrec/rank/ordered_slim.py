r"""Ordered SLIM: item-item weights for what follows an item, from a sparse linear model of ordered histories.

Each position of a history is predicted from the positions before it, whose features decay with the distance:

.. math::
    h_{cj} = \gamma^{k} \;\text{ if item } j \text{ is the } (k+1)\text{-th before position } c, \qquad
    G = H^\top H, \quad C = H^\top Y, \quad w_i = (G_{NN} + \lambda I)^{-1} C_{N i}

Y has a 1 for the item at each position, and N are the neighbours of the item as in :mod:`kgrec.rank.slim`. The score of an item is
:math:`\sum_j \gamma^{k_j} w_{ij}`, with k the number of newer items in the history.

Enters: histories with an order. Leaves: `following_weights`. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from kgrec.graph.histories import Histories
from kgrec.rank.slim import ridge_rows

#: largest number of preceding items that predict a position
WINDOW = 20
#: largest number of positions predicted per history, newest first
_POSITIONS = 50
#: largest number of pairs of a position and a preceding item; each pair makes up to WINDOW products
_MAX_PAIRS = 1 << 25
#: shrinkage that keeps rare items from becoming neighbours by chance
_SHRINKAGE = 10.0


def following_weights(
    histories: Histories, penalties: Sequence[float], decay: float, neighbors: int
) -> list[sp.csr_matrix]:
    """The weight of each history item for the row's item, one matrix per penalty.

    Args:
        histories: in the order of time.
        penalties: values of lambda.
        decay: gamma, factor of a feature per position.
        neighbors: largest number of weights per item.

    Returns:
        A matrix per penalty, of shape (n_items, n_items), float32; its diagonal is zero.
    """
    before, targets = contexts(histories, decay)
    gram = (before.T @ before).tocsr()
    products = (targets.T @ before).tocsr()
    return ridge_rows(gram, products, penalties, neighbors, shrinkage=_SHRINKAGE)


def contexts(histories: Histories, decay: float) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """The items before each predicted position, H, and the item at it, Y; both of shape (n_positions, n_items), float32."""
    rows = np.flatnonzero(histories.positive)
    item, indptr = histories.item[rows], np.searchsorted(rows, histories.indptr)
    lengths = np.diff(indptr)
    first, end = np.repeat(indptr[:-1], lengths), np.repeat(indptr[1:], lengths)
    at = np.arange(len(item))
    # the first position of a history has no preceding item
    predicted = at[(at > first) & (at >= end - _positions(lengths))]
    pairs = [predicted[predicted - lag - 1 >= first[predicted]] for lag in range(WINDOW)]
    line = np.full(len(item), -1)
    line[predicted] = np.arange(len(predicted))
    row = np.concatenate([line[some] for some in pairs])
    column = np.concatenate([item[some - lag - 1] for lag, some in enumerate(pairs)])
    value = np.repeat(np.float32(decay) ** np.arange(WINDOW, dtype=np.float32), [len(some) for some in pairs])
    shape = (len(predicted), histories.n_items)
    before = sp.csr_matrix((value, (row, column)), shape)
    ones = np.ones(len(predicted), np.float32)
    return before, sp.csr_matrix((ones, item[predicted], np.arange(len(predicted) + 1)), shape)


def _positions(lengths: np.ndarray) -> int:
    """The number of newest positions to predict per history, such that there are at most _MAX_PAIRS pairs."""
    positions = _POSITIONS
    while positions > 1 and WINDOW * int(np.minimum(lengths, positions).sum()) > _MAX_PAIRS:
        positions //= 2
    return positions
