r"""What lists are, apart from how well they meet what was taken.

Enters: lists, rows of items and -1 where there is none, and what is known of items and users. Leaves: a figure for each
user, float64, or one for all. Nothing is written.

A figure that a list cannot have is nan, and means pass over it: of an empty list all but serendipity, of one entry
diversity, of a user without a history what compares with the history. L is the list, n(i) the number of users who took i
in training.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from kgrec.metrics.accuracy import quotient
from kgrec.metrics.topk import blocks, rows_of

#: users whose vectors are summed together
_USERS = 4096


def coverage(lists: np.ndarray, may_be_shown: np.ndarray) -> float:
    """Share of the items that are in any list (Ge et al. 2010, catalogue coverage); 0 to 1.

    Args:
        lists: shape (n_users, k).
        may_be_shown: which items count; shape (n_items,), bool.
    """
    shown = np.zeros(len(may_be_shown), bool)
    shown[lists[lists >= 0]] = True
    return float(shown[may_be_shown].mean()) if may_be_shown.any() else float("nan")


def gini(lists: np.ndarray, may_be_shown: np.ndarray) -> float:
    r"""How unevenly the lists' places go to the items (Shani and Gunawardana 2011, 8.3.6.2); 0 even, up to 1 for one item.

    .. math:: \frac{1}{n} \sum_{j=1}^{n} (2j - n - 1) \, p_{(j)}

    with the shares of all places, :math:`p_{(1)} \le p_{(2)} \le \dots`. (Divided by n, as Gini's own; some divide by n - 1.)

    Args:
        lists: shape (n_users, k).
        may_be_shown: which items count; shape (n_items,), bool.
    """
    times = np.bincount(lists[lists >= 0], minlength=len(may_be_shown))[may_be_shown]
    if not times.sum():
        return float("nan")
    n = len(times)
    return float(((2 * np.arange(1, n + 1) - n - 1) * np.sort(times)).sum() / (n * times.sum()))


def novelty(lists: np.ndarray, counts: np.ndarray, n_users: int) -> np.ndarray:
    r"""Mean surprise of the entries, in bits (Vargas and Castells 2011; Zhou et al. 2010); 0 to log2 of the users.

    .. math:: \frac{1}{|L|} \sum_{i \in L} -\log_2 \frac{\max(n(i), 1)}{n}

    An item that nobody took counts as taken by one.

    Args:
        lists: shape (n_users, k).
        counts: users who took each item in training; shape (n_items,).
        n_users: who could have.

    Returns:
        shape (n_users,), float64. So for all functions below.
    """
    return _mean(lists, -np.log2(np.maximum(counts, 1) / max(n_users, 1)))


def popularity_lift(lists: np.ndarray, history: sp.csr_matrix, counts: np.ndarray) -> np.ndarray:
    r"""How much more popular the list is than the history (Abdollahpouri et al. 2019, "The unfairness of popularity bias"); from -1.

    .. math:: \frac{\bar n(L)}{\bar n(H)} - 1

    0 is as popular, 1 twice as popular. The paper divides means over groups of users; here each user has a figure.

    Args:
        lists: shape (n_users, k).
        history: shape (n_users, n_items).
        counts: users who took each item in training; shape (n_items,).
    """
    sizes = np.diff(history.indptr)
    sums = np.bincount(rows_of(history), weights=counts[history.indices], minlength=history.shape[0])
    return quotient(_mean(lists, counts) * sizes, sums) - 1


def diversity(lists: np.ndarray, vectors: np.ndarray | sp.csr_matrix) -> np.ndarray:
    r"""Mean distance between two entries of a list (Ziegler et al. 2005, intra-list similarity): 1 less the cosine; 0 to 2.

    .. math:: 1 - \frac{|\sum_{i \in L} z_i|^2 - \sum_{i \in L} |z_i|^2}{|L| (|L| - 1)}

    With embeddings it is distance in embedding. With the rows of `world.neighborhoods` it is distance in the graph:
    0 for items with the same neighbours, 1 for items that share none.

    Args:
        lists: shape (n_users, k).
        vectors: of unit length, or zeros; shape (n_items, dim), dense or sparse.
    """
    lengths = (lists >= 0).sum(axis=1)
    squares = np.zeros(len(lists))
    own = _squares(vectors)
    for start in range(0, len(lists), _USERS):
        part = slice(start, start + _USERS)
        entries = incidence(lists[part], vectors.shape[0])
        squares[part] = _squares(entries @ vectors) - entries @ own
    pairs = lengths * (lengths - 1.0)
    # what is lost to rounding must not make identical entries differ the wrong way
    return np.asarray(np.maximum(1 - quotient(squares, pairs), 0))


def serendipity(lists: np.ndarray, gains: np.ndarray, counts: np.ndarray, seen: sp.csr_matrix) -> np.ndarray:
    r"""Share of the k entries that were taken and that popularity would not have listed (Ge et al. 2010); 0 to 1.

    The other list has the k most popular items that the user has not seen, those equally popular in the order of the items.

    Args:
        lists: shape (n_users, k).
        gains: whether each entry was taken; as `lists`.
        counts: users who took each item in training; shape (n_items,).
        seen: what the user is not to get; shape (n_users, n_items).
    """
    k = lists.shape[1]
    rank = np.empty(len(counts), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    surprising = gains & (rank[lists] >= _popular_until(rank, seen, k)[:, None])
    return np.asarray(surprising.sum(axis=1) / max(k, 1))


def calibration(
    lists: np.ndarray, history: sp.csr_matrix, classes: sp.csr_matrix, smoothing: float = 0.01
) -> np.ndarray:
    r"""How far the classes of the list are from those of the history (Steck 2018, "Calibrated recommendations"); 0 the same.

    .. math:: \sum_g p(g) \log \frac{p(g)}{(1 - \alpha) q(g) + \alpha p(g)}

    p and q are the shares of the classes, such as genres, in history and list; an item divides itself evenly among its
    classes. At most :math:`-\log \alpha`, in nats, for a list without a class of the history. nan where the history has none.

    Args:
        lists: shape (n_users, k).
        history: shape (n_users, n_items).
        classes: which classes an item has; shape (n_items, n_classes).
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


def incidence(lists: np.ndarray, n_items: int) -> sp.csr_matrix:
    """Lists as a matrix of ones; shape (n_users, n_items), float32."""
    there = lists >= 0
    indptr = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    return sp.csr_matrix(
        (np.ones(indptr[-1], np.float32), lists[there], indptr), shape=(len(lists), n_items), copy=False
    )


def _popular_until(rank: np.ndarray, seen: sp.csr_matrix, k: int) -> np.ndarray:
    """The rank before which each user's k most popular unseen items lie; shape (n_users,)."""
    rows = rows_of(seen)
    order = np.lexsort((rank[seen.indices], rows))
    ranks = rank[seen.indices][order]
    number = np.arange(len(ranks)) - seen.indptr[:-1][rows]
    # so many unseen items are before the j-th that is seen: if they are fewer than k, the cut moves by one
    return np.asarray(k + np.bincount(rows[ranks - number < k], minlength=seen.shape[0]))


def _mean(lists: np.ndarray, of_items: np.ndarray) -> np.ndarray:
    there = lists >= 0
    return quotient((np.append(of_items, 0)[lists]).sum(axis=1), there.sum(axis=1))


def _squares(vectors: Any) -> np.ndarray:
    """Squared length of each row, float64."""
    if isinstance(vectors, sp.csr_matrix):
        squares = vectors.data.astype(np.float64) ** 2
        return np.bincount(rows_of(vectors), weights=squares, minlength=vectors.shape[0])
    return np.asarray(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))


def _row_shares(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Rows that sum to 1, or are empty, float64, without stored zeros."""
    shares = sp.csr_matrix(matrix, dtype=np.float64, copy=True)
    shares.eliminate_zeros()
    sums = np.asarray(shares.sum(axis=1)).ravel()
    shares.data /= sums[rows_of(shares)]
    return shares
