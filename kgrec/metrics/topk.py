"""The k items with the highest scores, and which of them are hits.

Enters: scores, or vectors of users and items, and the items that each user has seen. Leaves: lists as rows of items, int32,
padded with -1. Items with equal scores are listed in the order of their rows, so lists are reproducible. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

#: entries of a block of scores: 32 MB of float32
_BLOCK_ENTRIES = 2**23
#: each row of scores is cut into this many parts per list entry, and the maxima of the parts are compared
_PARTS_PER_ENTRY = 16


def ranked(
    users: np.ndarray,
    items: np.ndarray,
    k: int,
    seen: sp.csr_matrix | None = None,
    only: np.ndarray | None = None,
    *,
    entries: int = _BLOCK_ENTRIES,
) -> np.ndarray:
    """The k items with the largest inner product for each user.

    Args:
        users: Vectors of users; shape (n_users, dim).
        items: Vectors of items; shape (n_items, dim).
        k: Length of the lists.
        seen: Items that a user's list leaves out; shape (n_users, n_items); None: none.
        only: The only items that lists may contain; shape (n_items,), bool; None: all.
        entries: Number of scores held in memory at a time.

    Returns:
        Rows of items, best first, padded with -1; shape (n_users, k), int32.
    """
    lists = np.full((len(users), k), -1, np.int32)
    buffer = np.empty(0, np.result_type(users, items))
    for rows in blocks(len(users), len(items), entries):
        part = users[rows]
        # allocating an array for each block would take as long as the product
        buffer = buffer if len(buffer) else np.empty((len(part), len(items)), buffer.dtype)
        scores = np.matmul(part, items.T, out=buffer[: len(part)])
        lists[rows] = top(scores, k, None if seen is None else seen[rows], only)
    return lists


def top(
    scores: np.ndarray, k: int, seen: sp.csr_matrix | None = None, only: np.ndarray | None = None
) -> np.ndarray:
    """The k items with the highest scores for each user; `scores` is overwritten.

    Args:
        scores: shape (n_users, n_items), float, without nan; an item with -inf is never listed. Scores of items that are left out
        are set to -inf.
        k: Length of the lists.
        seen: Items that a user's list leaves out; shape (n_users, n_items); None: none.
        only: The only items that lists may contain; shape (n_items,), bool; None: all.

    Returns:
        Rows of items, best first, padded with -1; shape (n_users, k), int32.
    """
    if only is not None:
        scores[:, ~only] = -np.inf
    if seen is not None:
        scores[rows_of(seen), seen.indices] = -np.inf
    lists = np.full((len(scores), k), -1, np.int32)
    width = min(k, scores.shape[1])
    if not width or not len(scores):
        return lists
    at = np.flatnonzero(scores >= _thresholds(scores, width)[:, None])
    row, item = np.divmod(at, scores.shape[1])
    counts = np.bincount(row, minlength=len(scores))
    crowded = counts > 2 * width
    lists[~crowded, :width] = _sorted(scores, row, item, counts, crowded)[:, :width]
    for one in np.flatnonzero(crowded):  # rows with many equal scores are sorted whole
        lists[one, :width] = np.argsort(-scores[one], kind="stable")[:width]
    values = np.take_along_axis(scores, lists[:, :width].astype(np.intp), 1)
    lists[:, :width][values == -np.inf] = -1
    return lists


def gains(lists: np.ndarray, truth: sp.csr_matrix) -> np.ndarray:
    """Whether each entry of a list is a positive.

    Args:
        lists: Rows of items, padded with -1; shape (n_users, k).
        truth: Nonzero for positives; shape (n_users, n_items).

    Returns:
        shape (n_users, k), bool.
    """
    hits = np.zeros(lists.shape, bool)
    for rows in blocks(len(lists), truth.shape[1]):
        part = truth[rows]
        # an extra last column, which the index -1 reads
        marks = np.zeros((part.shape[0], truth.shape[1] + 1), bool)
        marks[rows_of(part), part.indices] = True
        hits[rows] = np.take_along_axis(marks, lists[rows].astype(np.intp), 1)
    return hits


def blocks(n_rows: int, width: int, entries: int = _BLOCK_ENTRIES) -> Iterator[slice]:
    """Slices of rows such that a dense array of one slice with `width` columns has about `entries` entries."""
    step = max(1, entries // max(1, width))
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))


def some_of(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """The rows, sorted; if there are more than `most`, a seeded sample of `most`."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def rows_of(matrix: sp.csr_matrix) -> np.ndarray:
    """Row of each stored entry; shape (matrix.nnz,)."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def _thresholds(scores: np.ndarray, k: int) -> np.ndarray:
    """For each row, a score that at least k items reach, and few more than k; shape (n_rows,).

    It is the k-th largest maximum over disjoint parts of the row: k parts have an item that reaches it. This takes one
    pass over the scores; a partition takes several.
    """
    parts = min(scores.shape[1], _PARTS_PER_ENTRY * k)
    size = scores.shape[1] // parts
    maxima = scores[:, : parts * size].reshape(len(scores), size, parts).max(axis=1)
    thresholds = np.partition(maxima, parts - k, axis=1)[:, parts - k]
    assert not np.isnan(thresholds).any(), "scores must not be nan"
    return np.asarray(thresholds)


def _sorted(
    scores: np.ndarray, row: np.ndarray, item: np.ndarray, counts: np.ndarray, but: np.ndarray
) -> np.ndarray:
    """Items that reach the thresholds, best first, of the rows that are not left out; padded; shape (n_rows, width), int64."""
    kept = ~but[row]
    place = (np.arange(len(row)) - (np.cumsum(counts) - counts)[row])[kept]
    line = (np.cumsum(~but) - 1)[row[kept]]
    shape = (int((~but).sum()), int(counts[~but].max(initial=1)))
    items, values = np.zeros(shape, np.int64), np.full(shape, -np.inf)
    items[line, place], values[line, place] = item[kept], scores[row[kept], item[kept]]
    return np.take_along_axis(items, np.argsort(-values, axis=1, kind="stable"), 1)
