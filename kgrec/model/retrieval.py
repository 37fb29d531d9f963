"""Candidates of users: the items retrieved before scoring, under filters and boosts.

Enters: vectors of users, filters, boosts. Leaves: rows of items and their cosines. Nothing is written.

A boost is a number per item that is added to the score. Items with different boosts are retrieved separately, the same number of each,
so that the boost can decide between all possible candidates. If there are many different boosts, all boosted items are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kgrec.retrieve.segmented_index import SegmentedIndex
from kgrec.storage.segments import places_in

#: largest number of different boosts for which the index is searched once per boost
_GROUPS = 8
#: number of cosines computed at a time
_CELLS = 1 << 24


@dataclass(frozen=True)
class Filters:
    """Items that the list of each user may contain, and numbers added to scores."""

    #: the only rows allowed in all lists, increasing; None: all
    only: np.ndarray | None = None
    #: rows excluded per user; None: no exclusions
    exclude: Sequence[np.ndarray] | None = None
    #: the only rows allowed per user, increasing; None for users without such a list
    candidates: Sequence[np.ndarray | None] | None = None
    #: number added to the score of each item; shape (n_items,), float32; None: nothing
    boost: np.ndarray | None = None
    #: kinds of items that lists need: for each kind, given as increasing rows, the best rows are retrieved too
    kinds: Sequence[np.ndarray] = ()


def retrieved(
    index: SegmentedIndex, vectors: np.ndarray, k: int, filters: Filters, weight: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and cosines of the items nearest to each user: `k` per group of items with the same boost.

    Args:
        index: Index of the items.
        vectors: Vectors of the users; shape (n_users, dim), float32.
        k: Number of items per user and group.
        filters: Items that the lists may contain.
        weight: Weight of the cosine in the score, to compare it with a boost.

    Returns:
        Both of shape (n_users, at least k), padded with -1 and -inf. By falling cosine if there are no boosts.
    """
    n_users = len(vectors)
    own = filters.candidates or [None] * n_users
    apart = np.array([rows is not None for rows in own], bool)
    parts = []
    if not apart.all() or not n_users:
        parts.append((np.flatnonzero(~apart), _by_index(index, vectors, k, filters, weight, ~apart)))
    if apart.any():
        listed = (
            _of_user(index, vectors[user], k, filters, weight, user)
            for user in np.flatnonzero(apart).tolist()
        )
        parts.append((np.flatnonzero(apart), _filled(listed, int(apart.sum()), k)))
    if len(parts) == 1:
        return parts[0][1]
    width = max(found.shape[1] for _, (found, _) in parts)
    rows, cosines = _empty(n_users, width)
    for users, (found, values) in parts:
        rows[users, : found.shape[1]], cosines[users, : found.shape[1]] = found, values
    return rows, cosines


def _by_index(
    index: SegmentedIndex, vectors: np.ndarray, k: int, filters: Filters, weight: float, users: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """As `retrieved`, for the users of a mask, who have no candidates of their own."""
    exclude = filters.exclude
    if not users.all():
        vectors = vectors[users]
        exclude = None if exclude is None else [exclude[user] for user in np.flatnonzero(users).tolist()]
    groups, rest = _groups(len(index), filters)
    parts = [index.search(vectors, k, exclude=exclude, only=group) for group in groups]
    if len(rest):
        assert filters.boost is not None
        bias = filters.boost[rest] / max(weight, 1e-6)
        parts.append(_all_compared(index, vectors, k, rest, bias, exclude))
    found, cosines = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    return found, cosines


def _groups(n_items: int, filters: Filters) -> tuple[list[np.ndarray | None], np.ndarray]:
    """Groups of rows to search separately, and the rows with too many different boosts for that."""
    boost, only = filters.boost, filters.only
    if boost is None:
        return [only], np.zeros(0, np.int64)
    rows = np.arange(n_items) if only is None else only
    values, place, counts = np.unique(boost[rows], return_inverse=True, return_counts=True)
    if len(values) < 2:
        return [only], np.zeros(0, np.int64)
    if len(values) <= _GROUPS:
        return [rows[place == value] for value in range(len(values))], np.zeros(0, np.int64)
    largest = place == int(counts.argmax())
    return [rows[largest]], rows[~largest]


def _all_compared(
    index: SegmentedIndex,
    vectors: np.ndarray,
    k: int,
    rows: np.ndarray,
    bias: np.ndarray,
    exclude: Sequence[np.ndarray] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` of some rows with the largest sums of cosine and boost."""
    items = index.vectors[rows]
    width = min(k, len(rows))
    found, cosines = _empty(len(vectors), width)
    step = max(1, _CELLS // len(rows))
    for start in range(0, len(vectors), step):
        some = slice(start, start + step)
        near = vectors[some] @ items.T
        sums = near + bias
        for user, left_out in enumerate(exclude[some] if exclude is not None else ()):
            at = places_in(rows, left_out)
            sums[user, at[at >= 0]] = -np.inf
        best = np.argpartition(-sums, width - 1, axis=1)[:, :width]
        there = np.take_along_axis(sums, best, 1) > -np.inf
        found[some] = np.where(there, rows[best], -1)
        cosines[some] = np.where(there, np.take_along_axis(near, best, 1), -np.inf)
    return found, cosines


def _of_user(
    index: SegmentedIndex, vector: np.ndarray, k: int, filters: Filters, weight: float, user: int
) -> tuple[np.ndarray, np.ndarray]:
    """The best `k` of a user's own candidates, and their cosines."""
    assert filters.candidates is not None
    rows = filters.candidates[user]
    assert rows is not None
    if filters.only is not None:
        rows = rows[places_in(filters.only, rows) >= 0]
    if filters.exclude is not None:
        rows = np.setdiff1d(rows, filters.exclude[user])
    cosines = index.vectors[rows] @ vector
    sums = cosines if filters.boost is None else cosines + filters.boost[rows] / max(weight, 1e-6)
    best = np.argsort(-sums, kind="stable")[:k]
    return rows[best], cosines[best]


def _filled(
    lists: Iterator[tuple[np.ndarray, np.ndarray]], n_users: int, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lists of different lengths as two padded arrays."""
    rows, cosines = _empty(n_users, k)
    for user, (found, values) in enumerate(lists):
        rows[user, : len(found)], cosines[user, : len(found)] = found, values
    return rows, cosines


def _empty(n_users: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full((n_users, width), -1, np.int64), np.full((n_users, width), -np.inf, np.float32)
