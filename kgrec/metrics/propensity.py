r"""Propensities, the probability that an interaction with an item is observed; and metrics weighted by their inverse.

Enters: numbers of interactions per item, hits, positives. Leaves: a propensity per item, a value per user, float64. Nothing is
written.

Users meet popular items more often, so a log says more about popular items (Schnabel et al. 2016, "Recommendations as treatments").
Here the propensity of an item is a power of its popularity (Yang et al. 2018, "Unbiased offline recommender evaluation for
missing-not-at-random implicit feedback"):

.. math:: p_i = \max\left( (n_i / \max_j n_j)^\eta, 0.01 \right)

The bound clips weights to 100: otherwise rare items would dominate, and the variance would have no limit.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from kgrec.metrics.accuracy import quotient
from kgrec.metrics.topk import rows_of

#: eta of the metrics
POWER = 0.5
#: smallest propensity
_LEAST = 0.01


def propensities(counts: np.ndarray, power: float = POWER) -> np.ndarray:
    """The propensity of each item, 0.01 to 1; shape (n_items,), float64.

    Args:
        counts: Interactions per item; an item without interactions counts as if it had one; shape (n_items,).
        power: eta above; with 0, all propensities are 1.
    """
    there = np.maximum(counts, 1)
    return np.asarray(np.maximum((there / there.max(initial=1)) ** power, _LEAST))


def snips_recall(
    lists: np.ndarray, gains: np.ndarray, truth: sp.csr_matrix, propensity: np.ndarray
) -> np.ndarray:
    r"""Self-normalised inverse propensity estimate of recall (Yang et al. 2018, eq. 9, per user); 0 to 1.

    .. math:: \sum_{r \le k} \frac{y_r}{p_{i_r}} \Big/ \sum_{i \in P} \frac{1}{p_i}

    Args:
        lists: Rows of items, padded with -1; shape (n_users, k).
        gains: Whether each entry is a positive; shape (n_users, k), bool.
        truth: Nonzero for positives; shape (n_users, n_items).
        propensity: Propensity of each item; shape (n_items,).

    Returns:
        shape (n_users,), float64; nan for users without positives.
    """
    weight = 1 / propensity
    return quotient((gains * np.append(weight, 0)[lists]).sum(axis=1), _sums(weight[truth.indices], truth))


def snips_ndcg(
    lists: np.ndarray, gains: np.ndarray, truth: sp.csr_matrix, propensity: np.ndarray
) -> np.ndarray:
    r"""Self-normalised inverse propensity estimate of NDCG, per user; 0 to 1.

    .. math:: \sum_{r \le k} \frac{y_r}{p_{i_r} \log_2(r + 1)} \Big/ \sum_{r \le \min(k, P)} \frac{1}{p_{(r)} \log_2(r + 1)}

    The ideal list has the positives with the smallest propensities first. Arguments and result are those of `snips_recall`.
    """
    k, weight = lists.shape[1], 1 / propensity
    discount = 1 / np.log2(np.arange(k) + 2)
    found = (gains * np.append(weight, 0)[lists] * discount).sum(axis=1)
    rows, own = rows_of(truth), weight[truth.indices]
    order = np.lexsort((-own, rows))
    rank = np.arange(len(order)) - truth.indptr[:-1][rows]
    ideal = own[order] * np.where(rank < k, np.append(discount, 0)[np.minimum(rank, k)], 0)
    return quotient(found, _sums(ideal, truth))


def _sums(values: np.ndarray, truth: sp.csr_matrix) -> np.ndarray:
    """Sum of the values of the stored entries per row; shape (n_users,)."""
    return np.bincount(rows_of(truth), values, truth.shape[0])
