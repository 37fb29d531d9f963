"""The first items by a score, of every item, and which of them were taken.

Enters: scores, or vectors of users and items, and what each user is not to get. Leaves: lists, int32, rows of items, -1
where there is none; equal scores in the order of the items, so that a list does not hang on chance. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

#: entries of a block of scores: 32 MB of float32
_BLOCK = 2**23
#: parts of a row of scores, times k, of which the maxima are compared
_PARTS = 16


def ranked(
    users: np.ndarray,
    items: np.ndarray,
    k: int,
    seen: sp.csr_matrix | None = None,
    only: np.ndarray | None = None,
    *,
    entries: int = _BLOCK,
) -> np.ndarray:
    """The first k items of each user by inner product.

    Args:
        users: shape (n_users, dim).
        items: shape (n_items, dim).
        k: how many.
        seen: what each user is not to get; shape (n_users, n_items).
        only: whether an item may be in a list at all; shape (n_items,), bool; None: all may.
        entries: of scores that are held at a time.

    Returns:
        shape (n_users, k), int32.
    """
    lists = np.full((len(users), k), -1, np.int32)
    space = np.empty(0, np.result_type(users, items))
    for rows in blocks(len(users), len(items), entries):
        part = users[rows]
        # a new array for each block would cost as much as the product
        space = space if len(space) else np.empty((len(part), len(items)), space.dtype)
        scores = np.matmul(part, items.T, out=space[: len(part)])
        lists[rows] = top(scores, k, None if seen is None else seen[rows], only)
    return lists


def top(
    scores: np.ndarray, k: int, seen: sp.csr_matrix | None = None, only: np.ndarray | None = None
) -> np.ndarray:
    """The first k items of each user by `scores`, which are overwritten where an item is not to be listed.

    Args:
        scores: shape (n_users, n_items), float; -inf is never listed.
        k: how many.
        seen: what each user is not to get; shape (n_users, n_items).
        only: whether an item may be in a list at all; shape (n_items,), bool; None: all may.

    Returns:
        shape (n_users, k), int32.
    """
    if only is not None:
        scores[:, ~only] = -np.inf
    if seen is not None:
        scores[rows_of(seen), seen.indices] = -np.inf
    lists = np.full((len(scores), k), -1, np.int32)
    width = min(k, scores.shape[1])
    if not width or not len(scores):
        return lists
    at = np.flatnonzero(scores >= _bars(scores, width)[:, None])
    row, item = np.divmod(at, scores.shape[1])
    counts = np.bincount(row, minlength=len(scores))
    crowded = counts > 2 * width
    lists[~crowded, :width] = _sorted(scores, row, item, counts, crowded)[:, :width]
    for one in np.flatnonzero(crowded):  # so many are equal there
        lists[one, :width] = np.argsort(-scores[one], kind="stable")[:width]
    values = np.take_along_axis(scores, lists[:, :width].astype(np.intp), 1)
    lists[:, :width][values == -np.inf] = -1
    return lists


def gains(lists: np.ndarray, truth: sp.csr_matrix) -> np.ndarray:
    """Whether each entry of a list was taken.

    Args:
        lists: rows of items, -1 where there is none; shape (n_users, k).
        truth: shape (n_users, n_items).

    Returns:
        shape (n_users, k), bool.
    """
    taken = np.zeros(lists.shape, bool)
    for rows in blocks(len(lists), truth.shape[1]):
        part = truth[rows]
        # one column more, which -1 leads to
        marks = np.zeros((part.shape[0], truth.shape[1] + 1), bool)
        marks[rows_of(part), part.indices] = True
        taken[rows] = np.take_along_axis(marks, lists[rows].astype(np.intp), 1)
    return taken


def blocks(n_rows: int, width: int, entries: int = _BLOCK) -> Iterator[slice]:
    """Rows in parts, so that a dense array of a part has about so many entries."""
    step = max(1, entries // max(1, width))
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))


def some_of(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """All of some sorted rows, or so many of them, drawn by a seed and sorted."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def rows_of(matrix: sp.csr_matrix) -> np.ndarray:
    """Row of each entry that is stored."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def _bars(scores: np.ndarray, k: int) -> np.ndarray:
    """A score that k items of each row reach, and not many more; shape (n_rows,).

    The k-th largest of the maxima of disjoint parts of a row: k parts have an item that reaches it. That takes one
    pass over the scores, where a partition takes several.
    """
    parts = min(scores.shape[1], _PARTS * k)
    size = scores.shape[1] // parts
    maxima = scores[:, : parts * size].reshape(len(scores), size, parts).max(axis=1)
    bars = np.partition(maxima, parts - k, axis=1)[:, parts - k]
    assert not np.isnan(bars).any(), "scores must not be nan"
    return np.asarray(bars)


def _sorted(
    scores: np.ndarray, row: np.ndarray, item: np.ndarray, counts: np.ndarray, but: np.ndarray
) -> np.ndarray:
    """Items that reach the bars, best first, of all rows but some; padded; shape (n_rows, width), int64."""
    kept = ~but[row]
    place = (np.arange(len(row)) - (np.cumsum(counts) - counts)[row])[kept]
    line = (np.cumsum(~but) - 1)[row[kept]]
    shape = (int((~but).sum()), int(counts[~but].max(initial=1)))
    items, values = np.zeros(shape, np.int64), np.full(shape, -np.inf)
    items[line, place], values[line, place] = item[kept], scores[row[kept], item[kept]]
    return np.take_along_axis(items, np.argsort(-values, axis=1, kind="stable"), 1)
