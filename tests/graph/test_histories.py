"""Histories of users: by hand, and against the matrices of the same interactions."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from kgrec.errors import ConfigError
from kgrec.graph.histories import Histories
from kgrec.graph.interactions import Interactions
from kgrec.graph.vocabulary import Vocabulary

ITEMS = Vocabulary(["a", "b", "c", "d"])
DAY = 86_400
#: u1 took c on day 0, a on days 1 and 3, b on day 3, and disliked d on day 9; u3 took d on day 5; u2 disliked a on day 2
LOG = pd.DataFrame(
    [
        ("u1", "a", 5, 1 * DAY),
        ("u1", "c", 4, 0),
        ("u1", "d", 1, 9 * DAY),
        ("u1", "b", 5, 3 * DAY),
        ("u3", "d", 5, 5 * DAY),
        ("u1", "a", 4, 3 * DAY),
        ("u2", "a", 2, 2 * DAY),
    ],
    columns=["user_id", "item_id", "stars", "when"],
)


def read(**options: Any) -> Interactions:
    return Interactions.from_frame(
        LOG, ITEMS, **{"value": "stars", "positive": ">= 4", "time": "when"} | options
    )


def columns(histories: Histories) -> dict[str, Any]:
    """All fields as plain values."""
    values = {field.name: getattr(histories, field.name) for field in fields(Histories)}
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()
    }


def assert_same(one: sp.csr_matrix, other: sp.csr_matrix) -> None:
    """The same bits."""
    assert one.shape == other.shape and one.has_sorted_indices and other.has_sorted_indices
    for name in ("data", "indices", "indptr"):
        left, right = getattr(one, name), getattr(other, name)
        assert left.dtype == right.dtype and left.tobytes() == right.tobytes(), name


def test_rows_of_a_user_stand_oldest_first():
    assert columns(Histories.of(read())) == {
        "n_items": 4,
        "indptr": [0, 4, 5, 6],
        # c on day 0; a and b on day 3, by item; d on day 9
        "item": [2, 0, 1, 3, 0, 3],
        "positive": [True, True, True, False, False, True],
        "weight": [1, 1, 1, 0, 0, 1],
        "count": [1, 2, 1, 1, 1, 1],
        "time": [0, 3 * DAY, 3 * DAY, 9 * DAY, 2 * DAY, 5 * DAY],
        "ordered": True,
    }


def test_without_times_rows_stand_by_item():
    assert columns(Histories.of(read(time=None))) == {
        "n_items": 4,
        "indptr": [0, 4, 5, 6],
        "item": [0, 1, 2, 3, 0, 3],
        "positive": [True, True, True, False, False, True],
        "weight": [1, 1, 1, 0, 0, 1],
        "count": [2, 1, 1, 1, 1, 1],
        "time": None,
        "ordered": False,
    }


def test_arrays_have_the_types_that_the_class_names():
    histories = Histories.of(read())
    types = {
        name: getattr(histories, name).dtype
        for name in ("indptr", "item", "positive", "weight", "count", "time")
    }
    assert types == {
        "indptr": np.int64,
        "item": np.int32,
        "positive": np.bool_,
        "weight": np.float32,
        "count": np.int32,
        "time": np.int64,
    }


def test_a_half_life_halves_the_weight_of_older_rows():
    # the latest positive row of u1 is of day 3: c is 3 days older, with a half-life of 3 days it counts 1/2
    assert Histories.of(read(), half_life=3).weight.tolist() == [0.5, 1, 1, 0, 0, 1]
    with pytest.raises(ConfigError, match="half_life is set, but the interactions have no times"):
        Histories.of(read(time=None), half_life=3)


def test_empty_times_are_no_order():
    log = Interactions.from_frame(LOG.assign(when=""), ITEMS, value="stars", time="when")
    histories = Histories.of(log)
    assert not histories.ordered and histories.time.tolist() == [0] * 6
    assert histories.item.tolist() == [0, 1, 2, 3, 0, 3]


def test_items_in_another_order_are_sorted_again():
    """As in an extended graph, whose items have other rows: b is row 0 there, a is row 1."""
    log = read()
    renumbered = Interactions(
        log.users,
        Vocabulary(["b", "a", "c", "d"]),
        log.user,
        np.array([1, 0, 2, 3], np.int32)[log.item],
        log.positive,
        log.count,
        log.value,
        log.time,
    )
    assert Histories.of(renumbered).item.tolist() == [2, 0, 1, 3, 1, 3]


def test_matrices_are_those_of_the_interactions():
    histories = Histories.of(read(), half_life=3)
    assert histories.matrix().toarray().tolist() == [[1, 1, 0.5, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert histories.matrix(positive_only=False).toarray().tolist() == [
        [1, 1, 1, 1],
        [1, 0, 0, 0],
        [0, 0, 0, 1],
    ]


def test_the_rows_of_one_user():
    histories = Histories.of(read())
    assert len(histories) == 3
    assert [histories.rows(user) for user in range(3)] == [slice(0, 4), slice(4, 5), slice(5, 6)]
    assert repr(histories) == "Histories(6 interactions of 3 users, in the order of time)"
    for user in (-1, 3):
        with pytest.raises(IndexError, match=f"user {user} is not one of 3"):
            histories.rows(user)


def test_some_users_in_any_order():
    assert columns(Histories.of(read()).take(np.array([2, 0, 2]))) == {
        "n_items": 4,
        "indptr": [0, 1, 5, 6],
        "item": [3, 2, 0, 1, 3, 3],
        "positive": [True, True, True, True, False, True],
        "weight": [1, 1, 1, 1, 0, 1],
        "count": [1, 1, 2, 1, 1, 1],
        "time": [5 * DAY, 0, 3 * DAY, 3 * DAY, 9 * DAY, 5 * DAY],
        "ordered": True,
    }
    assert len(Histories.of(read()).take(np.array([], np.int64))) == 0
    for users in ([0, 3], [-1, 0]):
        with pytest.raises(IndexError, match="are not all among 3"):
            Histories.of(read()).take(np.array(users))


def test_the_last_rows_of_each_user():
    last = Histories.of(read()).last(2)
    assert (last.indptr.tolist(), last.item.tolist()) == ([0, 2, 3, 4], [1, 3, 0, 3])
    assert last.time.tolist() == [3 * DAY, 9 * DAY, 2 * DAY, 5 * DAY]
    assert Histories.of(read()).last(0).indptr.tolist() == [0, 0, 0, 0]
    assert columns(Histories.of(read()).last(4)) == columns(Histories.of(read()))
    with pytest.raises(ValueError, match="n is -1"):
        last.last(-1)


def test_a_matrix_is_a_history_without_order():
    bags = sp.csr_matrix(
        (np.array([0.5, -1.0, 2.0, 1.0]), np.array([3, 1, 0, 3]), [0, 2, 2, 4]), shape=(3, 4)
    )
    assert columns(Histories.of_matrix(bags)) == {
        "n_items": 4,
        "indptr": [0, 2, 2, 4],
        "item": [1, 3, 0, 3],
        "positive": [True] * 4,
        "weight": [-1, 0.5, 2, 1],
        "count": [1] * 4,
        "time": None,
        "ordered": False,
    }
    assert Histories.of_matrix(bags).matrix().toarray().tolist() == bags.toarray().tolist()
    assert bags.indices.tolist() == [3, 1, 0, 3], "the caller's matrix is untouched"


def test_a_cell_of_a_matrix_that_stands_twice_is_one_row():
    bags = sp.csr_matrix((np.ones(2, np.float32), np.array([1, 1]), [0, 2]), shape=(1, 2))
    histories = Histories.of_matrix(bags)
    assert (histories.item.tolist(), histories.weight.tolist(), bags.nnz) == ([1], [2], 2)


def test_no_interactions_are_allowed():
    histories = Histories.of(Interactions.none(ITEMS))
    assert len(histories) == 0 and histories.matrix().shape == (0, 4)
    assert columns(Histories.from_arrow(histories.to_arrow(), 0, 4, False)) == columns(histories)
    # users without a row
    empty = Histories.from_arrow(histories.to_arrow(), 2, 4, False)
    assert empty.indptr.tolist() == [0, 0, 0] and empty.last(1).matrix().shape == (2, 4)


def test_a_table_has_these_columns():
    table = Histories.of(read()).to_arrow()
    kinds = [
        ("user", "int32"),
        ("item", "int32"),
        ("positive", "bool"),
        ("weight", "float"),
        ("count", "int32"),
    ]
    assert [(field.name, str(field.type)) for field in table.schema] == [*kinds, ("time", "int64")]
    assert table["user"].to_pylist() == [0, 0, 0, 0, 1, 2]
    assert Histories.of(read(time=None)).to_arrow().column_names == [name for name, _ in kinds]


def changed(column: str, values: list[Any] | None, kind: pa.DataType | None = None) -> pa.Table:
    """The table of `read`, with other values in one column, or without it."""
    table = Histories.of(read()).to_arrow()
    at = table.column_names.index(column)
    if values is None:
        return table.drop_columns(column)
    return table.set_column(at, column, pa.array(values, kind or table.schema.field(column).type))


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (changed("count", None), "there is no column 'count'"),
        (
            changed("item", [2, 0, None, 3, 0, 3]),
            "the column 'item' is int32 with 1 nulls, not int32 without",
        ),
        (
            changed("weight", [1.0] * 6, pa.float64()),
            "the column 'weight' is double with 0 nulls, not float32 without",
        ),
        (
            changed("time", ["x"] * 6, pa.string()),
            "the column 'time' is string with 0 nulls, not int64 without",
        ),
        (changed("user", [0, 0, 0, 0, 1, 3]), "'user' has rows from 0 to 3, and there are 3"),
        (changed("item", [2, 0, 1, -1, 0, 3]), "'item' has rows from -1 to 3, and there are 4"),
        (changed("user", [0, 0, 0, 1, 0, 2]), "the rows are not sorted by user"),
        (changed("time", [5, 3, 3, 9, 2, 5]), "the rows of a user are not sorted by time"),
        (
            changed("item", [2, 1, 0, 3, 0, 3]),
            "the rows of a user at one time are not sorted by item, each item once",
        ),
        (
            changed("item", [2, 1, 1, 3, 0, 3]),
            "the rows of a user at one time are not sorted by item, each item once",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_refused(table: pa.Table, problem: str):
    with pytest.raises(ValueError) as caught:
        Histories.from_arrow(table, 3, 4, ordered=True)
    assert str(caught.value) == problem


def test_a_table_without_order_is_sorted_by_item():
    table = Histories.of(read()).to_arrow().drop_columns("time")
    with pytest.raises(ValueError, match=r"^the rows of a user are not sorted by item, each item once$"):
        Histories.from_arrow(table, 3, 4, ordered=False)


def test_an_order_without_times_has_each_item_of_a_user_once():
    table = Histories.of(read()).to_arrow().drop_columns("time")
    assert Histories.from_arrow(table, 3, 4, ordered=True).ordered
    twice = table.take(pa.array([0, *range(len(table))]))
    with pytest.raises(ValueError, match=r"^a user has an item twice$"):
        Histories.from_arrow(twice, 3, 4, ordered=True)


LOGS = st.builds(
    lambda rows, time, value: Interactions.from_frame(
        pd.DataFrame(rows, columns=["user_id", "item_id", "stars", "when"]).astype(
            {"user_id": str, "item_id": str}
        ),
        ITEMS,
        value="stars" if value else None,
        time="when" if time else None,
        positive=">= 3" if value else None,
    ),
    st.lists(
        st.tuples(
            st.sampled_from(["u1", "u2", "u3"]),
            st.sampled_from(ITEMS.tolist()),
            st.integers(1, 5),
            st.integers(-5 * DAY, 5 * DAY) | st.sampled_from([0, DAY]),
        ),
        max_size=30,
    ),
    st.booleans(),
    st.booleans(),
)


@given(LOGS, st.sampled_from([None, 0.01, 1.0, 7.5]))
def test_matrices_have_the_bits_of_those_of_the_interactions(log: Interactions, half_life: float | None):
    half_life = half_life if log.time is not None else None
    histories = Histories.of(log, half_life)
    assert_same(histories.matrix(), log.weighted(half_life))
    assert_same(histories.matrix(positive_only=False), log.matrix(positive_only=False))
    assert_same(Histories.of_matrix(log.weighted(half_life)).matrix(), log.weighted(half_life))


def by_user(histories: Histories) -> list[list[tuple[int, int, float]]]:
    """(item, count, weight) of the rows of each user."""
    rows = list(
        zip(histories.item.tolist(), histories.count.tolist(), histories.weight.tolist(), strict=True)
    )
    return [rows[histories.rows(user)] for user in range(len(histories))]


@given(LOGS, st.lists(st.integers(0, 2), max_size=5), st.integers(0, 4))
def test_parts_have_the_rows_of_each_user(log: Interactions, users: list[int], n: int):
    histories = Histories.of(log)
    users = [user for user in users if user < len(histories)]
    rows = by_user(histories)
    assert by_user(histories.take(np.array(users, np.int64))) == [rows[user] for user in users]
    assert by_user(histories.last(n)) == [of_one[max(len(of_one) - n, 0) :] for of_one in rows]
    taken = histories.take(np.array(users, np.int64)).matrix(positive_only=False)
    assert (taken != log.matrix(positive_only=False)[users]).nnz == 0


@given(LOGS)
def test_a_table_gives_the_histories_back(log: Interactions):
    histories = Histories.of(log)
    again = Histories.from_arrow(histories.to_arrow(), len(histories), 4, histories.ordered)
    assert columns(again) == columns(histories)
    last = histories.last(2)
    assert columns(Histories.from_arrow(last.to_arrow(), len(last), 4, last.ordered)) == columns(last)


def test_lags_count_newer_liked_items_in_the_order_of_the_matrix():
    """The user took items 2, 0 and 1 in this order, and dislikes item 3, which has no stamp and no part in the lags."""
    weights = sp.csr_matrix(np.array([[1, 1, 1, -0.2]], np.float32))
    stamps = sp.csr_matrix(np.array([[2, 3, 1, 0]], np.float32))
    histories = Histories.of_matrix(weights, stamps)
    assert histories.item.tolist() == [2, 0, 1, 3]
    assert histories.lags is not None and histories.lags.tolist() == [1, 0, 2, 0]
    assert Histories.of_matrix(weights).lags is None


def test_the_newest_liked_items_of_each_user():
    """The first user dislikes item 3, which is newest; the second has no item."""
    weights = sp.csr_matrix(np.array([[1, 1, 1, -0.2], [0, 0, 0, 0], [0, 0, 1, 0]], np.float32))
    stamps = sp.csr_matrix(np.array([[2, 3, 1, 0], [0, 0, 0, 0], [0, 0, 1, 0]], np.float32))
    histories = Histories.of_matrix(weights, stamps)
    newest = histories.newest_liked(2)
    assert (newest.item.tolist(), newest.indptr.tolist()) == ([0, 1, 2], [0, 2, 2, 3])
    assert newest.padded(np.array([2, 0])).tolist() == [[2, -1], [0, 1]]
    assert newest.padded(np.array([1])).shape == (1, 0)
    assert histories.newest_liked(9).item.tolist() == [2, 0, 1, 2]


def test_some_items_of_histories():
    stamps = sp.csr_matrix(np.array([[2, 3, 1], [0, 1, 2]], np.float32))
    histories = Histories.of_matrix(sp.csr_matrix((stamps.toarray() > 0).astype(np.float32)), stamps)
    some = histories.of_items(np.array([True, False, True]))
    assert (some.item.tolist(), some.indptr.tolist()) == ([2, 0, 2], [0, 2, 3])
    assert some.lags is not None and some.lags.tolist() == [0, 1, 0]
