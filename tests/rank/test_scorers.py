from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from by_hand import HISTORY_WEIGHT, csr, scorers, users

from kgrec.rank.config import ITEM_ITEM, SCORERS
from kgrec.rank.scorers import ItemItemScorer, Scorer, scorers_of_arrays, unit_rows
from kgrec.storage.segments import Rows

NAMES = [name for name in SCORERS if name != "embedding"]
ROOT = np.sqrt(1.25)

#: scorer -> the scores of items 0, 1, 2 for a history of items 0 and 1, which count for 1 and 0.5
EXPECTED = {
    # neighbours (1, 0.5) / root
    "graph": [1 / ROOT, 0.5 / ROOT, (0.6 * 1 + 0.8 * 0.5) / ROOT],
    # text (0.5, 1) / root; item 2 has none
    "text": [1 / ROOT, 0.5 / ROOT, 0],
    # two items of a history of two; what items count for plays no part
    "co_occurrence": [0.2 / np.sqrt(2), 0.2 / np.sqrt(2), (0.5 + 0.3) / np.sqrt(2)],
    # without order each of the two has the mean of 1 and .5, which sum to 1.5
    "sequence": [0.4 * 0.75 / np.sqrt(1.5), 0.2 * 0.75 / np.sqrt(1.5), (0.8 + 0.6) * 0.75 / np.sqrt(1.5)],
    "random_walk": [0.2 / np.sqrt(2), 0.1 / np.sqrt(2), (0.4 - 0.25) / np.sqrt(2)],
}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def scorer(name: str) -> Scorer:
    return scorers()[name]


#: scorer -> a row for another item: its neighbours, its text, its co-occurrence weights
ROWS = {
    "graph": csr([0.8, 0.6]),
    "text": np.array([[1, 0]], np.float32),
    **dict.fromkeys(ITEM_ITEM, csr([0.4, 0, 0])),
}
#: scorer -> the score of that item for the history above
NEW = {
    "graph": (0.8 + 0.3) / ROOT,
    "text": 0.5 / ROOT,
    "co_occurrence": 0.4 / np.sqrt(2),
    "sequence": 0.4 * 0.75 / np.sqrt(1.5),
    "random_walk": 0.4 / np.sqrt(2),
}


def test_every_scorer_of_the_configuration_is_tested():
    assert [*scorers()] == NAMES


def test_scores_are_these_sums(name: str, scorer: Scorer):
    scores = scorer.scores(users([1, 1, 0]), np.array([0, 1, 2]))
    np.testing.assert_allclose(scores, [EXPECTED[name]], rtol=1e-5)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(
        scorer.scores(users([1, 1, 0]), np.array([2]))[0], EXPECTED[name][2:], rtol=1e-5
    )


def test_an_empty_history_scores_zero(scorer: Scorer):
    assert not scorer.scores(users([0, 0, 0]), np.arange(3)).any()
    assert scorer.shares(users([0, 0, 0]), np.arange(2)).shape == (0, 2)


@pytest.mark.parametrize("history", [[1, 1, 0], [0, 0, 1], [1, -0.2, 1]])
def test_shares_of_history_items_add_up_to_the_scores(scorer: Scorer, history: list[float]):
    user, items = users(history), np.array([2, 0, 1])
    shares = scorer.shares(user, items)
    assert shares.shape == (user.histories.nnz, 3)
    np.testing.assert_allclose(shares.sum(axis=0), scorer.scores(user, items)[0], rtol=1e-5, atol=1e-7)


def test_a_new_item_is_scored_beside_the_known(name: str, scorer: Scorer):
    longer = scorer.with_rows(np.array([3]), ROWS[name])
    weight = np.append(HISTORY_WEIGHT, np.float32(1))
    scores = longer.scores(users([1, 1, 0, 0], weight=weight), np.array([3, 2, 0]))
    expected = [NEW[name], EXPECTED[name][2], EXPECTED[name][0]]
    np.testing.assert_allclose(scores, [expected], rtol=1e-3)
    # a history that holds it counts, too: with its own neighbours and text, and with what other items say of it
    own = longer.scores(users([0, 0, 0, 1], weight=weight), np.array([3]))[0, 0]
    assert own == pytest.approx(0 if name in ITEM_ITEM else 1, abs=1e-3)
    np.testing.assert_allclose(scorer.scores(users([1, 1, 0]), np.arange(3)), [EXPECTED[name]], rtol=1e-5)


