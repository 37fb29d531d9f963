"""Population stability, on shares that can be computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp

from kgrec.metrics.stability import (
    clustered_squares,
    effective_size,
    population_stability_index,
    shares,
    shift_probability,
)


def test_no_share_is_zero():
    # (3 + .5) / (4 + 1.5), (1 + .5) / 5.5, .5 / 5.5
    assert shares(np.array([3, 1, 0])) == pytest.approx([7 / 11, 3 / 11, 1 / 11])


def test_the_index_of_two_bins():
    value = population_stability_index(np.array([0.5, 0.5]), np.array([0.25, 0.75]))
    assert value == pytest.approx(-0.25 * math.log(0.5) + 0.25 * math.log(1.5))
    assert population_stability_index(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0


@pytest.mark.parametrize(("weights", "size"), [([1, 1, 1], 3), ([3, 0, 0], 1), ([2, 1, 1], 16 / 6), ([], 0)])
def test_the_size_of_unequal_clusters(weights: list[int], size: float):
    assert effective_size(np.array(weights, np.float64)) == pytest.approx(size)


def test_squares_of_sums_over_clusters():
    rows = sp.csr_matrix(np.array([[1.0, 0.0], [2.0, 1.0], [0.0, 3.0]]))
    # sums: (3, 1) and (0, 3)
    assert clustered_squares(rows, np.array([0, 0, 1])).tolist() == [[9, 3], [3, 10]]


def test_the_probability_is_that_of_a_chi_square():
    """With independent rows and many clusters, 3.84 is the 95 % quantile of one degree of freedom."""
    p = np.array([0.5, 0.5])
    variance = 0.25 / 1000
    covariance = variance * np.array([[1, -1], [-1, 1]])
    difference = math.sqrt(3.841 * variance) * np.array([1, -1])
    found = shift_probability(p, difference, covariance, 1e6, np.random.default_rng(0))
    assert found == pytest.approx(0.05, abs=0.005)
    few = shift_probability(p, difference, covariance, 5, np.random.default_rng(0))
    # of F(1, 5), whose tails are heavier
    assert few == pytest.approx(0.107, abs=0.01)
