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


def ranked(
    users: np.ndarray,
    items: np.ndarray,
    k: int,
    seen: sp.csr_matrix | None = None,
    only: np.ndarray | None = None,
) -> np.ndarray:
    """The first k items of each user by inner product.

    Args:
        users: shape (n_users, dim).
        items: shape (n_items, dim).
        k: how many.
        seen: what each user is not to get; shape (n_users, n_items).
        only: whether an item may be in a list at all; shape (n_items,), bool; None: all may.

    Returns:
        shape (n_users, k), int32.
    """
    lists = np.full((len(users), k), -1, np.int32)
    for rows in blocks(len(users), len(items)):
        scores = users[rows] @ items.T
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
    found = _largest(scores, min(k, scores.shape[1]))
    found.sort(axis=1)
    values = np.take_along_axis(scores, found, 1)
    order = np.argsort(-values, axis=1, kind="stable")
    values = np.take_along_axis(values, order, 1)
    lists = np.full((len(scores), k), -1, np.int32)
    lists[:, : found.shape[1]] = np.where(values > -np.inf, np.take_along_axis(found, order, 1), -1)
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


def blocks(n_rows: int, width: int) -> Iterator[slice]:
    """Rows in parts, so that a dense array of a part stays small."""
    step = max(1, _BLOCK // max(1, width))
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))


def rows_of(matrix: sp.csr_matrix) -> np.ndarray:
    """Row of each entry that is stored."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def _largest(scores: np.ndarray, k: int) -> np.ndarray:
    """Where the k largest of each row are, in no order; of those equal at the cut the first; shape (n_rows, k), intp."""
    n = scores.shape[1]
    if k == n:
        return np.tile(np.arange(n), (len(scores), 1))
    if not k:
        return np.zeros((len(scores), 0), np.intp)
    places = np.argpartition(scores, (n - k - 1, n - k), axis=1)[:, n - k - 1 :]
    next_, found = places[:, 0], places[:, 1:]
    least = np.take_along_axis(scores, found, 1).min(axis=1)
    # argpartition keeps any of those that are equal at the cut
    for row in np.flatnonzero(least == scores[np.arange(len(scores)), next_]):
        above = np.flatnonzero(scores[row] > least[row])
        equal = np.flatnonzero(scores[row] == least[row])[: k - len(above)]
        found[row] = np.concatenate([above, equal])
    return np.asarray(found)
