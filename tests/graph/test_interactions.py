"""Users' interactions with items, read, sorted, counted and split."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgrec.errors import ConfigError, SourceError
from kgrec.graph.interactions import Interactions
from kgrec.graph.interactions import given as given_interactions
from kgrec.graph.vocabulary import Vocabulary
from kgrec.ingest.interaction_rows import InteractionRows

ITEMS = Vocabulary(["a", "b", "c", "d"])
FRAME = pd.DataFrame(
    {
        "user_id": ["u2", "u1", "u1", "u1", "u1", "u1"],
        "item_id": ["a", "d", "b", "a", "c", "a"],
        "stars": [5, 5, 4, 2, 5, 5],
        "when": ["1970-01-01", "1970-01-05", "3600", "1970-01-01T00:00:01", "1970-01-04", "1970-01-03"],
    }
)


def read(**options: Any) -> Interactions:
    return Interactions.from_frame(FRAME, ITEMS, value="stars", time="when", **options)


def test_rows_are_sorted_by_user_and_time_and_pairs_are_kept_once():
    log = read()
    assert [(log.users[u], ITEMS[i]) for u, i in zip(log.user, log.item, strict=True)] == [
        ("u1", "b"),
        ("u1", "a"),
        ("u1", "c"),
        ("u1", "d"),
        ("u2", "a"),
    ]
    assert log.time.tolist() == [3600, 172800, 259200, 345600, 0]
    assert log.value.tolist() == [4, 5, 5, 5, 5] and log.positive.all()
    assert (log.user.dtype, log.item.dtype, log.value.dtype) == (np.int32, np.int32, np.float32)
    # the stars of a are those of day 3, and a stands in the log twice
    assert log.count.tolist() == [1, 2, 1, 1, 1] and log.count.dtype == np.int32


def test_the_condition_marks_what_is_learned_from():
    log = read(positive="> 4")
    assert log.positive.tolist() == [False, True, True, True, True]
    assert log.matrix().toarray().tolist() == [[1, 0, 1, 1], [1, 0, 0, 0]]
    assert log.matrix(positive_only=False).toarray().tolist() == [[1, 1, 1, 1], [1, 0, 0, 0]]
    assert log.matrix().dtype == np.float32


def test_a_split_by_time_holds_out_the_last_positives():
    left, held = read(positive="> 4").split(0.3, np.random.default_rng(0), "time")
    assert held.item.tolist() == [3] and held.users is left.users
    assert len(left) == 4 and left.item.tolist() == [1, 0, 2, 0]


def test_positions_order_the_rows_of_a_user_and_the_latest_of_a_pair_is_kept():
    frame = FRAME.assign(place=[1, 4, 2, 0, 3, 7])
    log = Interactions.from_frame(frame, ITEMS, value="stars", position="place")
    assert [ITEMS[row] for row in log.item] == ["b", "c", "d", "a", "a"] and log.time is None
    assert log.position.tolist() == [2, 3, 4, 7, 1] and log.position.dtype == np.int64
    # of the two rows with a, that of position 7
    assert log.count.tolist() == [1, 1, 1, 2, 1] and log.value.tolist() == [4, 5, 5, 5, 5]
    assert log.ordered and log.stamps is log.position
    left, held = log.split(0.3, np.random.default_rng(0), "time")
    assert [ITEMS[row] for row in held.item] == ["a"] and left.position.tolist() == [2, 3, 4, 1]
    again = Interactions.from_arrow(log.to_arrow(), ITEMS)
    assert again.position.tolist() == log.position.tolist() and again.time is None
    with pytest.raises(ConfigError, match="half_life is set, but the interactions have no times"):
        log.weighted(half_life=1)


def test_rows_may_be_in_the_order_in_which_they_happened():
    log = Interactions.from_frame(FRAME, ITEMS, order="rows")
    assert [ITEMS[row] for row in log.item] == ["d", "b", "c", "a", "a"]
    assert log.position.tolist() == [1, 2, 4, 5, 0]
    with pytest.raises(ConfigError, match="`time:` and `order:` both order the log"):
        Interactions.from_frame(FRAME, ITEMS, time="when", order="rows")


def test_a_position_that_cannot_be_read_is_refused():
    for bad in ("1.5", "-2", "x", str(2**53)):
        with pytest.raises(SourceError, match="1 cells of 'place' cannot be read"):
            Interactions.from_frame(
                FRAME.assign(place=["1", "2", bad, "3", "4", ""]), ITEMS, position="place"
            )
    log = Interactions.from_frame(FRAME.assign(place=["1", "2", "", "3", "4", "5"]), ITEMS, position="place")
    # an empty cell comes first
    assert [ITEMS[row] for row in log.item][:2] == ["b", "d"] and log.position.tolist()[0] == -1


def test_a_random_split_depends_on_the_seed_alone():
    halves = [read().split(0.5, np.random.default_rng(seed)) for seed in (1, 1)]
    assert halves[0][1].item.tolist() == halves[1][1].item.tolist()
    assert len(halves[0][1]) == 2 and (halves[0][1].user == 0).all()


def test_a_split_by_time_needs_times():
    log = Interactions.from_frame(FRAME, ITEMS)
    with pytest.raises(SourceError, match="have no order to split by"):
        log.split(0.1, np.random.default_rng(0), "time")


def test_old_interactions_weigh_less_than_the_user_s_latest():
    weights = read().weighted(half_life=1).toarray()
    # u1 took a, c and d a day after the other, and b an hour into the first; the only one of u2 is the latest
    assert weights == pytest.approx(np.array([[0.25, 2 ** -(4 - 1 / 24), 0.5, 1], [1, 0, 0, 0]]))
    assert read().weighted(half_life=2).toarray()[0, 2] == pytest.approx(0.5**0.5)


def test_an_interaction_of_long_ago_still_is_one():
    weights = read().weighted(half_life=0.001)
    assert weights.nnz == 5 and weights.data.min() == pytest.approx(1e-6)


def test_only_the_positive_ones_say_which_is_the_latest():
    log = Interactions.from_frame(FRAME, ITEMS, value="stars", time="when", positive="< 5")
    assert log.weighted(half_life=1).toarray()[0].tolist() == [0, 1, 0, 0]


def test_a_half_life_needs_times():
    with pytest.raises(ConfigError, match="half_life is set, but the interactions have no times"):
        Interactions.from_frame(FRAME, ITEMS).weighted(half_life=1)


def test_arrow_round_trip():
    log = read(positive="> 4")
    again = Interactions.from_arrow(log.to_arrow(), ITEMS)
    assert again.users == log.users
    for name in ("user", "item", "positive", "count", "value", "time"):
        np.testing.assert_array_equal(getattr(again, name), getattr(log, name))


def test_a_table_of_an_older_version_has_no_counts():
    table = read().to_arrow().drop_columns("count")
    again = Interactions.from_arrow(table, ITEMS)
    assert again.count.tolist() == [1] * 5 and again.count.dtype == np.int32


def test_parts_of_a_log_keep_its_counts():
    log = read(positive="> 4")
    assert log.rows(np.array([1, 4])).count.tolist() == [2, 1]
    left, held = log.split(0.7, np.random.default_rng(0), "time")
    assert (left.item.tolist(), left.count.tolist()) == ([1, 0, 0], [1, 2, 1])
    assert (held.item.tolist(), held.count.tolist()) == ([2, 3], [1, 1])
    assert Interactions.none(ITEMS).count.dtype == np.int32


def test_weights_are_those_of_the_matrix():
    log = read(positive="> 4")
    assert log.weights().tolist() == [0, 1, 1, 1, 1] and log.weights().dtype == np.float32
    # the latest positive row of u1 is of day 4, those before it of days 2 and 3
    assert log.weights(half_life=1).tolist() == [0, 0.25, 0.5, 1, 1]


ROWS = st.tuples(st.sampled_from("uvw"), st.sampled_from("abcd"), st.integers(1, 5), st.integers(0, 3))


@pytest.mark.parametrize(
    "named", [{}, {"value": "stars"}, {"time": "when"}, {"value": "stars", "time": "when"}]
)
@given(st.lists(ROWS, max_size=40))
def test_each_pair_is_kept_once_with_the_latest_row_and_counted(
    named: dict[str, str], rows: list[tuple[str, str, int, int]]
):
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "stars", "when"]).astype(
        {"user_id": str, "item_id": str}
    )
    log = Interactions.from_frame(frame, ITEMS, **named)
    pairs = [(log.users[user], ITEMS[item]) for user, item in zip(log.user, log.item, strict=True)]
    assert dict(zip(pairs, log.count.tolist(), strict=True)) == Counter(
        (user, item) for user, item, _, _ in rows
    )
    assert len(set(pairs)) == len(pairs)
    # (when, stars) of the row that is kept; what the log does not have, does not count
    shown = [((u, i), (t if "time" in named else 0, v if "value" in named else 0)) for u, i, v, t in rows]
    latest = {pair: max(of for other, of in shown if other == pair) for pair, _ in shown}
    value = log.value.tolist() if log.value is not None else [0] * len(log)
    time = log.time.tolist() if log.time is not None else [0] * len(log)
    assert dict(zip(pairs, zip(time, value, strict=True), strict=True)) == latest
    keys = [(user, when, item) for (user, item), when in zip(pairs, time, strict=True)]
    assert keys == sorted(keys)


def test_no_interactions_are_allowed():
    none = Interactions.none(ITEMS)
    assert len(none) == 0 and none.matrix().shape == (0, 4)
    assert len(Interactions.from_arrow(none.to_arrow(), ITEMS)) == 0
    assert [len(part) for part in none.split(0.1, np.random.default_rng(0))] == [0, 0]


def test_interactions_over_other_items_are_moved_by_name():
    others = Vocabulary(["d", "b"])
    log = Interactions.from_frame({"user_id": ["u1", "u1", "u2"], "item_id": ["d", "b", "d"]}, others)
    moved = given_interactions(log, ITEMS, "train")
    assert moved.items is ITEMS and moved.users == log.users
    assert (moved.user.tolist(), moved.item.tolist()) == ([0, 0, 1], [1, 3, 3])
    same = Interactions.from_frame({"user_id": ["u1"], "item_id": ["d"]}, Vocabulary(ITEMS.tolist()))
    assert given_interactions(same, ITEMS, "train") is same
    unknown = Interactions.from_frame({"user_id": ["u1"], "item_id": ["z"]}, Vocabulary(["z"]))
    with pytest.raises(SourceError, match="1 interactions name an unknown item, first 'z'"):
        given_interactions(unknown, ITEMS, "train")


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"user_id": ["u", None]}, "interactions:2: 'user_id' is missing."),
        ({"item_id": ["a", " "]}, "interactions:2: 'item_id' is empty."),
        ({"stars": [5, "five"]}, "1 cells of 'stars' cannot be read, first interactions:2: \"five\"."),
        (
            {"when": ["1970-01-01", "soon"]},
            "1 cells of 'when' cannot be read, first interactions:2: \"soon\".",
        ),
    ],
    ids=str,
)
def test_no_row_of_a_frame_is_left_out(columns: dict[str, Any], problem: str):
    frame = {"user_id": ["u", "v"], "item_id": ["a", "b"], "stars": [5, None], "when": ["0", ""], **columns}
    with pytest.raises(SourceError) as caught:
        Interactions.from_frame(frame, ITEMS, value="stars", time="when")
    assert caught.value.problem == problem


def test_unknown_items_in_a_frame_are_refused():
    with pytest.raises(SourceError, match=r'1 interactions name an unknown item, first interactions:1: "z"'):
        Interactions.from_frame(pd.DataFrame({"user_id": ["u"], "item_id": ["z"]}), ITEMS)


def weighted(rows: list[tuple[str, str, float, int]]) -> Interactions:
    """Rows of user, item, weight and time as a build reads them."""
    users, items, weights, times = zip(*rows, strict=True)
    log = InteractionRows(has_time=True, has_weight=True)
    log.users, log.user = [pa.array(users, pa.large_string())], [np.arange(len(rows))]
    log.item = [ITEMS.ids(items).astype(np.int32)]
    log.weight, log.time = [np.array(weights, np.float32)], [np.array(times, np.int64)]
    log.positive = [log.weight[0] > 0]
    return Interactions.from_log(log, ITEMS)


def test_of_several_events_the_largest_weight_counts():
    log = weighted([("u", "a", 10, 1), ("u", "a", 1, 5), ("u", "a", 1, 3), ("u", "b", 1, 2)])
    assert [(ITEMS[item], count) for item, count in zip(log.item, log.count, strict=True)] == [
        ("b", 1),
        ("a", 3),
    ]
    # the time is that of the latest row
    assert (log.weight.tolist(), log.time.tolist()) == ([1, 10], [2, 5])


def test_an_event_of_weight_0_is_seen_and_yields_to_others():
    log = weighted([("u", "a", 2, 1), ("u", "a", 0, 9), ("u", "b", 0, 3)])
    assert (log.positive.tolist(), log.weight.tolist(), log.time.tolist()) == ([True, False], [2, 0], [1, 3])
    assert log.matrix().toarray().tolist() == [[1, 0, 0, 0]]
    assert log.weights().tolist() == [1, 0]


def test_only_the_ratios_of_weights_matter():
    rows = [("u", "a", 1, 1), ("u", "b", 3, 2), ("v", "a", 2, 3)]
    log = weighted(rows)
    assert log.weights().tolist() == [0.5, 1.5, 1]
    assert log.weighted().toarray().tolist() == [[0.5, 1.5, 0, 0], [1, 0, 0, 0]]
    assert log.matrix().toarray().tolist() == [[1, 1, 0, 0], [1, 0, 0, 0]]
    tenfold = weighted([(user, item, 10 * weight, time) for user, item, weight, time in rows])
    assert tenfold.weights().tolist() == log.weights().tolist()
    same = weighted([(user, item, 4, time) for user, item, _, time in rows])
    assert same.weights().tolist() == [1, 1, 1]


def test_weights_and_age_are_multiplied():
    log = weighted([("u", "a", 1, 0), ("u", "b", 3, 86_400)])
    assert log.weights(half_life=1).tolist() == [0.25, 1.5]


def test_weights_are_stored_as_given():
    log = weighted([("u", "a", 1, 1), ("u", "b", 3, 2), ("v", "a", 2, 3)])
    again = Interactions.from_arrow(log.to_arrow(), ITEMS)
    assert again.weight.tolist() == [1, 3, 2] and again.weight.dtype == np.float32
    assert log.rows(np.array([0, 2])).weight.tolist() == [1, 2]
    assert read().weight is None and "weight" not in read().to_arrow().column_names


def test_joined_tables_may_lack_columns_of_each_other():
    tables = [weighted([("u", "a", 3, 5)]).to_arrow(), Interactions.from_frame(FRAME[1:2], ITEMS).to_arrow()]
    both = pa.concat_tables(tables, promote_options="default").unify_dictionaries().combine_chunks()
    log = Interactions.from_arrow(both, ITEMS)
    assert (log.weight.tolist(), log.time.tolist()) == ([3, 1], [5, 0])
    assert (log.weight.dtype, log.time.dtype) == (np.float32, np.int64)
