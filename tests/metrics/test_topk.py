"""Lists equal those of a stable sort of all items, ties included."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from kgrec.metrics.topk import gains, ranked, top


def by_sorting(scores: np.ndarray, k: int, excluded: np.ndarray) -> list[list[int]]:
    lists = []
    for row, out in zip(scores, excluded, strict=True):
        order = [
            item for item in np.argsort(-row, kind="stable").tolist() if not out[item] and row[item] > -np.inf
        ]
        lists.append((order[:k] + [-1] * k)[:k])
    return lists


@given(
    n_users=st.integers(0, 6),
    n_items=st.integers(1, 80),
    k=st.integers(1, 90),
    levels=st.sampled_from([1, 2, 5, 10_000]),
    seed=st.integers(0, 10_000),
)
def test_lists_equal_a_stable_sort(n_users, n_items, k, levels, seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, (n_users, n_items)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.05] = -np.inf
    seen = sp.csr_matrix(rng.random(scores.shape) < rng.choice([0, 0.3, 1]))
    only = rng.random(n_items) < rng.choice([0.3, 1])
    expected = by_sorting(scores, k, seen.toarray() | ~only)
    assert top(scores, k, seen, only).tolist() == expected


def test_vectors_in_several_blocks():
    rng = np.random.default_rng(0)
    users, items = rng.normal(size=(7, 4)).astype(np.float32), rng.normal(size=(9, 4)).astype(np.float32)
    seen = sp.csr_matrix(rng.random((7, 9)) < 0.3)
    found = ranked(users, items, 4, seen, entries=18)
    assert found.tolist() == by_sorting(users @ items.T, 4, seen.toarray()) and found.dtype == np.int32
    assert ranked(users[:0], items, 4).shape == (0, 4)


def test_gains_mark_positives():
    truth = sp.csr_matrix(np.array([[1, 0, 1], [0, 0, 0], [0, 1, 1]]))
    lists = np.array([[2, 1, -1], [0, 1, 2], [-1, -1, -1]], np.int32)
    assert gains(lists, truth).tolist() == [[True, False, False], [False] * 3, [False] * 3]


def test_items_with_equal_scores_are_listed_in_their_order():
    scores = np.array([[1, 2, 2, 2, 0], [0, 0, 0, 0, 0], [5, 1, 7, 1, 1]], np.float32)
    assert top(scores, 3).tolist() == [[1, 2, 3], [0, 1, 2], [2, 0, 1]]
    assert top(scores, 9)[:, :5].tolist() == np.argsort(-scores, axis=1, kind="stable").tolist()
    assert (top(scores, 9)[:, 5:] == -1).all()
