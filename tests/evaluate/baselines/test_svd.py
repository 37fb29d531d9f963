"""PureSVD, with values computed with numpy."""

from __future__ import annotations

import numpy as np
from baseline_examples import example_data

from kgrec.evaluate.baselines.svd import PureSVD


def test_pure_svd_projects_on_the_first_factors():
    data = example_data()
    x = data.positives.toarray().astype(np.float64)
    right = np.linalg.svd(x)[2][:3]
    expected = x @ right.T @ right / np.maximum(x.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(PureSVD(3).fit(data).scores(data.histories), expected, atol=1e-5)


def test_pure_svd_with_all_factors_returns_the_history():
    data = example_data()
    lengths = np.maximum(np.diff(data.positives.indptr), 1)[:, None]
    found = PureSVD(500).fit(data).scores(data.histories)
    np.testing.assert_allclose(found * lengths, data.positives.toarray(), atol=1e-5)
