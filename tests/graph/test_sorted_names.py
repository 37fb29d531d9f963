"""Entities are found by type and key where their table is sorted."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgrec.graph.sorted_names import SortedNames

Names = list[tuple[str, str]]


def table(names: Names) -> pa.Table:
    types, keys = ([name[at] for name in names] for at in (0, 1))
    return pa.table(
        {"type": pa.array(types, pa.string()).dictionary_encode(), "key": pa.array(keys, pa.string())}
    )


@given(
    st.sets(st.tuples(st.sampled_from(["film", "tag", "é"]), st.text(max_size=3))),
    st.tuples(st.sampled_from(["film", "tag", "é", "other"]), st.text(max_size=3)),
)
def test_names_are_found_where_they_stand(names: set[tuple[str, str]], other: tuple[str, str]):
    rows = sorted(names)
    found = SortedNames.of(table(rows))
    assert found is not None
    assert [found.row(*name) for name in rows] == list(range(len(rows)))
    assert found.row(*other) == (rows.index(other) if other in names else -1)


@pytest.mark.parametrize(
    "names",
    [
        [("film", "b"), ("film", "a")],
        [("film", "a"), ("tag", "a"), ("film", "b")],
        [("film", "a"), ("film", "a")],
    ],
)
def test_a_table_that_is_not_sorted_has_no_such_look_up(names: Names):
    assert SortedNames.of(table(names)) is None
