r"""How well ranked lists meet what users took.

Enters: which entries of each list are positives, and how many positives a user has. Leaves: a figure for each user,
float64. Nothing is written.

In all formulas :math:`y_r` is 1 where the entry at rank r, from 1, is a positive, and P is the number of the user's
positives. A list may be shorter than k: what is missing is no positive, so it costs precision and nothing else.
A user without positives has no figure: it is nan, and means pass over it. A user with positives and an empty list has 0
(AUC: 0.5). Equal scores are not seen here: whoever ranks settles them.

Every item is ranked. Figures over a sample of items say little of those over all (Krichene and Rendle 2020, "On sampled
metrics for item recommendation"), and there are none here.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def recall(gains: np.ndarray, positives: np.ndarray) -> np.ndarray:
    r"""Share of the positives that are in the list, as KGAT and KGIN count it; 0 to 1.

    .. math:: \frac{1}{P} \sum_{r \le k} y_r

    With more than k positives it cannot be 1.

    Args:
        gains: whether each entry of a list is a positive, best first; shape (n_users, k), bool.
        positives: how many each user has; shape (n_users,).

    Returns:
        shape (n_users,), float64; nan where there are no positives. So for all functions here.
    """
    return quotient(gains.sum(axis=1), positives)


def precision(gains: np.ndarray, positives: np.ndarray) -> np.ndarray:
    r"""Share of the k entries that are positives (trec_eval's P); 0 to 1.

    .. math:: \frac{1}{k} \sum_{r \le k} y_r
    """
    return _defined(gains.sum(axis=1) / max(gains.shape[1], 1), positives)


def f1(gains: np.ndarray, positives: np.ndarray) -> np.ndarray:
    r"""Harmonic mean of precision and recall (van Rijsbergen 1979); 0 to 1, and 0 where both are.

    .. math:: \frac{2 \sum_{r \le k} y_r}{k + P}
    """
    return quotient(2 * gains.sum(axis=1), np.where(positives > 0, positives + gains.shape[1], 0))


def hit(gains: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """Whether there is a positive in the list at all; 0 or 1."""
    return _defined(gains.any(axis=1), positives)


def ndcg(gains: np.ndarray, positives: np.ndarray) -> np.ndarray:
    r"""Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002) as KGIN counts it; 0 to 1.

    .. math:: \sum_{r \le k} \frac{y_r}{\log_2(r + 1)} \Big/ \sum_{r \le \min(k, P)} \frac{1}{\log_2(r + 1)}

    The ideal list has all positives that k entries can hold. (KGAT's ideal list has those found only, and its figures
    are higher.)
    """
    ideal = np.concatenate([[0.0], np.cumsum(_discount(gains.shape[1]))])
    return quotient(
        (gains * _discount(gains.shape[1])).sum(axis=1), ideal[np.minimum(positives, gains.shape[1])]
    )


def average_precision(gains: np.ndarray, positives: np.ndarray) -> np.ndarray:
    r"""Precision at each positive of the list, averaged; its mean over users is MAP; 0 to 1.

    .. math:: \frac{1}{\min(k, P)} \sum_{r \le k} y_r \frac{1}{r} \sum_{s \le r} y_s

    As PyG counts it. (trec_eval divides by P, so that a perfect list of k may be below 1.)
    """
    k = gains.shape[1]
    precisions = gains * np.cumsum(gains, axis=1, dtype=np.int32) / np.arange(1, k + 1)
    return quotient(precisions.sum(axis=1), np.minimum(positives, k))


def reciprocal_rank(gains: np.ndarray, positives: np.ndarray) -> np.ndarray:
    r"""1 over the rank of the first positive, 0 where none is in the list; its mean is MRR (Voorhees 1999); 0 to 1."""
    if not gains.shape[1]:
        return _defined(np.zeros(len(gains)), positives)
    return _defined(gains.any(axis=1) / (gains.argmax(axis=1) + 1), positives)


def auc(
    gains: np.ndarray,
    positives: np.ndarray,
    lengths: np.ndarray,
    candidates: np.ndarray,
    others: np.ndarray | None = None,
    n_others: np.ndarray | None = None,
) -> np.ndarray:
    r"""Chance that a positive is ranked before an item that is none, both drawn at random; 0 to 1, chance .5.

    The area under the ROC curve (Rendle et al. 2009, BPR, section 4.1.1). What is not in the list counts as equally
    last, and a pair of equals counts half: so with k of all candidates it is the area itself, and with fewer nearer to .5.

    Args:
        gains: whether each entry of a list is a positive; shape (n_users, k), bool.
        positives: how many each user has, all of them candidates; shape (n_users,).
        lengths: entries of each list; shape (n_users,).
        candidates: items that could have been in each list; shape (n_users,).
        others: entries that are neither a positive nor a negative here, such as positives of another bucket; as `gains`.
        n_others: how many of these are candidates; shape (n_users,).

    Returns:
        nan also where every candidate is a positive.
    """
    neutral = np.zeros_like(gains) if others is None else others
    negatives = candidates - positives - (0 if n_others is None else n_others)
    listed = np.arange(gains.shape[1]) < lengths[:, None]
    before = np.cumsum(listed & ~gains & ~neutral, axis=1, dtype=np.int64)
    in_list = before[:, -1] if gains.shape[1] else np.zeros(len(gains), np.int64)
    found = gains.sum(axis=1)
    won = (gains * (negatives[:, None] - before)).sum(axis=1)
    won = won + (positives - found) * (negatives - in_list) / 2
    return quotient(won, positives * negatives)


def ranking_quality(gains: np.ndarray, positives: np.ndarray) -> tuple[float, float]:
    """Mean NDCG and recall of ranked lists, over the users who have positives; 0 if nobody has.

    Args:
        gains: whether each entry of a list is a positive, best first; shape (n_users, k), bool.
        positives: how many each user has; shape (n_users,).
    """
    some = positives > 0
    if not some.any():
        return 0.0, 0.0
    return float(ndcg(gains, positives)[some].mean()), float(recall(gains, positives)[some].mean())


def quotient(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part / whole`, nan where the whole is not above 0; shape (n,), float64."""
    quotient = np.full(len(part), np.nan)
    np.divide(part, whole, out=quotient, where=whole > 0)
    return quotient


def _discount(k: int) -> np.ndarray:
    return np.asarray(1 / np.log2(np.arange(k) + 2))


def _defined(values: Any, positives: np.ndarray) -> np.ndarray:
    return np.where(positives > 0, values, np.nan)
