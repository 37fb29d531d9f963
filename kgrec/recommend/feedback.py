r"""Likes and dislikes of a user as one history, whose weights may be negative.

Enters: ids or matrices of liked and disliked items. Leaves: a matrix that is embedded, rescored and explained like a history.

.. math::
    u \propto \frac{1}{\sum_{j \in L} h_j} \sum_{j \in L} h_j z_j
        - \frac{\gamma}{\beta} \frac{1}{\sum_{j \in D} h_j} \sum_{j \in D} h_j z_j

This is the relevance feedback of Rocchio 1971, without an initial query. Manning, Raghavan & Schütze 2008,
"Introduction to Information Retrieval", section 9.1.1, call this ratio of the two weights reasonable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import scipy.sparse as sp

from kgrec.arguments import options
from kgrec.errors import ConfigError
from kgrec.graph.histories import Histories
from kgrec.model.model import Model
from kgrec.recommend.ids import OnUnknown, known_rows
from kgrec.recommend.item_names import suggestion

#: gamma / beta = 0.15 / 0.75
DISLIKED = 0.2


def relevance_profile(
    likes: sp.csr_matrix, dislikes: sp.csr_matrix, history_weight: np.ndarray
) -> sp.csr_matrix:
    """Likes above 0, and dislikes below 0 whose total weight is a fifth of the likes'; shape (n_users, n_items).

    A row without likes is empty, because there is no direction to move away from.

    Args:
        likes: Ones, or weights; shape (n_users, n_items).
        dislikes: Ones; no entry where `likes` has one; shape (n_users, n_items).
        history_weight: Weight of each item in a history; shape (n_items,).
    """
    if not dislikes.nnz:
        return likes
    liked, disliked = likes @ history_weight, dislikes @ history_weight
    scale = DISLIKED * liked / np.maximum(disliked, 1e-12)
    both: sp.csr_matrix = (likes - sp.diags(scale) @ dislikes).tocsr().astype(np.float32)
    both.eliminate_zeros()
    return both


#: how a given history and the stored history of the same user are combined
KnownUserPolicy = Literal["merge", "replace"]


def history_matrix(
    model: Model,
    histories: Sequence[Sequence[str]],
    on_unknown: OnUnknown = "raise",
    weights: np.ndarray | None = None,
) -> sp.csr_matrix:
    """Lists of items as a matrix, shape (len(histories), n_items), float32; raises UnknownId like `known_rows`.

    Args:
        model: Contains the items.
        histories: Ids of items; an item named twice counts once, with its largest weight.
        on_unknown: Whether unknown items are skipped.
        weights: Weights from `checked_weights`; each row is divided by its mean weight, so only ratios matter. None: ones.
    """
    names = [name for history in histories for name in history]
    rows, there = known_rows(
        model.items.rows, names, "item", model.items.ids, on_unknown, partial(suggestion, model)
    )
    owner = np.repeat(np.arange(len(histories)), [len(history) for history in histories])[there]
    bounds = np.searchsorted(owner, np.arange(1, len(histories) + 1))
    split = np.split(rows, bounds)[: len(histories)]
    if weights is None:
        return model.history_matrix(split)
    return model.history_matrix(split, np.split(weights[there], bounds)[: len(histories)])


def checked_weights(histories: Sequence[Sequence[str]], weights: Any) -> np.ndarray | None:
    """Concatenated item weights of all histories; shape (number of items,), float64; None if no weights are given.

    Args:
        histories: Items of each user.
        weights: One list per history with a number above 0 for each of its items, or None.

    Raises:
        ConfigError: A list is missing, has the wrong length, or has a value that is not a number above 0.
    """
    if weights is None:
        return None
    lists = options.sequence("weights", weights, "a list of numbers per history")
    check_length(histories, lists, "lists in `weights`")
    checked = []
    for at, (history, one) in enumerate(zip(histories, lists, strict=True)):
        numbers = options.sequence(f"weights[{at}]", one, "a list with a number per item")
        if len(numbers) != len(history):
            raise ConfigError(
                f"weights[{at}] has {len(numbers):,} numbers for {len(history):,} items.",
                "Give one number for each item of the history.",
            )
        checked += [
            options.number(f"weights[{at}][{place}]", number, above=0) for place, number in enumerate(numbers)
        ]
    return np.array(checked, np.float64)


def feedback_matrices(
    model: Model,
    histories: Sequence[Sequence[str]],
    dislikes: Sequence[Sequence[str]] | None,
    on_unknown: OnUnknown = "raise",
    weights: Any = None,
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Liked and disliked items, each as by `history_matrix`; `weights` belong to the liked items.

    Raises:
        UnknownId: An item is unknown.
        ConfigError: An item is both liked and disliked, or the numbers of lists differ.
    """
    dislikes = [()] * len(histories) if dislikes is None else dislikes
    check_length(histories, dislikes, "lists in `dislikes`")
    liked = history_matrix(model, histories, on_unknown, checked_weights(histories, weights))
    disliked = history_matrix(model, dislikes, on_unknown)
    both = liked.multiply(disliked).tocoo()
    if both.nnz:
        raise ConfigError(
            f"'{model.items.ids[both.col[0]]}' is both liked and disliked.",
            "Remove it from one of the lists.",
        )
    return liked, disliked


