"""Ordered SLIM against its formula."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from kgrec.graph.histories import Histories
from kgrec.rank.ordered_slim import contexts, following_weights


def histories(*users: list[int], n_items: int) -> Histories:
    """Items of each user, oldest first."""
    item = np.concatenate(users).astype(np.int32)
    user = np.repeat(np.arange(len(users)), [len(one) for one in users]).astype(np.int32)
    time = np.concatenate([np.arange(1, len(one) + 1) for one in users]).astype(np.int64)
    n = len(item)
    table = pa.table(
        {
            "user": user,
            "item": item,
            "positive": np.ones(n, bool),
            "weight": np.ones(n, np.float32),
            "count": np.ones(n, np.int32),
            "time": time,
        }
    )
    return Histories.from_arrow(table, len(users), n_items, ordered=True)


def test_contexts_by_hand():
    before, targets = contexts(histories([2, 0, 1], [3], n_items=4), 0.5)
    # item 0 after 2; item 1 after 2, 0
    assert before.toarray().tolist() == [[0, 0, 1, 0], [1, 0, 0.5, 0]]
    assert targets.indices.tolist() == [0, 1]


def test_rows_are_ridge_regressions_of_the_next_item():
    rng = np.random.default_rng(0)
    users = [rng.permutation(8)[: rng.integers(2, 9)].tolist() for _ in range(60)]
    some = histories(*users, n_items=8)
    (weights,) = following_weights(some, (3.0,), 0.6, 100)
    before, targets = (part.toarray().astype(np.float64) for part in contexts(some, 0.6))
    for item in range(8):
        product = before.T @ targets[:, item]
        among = [j for j in np.flatnonzero(product) if j != item]
        gram = before[:, among].T @ before[:, among] + 3 * np.eye(len(among))
        row = np.zeros(8)
        row[among] = np.linalg.solve(gram, product[among])
        np.testing.assert_allclose(weights.toarray()[item], row, atol=1e-4)


def test_what_follows_weighs_more_than_what_precedes():
    some = histories(*([0, 1, 2] for _ in range(20)), n_items=3)
    (weights,) = following_weights(some, (1.0,), 0.5, 10)
    dense = weights.toarray()
    assert dense[1, 0] > 0.5 and dense[0, 1] == 0 and dense[2, 1] > dense[2, 0]


@pytest.mark.parametrize("lengths", [[], [1]])
def test_without_pairs_there_are_no_weights(lengths: list[int]):
    some = histories([], *([0] for _ in lengths), n_items=3)
    (weights,) = following_weights(some, (1.0,), 0.5, 10)
    assert weights.shape == (3, 3) and not weights.nnz
