"""Histories read from a table in batches, by codes."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from kgrec.serve.history_tables import HistoryTable

NAMES = st.sampled_from(["a", "b", "ä", "10", "a b"])
BATCHES = st.lists(st.lists(st.tuples(NAMES, NAMES), max_size=5), max_size=4)


def histories(batches: list[list[tuple[str, str]]]) -> HistoryTable:
    return HistoryTable.of(
        (pa.array([user for user, _ in rows], pa.string()), pa.array([item for _, item in rows], pa.string()))
        for rows in batches
    )


def test_rows_of_a_user_need_not_be_adjacent():
    found = histories([[("u2", "x"), ("u1", "y")], [], [("u2", "y"), ("u2", "x")]])
    assert list(found.users) == ["u2", "u1"] and found.items == ["x", "y"] and len(found) == 2
    assert (found["u2"], found["u1"]) == (["x", "y", "x"], ["y"])


def test_histories_can_be_lists_of_items():
    found = HistoryTable.of_lists(
        (user, items) for user, items in [("u2", ["x", "y"]), ("u1", []), ("u2", ["x"])]
    )
    assert list(found.users) == ["u2", "u1"] and found.items == ["x", "y"]
    assert (found["u2"], found["u1"]) == (["x", "y", "x"], [])
    table = histories([[("u2", "x"), ("u2", "y"), ("u2", "x")]])
    assert (found.codes.dtype, found.bounds.dtype) == (table.codes.dtype, table.bounds.dtype)


@given(BATCHES)
def test_a_table_holds_what_a_dict_of_lists_would_hold(batches: list[list[tuple[str, str]]]):
    expected: dict[str, list[str]] = {}
    for user, item in (pair for rows in batches for pair in rows):
        expected.setdefault(user, []).append(item)
    found = histories(batches)
    assert {user: found[user] for user in found.users} == expected
    assert list(found.users) == list(expected)


@given(BATCHES, BATCHES)
def test_the_digest_changes_with_a_history(
    one: list[list[tuple[str, str]]], other: list[list[tuple[str, str]]]
):
    first, second = histories(one), histories(other)
    alike = [first[user] for user in first.users] == [second[user] for user in second.users]
    assert (first.digest == second.digest) == alike
