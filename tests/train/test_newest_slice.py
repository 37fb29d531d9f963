"""What is new, what is held out, and when a model is worse than its parent."""

from __future__ import annotations

import math

import models
import numpy as np
import pytest
import scipy.sparse as sp

from kgrec.graph.histories import Histories
from kgrec.train.newest_slice import Comparison, compared, new_rows, newest


def histories(rows: list[tuple[int, int, bool, int]], n_users: int, timed: bool = True) -> Histories:
    """Rows of (user, item, liked, time) over five items, in the order of `Histories`."""
    rows = sorted(rows, key=lambda row: (row[0], row[3], row[1]))
    user, item, liked, time = (np.array(column) for column in zip(*rows, strict=True))
    return Histories(
        5,
        np.concatenate([[0], np.cumsum(np.bincount(user, minlength=n_users))]),
        item.astype(np.int32),
        liked.astype(bool),
        liked.astype(np.float32),
        np.ones(len(item), np.int32),
        time.astype(np.int64) if timed else None,
        ordered=True,
    )


BEFORE = [(0, 0, True, 1), (0, 1, False, 2), (1, 2, True, 3)]
#: user 0 has item 1 as liked now, and item 3; user 2 is new; the time of (1, 2) alone is no news
AFTER = [
    (0, 0, True, 1),
    (0, 1, True, 9),
    (0, 3, True, 5),
    (1, 2, True, 7),
    (2, 4, True, 6),
    (2, 0, False, 8),
]


def test_new_rows_are_new_pairs_and_changed_opinions():
    after = histories(AFTER, 3)
    new = new_rows(histories(BEFORE, 2), after)
    pairs = list(zip(after.users().tolist(), after.item.tolist(), strict=True))
    assert {pair for pair, one in zip(pairs, new, strict=True) if one} == {(0, 1), (0, 3), (2, 4), (2, 0)}


@pytest.mark.parametrize(
    ("share", "held"), [(0.2, {(0, 1)}), (0.5, {(0, 1), (2, 4)}), (1.0, {(0, 1), (2, 4), (0, 3)})]
)
def test_the_newest_liked_rows_are_held_out(share: float, held: set[tuple[int, int]]):
    after = histories(AFTER, 3)
    rows = newest(after, new_rows(histories(BEFORE, 2), after), share)
    assert set(zip(after.users()[rows].tolist(), after.item[rows].tolist(), strict=True)) == held


def test_without_times_the_last_rows_of_histories_are_the_newest():
    after = histories([(0, 0, True, 1), (0, 1, True, 2), (0, 2, True, 3), (1, 3, True, 1)], 2, timed=False)
    rows = newest(after, np.ones(4, bool), 0.5)
    assert set(zip(after.users()[rows].tolist(), after.item[rows].tolist(), strict=True)) == {(0, 2), (1, 3)}


def test_a_single_new_row_is_learned_and_not_held_out():
    after = histories(AFTER, 3)
    only = np.zeros(6, bool)
    only[0] = True
    assert not newest(after, only, 0.2).any()


def test_models_are_compared_on_the_held_out_items_of_users_with_a_history():
    """User 0 liked item 0 and then 1, user 1 item 2 and then 3; user 2 has nothing before. The good model lists these first."""
    whole = histories(
        [(0, 0, True, 1), (0, 1, True, 5), (1, 2, True, 1), (1, 3, True, 5), (2, 4, True, 5)], 3
    )
    held = whole.time == 5
    shown = whole.of_rows(~held)
    near = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [-1, -1]], np.float32)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    good = models.model(models.items(near), sp.csr_matrix((3, 5), dtype=np.float32))
    bad = models.with_vectors(good, near[[0, 3, 2, 1, 4]])
    found = compared(bad, good, shown, held, whole, seed=0)
    assert (found.k, found.users) == (20, 2)
    # the other item is second of four at best: in the bad model it comes after the near one
    assert found.after == 1.0
    assert found.before == pytest.approx(1 / math.log2(3))
    assert not found.is_worse
    reverse = compared(good, bad, shown, held, whole, seed=0)
    # both of two users lose by chance in half of the cases
    assert reverse.high < 0 and reverse.p == 0.5 and not reverse.is_worse
    assert compared(good, good, shown, held, whole, seed=0).high == 0


def test_nobody_to_compare_is_nothing_worse():
    whole = histories([(0, 0, True, 1)], 1)
    one = models.model(models.items(np.eye(5, 2)), sp.csr_matrix((1, 5), dtype=np.float32))
    found = compared(one, one, whole.of_rows(np.zeros(1, bool)), np.ones(1, bool), whole, seed=0)
    assert found.users == 0 and math.isnan(found.after) and not found.is_worse


@pytest.mark.parametrize(("after", "p", "worse"), [(0.4, 0.01, True), (0.4, 0.06, False), (0.6, 0.01, False)])
def test_worse_is_a_loss_that_is_no_accident(after: float, p: float, worse: bool):
    assert Comparison(20, 9, 0.5, after, -0.2, 0.1, p).is_worse is worse
