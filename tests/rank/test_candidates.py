from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgrec.rank.candidates import RERANKERS, Candidates, Reranker, distinct, longest


def by_hand() -> Candidates:
    """Two users with three candidates each, in no order; items 7 and 4 of the first are equal."""
    return Candidates(
        rows=np.array([[7, 2, 4], [1, 5, -1]]),
        scores=np.array([[0.5, 0.9, 0.5], [0.1, 0.3, -np.inf]], np.float32),
        features={"text": np.array([[70, 20, 40], [10, 50, 0]], np.float32)},
    )


def test_best_first_sorts_candidates_with_their_features():
    ordered = by_hand().best_first()
    assert ordered.rows.tolist() == [[2, 4, 7], [5, 1, -1]]
    assert ordered.features["text"].tolist() == [[20, 40, 70], [50, 10, 0]]
    np.testing.assert_array_equal(
        ordered.scores, np.array([[0.9, 0.5, 0.5], [0.3, 0.1, -np.inf]], np.float32)
    )
    first = ordered.first(2)
    assert (first.rows.tolist(), first.features["text"].tolist()) == ([[2, 4], [5, 1]], [[20, 40], [50, 10]])


@given(data=st.data(), width=st.integers(1, 6), k=st.integers(1, 7))
def test_ties_are_cut_by_row(data: st.DataObject, width: int, k: int):
    rows = data.draw(st.lists(st.permutations(range(width)), min_size=1, max_size=3))
    values = st.sampled_from([0.5, 0.25, 0.0, -np.inf])
    scores = [data.draw(st.lists(values, min_size=width, max_size=width)) for _ in rows]
    best = Candidates(np.array(rows), np.array(scores, np.float32)).best_first().first(k)
    for n, (names, marks) in enumerate(zip(rows, scores, strict=True)):
        expected = sorted(zip(names, marks, strict=True), key=lambda pair: (-pair[1], pair[0]))[:k]
        assert list(zip(best.rows[n].tolist(), best.scores[n].tolist(), strict=True)) == expected


# what every reranker must hold


@pytest.fixture(params=RERANKERS)
def reranker(request: pytest.FixtureRequest) -> Reranker:
    return RERANKERS[request.param]


def test_a_reranker_returns_k_distinct_candidates(reranker: Reranker):
    before = by_hand().best_first()
    for k in (1, 2, 3):
        after = reranker.rerank(before, k)
        assert after.rows.shape == after.scores.shape == (2, k)
        for chosen, offered in zip(after.rows.tolist(), before.rows.tolist(), strict=True):
            assert set(chosen) <= set(offered) and len(set(chosen)) == k
    assert before.rows.tolist() == by_hand().best_first().rows.tolist(), "what it was given stays as it is"


def test_a_reranker_returns_all_of_fewer_candidates(reranker: Reranker):
    assert reranker.rerank(by_hand().best_first(), 9).rows.shape == (2, 3)


def test_the_identity_keeps_the_order_of_the_scores():
    listed = RERANKERS["identity"].rerank(by_hand().best_first(), 2)
    assert listed.rows.tolist() == [[2, 4], [5, 1]]
    assert RERANKERS["identity"].reads == ()


def test_distinct_candidates_stand_once_and_absent_ones_last():
    rows = distinct(np.array([[3, 1, 3, -1], [2, 2, 2, 0], [-1, -1, -1, -1]]))
    assert rows.tolist() == [[1, 3, -1, -1], [0, 2, -1, -1], [-1, -1, -1, -1]]
    assert longest(rows) == 2 and longest(rows[:, :0]) == 0
