r"""Likes and dislikes of a user as one history, whose weights may be negative.

Enters: ids or matrices of liked and of disliked items. Leaves: a matrix that is embedded, rescored and explained as a history.

.. math::
    u \propto \frac{1}{\sum_{j \in L} h_j} \sum_{j \in L} h_j z_j
        - \frac{\gamma}{\beta} \frac{1}{\sum_{j \in D} h_j} \sum_{j \in D} h_j z_j

This is the relevance feedback of Rocchio 1971, without an initial query. The ratio of the two weights is the one that Manning,
Raghavan & Schütze 2008, "Introduction to Information Retrieval", section 9.1.1, call reasonable.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp

from kgrec.errors import ConfigError
from kgrec.model.model import Model
from kgrec.recommend.ids import OnUnknown, known_rows
from kgrec.recommend.item_names import suggestion

#: gamma / beta, of .15 and .75
DISLIKED = 0.2


def relevance_profile(
    likes: sp.csr_matrix, dislikes: sp.csr_matrix, history_weight: np.ndarray
) -> sp.csr_matrix:
    """Likes as 1; dislikes below 0, so that together they weigh a fifth of the likes; shape (n_users, n_items).

    Without likes there is no direction to move away from, so such a row is empty.

    Args:
        likes: ones; shape (n_users, n_items).
        dislikes: ones, none where `likes` has one; shape (n_users, n_items).
        history_weight: weight of each item in a history; shape (n_items,).
    """
    if not dislikes.nnz:
        return likes
    liked, disliked = likes @ history_weight, dislikes @ history_weight
    scale = DISLIKED * liked / np.maximum(disliked, 1e-12)
    both: sp.csr_matrix = (likes - sp.diags(scale) @ dislikes).tocsr().astype(np.float32)
    both.eliminate_zeros()
    return both


#: how a given history and the stored one of the same user are combined
KnownUserPolicy = Literal["merge", "replace"]


def history_matrix(
    model: Model, histories: Sequence[Sequence[str]], on_unknown: OnUnknown = "raise"
) -> sp.csr_matrix:
    """Lists of items as a matrix of ones, shape (len(histories), n_items); UnknownId as `known_rows`."""
    names = [name for history in histories for name in history]
    rows, there = known_rows(
        model.items.rows, names, "item", model.items.ids, on_unknown, partial(suggestion, model)
    )
    owner = np.repeat(np.arange(len(histories)), [len(history) for history in histories])[there]
    bounds = np.searchsorted(owner, np.arange(1, len(histories) + 1))
    return model.history_matrix(np.split(rows, bounds)[: len(histories)])


def feedback_matrices(
    model: Model,
    histories: Sequence[Sequence[str]],
    dislikes: Sequence[Sequence[str]] | None,
    on_unknown: OnUnknown = "raise",
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Liked and disliked items, each as `history_matrix`.

    Raises:
        UnknownId: An item is unknown.
        ConfigError: An item is both liked and disliked, or the numbers of lists differ.
    """
    dislikes = [()] * len(histories) if dislikes is None else dislikes
    check_length(histories, dislikes, "lists in `dislikes`")
    liked, disliked = (history_matrix(model, some, on_unknown) for some in (histories, dislikes))
    both = liked.multiply(disliked).tocoo()
    if both.nnz:
        raise ConfigError(
            f"'{model.items.ids[both.col[0]]}' is both liked and disliked.", "Leave one of the two out."
        )
    return liked, disliked


def with_stored(
    model: Model, users: Sequence[str], liked: sp.csr_matrix, disliked: sp.csr_matrix
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Likes merged with the stored histories, and all stored interactions; disliked items are taken out of the likes.

    Args:
        model: Has histories of some of the users.
        users: A name per row.
        liked: Ones; shape (len(users), n_items).
        disliked: Ones, none where `liked` has one; the same shape.
    """
    rows = model.users.ids(users)
    known = np.flatnonzero(rows >= 0)
    shape = (len(rows), len(model.users))
    chosen = sp.csr_matrix((np.ones(len(known), np.float32), (known, rows[known])), shape)
    both = liked.maximum(chosen @ model.liked)
    both = (both - both.multiply(disliked)).tocsr()
    both.eliminate_zeros()
    return both, (chosen @ model.seen).tocsr()


def check_length(histories: Sequence[Sequence[str]], others: Sequence[object], what: str) -> None:
    """ConfigError when there are more or fewer lists than histories."""
    if len(histories) != len(others):
        raise ConfigError(
            f"There are {len(histories):,} histories but {len(others):,} {what}.",
            "Give one for each history.",
        )


def checked_policy(choice: KnownUserPolicy) -> KnownUserPolicy:
    """The policy; ConfigError when it is none of `KnownUserPolicy`."""
    if choice not in get_args(KnownUserPolicy):
        raise ConfigError(
            f"known_users is '{choice}'.",
            f"Choose one of {', '.join(get_args(KnownUserPolicy))}.",
        )
    return choice
