r"""Novelty: items that few users know.

Enters: number of users per item. Leaves: the gain of each candidate. Nothing is written.

The gain is the self-information of an item (Vargas and Castells 2011; Zhou et al. 2010), divided by its largest value:

.. math:: g(i) = \frac{-\log_2 (\max(n(i), 1) / n)}{\log_2 n}

n(i) of n users have item i. The gain is 1 for an item with at most one user, and 0 for an item that all users have, as for relevance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kgrec.rank.lists.greedy import Term, Wish
from kgrec.rank.lists.pool import Pool


@dataclass(frozen=True)
class Novelty(Wish):
    """Wish for items with few interactions."""

    weight: float
    #: result of `self_information`; shape (n_items,)
    values: np.ndarray

    is_static = True

    def term(self, pool: Pool, users: np.ndarray) -> Term:
        """See `Wish`."""
        del users
        return Constant(self.values[pool.rows])


class Constant:
    """Gains that do not depend on the listed items; shape (n_users, width)."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def gains(self) -> np.ndarray:
        """See `Term`."""
        return self._values

    def take(self, at: np.ndarray) -> None:
        """See `Term`."""


def self_information(counts: np.ndarray, n_users: int) -> np.ndarray:
    """The gain of each item, 0 to 1.

    Args:
        counts: Users with a positive interaction with each item; shape (n_items,).
        n_users: Users with a positive interaction.

    Returns:
        Shape (n_items,), float64.
    """
    if n_users < 2:
        return np.zeros(len(counts))
    return np.asarray(1 - np.log2(np.maximum(counts, 1)) / np.log2(n_users))
