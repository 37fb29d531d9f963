"""Cold-start transfer: a new item inherits item-item weights from the most similar known items, its donors.

Enters: embeddings and neighbours of new and known items. Leaves: the shares of donors in new items, and rows of weights. Nothing
is written.

Without a transfer, new items would have item-item scores of zero and rank below known items.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from kgrec.metrics.topk import blocks
from kgrec.rank.random_walk import strongest
from kgrec.rank.scorers import ItemItemScorer, widened
from kgrec.rank.slim import no_weights
from kgrec.retrieve import VectorIndex
from kgrec.retrieve.segmented_index import SegmentedIndex
from kgrec.storage.segments import Rows

#: number of known items that are compared with a new item, retrieved by the embeddings
_COMPARED_ITEMS = 100
#: number of the most similar ones, from which the new item gets its weights
_DONORS = 20
#: item-item weight of a donor for the new item
_DONOR_WEIGHT = 0.5
#: number of new items processed at a time: the rows of all their candidates are gathered, 100 per new item
_ITEMS_PER_STEP = 4096
#: largest number of item-item weights per new item when many are completed at once: its donors have 2,000 together
_WEIGHTS_PER_ITEM = 500
#: up to this number of unknown items a search excludes them; above it, the search allows known items only, which scans the catalogue
_MAX_EXCLUDED = 1000


def transfer_shares(
    index: VectorIndex | SegmentedIndex,
    vectors: np.ndarray,
    neighbors: sp.csr_matrix,
    known: np.ndarray,
    known_neighbors: sp.csr_matrix | Rows[sp.csr_matrix],
    unknown: np.ndarray | None = None,
) -> sp.csr_matrix:
    """Shares of known items in new items.

    A share is proportional to the fourth power of the similarity, the sum of the cosines of embeddings and of neighbours.

    Args:
        index: index of all items of a model.
        vectors: unit vectors of new items; shape (n_new, dim).
        neighbors: neighbours of new items, unit rows; shape (n_new, n_columns).
        known: rows of the items in the training data, increasing.
        known_neighbors: neighbours of the items in the index, unit rows; shape (n_items, n_columns).
        unknown: rows of all other items.

    Returns:
        shape (n_new, n_items), float32; rows sum to 1, or to 0 where no known item is similar.
    """
    size = (len(vectors), known_neighbors.shape[0])
    if not len(known) or not len(vectors):
        return no_weights(*size)
    only, exclude = None if len(known) == size[1] else known, None
    if only is not None and unknown is not None and len(unknown) <= _MAX_EXCLUDED:
        only, exclude = None, unknown
    parts = []
    for start in range(0, len(vectors), _ITEMS_PER_STEP):
        some = slice(start, start + _ITEMS_PER_STEP)
        barred = None if exclude is None else [exclude] * len(vectors[some])
        found, cosines = index.search(
            vectors[some], min(_COMPARED_ITEMS, len(known)), only=only, exclude=barred
        )
        parts.append(_shares(found, cosines, neighbors[some], known_neighbors))
    return sp.csr_matrix(sp.vstack(parts))


def _shares(
    found: np.ndarray,
    cosines: np.ndarray,
    neighbors: sp.csr_matrix,
    known_neighbors: sp.csr_matrix | Rows[sp.csr_matrix],
) -> sp.csr_matrix:
    """Shares of the retrieved known items in some new items; shape (n_new, n_items), float32."""
    row = np.repeat(np.arange(len(found)), found.shape[1])
    shared = np.asarray(neighbors[row].multiply(known_neighbors[found.ravel()]).sum(axis=1))
    # Both are cosines of unit rows. The fourth power gives most of the weight to the best few donors.
    similarity = np.maximum(cosines + shared.reshape(found.shape), 0) ** 4
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :_DONORS]
    share = np.take_along_axis(similarity, order, 1)
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-12)
    column = np.take_along_axis(found, order, 1)
    row = np.repeat(np.arange(len(found)), order.shape[1])
    return sp.csr_matrix((share.ravel(), (row, column.ravel())), (len(found), known_neighbors.shape[0]))


def transferred(shares: sp.csr_matrix, weights_of_known: Rows[Any]) -> sp.csr_matrix:
    """Item-item weights of new items: the weighted mean of their donors' weights, and a weight for the donors themselves.

    Args:
        shares: of known items in new items; shape (n_new, n_items).
        weights_of_known: row i: weight of each history item for item i; shape (n_items, at most n_items).

    Returns:
        shape (n_new, n_items), float32.
    """
    # Only the rows of donors are read, because the whole matrix is as large as the catalogue.
    donors, place = np.unique(shares.indices, return_inverse=True)
    local = sp.csr_matrix((shares.data, place, shares.indptr), (shares.shape[0], len(donors)))
    weights = sp.csr_matrix(widened(weights_of_known[donors], shares.shape[1]))
    # The diagonal of item-item weights is zero, since an item does not predict itself. For the new item the donor is another
    # item: if a user has the donor, that is a reason to recommend the new item.
    donor_weight = np.full(len(donors), _DONOR_WEIGHT, np.float32)
    weights = weights + sp.csr_matrix((donor_weight, (np.arange(len(donors)), donors)), weights.shape)
    rows: sp.csr_matrix = (local @ weights).tocsr().astype(np.float32)
    return rows


def with_transfer(scorer: ItemItemScorer, new: np.ndarray, shares: sp.csr_matrix) -> ItemItemScorer:
    """A scorer completed by the rows of new items.

    Args:
        scorer: scorer of n_items items.
        new: rows of the new items, which are empty in `scorer`; shape (n_new,).
        shares: of known items in new items; shape (n_new, n_items).
    """
    if not len(new):
        return scorer
    known = scorer.weights.whole
    if isinstance(known, np.ndarray):
        completed: Any = known.copy()
        completed[new] = transferred(shares, scorer.weights).toarray()
    else:
        steps = blocks(len(new), 1, _ITEMS_PER_STEP)
        rows = [strongest(transferred(shares[some], scorer.weights), _WEIGHTS_PER_ITEM) for some in steps]
        old, added = known.tocoo(), sp.csr_matrix(sp.vstack(rows)).tocoo()
        parts = ((old.data, added.data), (old.row, new[added.row]), (old.col, added.col))
        data, row, column = (np.concatenate(part) for part in parts)
        completed = sp.csr_matrix((data, (row, column)), known.shape)
    return replace(scorer, weights=Rows.of(completed))
