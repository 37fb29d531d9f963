"""Popularity, with values computed by hand."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from baseline_examples import TAKEN, matrix

from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.popularity import Popularity
from kgrec.graph.histories import Histories


def test_popularity_by_hand():
    ages = sp.csr_matrix(np.array([[3, 9, 0, 0], [40, 5, 30, 0], [100, 0, 0, 0], [0, 1, 0, 0]], np.float32))
    data = BaselineData(matrix(TAKEN), ages)
    histories = matrix([[0, 0, 0, 0], [1, 0, 0, 0]])
    for window, expected in ((None, [3, 3, 1, 0]), (30.0, [1, 3, 1, 0]), (4.0, [1, 1, 0, 0])):
        assert Popularity(window).fit(data).scores(Histories.of_matrix(histories)).tolist() == [expected] * 2
    assert Popularity(4.0).fit(BaselineData(matrix(TAKEN))).scores(Histories.of_matrix(histories))[
        0
    ].tolist() == [3, 3, 1, 0]
