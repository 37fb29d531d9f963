"""Metrics beyond accuracy, compared with values computed by hand and by the formulas, pair by pair."""

import itertools
import math

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch_geometric.metrics import LinkPredCoverage, LinkPredDiversity

from kgrec.metrics import beyond_accuracy
from kgrec.rank.scorers import unit_rows

#: users who took each of six items
COUNTS = np.array([8, 4, 4, 1, 0, 2])
LISTS = np.array([[0, 1, 3], [4, -1, -1], [-1, -1, -1], [5, 3, 1]], np.int32)
HISTORY = sp.csr_matrix(
    np.array([[0, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0], [0] * 6], float)
)
NAN = math.nan


def drawn(
    seed: int, n_users: int = 12, n_items: int = 20, k: int = 6
) -> tuple[np.ndarray, np.random.Generator]:
    """Lists of full, short and no length."""
    rng = np.random.default_rng(seed)
    lists = np.stack([rng.permutation(n_items)[:k] for _ in range(n_users)]).astype(np.int32)
    for row, length in enumerate(rng.integers(0, k + 1, n_users)):
        lists[row, length:] = -1
    lists[0], lists[1, 1:] = -1, -1
    return lists, rng


def entries(row: np.ndarray) -> list[int]:
    return [item for item in row.tolist() if item >= 0]


def test_novelty_by_hand():
    """Of eight users; an item that nobody took counts as taken by one."""
    expected = [(0 + 1 + 3) / 3, 3, NAN, (2 + 3 + 1) / 3]
    np.testing.assert_allclose(beyond_accuracy.novelty(LISTS, COUNTS, 8), expected, atol=1e-12)


def test_popularity_lift_by_hand():
    expected = [(13 / 3) / 4 - 1, 0 / 8 - 1, NAN, NAN]
    np.testing.assert_allclose(beyond_accuracy.popularity_lift(LISTS, HISTORY, COUNTS), expected, atol=1e-12)


def test_coverage_and_gini_by_hand():
    every = np.ones(6, bool)
    assert beyond_accuracy.coverage(LISTS, every) == pytest.approx(5 / 6)
    assert beyond_accuracy.coverage(LISTS, np.arange(6) == 2) == 0
    # shown 1, 2, 0, 2, 1, 1 times: in order 0 1 1 1 2 2, times -5 -3 -1 1 3 5
    assert beyond_accuracy.gini(LISTS, every) == pytest.approx((-3 - 1 + 1 + 6 + 10) / (6 * 7))
    assert beyond_accuracy.gini(np.array([[0, 1], [2, 3]]), np.ones(4, bool)) == 0
    assert beyond_accuracy.gini(np.zeros((5, 1), int), np.ones(4, bool)) == pytest.approx(3 / 4)
    nothing = np.full((2, 3), -1)
    assert math.isnan(beyond_accuracy.gini(nothing, every)) and beyond_accuracy.coverage(nothing, every) == 0
    assert math.isnan(beyond_accuracy.coverage(LISTS, ~every))


@pytest.mark.parametrize("seed", range(3))
def test_gini_is_the_mean_difference(seed: int):
    """Half of the mean absolute difference between two items, over the mean (Gini 1912)."""
    lists, _ = drawn(seed)
    times = np.bincount(lists[lists >= 0], minlength=20)
    expected = np.abs(times[:, None] - times).mean() / (2 * times.mean())
    assert beyond_accuracy.gini(lists, np.ones(20, bool)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_diversity_is_the_mean_over_pairs(seed: int, sparse: bool):
    lists, rng = drawn(seed)
    vectors = rng.normal(size=(20, 5)) * (rng.random((20, 5)) < 0.6)
    vectors[3] = 0
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    found = beyond_accuracy.diversity(lists, sp.csr_matrix(vectors) if sparse else vectors)
    for row, value in zip(lists, found, strict=True):
        apart = [1 - vectors[i] @ vectors[j] for i, j in itertools.combinations(entries(row), 2)]
        assert value == pytest.approx(np.mean(apart), abs=1e-9) if apart else math.isnan(value)


def test_distance_in_the_graph_by_hand():
    """Two items that share one of two neighbours are half apart, those that share all not at all."""
    links = unit_rows(
        sp.csr_matrix(np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]], float))
    )
    found = beyond_accuracy.diversity(np.array([[0, 1], [0, 2], [0, 3]]), links)
    np.testing.assert_allclose(found, [0.5, 0, 1], atol=1e-6)


