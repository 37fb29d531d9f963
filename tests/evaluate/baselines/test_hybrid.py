"""The hybrid of two baselines."""

from __future__ import annotations

import numpy as np
from baseline_examples import example_data

from kgrec.evaluate.baselines.content import ContentTfidf
from kgrec.evaluate.baselines.hybrid import Hybrid
from kgrec.evaluate.baselines.item_knn import ItemKNN


def test_a_hybrid_is_the_weighted_sum_of_its_scaled_parts():
    data = example_data()
    one, other = (part.fit(data).scores(data.histories) for part in (ItemKNN(), ContentTfidf()))
    found = Hybrid(share=0.3).fit(data).scores(data.histories)
    for user in range(1, 40):
        expected = 0.7 * one[user] / one[user].max() + 0.3 * other[user] / other[user].max()
        np.testing.assert_allclose(found[user], expected, rtol=1e-5)
