"""EASE, with values computed by hand and with numpy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from baseline_examples import example_data, matrix

from kgrec.errors import TrainingError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.ease import Ease
from kgrec.graph.histories import Histories


def test_ease_by_hand():
    """Two items, three users each, two of them shared: the inverse of [[3 + 1, 2], [2, 3 + 1]] is [[4, -2], [-2, 4]] / 12."""
    scores = (
        Ease(1.0)
        .fit(BaselineData(matrix([[1, 1], [1, 1], [1, 0], [0, 1]])))
        .scores(Histories.of_matrix(matrix([[1, 0], [1, 1]])))
    )
    np.testing.assert_allclose(scores, [[0, 1 / 2], [1 / 2, 1 / 2]], rtol=1e-6)


@pytest.mark.parametrize("n_items", [12, 1100])
def test_ease_equals_its_definition(n_items: int):
    """1,100 items are more than one block of rows."""
    data = example_data(n_users=60, n_items=n_items)
    x = data.positives.toarray().astype(np.float64)
    inverse = np.linalg.inv(x.T @ x + 50.0 * np.eye(n_items))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    np.testing.assert_allclose(Ease(50.0).fit(data).scores(data.histories), x @ weights, atol=1e-4)


def test_ease_does_not_start_without_enough_memory():
    data = BaselineData(sp.csr_matrix((3, 50_000), dtype=np.float32))
    with pytest.raises(
        TrainingError, match=r"EASE of 50,000 items needs 20\.0 GB of memory, but the limit is 8\.0 GB\."
    ):
        Ease(memory=8.0).fit(data)