def test_a_known_item_is_replaced(name: str, scorer: Scorer):
    other = scorer.with_rows(np.array([1]), ROWS[name])
    history = users([1, 0, 0])
    before, after = (one.scores(history, np.arange(3)) for one in (scorer, other))
    np.testing.assert_array_equal(before[:, [0, 2]], after[:, [0, 2]])
    # of item 0 alone: neighbours (1, 0), text (0, 1), one item
    assert after[0, 1] == pytest.approx({"graph": 0.8, "text": 0}.get(name, 0.4), abs=1e-3)


def test_merged_rows_score_the_same(name: str, scorer: Scorer):
    changed = scorer.with_rows(np.array([3, 0]), _twice(ROWS[name]))
    some = users([1, 1, 0, 1], [0, 1, 1, 0], weight=np.append(HISTORY_WEIGHT, np.float32(1)))
    np.testing.assert_array_equal(
        changed.scores(some, np.arange(4)), changed.merged().scores(some, np.arange(4))
    )


def test_arrays_survive_a_round_trip():
    arrays = {array: value for name, one in scorers().items() for array, value in one.arrays(name).items()}
    again = scorers_of_arrays(arrays, 3)
    assert [*again] == NAMES
    for name, scorer in again.items():
        np.testing.assert_array_equal(
            scorer.scores(users([1, 1, 0]), np.arange(3)),
            scorers()[name].scores(users([1, 1, 0]), np.arange(3)),
        )


def test_newer_items_count_more():
    """Item 0 is the older one: its weights are halved."""
    scores = scorers()["sequence"].scores(users([1, 1, 0], lags=[1, 0]), np.arange(3))
    np.testing.assert_allclose(scores, [np.array([0.4, 0.1, 0.4 + 0.6]) / np.sqrt(1.5)], rtol=1e-5)


def test_items_beyond_the_window_do_not_count():
    scorer = ItemItemScorer(Rows.of(csr([0, 1, 1], [1, 0, 1], [1, 1, 0])), decay=0.5, window=1)
    np.testing.assert_allclose(scorer.scores(users([1, 1, 0], lags=[0, 1]), np.arange(3)), [[0, 1, 1]])
    assert scorer.shares(users([1, 1, 0], lags=[0, 1]), np.array([2])).tolist() == [[1], [0]]


def test_the_best_items_are_those_with_the_largest_scores(name: str, scorer: Scorer):
    if name not in ITEM_ITEM:
        return
    assert isinstance(scorer, ItemItemScorer)
    some = users([1, 1, 0], [1, 0, 0])
    scores = np.array([scorer.scores(some[one : one + 1], np.arange(3))[0] for one in range(2)])
    best = scorer.best(some, 3)
    for user, listed in enumerate(best):
        kept = listed[listed >= 0]
        assert kept.tolist() == [row for row in np.argsort(-scores[user]) if scores[user, row] > 0]
    assert (scorer.best(some, 3, exclude=csr([0, 0, 1], [1, 0, 0]))[0] != 2).all()
    assert scorer.best(some, 3, only=np.array([False, False, True]))[:, 0].tolist() == [2, 2]


def test_unit_rows_leave_a_zero_row_zero():
    units = unit_rows(csr([3, 4], [0, 0]))
    np.testing.assert_allclose(units.toarray(), [[0.6, 0.8], [0, 0]], rtol=1e-6)
    assert units.dtype == np.float32


def _twice(rows: np.ndarray | sp.csr_matrix) -> np.ndarray | sp.csr_matrix:
    return np.concatenate([rows, rows]) if isinstance(rows, np.ndarray) else sp.vstack([rows, rows]).tocsr()
