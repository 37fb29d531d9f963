"""RP3beta and P3alpha, with values computed by hand."""

from __future__ import annotations

import numpy as np
from baseline_examples import TAKEN, matrix

from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.rp3 import P3alpha, RP3beta
from kgrec.graph.histories import Histories


def test_rp3beta_by_hand():
    """Degrees of items 3, 3, 1; of users 2, 3, 1, 1."""
    scores = (
        RP3beta(1.0, 1.0, 10).fit(BaselineData(matrix(TAKEN))).scores(Histories.of_matrix(matrix(np.eye(4))))
    )
    # from 0 over user 0 (1/3 * 1/2) and user 1 (1/3 * 1/3), then by 1/3 for the popularity of 1
    there = (1 / 6 + 1 / 9) / 3
    to_2, from_2 = 1 / 9, 1 / 3 / 3
    expected = [[0, there, to_2, 0], [there, 0, to_2, 0], [from_2, from_2, 0, 0], [0] * 4]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_p3alpha_by_hand():
    scores = P3alpha(2.0, 10).fit(BaselineData(matrix(TAKEN))).scores(Histories.of_matrix(matrix(np.eye(4))))
    there = 1 / 36 + 1 / 81
    expected = [[0, there, 1 / 81, 0], [there, 0, 1 / 81, 0], [1 / 9, 1 / 9, 0, 0], [0] * 4]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
