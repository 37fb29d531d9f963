r"""Exposure: groups of items, such as those of a publisher, get fair shares of the users' attention.

Enters: the groups of items. Leaves: the gain of each candidate. Nothing is written.

An entry at rank r gets the attention :math:`1 / \log_2 (r + 1)` (Singh and Joachims 2018, "Fairness of exposure in rankings", section
3). Attention is balanced over all lists of one call, as in Biega, Gummadi and Weikum 2018, "Equity of attention", because a single
list is too short to be fair to many groups. Each next item is chosen by how far its group is below its target (a greedy deficit
reranker, like DetGreedy of Geyik, Ambler and Kenthapadi 2019):

.. math:: g(i \mid S) = \mathrm{clip}\left(1 - \frac{A_g}{t_g A}, -1, 1\right)

:math:`A_g` is the attention that group g of item i has, A that of all groups including the next entry, and :math:`t_g` the group's
target share. The gain is 1 for a group without attention, 0 at the target, and -1 at twice the target or more. The gain of an item
with several groups is their mean, and that of an item without a group is 0. Lists are made in blocks of users: a block takes the
attention of earlier blocks into account, and each of its users assumes that the others in the block list items of the same groups.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from scipy.sparse import csr_matrix

from kgrec.rank.lists.greedy import Term, Wish
from kgrec.rank.lists.pool import Memberships, Pool, shares

ExposureTarget = Literal["equal", "catalogue", "relevance"]


@dataclass(frozen=True)
class Exposure(Wish):
    """Wish for fair shares of attention."""

    weight: float
    #: groups of each item; shape (n_items, n_groups)
    groups: csr_matrix
    #: "equal": the same for each group; "catalogue": in proportion to the number of allowed items; "relevance": in proportion to the
    #: relevance of the candidates of all users
    target: ExposureTarget = "equal"
    #: the only items that lists may contain, from which targets are computed; shape (n_items,), bool; None: all
    offered: np.ndarray | None = None
    #: set by `begun`: target share and current attention of each group; shape (n_groups,), float64
    targets: np.ndarray = field(default_factory=lambda: np.zeros(0))
    attention: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def begun(self, pool: Pool) -> Exposure:
        """See `Wish`."""
        parts = shares(self.groups)
        worth: np.ndarray = (
            np.ones(parts.shape[0]) if self.offered is None else self.offered.astype(np.float64)
        )
        if self.target == "relevance":
            there = pool.there
            worth = np.bincount(pool.rows[there], pool.relevance[there], parts.shape[0])
        sums = np.asarray(parts.T @ worth).ravel()
        sums = (sums > 0).astype(np.float64) if self.target == "equal" else sums
        return replace(self, targets=sums / max(sums.sum(), 1e-300), attention=np.zeros(len(sums)))

    def term(self, pool: Pool, users: np.ndarray) -> Term:
        """See `Wish`."""
        del users
        found = Memberships.of(pool.rows, shares(self.groups))
        before = self.attention[found.columns]
        return ExposureTerm(found, self.targets[found.columns], before, float(self.attention.sum()))

    def listed(self, pool: Pool, at: np.ndarray) -> None:
        """See `Wish`: add the attention of the block to that of the groups."""
        found = Memberships.of(pool.rows, shares(self.groups))
        for rank in range(at.shape[1]):
            entries = found.of_chosen(at[:, rank])
            columns = found.columns[found.node[entries]]
            np.add.at(self.attention, columns, attention_at(rank) * found.value[entries])


class ExposureTerm:
    """See the formula above.

    Args:
        groups: Groups of each candidate, in shares that sum to 1.
        targets: Target share of each group; shape (n_groups,).
        before: Attention of each group before this block; shape (n_groups,).
        total: Attention of all groups before this block.
    """

    def __init__(self, groups: Memberships, targets: np.ndarray, before: np.ndarray, total: float) -> None:
        self._groups, self._total, self._rank = groups, total, 0
        self._targets = np.maximum(targets, 1e-12)
        self._block = groups.shape[0]
        self._attention = np.tile(before, (self._block, 1))

    def gains(self) -> np.ndarray:
        """See `Term`."""
        # by the end of this rank, each user of the block has given this much attention
        given = sum(attention_at(rank) for rank in range(self._rank + 1)) * self._block
        owed = self._targets * (self._total + given)
        deficit = np.clip(1 - self._attention / owed, -1, 1)
        return self._groups.sums(deficit.ravel()[self._groups.key] * self._groups.value)

    def take(self, at: np.ndarray) -> None:
        """See `Term`."""
        entries = self._groups.of_chosen(at)
        gained = self._block * attention_at(self._rank) * self._groups.value[entries]
        np.add.at(self._attention.ravel(), self._groups.key[entries], gained)
        self._rank += 1


def attention_at(rank: int) -> float:
    """Attention of an entry; `rank` counts from 0."""
    return float(1 / np.log2(rank + 2))
