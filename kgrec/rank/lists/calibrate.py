r"""Calibration: the nodes of a type, such as genres, have the same shares in the list as in the history.

Enters: the nodes of items, histories. Leaves: the gain of each candidate. Nothing is written.

Steck 2018, "Calibrated recommendations", equations 2 to 6: the list S maximises

.. math:: (1 - w) \frac{1}{k} \sum_{i \in S} r_i - w \frac{\mathrm{KL}(p, q(S))}{-\log \alpha},
    \qquad \mathrm{KL}(p, q) = \sum_g p(g) \log \frac{p(g)}{(1 - \alpha) q(g) + \alpha p(g)}

p and q are the shares of node g in the history and in the list; an item counts in equal parts for each of its nodes, and an item
without nodes does not count. Both terms are scaled to 0 to 1, so that the strength w does not depend on k.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from kgrec.rank.lists.greedy import Term, Wish
from kgrec.rank.lists.pool import Memberships, Pool, shares

#: alpha, as in `kgrec.metrics.beyond_accuracy.calibration`
SMOOTHING = 0.01


@dataclass(frozen=True)
class Calibration(Wish):
    """Wish for the shares of nodes in the history."""

    weight: float
    #: nodes of each item; shape (n_items, n_nodes)
    nodes: csr_matrix
    #: weights of history items; weights below 0 mark disliked items, which do not count; shape (n_users, n_items)
    histories: csr_matrix

    def term(self, pool: Pool, users: np.ndarray) -> Term:
        """See `Wish`."""
        parts = shares(self.nodes)
        found = Memberships.of(pool.rows, parts)
        of_history = (self.histories[users].maximum(0) @ parts).tocsr()
        totals = np.asarray(of_history.sum(axis=1)).ravel()
        # A node that no candidate has keeps its term of the divergence, whatever is listed.
        wanted = of_history[:, found.columns].toarray() / np.where(totals > 0, totals, 1)[:, None]
        return CalibrationTerm(found, wanted, pool.k)


class CalibrationTerm:
    """k times the change of the second term of the objective above.

    Args:
        nodes: Nodes of each candidate, in shares that sum to 1.
        wanted: Shares of the nodes in the histories, p above; shape (n_users, n_nodes).
        k: Items per list.
    """

    def __init__(self, nodes: Memberships, wanted: np.ndarray, k: int) -> None:
        self._nodes, self._wanted = nodes, wanted
        self._scale = k / -np.log(SMOOTHING)
        #: sums of the shares of the listed items, and how many listed items have nodes
        self._sums, self._listed = nodes.zeros(), np.zeros(len(wanted))
        self._wanted_of_entry = wanted.ravel()[nodes.key]

    def gains(self) -> np.ndarray:
        """See `Term`."""
        # Only the sums of a candidate's own nodes grow; all other terms are those of a list that is one item longer.
        length = self._listed + 1
        longer = self._summands(self._sums / length[:, None], self._wanted)
        own = (self._sums.ravel()[self._nodes.key] + self._nodes.value) / length[self._nodes.user]
        change = self._summands(own, self._wanted_of_entry) - longer.ravel()[self._nodes.key]
        now = self._summands(self._sums / np.maximum(self._listed, 1)[:, None], self._wanted).sum(axis=1)
        gains = longer.sum(axis=1)[:, None] + self._nodes.sums(change) - now[:, None]
        return np.where(self._nodes.has_any, self._scale * gains, 0.0)

    def take(self, at: np.ndarray) -> None:
        """See `Term`."""
        entries = self._nodes.of_chosen(at)
        np.add.at(self._sums.ravel(), self._nodes.key[entries], self._nodes.value[entries])
        users = np.flatnonzero(at >= 0)
        self._listed[users] += self._nodes.has_any[users, at[users]]

    @staticmethod
    def _summands(share: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """P log((1 - alpha) q + alpha p) per node, 0 where p is 0: the negated divergence without its constant."""
        logs = np.log(
            (1 - SMOOTHING) * share + SMOOTHING * wanted, out=np.zeros(share.shape), where=wanted > 0
        )
        return np.asarray(wanted * logs)
