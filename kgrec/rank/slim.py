r"""Which items go with which: a sparse linear model of the interactions, item by item.

Enters: the positive interactions. Leaves: `item_weights`, for each item a short list of others with a weight each.
Nothing is written.

Each item's column of the interactions is predicted from the columns of the items most like it by ridge regression:
SLIM (Ning & Karypis 2011) with the neighbours chosen beforehand (their fsSLIM) and, as in EASE (Steck 2019), the
closed form in place of a search. The lists hold what a short vector cannot: pairs that go together for no reason
that other pairs share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import scipy.sparse as sp

_BATCH = 128
#: pairs of items in one history that are counted at most, and for each interaction where that is more
_PAIRS, _PAIRS_EACH = 1 << 29, 64


def item_weights(
    positives: sp.csr_matrix, penalties: Sequence[float], neighbors: int, items: np.ndarray | None = None
) -> list[sp.csr_matrix]:
    r"""For each penalty, the weights of other items for each item.

    Row i minimises :math:`\lVert x_i - X_{N(i)} w \rVert^2 + \lambda \lVert w \rVert^2`, where X are the interactions
    and N(i) the items whose columns have the largest cosine with that of i.

    Args:
        positives: shape (n_users, n_items), a one for each interaction.
        penalties: each a :math:`\lambda`.
        neighbors: most items in N(i).
        items: the rows that are wanted, increasing; the others stay empty. None: all.

    Returns:
        For each penalty a matrix of shape (n_items, n_items), float32; its diagonal is zero.
    """
    counts = co_counts(_thinned(positives, max(_PAIRS, _PAIRS_EACH * positives.nnz)))
    n_items = counts.shape[0]
    items = np.arange(n_items) if items is None else items
    nearest = _nearest(counts, items, neighbors)
    rows: list[list[np.ndarray]] = [[] for _ in penalties]
    place = np.full(n_items, -1, np.int64)
    for start in range(0, len(items), _BATCH):
        some = nearest[start : start + _BATCH]
        gram, target = _systems(counts, items[start : start + _BATCH], some, place)
        for found, penalty in zip(rows, penalties, strict=True):
            found.extend(_solved(gram, target, penalty, some))
    return [_matrix(items, nearest, values, n_items) for values in rows]


def no_weights(rows: int, n_items: int) -> sp.csr_matrix:
    """No weight at all; shape (rows, n_items), float32."""
    return sp.csr_matrix((rows, n_items), dtype=np.float32)  # type: ignore[arg-type]


def co_counts(positives: sp.csr_matrix) -> sp.csr_matrix:
    """How many users have both of two items; shape (n_items, n_items), float32."""
    ones = sp.csr_matrix(
        (np.ones(positives.nnz, np.float32), positives.indices, positives.indptr), positives.shape
    )
    counts: sp.csr_matrix = (ones.T @ ones).tocsr()
    counts.sort_indices()
    return counts


def _thinned(positives: sp.csr_matrix, pairs: int) -> sp.csr_matrix:
    """The same with the longest histories thinned evenly, so that at most so many pairs of items are in one history.

    Their number grows with the square of a history's length, and so would time and memory.
    """
    lengths = np.diff(positives.indptr).astype(np.int64)
    most = _longest(lengths, pairs)
    if not len(lengths) or lengths.max() <= most:
        return positives
    length = np.repeat(lengths, lengths)
    at = np.arange(positives.nnz) - np.repeat(positives.indptr[:-1], lengths)
    kept = np.minimum(length, most)
    some = (at + 1) * kept // length > at * kept // length
    indptr = np.concatenate([[0], np.cumsum(np.minimum(lengths, most))])
    return sp.csr_matrix((positives.data[some], positives.indices[some], indptr), positives.shape)


def _longest(lengths: np.ndarray, pairs: int) -> int:
    """How long a history may be, so that there are at most so many pairs."""
    lengths = np.sort(lengths)
    after = np.arange(len(lengths) - 1, -1, -1)
    fits = np.flatnonzero(np.cumsum(lengths**2) + after * lengths**2 <= pairs)
    if len(fits) == len(lengths):
        return int(lengths.max(initial=0))
    whole = lengths[: len(fits)]
    return int(np.sqrt((pairs - (whole**2).sum()) / (len(lengths) - len(whole))))


def _nearest(counts: sp.csr_matrix, items: np.ndarray, neighbors: int) -> list[np.ndarray]:
    """The items most like each of some items, by the cosine of their columns; sorted by row."""
    length = np.sqrt(np.maximum(counts.diagonal(), 1))
    return [
        columns[_largest(values / length[columns], neighbors, columns, item)]
        for item, columns, values in _rows(counts, items)
    ]


def _rows(matrix: sp.csr_matrix, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    starts, stops = matrix.indptr[rows], matrix.indptr[rows + 1]
    for row, start, stop in zip(rows.tolist(), starts.tolist(), stops.tolist(), strict=True):
        yield row, matrix.indices[start:stop], matrix.data[start:stop]


def _largest(values: np.ndarray, most: int, columns: np.ndarray, item: int) -> np.ndarray:
    """Positions of the largest values, in order; of equal ones the first. `item` itself is left out."""
    values = np.where(columns == item, -1, values)
    order = np.argsort(-values, kind="stable")[: min(most, len(values) - int((columns == item).any()))]
    return np.sort(order)


def _systems(
    counts: sp.csr_matrix, items: np.ndarray, nearest: list[np.ndarray], place: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Normal equations of some items: shapes (n, width, width) and (n, width), zero past an item's neighbours.

    Args:
        counts: of pairs of items.
        items: whose equations.
        nearest: the neighbours of each.
        place: all -1, shape (n_items,); is used, and left so.
    """
    width = max(map(len, nearest), default=0)
    gram = np.zeros((len(nearest), width, width), np.float32)
    target = np.zeros((len(nearest), width), np.float32)
    for at, (item, around) in enumerate(zip(items, nearest, strict=True)):
        place[around] = np.arange(len(around))
        part = counts[around]
        row = np.repeat(np.arange(len(around)), np.diff(part.indptr))
        column = place[part.indices]
        inside, mine = column >= 0, part.indices == item
        gram[at, row[inside], column[inside]] = part.data[inside]
        target[at, row[mine]] = part.data[mine]
        place[around] = -1
    return gram, target


def _solved(
    gram: np.ndarray, target: np.ndarray, penalty: float, nearest: list[np.ndarray]
) -> Iterator[np.ndarray]:
    penalised = gram + np.float32(penalty) * np.eye(gram.shape[1], dtype=np.float32)
    weights = np.linalg.solve(penalised, target[..., None])[..., 0]
    return (row[: len(around)].astype(np.float32) for row, around in zip(weights, nearest, strict=True))


def _matrix(
    items: np.ndarray, nearest: list[np.ndarray], values: list[np.ndarray], n_items: int
) -> sp.csr_matrix:
    lengths = np.zeros(n_items, np.int64)
    lengths[items] = [len(row) for row in nearest]
    columns = np.concatenate([np.zeros(0, np.int32), *nearest], dtype=np.int32)
    data = np.concatenate([np.zeros(0, np.float32), *values], dtype=np.float32)
    return sp.csr_matrix((data, columns, np.concatenate([[0], np.cumsum(lengths)])), (n_items, n_items))
