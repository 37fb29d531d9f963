r"""Population stability: how far the shares of two samples differ, and whether chance explains the difference.

Enters: shares of bins, and sums per cluster. Leaves: figures and p values. Nothing is written.

Rows of one user are not independent, so the chi-square test of the plain population stability index rejects too often. The null distribution
here is that of Rao and Scott (1981, "The Analysis of Categorical Data From Complex Sample Surveys", theorem 1): a sum of chi-squares with
one degree of freedom, weighted by the eigenvalues of the design effects. The design effects are estimated from clusters.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

#: number of draws from the null distribution, and draws per block
_DRAWS, _BLOCK = 20_000, 1_000
#: observations added per bin, so that an empty bin has a logarithm
_PSEUDO_COUNT = 0.5


def shares(counts: np.ndarray) -> np.ndarray:
    """Shares of bins, none of them 0, because half an observation is added per bin; shape (n_bins,), float64."""
    return np.asarray((counts + _PSEUDO_COUNT) / (counts.sum() + _PSEUDO_COUNT * len(counts)))


def population_stability_index(expected: np.ndarray, actual: np.ndarray) -> float:
    r"""Population stability index of two distributions (Siddiqi 2006, "Credit Risk Scorecards"); 0 or more.

    .. math:: \sum_b (q_b - p_b) \ln \frac{q_b}{p_b}

    It is the symmetric divergence of Jeffreys (1946), and close to :math:`\sum_b (q_b - p_b)^2 / p_b` for similar distributions.

    Args:
        expected: Shares p, above 0; shape (n_bins,).
        actual: Shares q, above 0; of the same shape.
    """
    return float((actual - expected) @ np.log(actual / expected))


def effective_size(weights: np.ndarray) -> float:
    r"""Number of equal clusters with the same variance as these (Kish 1965): :math:`(\sum w)^2 / \sum w^2`; 0 without weights."""
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def shift_probability(
    expected: np.ndarray,
    difference: np.ndarray,
    covariance: np.ndarray,
    freedom: float,
    rng: np.random.Generator,
) -> float:
    r"""Probability of a difference at least as large by chance alone, measured by :math:`\sum_b d_b^2 / p_b`.

    Args:
        expected: Shares p, above 0; shape (n_bins,).
        difference: Observed differences d; shape (n_bins,).
        covariance: Covariance of d; shape (n_bins, n_bins).
        freedom: Number of clusters that the covariance was estimated from, minus one; few clusters make the tails heavier (Thomas and
            Rao 1987).
        rng: Draws from the null distribution.

    Returns:
        The p value, above 0, at most 1.
    """
    scale = 1 / np.sqrt(expected)
    # two-way clustering can make small eigenvalues negative (Cameron, Gelbach and Miller 2011, section 2.3)
    weights = np.maximum(np.linalg.eigvalsh(covariance * np.outer(scale, scale)), 0)
    observed = float((difference**2 / expected).sum())
    extreme = 0
    for _ in range(_DRAWS // _BLOCK):
        drawn = rng.chisquare(1, (_BLOCK, len(weights))) @ weights
        extreme += int((drawn * freedom / rng.chisquare(freedom, _BLOCK) >= observed).sum())
    return (extreme + 1) / (_DRAWS + 1)


def clustered_squares(rows: sp.csr_matrix, clusters: np.ndarray) -> np.ndarray:
    """Sum over clusters of the outer product of their column sums.

    Args:
        rows: Shape (n, n_columns).
        clusters: Number of the cluster of each row, from 0; shape (n,), int.

    Returns:
        Shape (n_columns, n_columns), float64.
    """
    n = rows.shape[0]
    membership = sp.csr_matrix((np.ones(n), (clusters, np.arange(n))), (int(clusters.max(initial=-1)) + 1, n))
    sums = (membership @ rows).tocsr()
    return np.asarray((sums.T @ sums).todense(), np.float64)
