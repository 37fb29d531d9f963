"""Lists are what a stable sort of everything gives, whatever is tied."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from kgrec.metrics.topk import gains, ranked, top


def by_sorting(scores: np.ndarray, k: int, barred: np.ndarray) -> list[list[int]]:
    lists = []
    for row, out in zip(scores, barred, strict=True):
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
def test_it_is_a_stable_sort(n_users, n_items, k, levels, seed):
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


def test_gains_are_where_the_truth_is():
    truth = sp.csr_matrix(np.array([[1, 0, 1], [0, 0, 0], [0, 1, 1]]))
    lists = np.array([[2, 1, -1], [0, 1, 2], [-1, -1, -1]], np.int32)
    assert gains(lists, truth).tolist() == [[True, False, False], [False] * 3, [False] * 3]
