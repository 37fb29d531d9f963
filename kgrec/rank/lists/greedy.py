r"""Greedy choice: a list is built item by item, each time with the candidate that adds most to the objective.

Enters: a `Pool`, wishes, and limits. Leaves: positions of the chosen candidates, in the order of the list. Nothing is written.

With the strengths :math:`w_1, w_2, \dots` of the wishes, each 0 to 1, the candidate i that follows the list S maximises

.. math:: \prod_j (1 - w_j)\, r_i + \sum_j w_j\, g_j(i \mid S)

where :math:`r_i` is the relevance, 0 to 1, and :math:`g_j` the gain by a wish. With one wish this is the objective of its paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from kgrec.rank.lists.limits import Limits
from kgrec.rank.lists.pool import Pool


class Term(Protocol):
    """Gain of the candidates of some users by one wish."""

    def gains(self) -> np.ndarray:
        """The gain of each candidate if it is listed next; shape (n_users, width), float64."""

    def take(self, at: np.ndarray) -> None:
        """Add one candidate per user to the lists.

        Args:
            at: Positions of the candidates, -1 for none; shape (n_users,), int64.
        """


class Wish:
    """A property wanted of lists, with a strength from 0 (ignored) to 1 (replaces relevance)."""

    #: 0 to 1
    weight: float
    #: whether the gain of a candidate depends on the candidate alone
    is_static = False

    def begun(self, pool: Pool) -> Wish:
        """The wish for one call, prepared with the candidates of all its users."""
        del pool
        return self

    def term(self, pool: Pool, users: np.ndarray) -> Term:
        """The term of some users, given by their positions in the call; `pool` holds only their candidates."""
        raise NotImplementedError

    def listed(self, pool: Pool, at: np.ndarray) -> None:
        """Record the lists of these users, as positions padded with -1; shape (n_users, k)."""


def greedy(
    pool: Pool,
    wishes: Sequence[tuple[float, Term]],
    limits: Limits | None = None,
    only: np.ndarray | None = None,
) -> np.ndarray:
    """The lists of some users. Each item is the one that adds most; among equal ones, the one with the higher score.

    Args:
        pool: Candidates of these users.
        wishes: Strength and term of each wish.
        limits: What caps and quotas allow; None: no limits.
        only: The only candidates to choose from; shape (n_users, width), bool; None: all.

    Returns:
        Positions of the chosen candidates, -1 past the end of a list; shape (n_users, pool.k), int64.
    """
    users = np.arange(len(pool.rows))
    free = pool.there if only is None else pool.there & only
    relevance = relevance_left(wishes) * pool.relevance
    positions = np.full((len(users), pool.k), -1, np.int64)
    for rank in range(pool.k if len(users) else 0):
        value = relevance + sum(weight * term.gains() for weight, term in wishes)
        value[~(free if limits is None else free & limits.allowed(free, pool.k - rank))] = -np.inf
        at = value.argmax(axis=1)
        at[value[users, at] == -np.inf] = -1
        positions[:, rank] = at
        free[users[at >= 0], at[at >= 0]] = False
        for _, term in wishes:
            term.take(at)
        if limits is not None:
            limits.take(at)
    return positions


def relevance_left(wishes: Sequence[tuple[float, Term]]) -> float:
    """The weight of relevance beside wishes of these strengths."""
    return math.prod(1 - weight for weight, _ in wishes)
