r"""SLIM: co-occurrence weights between items, from a sparse linear model of the interactions.

Enters: the positive interactions. Leaves: `item_weights`, for each item the weights of a few other items. Nothing is written.

Each item's column of the interactions is predicted from the columns of the most similar items by ridge regression: SLIM (Ning &
Karypis 2011) with neighbours chosen beforehand (their fsSLIM) and, as in EASE (Steck 2019), a closed form instead of coordinate
descent. The weights hold information that does not fit into a short vector: individual pairs of items that co-occur.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import scipy.sparse as sp

#: number of items whose regressions are solved at a time
_ITEMS_PER_BATCH = 128
#: largest number of pairs counted within histories, in total; or per interaction, if that allows more
_MAX_PAIRS, _MAX_PAIRS_PER_INTERACTION = 1 << 29, 64


def item_weights(
    positives: sp.csr_matrix, penalties: Sequence[float], neighbors: int, items: np.ndarray | None = None
) -> list[sp.csr_matrix]:
    r"""Co-occurrence weights, one matrix per penalty.

    Row i minimises :math:`\lVert x_i - X_{N(i)} w \rVert^2 + \lambda \lVert w \rVert^2`, where X are the interactions
    and N(i) the items whose columns have the largest cosine with that of i.

    Args:
        positives: shape (n_users, n_items); the values are ignored.
        penalties: values of :math:`\lambda`.
        neighbors: largest number of items in N(i).
        items: the rows to compute, increasing; the others stay empty. None: all.

    Returns:
        A matrix per penalty, of shape (n_items, n_items), float32; its diagonal is zero.
    """
    # X^T X, from which all normal equations are taken, so the interactions are read once.
    counts = co_counts(thinned(positives, max(_MAX_PAIRS, _MAX_PAIRS_PER_INTERACTION * positives.nnz)))
    return ridge_rows(counts, counts, penalties, neighbors, items)


def ridge_rows(
    gram: sp.csr_matrix,
    products: sp.csr_matrix,
    penalties: Sequence[float],
    neighbors: int,
    items: np.ndarray | None = None,
    shrinkage: float = 0.0,
) -> list[sp.csr_matrix]:
    r"""Ridge regressions of items on a few features each, which are items too; one matrix per penalty.

    Row i solves :math:`(G_{NN} + \lambda I) w = p_{iN}`, where N are the features with the largest
    :math:`p_{ij} / \sqrt{G_{jj} + h}`.

    Args:
        gram: G, products of features; shape (n_items, n_items).
        products: products of each target (a row) with the features; shape (n_items, n_items).
        penalties: values of :math:`\lambda`.
        neighbors: largest number of features per target.
        items: the rows to compute, increasing; the others stay empty. None: all.
        shrinkage: h, which keeps rare features from becoming the nearest by chance.

    Returns:
        A matrix per penalty, of shape (n_items, n_items), float32; its diagonal is zero.
    """
    n_items = gram.shape[0]
    items = np.arange(n_items) if items is None else items
    length = np.sqrt(np.maximum(gram.diagonal() + shrinkage, 1))
    nearest, targets = _nearest(products, length, items, neighbors)
    rows: list[list[np.ndarray]] = [[] for _ in penalties]
    place = np.full(n_items, -1, np.int64)
    for start in range(0, len(items), _ITEMS_PER_BATCH):
        some = slice(start, start + _ITEMS_PER_BATCH)
        systems = _systems(gram, nearest[some], targets[some], place)
        for found, penalty in zip(rows, penalties, strict=True):
            found.extend(_solved(*systems, penalty, nearest[some]))
    return [_matrix(items, nearest, values, n_items) for values in rows]


def no_weights(rows: int, n_items: int) -> sp.csr_matrix:
    """An empty matrix of weights; shape (rows, n_items), float32."""
    return sp.csr_matrix((rows, n_items), dtype=np.float32)  # type: ignore[arg-type]


def co_counts(positives: sp.csr_matrix) -> sp.csr_matrix:
    """Number of users in common for each pair of items; shape (n_items, n_items), float32."""
    ones = sp.csr_matrix(
        (np.ones(positives.nnz, np.float32), positives.indices, positives.indptr), positives.shape
    )
    counts: sp.csr_matrix = (ones.T @ ones).tocsr()
    counts.sort_indices()
    return counts


def thinned(positives: sp.csr_matrix, pairs: int) -> sp.csr_matrix:
    """The interactions, with the longest histories thinned evenly so that there are at most `pairs` pairs within histories.

    The number of pairs grows with the square of a history's length, and time and memory grow with the number of pairs.
    """
    lengths = np.diff(positives.indptr).astype(np.int64)
    max_length = _max_length(lengths, pairs)
    if not len(lengths) or lengths.max() <= max_length:
        return positives
    length = np.repeat(lengths, lengths)
    at = np.arange(positives.nnz) - np.repeat(positives.indptr[:-1], lengths)
    kept = np.minimum(length, max_length)
    # Keep m items of a history of length n: those where floor(at * m / n) steps up. These are exactly m items, evenly spaced.
    some = (at + 1) * kept // length > at * kept // length
    indptr = np.concatenate([[0], np.cumsum(np.minimum(lengths, max_length))])
    return sp.csr_matrix((positives.data[some], positives.indices[some], indptr), positives.shape)


def _max_length(lengths: np.ndarray, pairs: int) -> int:
    """The length to cut histories to, so that there are at most `pairs` pairs, which is the sum of the squared lengths."""
    lengths = np.sort(lengths)
    # Cut to the length of the i-th shortest, the histories up to i stay whole, and the `after` longer ones get its length.
    after = np.arange(len(lengths) - 1, -1, -1)
    fits = np.flatnonzero(np.cumsum(lengths**2) + after * lengths**2 <= pairs)
    if len(fits) == len(lengths):
        return int(lengths.max(initial=0))
    # Histories that fit stay whole; the longer ones share the remaining pairs equally.
    whole = lengths[: len(fits)]
    return int(np.sqrt((pairs - (whole**2).sum()) / (len(lengths) - len(whole))))


def _nearest(
    products: sp.csr_matrix, length: np.ndarray, items: np.ndarray, neighbors: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The features most similar to each of `items`, each array sorted by row; and the products of item and feature.

    The similarity is the cosine of two columns without the length of the item's own column, which is the same for all features.
    """
    nearest, targets = [], []
    for item, columns, values in _rows(products, items):
        chosen = _largest(values / length[columns], neighbors, columns, item)
        nearest.append(columns[chosen])
        targets.append(values[chosen])
    return nearest, targets


