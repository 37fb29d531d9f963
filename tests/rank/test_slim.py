import numpy as np
import pytest
import scipy.sparse as sp

from kgrec.rank import slim
from kgrec.rank.slim import co_counts, item_weights, no_weights


def interactions(n_users: int, n_items: int, seed: int = 0) -> sp.csr_matrix:
    """Random interactions; the last item has none."""
    dense = (np.random.default_rng(seed).random((n_users, n_items)) < 0.3).astype(np.float32)
    dense[:, -1] = 0
    return sp.csr_matrix(dense)


def ridge(x: np.ndarray, item: int, among: np.ndarray, penalty: float) -> np.ndarray:
    """The minimiser of |x_i - X_N w|^2 + penalty |w|^2."""
    part = x[:, among]
    return np.linalg.solve(part.T @ part + penalty * np.eye(len(among)), part.T @ x[:, item])


def check_nearest(x: np.ndarray, item: int, among: np.ndarray, most: int) -> None:
    """Of the items that share a user with `item`, `among` have the largest cosines; ties may be broken either way."""
    co_occurrence = x.T @ x[:, item]
    co_occurrence[item] = 0
    cosine = co_occurrence / np.sqrt(np.maximum((x**2).sum(axis=0), 1))
    assert len(among) == min(most, np.count_nonzero(co_occurrence))
    left = np.setdiff1d(np.arange(x.shape[1]), among)
    assert (cosine[among] > 0).all() and (cosine[among, None] >= cosine[left] - 1e-5).all()


# 150 items are more than one batch of systems
@pytest.mark.parametrize(("n_items", "most"), [(9, 100), (9, 3), (150, 7)])
def test_each_row_is_the_ridge_over_the_nearest_items(n_items, most):
    positives = interactions(40, n_items)
    x = positives.toarray().astype(np.float64)
    found = item_weights(positives, (2.0, 50.0), most)
    for penalty, weights in zip((2.0, 50.0), found, strict=True):
        assert weights.shape == (n_items, n_items) and weights.dtype == np.float32
        for item in range(n_items):
            row = weights[[item]]
            check_nearest(x, item, row.indices, most)
            np.testing.assert_allclose(row.data, ridge(x, item, row.indices, penalty), atol=1e-4)
        assert not weights.diagonal().any()


def test_two_items_by_hand():
    """Three users have item 0, two of these item 1 too, one has item 1 alone: 2 / (3 + penalty)."""
    positives = sp.csr_matrix(np.array([[1, 1], [1, 1], [1, 0], [0, 1]], np.float32))
    (weights,) = item_weights(positives, (5.0,), 10)
    np.testing.assert_allclose(weights.toarray(), [[0, 2 / 8], [2 / 8, 0]], rtol=1e-6)


def test_an_item_that_shares_no_user_with_others_has_no_weights():
    positives = sp.csr_matrix(np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0]], np.float32))
    (weights,) = item_weights(positives, (1.0,), 10)
    assert np.diff(weights.indptr).tolist() == [1, 1, 0, 0]
    assert not weights.toarray()[:, 2:].any()


def test_without_interactions_there_are_no_weights():
    (weights,) = item_weights(sp.csr_matrix((3, 4), dtype=np.float32), (1.0,), 10)
    assert weights.shape == (4, 4) and weights.nnz == 0
    nothing = no_weights(2, 4)
    assert nothing.shape == (2, 4) and nothing.nnz == 0 and nothing.dtype == np.float32


def test_counts_are_of_users_whatever_the_stored_values():
    positives = sp.csr_matrix(np.array([[5, 2, 0], [1, 0, 0], [3, 4, 1]], np.float32))
    assert co_counts(positives).toarray().tolist() == [[3, 2, 1], [2, 2, 1], [1, 1, 1]]


def test_selected_rows_equal_those_of_the_whole_matrix():
    positives, some = interactions(40, 150), np.array([0, 3, 149])
    (whole,), (part,) = (item_weights(positives, (2.0,), 7, items) for items in (None, some))
    assert part.shape == whole.shape
    np.testing.assert_allclose(part[some].toarray(), whole[some].toarray(), rtol=1e-6)
    assert np.diff(part.indptr)[np.setdiff1d(np.arange(150), some)].tolist() == [0] * 147


@pytest.mark.parametrize(
    ("lengths", "pairs", "longest"),
    [
        # all fit: 1 + 4 + 16
        ([1, 2, 4], 21, 4),
        # 1 + 4 + 9, and 15 more would be needed for the whole of the third
        ([1, 2, 4], 20, 3),
        # none is whole: three of two
        ([5, 5, 5], 12, 2),
        ([], 5, 0),
        ([0, 0], 5, 0),
    ],
)
def test_the_longest_history_by_hand(lengths, pairs, longest):
    assert slim._max_length(np.array(lengths, np.int64), pairs) == longest


def test_long_histories_are_thinned_evenly_and_short_ones_stay():
    """Every fourth of 40 items remains."""
    positives = sp.csr_matrix(np.array([[1] * 40, [1, 1] + [0] * 38], np.float32))
    thinned = slim.thinned(positives, 104)
    assert thinned[[0]].indices.tolist() == list(range(3, 40, 4))
    assert thinned[[1]].indices.tolist() == [0, 1]
    assert slim.thinned(positives, 1604) is positives
