"""Similar sessions, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from baseline_examples import ordered_data, ordered_histories

from kgrec.evaluate.baselines.session_knn import SessionKNN

DATA = ordered_data([[0, 1, 2], [0, 2], [3]], 4)
PLAIN = SessionKNN(0.5, neighbors=10, length=10, shrinkage=0.0)


def test_the_newest_items_decide_which_sessions_are_near():
    a, b = 1.5 / 3**0.5, 0.5 / 2**0.5  # of the first two sessions with the history 0, 1
    asked = ordered_histories([[0, 1], [1, 0]], 4)
    c, d = 1.5 / 3**0.5, 1 / 2**0.5  # with 1, 0
    expected = [[a + b, a, a + b, 0], [c + d, c, c + d, 0]]
    np.testing.assert_allclose(PLAIN.fit(DATA).scores(asked), expected, rtol=1e-6)
    nearest = replace(PLAIN, neighbors=1).fit(DATA).scores(asked)
    np.testing.assert_allclose(nearest, [[a, a, a, 0], [c, c, c, 0]], rtol=1e-6)
    shrunk = replace(PLAIN, shrinkage=1.0).fit(DATA).scores(asked)[0]
    np.testing.assert_allclose(shrunk[1], 1.5 / (3**0.5 + 1), rtol=1e-6)


def test_popular_items_are_held_back():
    (scores,) = replace(PLAIN, idf=1.0).fit(DATA).scores(ordered_histories([[1]], 4))
    one = 1 / 3**0.5
    np.testing.assert_allclose(
        scores, [one * np.log(4 / 3), one * np.log(2), one * np.log(4 / 3), 0], rtol=1e-6
    )


def test_a_session_is_the_newest_part_of_a_history():
    (scores,) = replace(PLAIN, length=2).fit(DATA).scores(ordered_histories([[0]], 4))
    np.testing.assert_allclose(scores, [2**-0.5, 0, 2**-0.5, 0], rtol=1e-6)
