"""Cold-start transfer: the co-occurrence weights that a new item gets from the known items most like it.

Enters: embeddings and neighbours of new and known items. Leaves: the shares of known items in new ones, and rows of weights.
Nothing is written.

Without these, new items would lack a part of the score that known ones have, and sink among them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from kgrec.rank.slim import no_weights
from kgrec.retrieve import VectorIndex
from kgrec.retrieve.segmented_index import SegmentedIndex
from kgrec.storage.segments import Rows

#: known items that are compared with a new one, and donors, the most similar of them, that give it their weights
_NEAR, _DONORS = 100, 20
#: so many items can be passed over one by one: to allow only the others would look at the whole catalogue
_FEW = 1000
#: weight of a donor itself for the new item
_ITSELF = 0.5


def transfer_shares(
    index: VectorIndex | SegmentedIndex,
    vectors: np.ndarray,
    neighbors: sp.csr_matrix,
    known: np.ndarray,
    known_neighbors: sp.csr_matrix | Rows[sp.csr_matrix],
    unknown: np.ndarray | None = None,
) -> sp.csr_matrix:
    """Shares of known items in new ones, by the similarity of embeddings and of neighbours to the fourth power.

    Args:
        index: of all items that a model has.
        vectors: unit vectors of new items; shape (n_new, dim).
        neighbors: of new items, unit rows; shape (n_new, n_columns).
        known: rows of items that training knew; increasing.
        known_neighbors: of the items in the index, unit rows; shape (n_items, n_columns).
        unknown: rows of all other items, which are passed over one by one where they are few.

    Returns:
        shape (n_new, n_items), float32; rows sum to 1, or to 0 where no known item is like the new one.
    """
    size = (len(vectors), known_neighbors.shape[0])
    if not len(known) or not len(vectors):
        return no_weights(*size)
    only, exclude = None if len(known) == size[1] else known, None
    if only is not None and unknown is not None and len(unknown) <= _FEW:
        only, exclude = None, [unknown] * len(vectors)
    found, cosines = index.search(vectors, min(_NEAR, len(known)), only=only, exclude=exclude)
    row = np.repeat(np.arange(len(vectors)), found.shape[1])
    shared = np.asarray(neighbors[row].multiply(known_neighbors[found.ravel()]).sum(axis=1))
    near = np.maximum(cosines + shared.reshape(found.shape), 0) ** 4
    order = np.argsort(-near, axis=1, kind="stable")[:, :_DONORS]
    share = np.take_along_axis(near, order, 1)
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-12)
    column = np.take_along_axis(found, order, 1)
    row = np.repeat(np.arange(len(vectors)), order.shape[1])
    return sp.csr_matrix((share.ravel(), (row, column.ravel())), size)


def transferred(shares: sp.csr_matrix, co_occurrence: sp.csr_matrix | Rows[sp.csr_matrix]) -> sp.csr_matrix:
    """Co-occurrence weights of new items: those of their donors, and a weight for these themselves.

    Args:
        shares: of known items in new ones; shape (n_new, n_items).
        co_occurrence: weights of known items; shape (n_items, at most n_items).

    Returns:
        shape (n_new, n_items), float32.
    """
    # of the donors alone: the whole matrix is as large as the catalogue
    donors, place = np.unique(shares.indices, return_inverse=True)
    local = sp.csr_matrix((shares.data, place, shares.indptr), (shares.shape[0], len(donors)))
    given: Any = co_occurrence[donors]
    given = sp.csr_matrix((given.data, given.indices, given.indptr), (len(donors), shares.shape[1]))
    itself = np.full(len(donors), _ITSELF, np.float32)
    given = given + sp.csr_matrix((itself, (np.arange(len(donors)), donors)), given.shape)
    rows: sp.csr_matrix = (local @ given).tocsr().astype(np.float32)
    return rows


def with_transfer(co_occurrence: sp.csr_matrix, new: np.ndarray, shares: sp.csr_matrix) -> sp.csr_matrix:
    """`co_occurrence` with the rows of new items.

    Args:
        co_occurrence: shape (n_items, n_items).
        new: rows of these items, which are empty there; shape (n_new,).
        shares: of known items in new ones; shape (n_new, n_items).
    """
    if not len(new):
        return co_occurrence
    rows = transferred(shares, co_occurrence).tocoo()
    known = co_occurrence.tocoo()
    parts = ((known.data, rows.data), (known.row, new[rows.row]), (known.col, rows.col))
    data, row, column = (np.concatenate(part) for part in parts)
    return sp.csr_matrix((data, (row, column)), co_occurrence.shape)