@pytest.mark.parametrize("k", [2, 5])
def test_coverage_and_diversity_equal_pyg_s(k: int):
    """Its diversity is of categories: vectors with a one each."""
    rng = np.random.default_rng(k)
    lists = np.stack([rng.permutation(20)[:k] for _ in range(12)])
    category = rng.integers(0, 4, 20)
    pairs = torch.zeros((2, 1), dtype=torch.long)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        theirs = LinkPredDiversity(k, torch.from_numpy(category))
        theirs.update(torch.from_numpy(lists), pairs)
        assert beyond_accuracy.diversity(lists, np.eye(4)[category]).mean() == pytest.approx(
            float(theirs.compute()), abs=1e-9
        )
        shown = LinkPredCoverage(k, 20)
        shown.update(torch.from_numpy(lists), pairs)
        assert beyond_accuracy.coverage(lists, np.ones(20, bool)) == pytest.approx(
            float(shown.compute()), abs=1e-9
        )
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("seed", range(4))
def test_serendipity_counts_hits_that_are_not_the_most_popular(seed: int):
    lists, rng = drawn(seed)
    counts = rng.integers(0, 4, 20)
    seen = sp.csr_matrix(rng.random((12, 20)) < rng.choice([0, 0.3, 0.8], (12, 1)))
    # no model lists what was seen
    lists = np.where(seen.toarray()[np.arange(12)[:, None], lists], -1, lists)
    taken = (rng.random(lists.shape) < 0.5) & (lists >= 0)
    found = beyond_accuracy.serendipity(lists, taken, counts, seen)
    order = np.argsort(-counts, kind="stable").tolist()
    for row, value in enumerate(found):
        popular = [item for item in order if not seen[row, item]][: lists.shape[1]]
        hits = set(lists[row][taken[row]].tolist())
        assert value == pytest.approx(len(hits - set(popular)) / lists.shape[1], abs=1e-12)
    assert found.any()


def test_calibration_by_hand():
    """Items of class a, of b, of both and of none; the history is three parts a to one part b."""
    classes = sp.csr_matrix(np.array([[1, 0], [0, 1], [1, 1], [0, 0]], float))
    history = sp.csr_matrix(np.array([[1, 0, 1, 0]] * 4 + [[0, 0, 0, 1]], float))
    lists = np.array([[0, 2], [1, -1], [3, -1], [-1, -1], [0, 1]])
    found = beyond_accuracy.calibration(lists, history, classes, smoothing=0.01)
    only_b = 0.75 * math.log(0.75 / (0.01 * 0.75)) + 0.25 * math.log(0.25 / (0.99 + 0.01 * 0.25))
    np.testing.assert_allclose(found, [0, only_b, -math.log(0.01), NAN, NAN], atol=1e-9)
    assert classes.toarray().tolist() == [[1, 0], [0, 1], [1, 1], [0, 0]]


def test_exposure_by_hand():
    """Items 0 to 3 are of group 0, item 1 of group 1 as well, items 4 and 5 of group 1; group 2 has no item."""
    groups = sp.csr_matrix(
        np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]], float)
    )
    second, third = 1 / math.log2(3), 1 / 2
    one, other = 1 + second / 2 + third + second + third / 2, second / 2 + 1 + 1 + third / 2
    lists = np.array([[0, 1, 3], [4, -1, -1], [-1, -1, -1], [5, 3, 1]], np.int32)
    shares = beyond_accuracy.exposure_shares(lists, groups)
    np.testing.assert_allclose(shares, [one / (one + other), other / (one + other), 0])
    gap = abs(shares[0] - 0.5) / 2 + abs(shares[1] - 0.5) / 2
    assert beyond_accuracy.exposure_gap(shares, groups) == pytest.approx(gap)
    assert beyond_accuracy.exposure_shares(lists[2:3], groups).tolist() == [0, 0, 0]
    assert math.isnan(beyond_accuracy.exposure_gap(np.zeros(0), groups[:, :0]))
