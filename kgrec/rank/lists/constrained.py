"""The exact best list under caps and quotas, for use when greedy choice leaves a quota unmet.

Enters: the candidates of a user with fixed values, caps and quotas. Leaves: which candidates are listed. Nothing is written.

The list is the optimum of an integer program with these goals, in this order: as many quota items as possible, then as many items
as possible, then the largest sum of values. HiGHS solves the small program (Huangfu and Hall 2018) with a bounded search.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from kgrec.rank.lists.limits import Limits
from kgrec.rank.lists.pool import Pool, ranges

#: largest number of nodes of the search tree: a bound on the work that does not depend on the machine
_TREE_NODES = 1000


def best_set(
    pool: Pool, values: np.ndarray, limits: Limits, needs: np.ndarray, user: int
) -> np.ndarray | None:
    """Which candidates of a user are listed; shape (width,), bool; None if the search ends without a list.

    Args:
        pool: Candidates.
        values: Values of the candidates, 0 to 1; shape (n_users, width).
        limits: Caps and quotas.
        needs: Number of items that each quota needs; shape (n_quotas, n_users).
        user: Position of the user.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    open_ = np.flatnonzero(pool.there[user])
    k, n, n_quotas = pool.k, len(open_), len(needs)
    # one variable per candidate, then one per quota: the number of items it falls short by
    caps, most = _cap_rows(limits, user, open_, pool.rows.shape[1])
    served = sp.csr_matrix(limits.serves[:, user][:, open_].astype(np.float64))
    at_most = sp.vstack([sp.csr_matrix(np.ones((1, n))), caps])
    constraints = [
        LinearConstraint(
            sp.hstack([at_most, sp.csr_matrix((at_most.shape[0], n_quotas))]), -np.inf, [k, *most]
        )
    ]
    if n_quotas:
        constraints.append(LinearConstraint(sp.hstack([served, sp.eye(n_quotas)]), needs[:, user], np.inf))
    # one more item outweighs all values, and one more quota item outweighs all items
    worth = np.concatenate([-(values[user, open_] + k), np.full(n_quotas, float(k * (k + 2)))])
    upper = np.concatenate([np.ones(n), np.full(n_quotas, np.inf)])
    solved = milp(
        worth,
        integrality=np.concatenate([np.ones(n), np.zeros(n_quotas)]),
        bounds=Bounds(0, upper),
        constraints=constraints,
        options={"mip_rel_gap": 0.0, "node_limit": _TREE_NODES},
    )
    if solved.x is None:
        return None
    listed = np.zeros(pool.rows.shape[1], bool)
    listed[open_[solved.x[:n] > 0.5]] = True
    return listed


def _cap_rows(limits: Limits, user: int, open_: np.ndarray, width: int) -> tuple[sp.csr_matrix, list[int]]:
    """One row per node that more candidates have than a list may contain, and the number that it may contain."""
    rows, most = [sp.csr_matrix((0, len(open_)))], list[int]()
    places = user * width + open_
    for found, cap in limits.caps:
        counts = found.starts[places + 1] - found.starts[places]
        node = found.node[ranges(found.starts[places], counts)]
        column = np.repeat(np.arange(len(open_)), counts)
        _, number = np.unique(node, return_inverse=True)
        shape = (int(number.max(initial=-1)) + 1, len(open_))
        matrix = sp.csr_matrix((np.ones(len(node)), (number, column)), shape)
        crowded = np.diff(matrix.indptr) > cap
        rows.append(matrix[crowded])
        most += [cap] * int(crowded.sum())
    return sp.vstack(rows).tocsr(), most
