"""Histories read from a table in batches, by codes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgrec.errors import ConfigError, SourceError
from kgrec.ingest.mapping.schema import InteractionTable
from kgrec.serve.history_tables import HistoryTable

NAMES = st.sampled_from(["a", "b", "ä", "10", "a b"])
ROWS = st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=12)


def of_csv(path: Path, text: str, mapped: InteractionTable | None = None) -> HistoryTable:
    path.write_text(text, encoding="utf-8")
    return HistoryTable.of_file(path, [mapped] if mapped else [])


def histories(rows: list[tuple[str, str]]) -> HistoryTable:
    with TemporaryDirectory() as folder:
        lines = [f"{user},{item}\n" for user, item in rows]
        return of_csv(Path(folder) / "h.csv", "".join(["user_id,item_id\n", *lines]))


def test_rows_of_a_user_need_not_be_adjacent():
    found = histories([("u2", "x"), ("u1", "y"), ("u2", "y"), ("u2", "x")])
    assert list(found.users) == ["u2", "u1"] and found.items == ["x", "y"] and len(found) == 2
    assert (found["u2"], found["u1"]) == (["x", "y", "x"], ["y"])


def test_histories_can_be_lists_of_items():
    found = HistoryTable.of_lists(
        (user, items) for user, items in [("u2", ["x", "y"]), ("u1", []), ("u2", ["x"])]
    )
    assert list(found.users) == ["u2", "u1"] and found.items == ["x", "y"]
    assert (found["u2"], found["u1"]) == (["x", "y", "x"], [])
    table = histories([("u2", "x"), ("u2", "y"), ("u2", "x")])
    assert (found.codes.dtype, found.bounds.dtype) == (table.codes.dtype, table.bounds.dtype)


@given(ROWS)
def test_a_table_holds_what_a_dict_of_lists_would_hold(rows: list[tuple[str, str]]):
    expected: dict[str, list[str]] = {}
    for user, item in rows:
        expected.setdefault(user, []).append(item)
    found = histories(rows)
    assert {user: found[user] for user in found.users} == expected
    assert list(found.users) == list(expected)
    assert not any(found.seen(user) for user in found.users)


@given(ROWS, ROWS)
def test_the_digest_changes_with_a_history(one: list[tuple[str, str]], other: list[tuple[str, str]]):
    first, second = histories(one), histories(other)
    alike = [first[user] for user in first.users] == [second[user] for user in second.users]
    assert (first.digest == second.digest) == alike


RATED = InteractionTable(file=("log.csv",), user="who", item="what", value="stars", positive=">= 4")


@pytest.mark.parametrize("header", ["who,what,stars", "user_id,item_id,stars"])
def test_rows_that_are_not_positive_are_seen(header: str, tmp_path: Path):
    found = of_csv(tmp_path / "h.csv", f"{header}\na,x,5\na,y,1\nb,x,3.5\na,z,4\nb,y,\n", RATED)
    assert (found["a"], found.seen("a")) == (["x", "z"], ["y"])
    assert (found["b"], found.seen("b")) == ([], ["x", "y"])
    other = of_csv(tmp_path / "h.csv", f"{header}\na,x,5\na,y,5\nb,x,3.5\na,z,4\nb,y,\n", RATED)
    assert other.digest != found.digest


def test_without_the_column_of_the_value_every_row_is_positive(tmp_path: Path):
    found = of_csv(tmp_path / "h.csv", "who,what,points\na,x,5\na,y,1\n", RATED)
    assert (found["a"], found.seen("a")) == (["x", "y"], [])


def test_the_row_of_a_pair_decides_that_a_log_would_keep(tmp_path: Path):
    """The latest; without times, the one of the largest value."""
    rows = "who,what,stars,at\na,x,5,10\na,x,1,20\na,y,1,10\na,y,5,20\n"
    timed = RATED.model_copy(update={"time": "at"})
    found = of_csv(tmp_path / "h.csv", rows, timed)
    assert (found["a"], found.seen("a")) == (["y", "y"], ["x", "x"])
    untimed = of_csv(tmp_path / "h.csv", rows, RATED)
    assert (untimed["a"], untimed.seen("a")) == (["x", "x", "y", "y"], [])


def test_a_table_in_the_format_of_the_log_is_read(tmp_path: Path):
    logged = RATED.model_copy(update={"header": ("who", "what", "stars"), "delimiter": "|"})
    found = of_csv(tmp_path / "h.csv", "a|x|5\na|y|2\n", logged)
    assert (found["a"], found.seen("a")) == (["x"], ["y"])


def test_marks_of_missing_values_are_those_of_the_mapping(tmp_path: Path):
    marked = RATED.model_copy(update={"nulls": ("-",)})
    found = of_csv(tmp_path / "h.csv", "who,what,stars\na,x,-\na,y,5\n", marked)
    assert (found["a"], found.seen("a")) == (["y"], ["x"])


def test_a_value_that_is_no_number_is_refused(tmp_path: Path):
    with pytest.raises(SourceError) as caught:
        of_csv(tmp_path / "h.csv", "who,what,stars\na,x,5\na,y,good\n", RATED)
    assert caught.value.problem == f"{tmp_path / 'h.csv'}:3: 'stars' is \"good\", which is not a number."


def test_a_frame_may_have_weights():
    frame = pa.table(
        {
            "user_id": pa.array(["u2", "u1", "u2"], pa.large_string()),
            "item_id": pa.array(["x", "y", "z"], pa.large_string()),
            "weight": [2, 1.5, 3],
        }
    )
    found = HistoryTable.of_frame(frame)
    assert (found["u2"], found.weights_of("u2")) == (["x", "z"], [2, 3])
    assert (found["u1"], found.weights_of("u1"), found.seen("u1")) == (["y"], [1.5], [])
    assert HistoryTable.of_frame(frame.drop(["weight"])).weights is None
    with pytest.raises(ConfigError, match="histories: 'weight' is 0"):
        HistoryTable.of_frame(frame.set_column(2, "weight", [[1, 0, 2]]))


def test_other_keys_are_translated(tmp_path: Path):
    by_isbn = RATED.model_copy(update={"item": {"book.isbn": "what"}})
    (tmp_path / "h.csv").write_text("who,what,stars\na,1,5\na, 2 ,5\n")
    found = HistoryTable.of_file(
        tmp_path / "h.csv", [by_isbn], lambda by, keys: [f"{by}/{key}" for key in keys]
    )
    assert found["a"] == ["book.isbn/1", "book.isbn/2"]


def test_events_decide_what_is_liked(tmp_path: Path):
    """An event of weight 0 counts as seen, unless the user did more with the item; others are left out."""
    log = InteractionTable(
        file=("log.csv",), user="who", item="what", event="kind", events={"view": 0, "buy": 5}
    )
    rows = "who,what,kind\na,x,buy\na,x,view\na,y,view\na,z,return\n"
    found = of_csv(tmp_path / "h.csv", rows, log)
    assert (found["a"], found.seen("a")) == (["x", "x"], ["y"])
