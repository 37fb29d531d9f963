r"""Accuracy of ranked lists: how many positives they hold, and at which ranks.

Enters: which entries of each list are positives, and how many positives each user has. Leaves: a value per user, float64.
Nothing is written.

In all formulas :math:`y_r` is 1 if the entry at rank r (from 1) is a positive, and P is the number of the user's positives.
A list may be shorter than k; missing entries count as negatives, which lowers precision only. The value of a user without
positives is nan, which means ignore. A user with positives and an empty list has 0 (AUC: 0.5). The caller breaks ties between
scores: only ranks count here.

All items are ranked. There are no sampled metrics, because they say little about the exact ones (Krichene and Rendle 2020,
"On sampled metrics for item recommendation").
"""

from __future__ import annotations

from typing import Any

import numpy as np


def recall(gains: np.ndarray, positives: np.ndarray) -> np.ndarray:
    r"""Share of the positives that are in the list, as in KGAT and KGIN; 0 to 1.

    .. math:: \frac{1}{P} \sum_{r \le k} y_r

    It is below 1 for a user with more than k positives.

    Args:
        gains: Whether each entry of a list is a positive, best first; shape (n_users, k), bool.
        positives: Number of positives of each user; shape (n_users,).

    Returns:
        shape (n_users,), float64; nan for users without positives. The other functions of this module return the same.
    """
    return quotient(gains.sum(axis=1), positives)


def precision(gains: np.ndarray, positives: np.ndarray) -> np.ndarray:
    r"""Share of the k entries that are positives (trec_eval's P); 0 to 1.

    .. math:: \frac{1}{k} \sum_{r \le k} y_r
    """
    return _defined(gains.sum(axis=1) / max(gains.shape[1], 1), positives)


def f1(gains: np.ndarray, positives: np.ndarray) -> np.ndarray:
    r"""Harmonic mean of precision and recall (van Rijsbergen 1979); 0 to 1, and 0 if both are 0.

    .. math:: \frac{2 \sum_{r \le k} y_r}{k + P}
    """
    return quotient(2 * gains.sum(axis=1), np.where(positives > 0, positives + gains.shape[1], 0))


def hit(gains: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """Whether the list has a positive; 0 or 1."""
    return _defined(gains.any(axis=1), positives)


def ndcg(gains: np.ndarray, positives: np.ndarray) -> np.ndarray:
    r"""Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002), as in KGIN; 0 to 1.

    .. math:: \sum_{r \le k} \frac{y_r}{\log_2(r + 1)} \Big/ \sum_{r \le \min(k, P)} \frac{1}{\log_2(r + 1)}

    The ideal list starts with min(k, P) positives. (KGAT's ideal list has only the positives that were found, so its values
    are higher.)
    """
    ideal = np.concatenate([[0.0], np.cumsum(_discount(gains.shape[1]))])
    return quotient(
        (gains * _discount(gains.shape[1])).sum(axis=1), ideal[np.minimum(positives, gains.shape[1])]
    )


def average_precision(gains: np.ndarray, positives: np.ndarray) -> np.ndarray:
    r"""Mean of the precision at the rank of each positive; its mean over users is MAP; 0 to 1.

    .. math:: \frac{1}{\min(k, P)} \sum_{r \le k} y_r \frac{1}{r} \sum_{s \le r} y_s

    As in PyG. (trec_eval divides by P, so a perfect list of k entries may have a value below 1.)
    """
    k = gains.shape[1]
    precisions = gains * np.cumsum(gains, axis=1, dtype=np.int32) / np.arange(1, k + 1)
    return quotient(precisions.sum(axis=1), np.minimum(positives, k))


def reciprocal_rank(gains: np.ndarray, positives: np.ndarray) -> np.ndarray:
    r"""1 divided by the rank of the first positive, 0 without one; its mean over users is MRR (Voorhees 1999); 0 to 1."""
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
    r"""Probability that a random positive is ranked before a random negative; 0 to 1, and 0.5 for a random order.

    The area under the ROC curve (Rendle et al. 2009, BPR, section 4.1.1). Candidates that are not in the list share the last
    rank, and a tie counts half. A list of all candidates gives the exact area; a shorter list gives a value nearer to 0.5.

    Args:
        gains: Whether each entry of a list is a positive; shape (n_users, k), bool.
        positives: Number of positives of each user, all of them candidates; shape (n_users,).
        lengths: Number of entries of each list; shape (n_users,).
        candidates: Number of items that could be in each list; shape (n_users,).
        others: Entries that count neither as positive nor as negative, such as positives of another bucket; as `gains`.
        n_others: Number of such items among the candidates; shape (n_users,).

    Returns:
        shape (n_users,), float64; nan also if all candidates are positives.
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
    """Mean NDCG and mean recall over the users with positives; 0 if no user has any.

    Args:
        gains: Whether each entry of a list is a positive, best first; shape (n_users, k), bool.
        positives: Number of positives of each user; shape (n_users,).
    """
    some = positives > 0
    if not some.any():
        return 0.0, 0.0
    return float(ndcg(gains, positives)[some].mean()), float(recall(gains, positives)[some].mean())


def quotient(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part / whole`, nan where `whole` is 0 or less; shape (n,), float64."""
    quotient = np.full(len(part), np.nan)
    np.divide(part, whole, out=quotient, where=whole > 0)
    return quotient


def _discount(k: int) -> np.ndarray:
    return np.asarray(1 / np.log2(np.arange(k) + 2))


def _defined(values: Any, positives: np.ndarray) -> np.ndarray:
    return np.where(positives > 0, values, np.nan)
