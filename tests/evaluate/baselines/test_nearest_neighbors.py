"""Item-kNN and user-kNN, with values computed by hand and with numpy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from baseline_examples import TAKEN, example_data, matrix

from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.item_knn import ItemKNN
from kgrec.evaluate.baselines.nearest_neighbors import largest
from kgrec.evaluate.baselines.user_knn import UserKNN
from kgrec.graph.histories import Histories


@pytest.mark.parametrize(
    ("similarity", "shrinkage", "expected"),
    [
        # items 0 and 1 share two of three users each; item 2 has one, whom both have
        ("cosine", 0.0, [2 / 3, 1 / 3**0.5, 1 / 3**0.5]),
        ("cosine", 2.0, [2 / 5, 1 / (3**0.5 + 2), 1 / (3**0.5 + 2)]),
        ("jaccard", 0.0, [2 / 4, 1 / 3, 1 / 3]),
        ("jaccard", 1.0, [2 / 5, 1 / 4, 1 / 4]),
        # of 4 users: 2 - 9/4 is below zero; (1 - 3/4) / sqrt(3/4 * 3/4)
        ("pearson", 0.0, [0, 1 / 3, 1 / 3]),
        ("pearson", 1.0, [0, 1 / 7, 1 / 7]),
    ],
)
def test_item_knn_by_hand(similarity: str, shrinkage: float, expected: list[float]):
    fitted = ItemKNN(similarity, 10, shrinkage).fit(BaselineData(matrix(TAKEN)))
    a, b, c = expected
    scores = fitted.scores(Histories.of_matrix(matrix(np.eye(4))))
    np.testing.assert_allclose(scores, [[0, a, b, 0], [a, 0, c, 0], [b, c, 0, 0], [0, 0, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(
        fitted.scores(Histories.of_matrix(matrix([[1, 1, 0, 0]]))), [[a, a, b + c, 0]], rtol=1e-6
    )


def test_an_item_keeps_its_nearest_neighbours_only():
    """Cosines: of 0 with 1: 2/3, with 2: .577; 2 is as near to 0 as to 1, and keeps the first."""
    fitted = ItemKNN("cosine", 1, 0.0).fit(BaselineData(matrix(TAKEN)))
    found = fitted.scores(Histories.of_matrix(matrix(np.eye(4))))
    np.testing.assert_allclose(
        found, [[0, 2 / 3, 1 / 3**0.5, 0], [2 / 3, 0, 0, 0], [0] * 4, [0] * 4], rtol=1e-6
    )


def test_user_knn_by_hand():
    """The history {0, 2} shares items with users 0, 1 and 2: cosines 1/2, 2/sqrt 6, 1/sqrt 2."""
    data, histories = BaselineData(matrix(TAKEN)), matrix([[1, 0, 1, 0]])
    a, b, c = 1 / 2, 2 / 6**0.5, 1 / 2**0.5
    scores = UserKNN("cosine", 10, 0.0).fit(data).scores(Histories.of_matrix(histories))
    np.testing.assert_allclose(scores, [[a + b + c, a + b, b, 0]], rtol=1e-6)
    np.testing.assert_allclose(
        UserKNN("cosine", 2, 0.0).fit(data).scores(Histories.of_matrix(histories)),
        [[b + c, b, b, 0]],
        rtol=1e-6,
    )


@pytest.mark.parametrize("shrinkage", [0.0, 10.0])
def test_item_knn_equals_its_definition(shrinkage: float):
    data = example_data(n_items=60)
    x = data.positives.toarray().astype(np.float64)
    sizes = x.sum(axis=0)
    # equal cosines must be equal to the last bit, for ties to be settled alike
    cosine = x.T @ x / np.maximum(np.sqrt(np.outer(sizes, sizes)) + shrinkage, 1e-12)
    np.fill_diagonal(cosine, 0)
    for item in range(60):  # each column keeps the 7 nearest
        cosine[np.argsort(-cosine[:, item], kind="stable")[7:], item] = 0
    found = ItemKNN("cosine", 7, shrinkage).fit(data).scores(data.histories)
    np.testing.assert_allclose(found, x @ cosine, rtol=1e-5, atol=1e-6)


def test_pearson_is_the_correlation_of_the_columns():
    data = example_data()
    x = data.positives.toarray()[:, :-1]
    shared = x.T @ x > 0
    expected = np.where(shared, np.maximum(np.corrcoef(x.T), 0), 0)
    np.fill_diagonal(expected, 0)
    found = ItemKNN("pearson", 100, 0.0).fit(data).weights
    np.testing.assert_allclose(found.toarray()[:-1, :-1], expected, atol=1e-6)


def test_largest_keeps_the_first_of_equal_entries():
    found = largest(sp.csr_matrix(np.array([[1, 3, 3, 3], [0, -1, 2, 0], [0, 0, 0, 0]], np.float64)), 2)
    assert found.toarray().tolist() == [[0, 3, 3, 0], [0, 0, 2, 0], [0, 0, 0, 0]]
