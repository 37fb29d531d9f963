"""Lists of users as codes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from models import items, model

from kgrec.errors import ConfigError, SourceError, UnknownId
from kgrec.recommend.items_by_user import ItemsByUser

MODEL = model(items(np.eye(4, dtype=np.float32)), sp.csr_matrix((1, 4), dtype=np.float32))
PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["i0", "i2", "i3"])), max_size=8)


@given(PAIRS)
def test_a_frame_is_the_mapping_of_its_rows(pairs):
    lists: dict[str, list[str]] = {}
    for user, item in pairs:
        lists.setdefault(user, []).append(item)
    frame = pa.table(
        {
            "user_id": pa.array([p[0] for p in pairs], pa.string()),
            "item_id": pa.array([p[1] for p in pairs], pa.string()),
        }
    )
    read = ItemsByUser.of(frame, "deny")
    assert read.to_dict() == lists and read == ItemsByUser.of(lists, "deny") and len(read) == len(lists)
    assert hash(read) == hash(ItemsByUser.of(read, "deny"))
    found = read.rows(MODEL, ["c", "x", "a"], "raise")
    for user, rows in zip(["c", "x", "a"], found, strict=True):
        expected = None if user not in lists else sorted({int(item[1]) for item in lists[user]})
        assert (None if rows is None else rows.tolist()) == expected


def test_only_items_of_the_users_who_are_asked_for_are_looked_up():
    read = ItemsByUser.of({"a": ["i1", "i9"], "b": ["i2"], "c": []}, "deny")
    assert [rows.tolist() for rows in read.rows(MODEL, ["b", "c"], "raise")] == [[2], []]
    with pytest.raises(UnknownId, match="There is no item 'i9'"):
        read.rows(MODEL, ["a"], "raise")
    assert read.rows(MODEL, ["a"], "skip")[0].tolist() == [1]
    assert ItemsByUser.of({}, "deny").rows(MODEL, ["a"], "raise") == [None]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (["i1"], "deny is ['i1']."),
        ("i1", "deny is 'i1'."),
        ({"a": None}, "deny['a'] is None."),
        ({None: ["i1"]}, "a user of deny is None: the id is missing."),
        ({"a": [None]}, "deny['a'][0] is None: the id is missing."),
    ],
)
def test_what_is_refused(values, problem):
    with pytest.raises(ConfigError) as caught:
        ItemsByUser.of(values, "deny")
    assert caught.value.problem == problem


def test_cells_that_are_no_ids_are_named():
    with pytest.raises(SourceError, match="deny:2: 'item_id'"):
        ItemsByUser.of(pd.DataFrame({"user_id": ["a", "b"], "item_id": ["i1", None]}), "deny")
