r"""Metrics of lists beyond accuracy: coverage, novelty, popularity, diversity, serendipity, calibration, exposure.

Enters: lists as rows of items, padded with -1, and data on items and users. Leaves: a value per user, float64, or one for
all lists. Nothing is written.

A metric that is not defined for a list is nan, which means ignore: for an empty list all metrics but serendipity, for a list of
one entry diversity, and for a user without a history comparisons with the history. In the formulas L is the list, and n(i) the
number of users with item i in training.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from kgrec.metrics.accuracy import quotient
from kgrec.metrics.topk import blocks, rows_of

_LISTS_PER_BLOCK = 4096


def coverage(lists: np.ndarray, counted: np.ndarray) -> float:
    """Share of the items that are in at least one list (Ge et al. 2010, catalogue coverage); 0 to 1.

    Args:
        lists: Rows of items, padded with -1; shape (n_users, k).
        counted: The items that count; shape (n_items,), bool.
    """
    shown = np.zeros(len(counted), bool)
    shown[lists[lists >= 0]] = True
    return float(shown[counted].mean()) if counted.any() else float("nan")


def gini(lists: np.ndarray, counted: np.ndarray) -> float:
    r"""Inequality of how often items are listed (Shani and Gunawardana 2011, 8.3.6.2); 0: equally often, near 1: one item only.

    .. math:: \frac{1}{n} \sum_{j=1}^{n} (2j - n - 1) \, p_{(j)}

    with the items' shares of all entries, :math:`p_{(1)} \le p_{(2)} \le \dots`. (Divided by n as in Gini's definition; some
    authors divide by n - 1.)

    Args:
        lists: Rows of items, padded with -1; shape (n_users, k).
        counted: The items that count; shape (n_items,), bool.
    """
    times = np.bincount(lists[lists >= 0], minlength=len(counted))[counted]
    if not times.sum():
        return float("nan")
    n = len(times)
    return float(((2 * np.arange(1, n + 1) - n - 1) * np.sort(times)).sum() / (n * times.sum()))


def novelty(lists: np.ndarray, counts: np.ndarray, n_users: int) -> np.ndarray:
    r"""Mean self-information of the entries in bits (Vargas and Castells 2011; Zhou et al. 2010); 0 to log2(n_users).

    .. math:: \frac{1}{|L|} \sum_{i \in L} -\log_2 \frac{\max(n(i), 1)}{n}

    n is the number of users. An item without users counts as if it had one.

    Args:
        lists: Rows of items, padded with -1; shape (n_users, k).
        counts: Training users of each item; shape (n_items,).
        n_users: Number of training users.

    Returns:
        shape (n_users,), float64. The functions below return the same.
    """
    return _mean(lists, -np.log2(np.maximum(counts, 1) / max(n_users, 1)))


def popularity_lift(lists: np.ndarray, history: sp.csr_matrix, counts: np.ndarray) -> np.ndarray:
    r"""How much more popular the list is than the history (Abdollahpouri et al. 2019, "The unfairness of popularity bias"); from -1.

    .. math:: \frac{\bar n(L)}{\bar n(H)} - 1

    0: as popular as the history, 1: twice as popular. The paper compares means over groups of users; here each user has a
    value.

    Args:
        lists: Rows of items, padded with -1; shape (n_users, k).
        history: Nonzero for items of the user's history; shape (n_users, n_items).
        counts: Training users of each item; shape (n_items,).
    """
    sizes = np.diff(history.indptr)
    sums = np.bincount(rows_of(history), weights=counts[history.indices], minlength=history.shape[0])
    return quotient(_mean(lists, counts) * sizes, sums) - 1


def diversity(lists: np.ndarray, vectors: np.ndarray | sp.csr_matrix) -> np.ndarray:
    r"""Mean distance of two entries of a list, 1 minus the cosine (Ziegler et al. 2005, intra-list similarity); 0 to 2.

    .. math:: 1 - \frac{|\sum_{i \in L} z_i|^2 - \sum_{i \in L} |z_i|^2}{|L| (|L| - 1)}

    With embeddings, it is a distance of embeddings. With rows of `kgrec.evaluate.ground_truth.neighbor_vectors`, it is a
    distance in the graph: 0 for items with the same neighbours, 1 for items without a common neighbour.

    Args:
        lists: Rows of items, padded with -1; shape (n_users, k).
        vectors: Of unit length, or zeros; shape (n_items, dim), dense or sparse.
    """
    lengths = (lists >= 0).sum(axis=1)
    squares = np.zeros(len(lists))
    own = _squares(vectors)
    for start in range(0, len(lists), _LISTS_PER_BLOCK):
        part = slice(start, start + _LISTS_PER_BLOCK)
        entries = incidence(lists[part], vectors.shape[0])
        squares[part] = _squares(entries @ vectors) - entries @ own
    pairs = lengths * (lengths - 1.0)
    # rounding may bring the distance of identical entries below 0
    return np.asarray(np.maximum(1 - quotient(squares, pairs), 0))


def serendipity(lists: np.ndarray, gains: np.ndarray, counts: np.ndarray, seen: sp.csr_matrix) -> np.ndarray:
    r"""Share of the k entries that are positives and not among the k most popular items (Ge et al. 2010); 0 to 1.

    The most popular items are chosen among those that the user has not seen; among equally popular ones, the first rows.

    Args:
        lists: Rows of items, padded with -1; shape (n_users, k).
        gains: Whether each entry is a positive; shape (n_users, k), bool.
        counts: Training users of each item; shape (n_items,).
        seen: Items that the user's list cannot contain; shape (n_users, n_items).
    """
    k = lists.shape[1]
    rank = np.empty(len(counts), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    surprising = gains & (rank[lists] >= _popular_until(rank, seen, k)[:, None])
    return np.asarray(surprising.sum(axis=1) / max(k, 1))


def calibration(
    lists: np.ndarray, history: sp.csr_matrix, classes: sp.csr_matrix, smoothing: float = 0.01
) -> np.ndarray:
    r"""Divergence of the classes of a list from those of the history (Steck 2018, "Calibrated recommendations"); 0: equal.

    .. math:: \sum_g p(g) \log \frac{p(g)}{(1 - \alpha) q(g) + \alpha p(g)}

    p and q are the shares of the classes, such as genres, in the history and in the list; an item counts in equal parts for
    each of its classes. The value is at most :math:`-\log \alpha` nats, for a list without any class of the history, and nan if
    the history has no class.

    Args:
        lists: Rows of items, padded with -1; shape (n_users, k).
        history: Nonzero for items of the user's history; shape (n_users, n_items).
        classes: Nonzero for the classes of each item; shape (n_items, n_classes).
        smoothing: alpha, which keeps the logarithm finite.
    """
    shares = _row_shares(classes)
    divergence = np.full(len(lists), np.nan)
    for part in blocks(len(lists), classes.shape[1]):
        p = _row_shares((history[part] @ shares).tocsr())
        q = _row_shares((incidence(lists[part], len(shares.indptr) - 1) @ shares).tocsr())
        rows = rows_of(p)
        q_there = np.asarray(q[rows, p.indices]).ravel() if p.nnz else np.zeros(0)
        terms = p.data * np.log(p.data / ((1 - smoothing) * q_there + smoothing * p.data))
        sums = np.bincount(rows, weights=terms, minlength=p.shape[0])
        defined = (np.diff(p.indptr) > 0) & (lists[part] >= 0).any(axis=1)
        divergence[part] = np.where(defined, sums, np.nan)
    return divergence


def exposure_shares(lists: np.ndarray, groups: sp.csr_matrix) -> np.ndarray:
    r"""Share of the attention that each group gets over all lists (Singh and Joachims 2018); the shares sum to 1.

    .. math:: \frac{1}{Z} \sum_u \sum_r \frac{[i_{u,r} \in g]}{\log_2 (r + 1)}

    An item with several groups counts in equal parts for each; an item without a group does not count. All shares are 0 if no entry has
    a group.

    Args:
        lists: Rows of items, padded with -1; shape (n_users, k).
        groups: Nonzero for the groups of each item; shape (n_items, n_groups).

    Returns:
        shape (n_groups,), float64.
    """
    discounts = np.broadcast_to(1 / np.log2(np.arange(lists.shape[1]) + 2), lists.shape)
    there = lists >= 0
    attention = np.bincount(lists[there], discounts[there], groups.shape[0])
    shares = np.asarray(_row_shares(groups).T @ attention).ravel()
    return np.asarray(shares / shares.sum() if shares.any() else shares)


def exposure_gap(shares: np.ndarray, groups: sp.csr_matrix) -> float:
    r"""How far the shares of attention are from equal shares (total variation distance); 0: equal, near 1: one group gets all.

    .. math:: \frac{1}{2} \sum_g \left| s_g - \frac{1}{G} \right|

    The sum runs over the G groups that have an item; nan if there are none.

    Args:
        shares: Result of `exposure_shares`; shape (n_groups,).
        groups: Nonzero for the groups of each item; shape (n_items, n_groups).
    """
    counted = np.asarray(groups.getnnz(axis=0)) > 0
    if not counted.any():
        return float("nan")
    return float(np.abs(shares[counted] - 1 / counted.sum()).sum() / 2)


def incidence(lists: np.ndarray, n_items: int) -> sp.csr_matrix:
    """Lists as a matrix with 1 for each entry; shape (n_users, n_items), float32."""
    there = lists >= 0
    indptr = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    return sp.csr_matrix(
        (np.ones(indptr[-1], np.float32), lists[there], indptr), shape=(len(lists), n_items), copy=False
    )


def _popular_until(rank: np.ndarray, seen: sp.csr_matrix, k: int) -> np.ndarray:
    """For each user, the popularity rank below which the k most popular unseen items lie; shape (n_users,)."""
    rows = rows_of(seen)
    order = np.lexsort((rank[seen.indices], rows))
    ranks = rank[seen.indices][order]
    number = np.arange(len(ranks)) - seen.indptr[:-1][rows]
    # ranks - number is the number of unseen items more popular than a seen one; if it is below k, the bound moves up by one
    return np.asarray(k + np.bincount(rows[ranks - number < k], minlength=seen.shape[0]))


def _mean(lists: np.ndarray, of_items: np.ndarray) -> np.ndarray:
    there = lists >= 0
    return quotient((np.append(of_items, 0)[lists]).sum(axis=1), there.sum(axis=1))


def _squares(vectors: Any) -> np.ndarray:
    """Squared length of each row; shape (n,), float64."""
    if isinstance(vectors, sp.csr_matrix):
        squares = vectors.data.astype(np.float64) ** 2
        return np.bincount(rows_of(vectors), weights=squares, minlength=vectors.shape[0])
    return np.asarray(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))


def _row_shares(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """The matrix with rows that sum to 1 or are empty; float64, without stored zeros."""
    shares = sp.csr_matrix(matrix, dtype=np.float64, copy=True)
    shares.eliminate_zeros()
    sums = np.asarray(shares.sum(axis=1)).ravel()
    shares.data /= sums[rows_of(shares)]
    return shares