def _rows(matrix: sp.csr_matrix, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Number, columns and values of each row."""
    starts, stops = matrix.indptr[rows], matrix.indptr[rows + 1]
    for row, start, stop in zip(rows.tolist(), starts.tolist(), stops.tolist(), strict=True):
        yield row, matrix.indices[start:stop], matrix.data[start:stop]


def _largest(values: np.ndarray, count: int, columns: np.ndarray, item: int) -> np.ndarray:
    """Positions of the `count` largest values, increasing; among ties, the first ones. The column `item` is left out."""
    # -1 sorts the item's own column last, behind cosines, which are not negative; one position less then drops it.
    values = np.where(columns == item, -1, values)
    order = np.argsort(-values, kind="stable")[: min(count, len(values) - int((columns == item).any()))]
    return np.sort(order)


def _systems(
    counts: sp.csr_matrix, nearest: list[np.ndarray], targets: list[np.ndarray], place: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Normal equations of some items, zero past an item's neighbours.

    Args:
        counts: products of features; shape (n_items, n_items).
        nearest: the neighbours of each item.
        targets: products of the neighbours with the item.
        place: scratch space, filled with -1 before and after; shape (n_items,).

    Returns:
        The Gram matrices of the neighbours, shape (n, width, width), and their products with the item, shape (n, width).
    """
    width = max(map(len, nearest), default=0)
    gram = np.zeros((len(nearest), width, width), np.float32)
    target = np.zeros((len(nearest), width), np.float32)
    for at, around in enumerate(nearest):
        place[around] = np.arange(len(around))
        part = counts[around]
        row = np.repeat(np.arange(len(around)), np.diff(part.indptr))
        column = place[part.indices]
        inside = column >= 0
        gram[at, row[inside], column[inside]] = part.data[inside]
        target[at, : len(around)] = targets[at]
        # Reset only the entries that were set: filling the whole array would cost n_items per item.
        place[around] = -1
    return gram, target


def _solved(
    gram: np.ndarray, target: np.ndarray, penalty: float, nearest: list[np.ndarray]
) -> Iterator[np.ndarray]:
    """Weights of each item's neighbours: the solution of (G + penalty I) w = target."""
    # The rows past an item's neighbours are zero except for the penalty on the diagonal, so all systems of the batch are regular and
    # the surplus weights are 0.
    penalised = gram + np.float32(penalty) * np.eye(gram.shape[1], dtype=np.float32)
    weights = np.linalg.solve(penalised, target[..., None])[..., 0]
    return (row[: len(around)].astype(np.float32) for row, around in zip(weights, nearest, strict=True))


def _matrix(
    items: np.ndarray, nearest: list[np.ndarray], values: list[np.ndarray], n_items: int
) -> sp.csr_matrix:
    """The rows `items` of a matrix, from the columns and values of each row."""
    lengths = np.zeros(n_items, np.int64)
    lengths[items] = [len(row) for row in nearest]
    columns = np.concatenate([np.zeros(0, np.int32), *nearest], dtype=np.int32)
    data = np.concatenate([np.zeros(0, np.float32), *values], dtype=np.float32)
    return sp.csr_matrix((data, columns, np.concatenate([[0], np.cumsum(lengths)])), (n_items, n_items))
