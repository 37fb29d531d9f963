"""What validation asks."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from kgrec.graph.histories import Histories
from kgrec.train.validation import ValidationSplit, moments_of


def in_order(*users: list[int], n_items: int) -> Histories:
    """Items of each user, oldest first."""
    matrix, stamps = np.zeros((2, len(users), n_items), np.float32)
    for user, items in enumerate(users):
        matrix[user, items], stamps[user, items] = 1, np.arange(1, len(items) + 1)
    return Histories.of_matrix(sp.csr_matrix(matrix), sp.csr_matrix(stamps))


def held(*pairs: tuple[int, int], shape: tuple[int, int]) -> sp.csr_matrix:
    matrix = np.zeros(shape, np.float32)
    for pair in pairs:
        matrix[pair] = 1
    return sp.csr_matrix(matrix)


def test_each_held_out_interaction_is_asked_for_with_what_came_before():
    whole = in_order([2, 0, 1, 3], [1, 2], n_items=4)
    queries = moments_of(whole, held((0, 1), (0, 3), (1, 2), shape=(2, 4)), np.zeros(4, bool), 10, 0)
    assert queries.truth.indices.tolist() == [1, 3, 2]
    assert [queries.histories.matrix()[[row]].indices.tolist() for row in range(3)] == [
        [0, 2],
        [0, 1, 2],
        [1],
    ]
    # lags by item: of the second query, item 1 is the newest, then 0, then 2
    assert queries.histories.lags.tolist() == [0, 1, 1, 0, 2, 0]
    assert (queries.seen != queries.histories.matrix(positive_only=False)).nnz == 0


def test_no_history_has_an_item_that_is_held_out_whole_and_none_is_empty():
    whole = in_order([2, 0, 1], [2, 1], n_items=3)
    new = np.array([False, False, True])
    queries = moments_of(whole, held((0, 2), (0, 1), (1, 2), (1, 1), shape=(2, 3)), new, 10, 0)
    # the first item of a user has nothing before it; item 1 of the second user has only the new item before it
    assert queries.truth.indices.tolist() == [1]
    assert queries.histories.matrix().indices.tolist() == [0]


def test_many_moments_are_drawn_by_the_seed():
    whole = in_order(list(range(30)), n_items=30)
    everything = held(*((0, item) for item in range(1, 30)), shape=(1, 30))
    one, same, other = (moments_of(whole, everything, np.zeros(30, bool), 5, seed) for seed in (0, 0, 1))
    assert len(one) == 5
    assert one.truth.indices.tolist() == same.truth.indices.tolist() != other.truth.indices.tolist()


def test_without_moments_a_query_is_a_user():
    training = held((0, 0), (1, 1), shape=(3, 3))
    split = ValidationSplit.of(Histories.of_matrix(training), held((0, 2), (2, 1), shape=(3, 3)))
    assert len(split.queries) == 1 and split.queries.truth.indices.tolist() == [2]


def test_unwanted_items_leave_the_moments():
    whole = in_order([0, 1, 2], n_items=3)
    new = np.array([False, False, True])
    moments = moments_of(whole, held((0, 1), (0, 2), shape=(1, 3)), new, 10, 0)
    split = ValidationSplit(
        whole.of_items(~new), held((0, 1), shape=(1, 3)), ~new & new, new, ~new & new, whole.matrix(), moments
    )
    assert split.queries.truth.indices.tolist() == [1, 2]
    assert split.if_unwanted.queries.truth.indices.tolist() == [1]