def stamps_of(
    model: Model, histories: Sequence[Sequence[str]], stored: Histories | None = None
) -> sp.csr_matrix:
    """Positions of items in histories, oldest first, from 1; shape (len(histories), n_items), float64.

    Args:
        model: Contains the items.
        histories: Ids of items; the last position counts for an item named twice; unknown items are left out.
        stored: Earlier interactions, one history per user; None: there are no earlier interactions.
    """
    names = [name for history in histories for name in history]
    item = model.items.rows(names)
    lengths = [len(history) for history in histories]
    user = np.repeat(np.arange(len(histories)), lengths)
    place = np.arange(len(names)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1
    if stored is not None:
        earlier = np.diff(stored.indptr)
        place = place + earlier[user]
        item, user = np.concatenate([stored.item, item]), np.concatenate([stored.users(), user])
        before = np.arange(len(stored.item)) - np.repeat(stored.indptr[:-1], earlier) + 1
        place = np.concatenate([before, place])
    there = np.flatnonzero(item >= 0)
    order = there[np.lexsort((place[there], item[there], user[there]))]
    last = (np.diff(user[order], append=-1) != 0) | (np.diff(item[order], append=-1) != 0)
    kept = order[last]
    shape = (len(histories), len(model.items))
    return sp.csr_matrix((place[kept].astype(np.float64), (user[kept], item[kept])), shape)


def stored_of(model: Model, users: Sequence[str]) -> Histories:
    """The stored history of each user; empty for users unknown to the model."""
    rows = model.users.ids(users)
    known = np.flatnonzero(rows >= 0)
    stored = model.histories.take(rows[known])
    lengths = np.zeros(len(rows), np.int64)
    lengths[known] = np.diff(stored.indptr)
    return replace(stored, indptr=np.concatenate([[0], np.cumsum(lengths)]))


def with_stored(
    stored: Histories, liked: sp.csr_matrix, disliked: sp.csr_matrix
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Likes merged with the stored histories, and all stored interactions; disliked items are removed from the likes.

    Args:
        stored: The history of each user.
        liked: Ones, or weights; the larger weight of both histories counts; shape (n_users, n_items).
        disliked: Ones; no entry where `liked` has one; the same shape.
    """
    both = liked.maximum(stored.matrix())
    both = (both - both.multiply(disliked)).tocsr()
    both.eliminate_zeros()
    return both, stored.matrix(positive_only=False)


def check_length(histories: Sequence[Sequence[str]], others: Sequence[object], what: str) -> None:
    """Raise ConfigError unless there is one list per history."""
    if len(histories) != len(others):
        raise ConfigError(
            f"There are {len(histories):,} histories but {len(others):,} {what}.",
            "Give one for each history.",
        )


def checked_policy(choice: KnownUserPolicy) -> KnownUserPolicy:
    """The policy; ConfigError unless it is one of `KnownUserPolicy`."""
    policy: KnownUserPolicy = options.choice("known_users", choice, get_args(KnownUserPolicy))
    return policy
