"""Items that nobody took yet: some made so on purpose, to choose by, and what such items inherit from known ones.

Enters: interactions, or embeddings and neighbours of new and known items. Leaves: interactions without those of some
items; for new items the shares of known ones in them, and what goes with them. Nothing is written.

Interactions that are held out one by one are with items that others took before, so they say little of new ones. Where a catalogue
has items without interactions, some others are held out whole: all who took such an item are to be found, as for an item that comes tomorrow.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from kgrec.rank.slim import no_weights
from kgrec.retrieve import VectorIndex

#: known items that are looked at for what goes with a new one, and those of them that count
_NEAR, _HEIRS = 100, 20
#: how much a known item itself goes with a new one that is like it
_ITSELF = 0.5


def transfer_shares(
    index: VectorIndex,
    vectors: np.ndarray,
    neighbors: sp.csr_matrix,
    known: np.ndarray,
    known_neighbors: sp.csr_matrix,
) -> sp.csr_matrix:
    """How much of each known item is in a new one: the known ones most like it by embedding and neighbours.

    Args:
        index: of all items that a model has.
        vectors: unit vectors of new items; shape (n_new, dim).
        neighbors: of new items, unit rows; shape (n_new, n_columns).
        known: rows of items that training knew; increasing.
        known_neighbors: of the items in the index, unit rows; shape (n_items, n_columns).

    Returns:
        shape (n_new, n_items), float32; rows sum to 1, or to 0 where no known item is like the new one.
    """
    size = (len(vectors), known_neighbors.shape[0])
    if not len(known) or not len(vectors):
        return no_weights(*size)
    only = None if len(known) == size[1] else known
    found, cosines = index.search(vectors, min(_NEAR, len(known)), only=only)
    row = np.repeat(np.arange(len(vectors)), found.shape[1])
    shared = np.asarray(neighbors[row].multiply(known_neighbors[found.ravel()]).sum(axis=1))
    near = np.maximum(cosines + shared.reshape(found.shape), 0) ** 4
    order = np.argsort(-near, axis=1, kind="stable")[:, :_HEIRS]
    share = np.take_along_axis(near, order, 1)
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-12)
    column = np.take_along_axis(found, order, 1)
    row = np.repeat(np.arange(len(vectors)), order.shape[1])
    return sp.csr_matrix((share.ravel(), (row, column.ravel())), size)


def transferred(transfer_shares: sp.csr_matrix, co_occurrence: sp.csr_matrix) -> sp.csr_matrix:
    """What goes with new items: what goes with the known items that are like them, and these themselves.

    Without this, new items would lack a part of the score that known ones have, and sink among them.

    Args:
        transfer_shares: shares of known items; shape (n_new, n_items).
        co_occurrence: what goes with known items; shape (n_items, n_items).

    Returns:
        shape (n_new, n_items), float32.
    """
    itself = _ITSELF * sp.identity(co_occurrence.shape[0], np.float32, "csr")
    rows: sp.csr_matrix = (transfer_shares @ (co_occurrence + itself)).tocsr().astype(np.float32)
    return rows


def with_transfer(
    co_occurrence: sp.csr_matrix, new: np.ndarray, transfer_shares: sp.csr_matrix
) -> sp.csr_matrix:
    """`co_occurrence` with what some of its items inherit.

    Args:
        co_occurrence: shape (n_items, n_items).
        new: rows of these items, which are empty there; shape (n_new,).
        transfer_shares: shares of known items; shape (n_new, n_items).
    """
    if not len(new):
        return co_occurrence
    rows = transferred(transfer_shares, co_occurrence).tocoo()
    known = co_occurrence.tocoo()
    parts = ((known.data, rows.data), (known.row, new[rows.row]), (known.col, rows.col))
    data, row, column = (np.concatenate(part) for part in parts)
    return sp.csr_matrix((data, (row, column)), co_occurrence.shape)
