"""Drift of shares, on counts written out."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from kgrec.evaluate.drift import shares
from kgrec.evaluate.drift.recent import Sample
from kgrec.evaluate.drift.shares import Binned

DAY = 86_400
NOW = 1_700_000_000


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def sample(user: list[int], item: list[int], time: list[int] | None = None) -> Sample:
    stamps = None if time is None else NOW + DAY * np.array(time, np.int64)
    return Sample(np.array(user, np.int64), np.array(item, np.int64), stamps)


def binned(users: int, each: list[int]) -> Binned:
    """Every user has as many rows in each bin as `each` says."""
    bins = np.tile(np.repeat(np.arange(len(each)), each), users)
    return Binned(
        sp.csr_matrix(np.eye(len(each))[bins]), np.repeat(np.arange(users, dtype=np.int64), sum(each))
    )


def test_equal_shares_are_no_shift():
    check = shares.shift("s", "", binned(40, [1, 3]), binned(50, [1, 3]), ["a", "b"], rng())
    assert check.value == pytest.approx(0, abs=1e-4)
    assert [(part.name, round(part.reference, 2), round(part.recent, 2)) for part in check.parts] == [
        ("a", 0.25, 0.25),
        ("b", 0.75, 0.75),
    ]


def test_a_shift_that_all_users_share_is_certain():
    check = shares.shift("s", "", binned(40, [1, 3]), binned(40, [3, 1]), ["a", "b"], rng())
    # .5 ln 3 twice
    assert check.value == pytest.approx(np.log(3), abs=0.03)
    assert check.p is not None and check.p < 0.001


def test_a_shift_of_one_user_is_chance():
    """One user has half of the rows, all in one bin: that says nothing about the others."""
    recent = binned(60, [1, 1])
    one = Binned(sp.csr_matrix(np.tile([1.0, 0.0], (120, 1))), np.full(120, 99))
    both = Binned(sp.csr_matrix(sp.vstack([recent.bins, one.bins])), np.r_[recent.user, one.user])
    check = shares.shift("s", "", binned(60, [1, 1]), both, ["a", "b"], rng())
    assert check.value is not None and check.value > 0.25
    assert check.p is not None and check.p > 0.05


@pytest.mark.parametrize(("users", "rows"), [(29, 4), (40, 2)])
def test_few_users_or_rows_are_not_measured(users: int, rows: int):
    check = shares.shift(
        "s", "", binned(60, [2, 2]), binned(users, [rows // 2, rows // 2]), ["a", "b"], rng()
    )
    assert (check.value, check.p) == (None, None)
    assert "100 rows before and after, and 30 recent users" in check.note


def test_only_a_rise_of_new_ones_counts():
    more, fewer = binned(60, [2, 2]), binned(60, [3, 1])
    fell = shares.shift("s", "", more, fewer, ["known", "new"], rng(), only_rise_of=1)
    rose = shares.shift("s", "", fewer, more, ["known", "new"], rng(), only_rise_of=1)
    assert fell.p == 1
    assert rose.p is not None and rose.p < 0.001


def test_rare_bins_are_put_together():
    reference, recent = binned(60, [50, 50, 1, 1]), binned(60, [1, 1, 0, 0])
    # 120 recent rows: 1.2 are expected in each of the rare bins
    check = shares.shift("s", "", reference, recent, list("abcd"), rng())
    assert [part.name for part in check.parts] == ["a", "b", "others"]


def test_an_interaction_does_not_count_for_its_own_item():
    """120 users with an item of their own each: no other user has it. Recent ones with such items find one other user."""
    learned = sample([*range(120)], [*range(120)])
    recent = sample([*range(120)], [*range(1, 120), 0])
    check = shares.popularity(learned, recent, 120, rng())
    assert [part.name for part in check.parts] == ["0 and more"]
    again = shares.popularity(learned, learned, 120, rng())
    assert again.value == pytest.approx(0)


def test_an_item_of_two_categories_counts_half_for_each():
    links = sp.csr_matrix(np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]))
    learned = sample([*range(120)], [0, 1, 2] * 40)
    check = shares.categories("genre", learned, learned, links, ["a", "b"], rng())
    found = {part.name: round(part.recent, 2) for part in check.parts}
    assert found == {"a": 0.5, "b": 0.17, "none": 0.33}


def test_the_last_stretch_is_as_long_as_recent_time():
    learned = sample([0, 0, 1, 1], [0, 1, 0, 1], [0, 5, 17, 20])
    found = shares.stretches(learned, sample([0, 1], [2, 2], [21, 26]))
    assert found is not None
    assert found.inside.tolist() == [False, False, True, True]


@pytest.mark.parametrize("time", [None, [10, 25], [21, 35]], ids=["no times", "overlap", "too long"])
def test_there_is_no_such_stretch(time: list[int] | None):
    learned = sample([0, 0, 1, 1], [0, 1, 0, 1], [0, 5, 17, 20])
    assert shares.stretches(learned, sample([0, 1], [2, 2], time)) is None


def test_usual_new_users_are_those_of_the_last_stretch():
    """Each day a new user comes and has four interactions: that goes on, so nothing is new about new users."""
    user = np.repeat(np.arange(150), 4).tolist()
    item = [0, 1, 2, 3] * 150
    whole = sample(user, item, np.repeat(np.arange(150), 4).tolist())
    assert whole.time is not None
    old = whole.time < NOW + 110 * DAY
    learned, recent = whole.rows(old), whole.rows(~old)
    since = shares.stretches(learned, recent)
    assert since is not None
    check = shares.new_users(learned, recent, since, rng())
    assert [round(part.reference, 1) for part in check.parts] == [0, 1]
    assert check.value == pytest.approx(0, abs=0.01)
