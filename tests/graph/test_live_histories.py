"""Histories that grow, against the histories of one log that has all interactions."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgrec.graph.histories import Histories
from kgrec.graph.interactions import Interactions
from kgrec.graph.live_histories import LiveHistories, NewInteractions
from kgrec.graph.vocabulary import Vocabulary

N_ITEMS, N_USERS = 4, 5
DAY = 86_400


def interactions(rows: list[tuple[int, int, bool, int]], *, timed: bool) -> Interactions:
    """Of rows of user, item, positive and day, where the last of equal times is the last row."""
    user, item, positive, day = (np.array([row[at] for row in rows], np.int64) for at in range(4))
    log = Interactions(
        Vocabulary([f"u{n}" for n in range(N_USERS)]),
        Vocabulary([f"i{n}" for n in range(N_ITEMS)]),
        user.astype(np.int32),
        item.astype(np.int32),
        positive.astype(bool),
        np.ones(len(rows), np.int32),
        # decides between simultaneous rows, as the position does
        value=np.arange(len(rows), dtype=np.float32),
        time=day * DAY if timed else None,
    )
    return log._distinct()


def new(log: Interactions) -> NewInteractions:
    return NewInteractions(log.user.astype(np.int64), log.item, log.positive, log.count, log.time)


def plain(histories: Histories) -> dict[str, Any]:
    values = {field.name: getattr(histories, field.name) for field in fields(Histories)}
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()
    }


ROWS = st.lists(
    st.tuples(st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1), st.booleans(), st.integers(1, 6)),
    min_size=1,
    max_size=12,
)


@given(parts=st.lists(ROWS, min_size=2, max_size=4), half_life=st.sampled_from([None, 2.0]))
def test_histories_that_grew_are_those_of_the_whole_log(parts, half_life):
    first = Histories.of(interactions(parts[0], timed=True), half_life)
    live = LiveHistories.of(first)
    for part in parts[1:]:
        live = live.with_interactions(new(interactions(part, timed=True)), half_life)
    whole = Histories.of(interactions([row for part in parts for row in part], timed=True), half_life)
    assert plain(live.whole) == plain(whole)
    some = np.array([4, 0, 4])
    assert plain(live.take(some)) == plain(whole.take(some))
    assert live.has_positive.tolist() == whole.has_positive.tolist()
    # what was read of the first ones stays
    assert plain(first) == plain(Histories.of(interactions(parts[0], timed=True), half_life))


def test_without_times_items_keep_their_order_and_the_added_row_decides():
    known = Histories.of(interactions([(0, 2, True, 0), (0, 1, True, 0), (1, 3, True, 0)], timed=False))
    added = NewInteractions(
        np.array([0, 0]), np.array([2, 0], np.int32), np.array([False, True]), np.array([3, 1], np.int32)
    )
    live = LiveHistories.of(known).with_interactions(added)
    assert plain(live.take(np.array([0]))) == {
        "n_items": 4,
        "indptr": [0, 3],
        "item": [0, 1, 2],
        "positive": [True, True, False],
        "weight": [1, 1, 0],
        "count": [1, 1, 4],
        "time": None,
        "ordered": False,
    }
    assert not live.ordered and not live.has_times


def test_times_among_histories_without_them_give_an_order():
    """What has no time is oldest, as in a log with empty times."""
    known = Histories.of(interactions([(0, 2, True, 0), (0, 1, True, 0)], timed=False))
    added = NewInteractions(
        np.array([0, 0]),
        np.array([3, 0], np.int32),
        np.array([True, True]),
        np.array([1, 1], np.int32),
        np.array([50, 90]),
    )
    live = LiveHistories.of(known).with_interactions(added)
    user = live.take(np.array([0]))
    assert user.item.tolist() == [1, 2, 3, 0] and user.time.tolist() == [0, 0, 50, 90] and user.ordered
    again = Histories.from_arrow(live.to_arrow(), len(live), 4, live.ordered)
    assert plain(again) == plain(live.whole)


def test_what_is_added_to_positions_comes_last():
    """Whether it has times or not; of two rows of an item the added one counts."""
    user, item = np.array([0, 0, 1], np.int32), np.array([2, 1, 3], np.int32)
    rows = replace(interactions([(0, 2, True, 0)], timed=False), user=user, item=item, value=None)
    whole = replace(rows, positive=np.ones(3, bool), count=np.ones(3, np.int32), position=np.array([4, 9, 1]))
    known = Histories.of(whole)
    assert known.item.tolist() == [2, 1, 3] and known.ordered and known.time is None
    both = np.ones(3, bool), np.ones(3, np.int32)
    added = NewInteractions(np.array([0, 0, 5]), np.array([3, 2, 0], np.int32), *both)
    live = LiveHistories.of(known).with_interactions(added)
    assert live.ordered and not live.has_times
    assert live.take(np.array([0, 5])).item.tolist() == [1, 3, 2, 0]
    timed = replace(added, time=np.array([70, 60, 1]))
    after = LiveHistories.of(known).with_interactions(timed).take(np.array([0]))
    assert after.item.tolist() == [1, 2, 3] and after.time is None and after.count.tolist() == [1, 2, 1]
    assert plain(Histories.from_arrow(live.to_arrow(), 6, 4, ordered=True)) == plain(live.whole)


def test_new_users_follow_the_known_ones():
    known = Histories.of(interactions([(0, 2, True, 1)], timed=True))
    added = NewInteractions(
        np.array([6, 5]), np.array([1, 0], np.int32), np.array([True, False]), np.array([1, 1], np.int32)
    )
    live = LiveHistories.of(known).with_interactions(added)
    assert len(live) == 7 and len(known) == 5
    assert live.matrix(positive_only=False)[5:].toarray().tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]
    assert live.matrix()[5:].toarray().tolist() == [[0, 0, 0, 0], [0, 1, 0, 0]]
    assert live.has_positive.tolist() == [True, False, False, False, False, False, True]
    with pytest.raises(IndexError):
        live.take(np.array([7]))


def test_an_addition_leaves_the_arrays_of_the_base_alone():
    known = Histories.of(interactions([(0, 2, True, 1), (1, 1, True, 2)], timed=True))
    live = LiveHistories.of(known).with_interactions(new(interactions([(1, 3, True, 3)], timed=True)))
    assert live.base is known
    assert live.changed.tolist() == [1] and live.delta.item.tolist() == [1, 3]
    longer = live.with_items(9)
    assert longer.take(np.array([1])).matrix().shape == (1, 9)
    assert LiveHistories.of(longer) is longer


def test_no_interactions_change_nothing():
    live = LiveHistories.of(Histories.of(interactions([(0, 2, True, 1)], timed=True)))
    nothing = new(replace(interactions([(0, 2, True, 1)], timed=True)).rows(np.zeros(0, np.int64)))
    assert live.with_interactions(nothing) is live


def test_histories_of_some_users_are_emptied():
    known = Histories.of(interactions([(0, 2, True, 1), (1, 1, True, 2)], timed=True))
    live = LiveHistories.of(known).with_interactions(
        new(interactions([(1, 3, True, 3), (2, 0, True, 4)], timed=True))
    )
    emptied = live.without(np.array([1, 2]))
    assert np.diff(emptied.whole.indptr).tolist()[:3] == [1, 0, 0]
    assert np.diff(live.whole.indptr).tolist()[:3] == [1, 2, 1]
    assert LiveHistories.of(known).without(np.zeros(0, np.int64)).whole.item.tolist() == [2, 1]
