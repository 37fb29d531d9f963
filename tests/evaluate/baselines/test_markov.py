"""Counts of what follows, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from baseline_examples import ordered_data, ordered_histories

from kgrec.evaluate.baselines.markov import MarkovChain

#: 1 follows 0 and 2 follows 1 once; 2 follows 0 once with one item between, and once without
DATA = ordered_data([[0, 1, 2], [0, 2]], 4)


@pytest.mark.parametrize(
    ("options", "history", "expected"),
    [
        # first order, no skips: what stood next to the newest item
        (MarkovChain(0.0, 0.0), [0, 1], [0, 0, 1, 0]),
        (MarkovChain(0.0, 0.0), [1, 0], [0, 1, 1, 0]),
        # c_02 = 1 + .5, and the older of two items counts half
        (MarkovChain(0.5, 0.0), [0, 1], [0, 0.5, 0.5 * 1.5 + 1, 0]),
        (MarkovChain(0.5, 0.0), [1, 0], [0, 1, 1.5 + 0.5, 0]),
        # probabilities: 1 and 1.5 of 2.5 after item 0
        (MarkovChain(0.5, 1.0), [0], [0, 0.4, 0.6, 0]),
        (MarkovChain(0.5, 0.5), [0], [0, 2.5**-0.5, 1.5 * 2.5**-0.5, 0]),
        (MarkovChain(), [3], [0, 0, 0, 0]),
    ],
)
def test_scores_are_sums_of_what_followed(options: MarkovChain, history: list[int], expected: list[float]):
    (scores,) = options.fit(DATA).scores(ordered_histories([history], 4))
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_only_the_newest_twenty_items_count():
    data = ordered_data([[0, 1], [2, 3]], 30)
    history = [0, *range(4, 24), 2]
    (scores,) = MarkovChain(1.0, 0.0).fit(data).scores(ordered_histories([history], 30))
    assert scores[3] == 1 and scores[1] == 0
