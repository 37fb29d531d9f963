"""Caps and quotas: at most n items of a list per node of a type, at least n items that meet a condition.

Enters: the nodes of the candidates, and which candidates meet the conditions. Leaves: which candidates are allowed next.
Nothing is written.

Greedy choice by score under these limits gives the largest sum of scores if the feasible lists form a matroid (Edmonds 1971): with
a cap of one type where no item has two nodes, or with quotas where no item serves two. With caps beside such quotas, or items with
up to m capped nodes, the sum is at least 1 / (m + 1) of the largest sum (Mestre 2006); in practice it is within a few percent. If
an item serves several quotas, more positions may be reserved than are needed. A list that misses a quota, or is too short, is replaced
by the exact list (:mod:`kgrec.rank.lists.constrained`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from kgrec.rank.lists.pool import Memberships, Pool


@dataclass(frozen=True)
class Cap:
    """At most `most` items per list have the same node."""

    #: nodes of each item; shape (n_items, n_nodes)
    nodes: csr_matrix
    most: int


@dataclass(frozen=True)
class Quota:
    """At least `least` items per list are of some kind, if the user has that many candidates of it."""

    #: which items are of the kind; shape (n_items,), bool
    items: np.ndarray
    least: int
    #: the condition as the caller wrote it, for messages
    name: str = ""


class Limits:
    """The candidates that caps and quotas allow while lists are built item by item.

    A quota reserves positions: an item that does not serve it is allowed while enough positions remain for items that do.

    Args:
        pool: Candidates of the users.
        caps: Caps of their lists.
        quotas: Quotas of their lists.
    """

    def __init__(self, pool: Pool, caps: Sequence[Cap], quotas: Sequence[Quota]) -> None:
        self.caps = [(Memberships.of(pool.rows, cap.nodes), cap.most) for cap in caps]
        self._counts = [found.zeros() for found, _ in self.caps]
        #: which candidates serve each quota; shape (n_quotas, n_users, width), bool
        self.serves = np.zeros((len(quotas), *pool.rows.shape), bool)
        for n, quota in enumerate(quotas):
            self.serves[n] = quota.items[pool.rows] & pool.there
        wanted = np.array([quota.least for quota in quotas], np.int64).reshape(-1, 1)
        #: number of items that each list still needs per quota; shape (n_quotas, n_users)
        self.needs = np.minimum(wanted, self.serves.sum(axis=2))

    def allowed(self, free: np.ndarray, places: int) -> np.ndarray:
        """Which candidates are allowed next; shape (n_users, width), bool.

        Args:
            free: Candidates that are not listed yet; same shape.
            places: Free positions per list.
        """
        allowed = free.copy()
        for (found, most), counts in zip(self.caps, self._counts, strict=True):
            full = (counts >= most).ravel()[found.key]
            allowed.ravel()[found.place[full]] = False
        if not len(self.needs) or not self.needs.any():
            return allowed
        served = (self.serves & (self.needs > 0)[:, :, None]).sum(axis=0)
        # After the next item, as many positions must remain as there are needs. An item may serve several quotas at once; if that
        # is necessary, or if needs exceed the positions, items that serve most quotas come first.
        missing = np.maximum(self.needs.sum(axis=0) - (places - 1), 0)
        most_served = np.max(served, axis=1, where=allowed, initial=0)
        return np.asarray(allowed & (served >= np.minimum(missing, most_served)[:, None]))

    def take(self, at: np.ndarray) -> None:
        """Add one candidate per user to the lists, given by position, -1 for none; shape (n_users,)."""
        for (found, _), counts in zip(self.caps, self._counts, strict=True):
            np.add.at(counts.ravel(), found.key[found.of_chosen(at)], 1)
        users = np.flatnonzero(at >= 0)
        self.needs[:, users] -= self.serves[:, users, at[users]]
        np.maximum(self.needs, 0, out=self.needs)

    def failing(self, pool: Pool, positions: np.ndarray) -> np.ndarray:
        """Users whose lists miss a quota or are too short, although another choice might succeed; increasing.

        Args:
            pool: Candidates of the users.
            positions: Positions in their lists, padded with -1; shape (n_users, k).
        """
        missed = self.needs.any(axis=0)
        nodes = np.sum([np.diff(found.starts).reshape(found.shape) for found, _ in self.caps], axis=0)
        if np.max(nodes, initial=0) > 1 or (self.caps and len(self.needs)):
            missed |= (positions >= 0).sum(axis=1) < np.minimum(pool.there.sum(axis=1), pool.k)
        return np.flatnonzero(missed)
