"""Frames of all kinds as Arrow tables."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from kgrec.arguments.frames import as_table
from kgrec.errors import SourceError

ROWS = {"user_id": ["u1", "u2"], "n": [1, 2]}
FRAMES: dict[str, Any] = {
    "pandas": pd.DataFrame(ROWS, index=[7, 8]),
    "polars": pl.DataFrame(ROWS),
    "arrow": pa.table(ROWS),
    "arrow batch": pa.record_batch(ROWS),
    "dict": ROWS,
    "records": [{"user_id": "u1", "n": 1}, {"user_id": "u2", "n": 2}],
    "numpy records": np.array([("u1", 1), ("u2", 2)], [("user_id", "U2"), ("n", "i4")]),
    "categorical": pl.DataFrame(ROWS, schema_overrides={"user_id": pl.Categorical}),
    "enum": pl.DataFrame(ROWS, schema_overrides={"user_id": pl.Enum(["u2", "u1"])}),
    "category": pd.DataFrame(ROWS).astype({"user_id": "category"}),
    "string": pd.DataFrame(ROWS).astype({"user_id": "string[pyarrow]", "n": "Int64"}),
    "dictionary": pa.table({"user_id": pa.array(ROWS["user_id"]).dictionary_encode(), "n": [1, 2]}),
    "integers of 128 bits": pl.DataFrame(ROWS, schema_overrides={"n": pl.Int128}),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_all_frames_are_the_same_table(frame: Any) -> None:
    table = as_table(frame, "log")
    assert table.column_names == ["user_id", "n"]
    assert [str(one) for one in table["user_id"].to_pylist()] == ["u1", "u2"]
    assert [int(one) for one in table["n"].to_pylist()] == [1, 2]


def test_a_row_of_a_frame_is_a_frame() -> None:
    table = as_table(
        pd.DataFrame({"id": ["a", "b"], "year": [1, 2], "tags": [["x"], ["y", "z"]]}).iloc[1], "film"
    )
    assert table.to_pylist() == [{"id": "b", "year": 2, "tags": ["y", "z"]}]
    assert as_table({"id": "b", "year": 2}, "film").to_pylist() == [{"id": "b", "year": 2}]


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        ([1, "a", None], ["1", "a", None]),
        ([1.0, "a", np.nan], ["1", "a", None]),
        (["a", pd.NA, pd.NaT], ["a", None, None]),
        ([Decimal("3.00"), "x"], ["3", "x"]),
        ([uuid.UUID(int=2), None], ["00000000-0000-0000-0000-000000000002", None]),
    ],
)
def test_cells_of_several_types_are_texts(cells: list[Any], texts: list[str | None]) -> None:
    for frame in (
        pd.DataFrame({"a": pd.Series(cells, dtype=object)}),
        pl.DataFrame({"a": pl.Series(cells, dtype=pl.Object)}),
        {"a": cells},
    ):
        assert as_table(frame, "films")["a"].to_pylist() == texts


def test_lists_of_several_types_are_lists_of_texts() -> None:
    frame = pd.DataFrame({"a": pd.Series([[1, "b"], None, np.array(["c"])], dtype=object)})
    assert as_table(frame, "films")["a"].to_pylist() == [["1", "b"], None, ["c"]]


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (None, "log is None, not a frame."),
        (3, "log is 3, not a frame."),
        ("log.csv", "log is 'log.csv', not a frame."),
        ([1], "log is [1], not a frame."),
        (np.array([[1]]), "log is of type ndarray, not a frame."),
        (pl.LazyFrame({"a": [1]}), "log is a LazyFrame."),
        (pd.Series([1, 2]), "log is a Series that is not a row: its index has no column names."),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "log has the column 'a' twice."),
        ({"a": [1], "b": [1, 2]}, "The columns of log have different lengths: 'a' 1, 'b' 2."),
        ({"a": ["x", True]}, "log:2: 'a' is True, which cannot be stored in this column."),
        ({"a": ["\ud800"]}, r"log:1: 'a' is '\ud800', which cannot be stored in this column."),
        ({"a": [["x"], "y"]}, "log:2: 'a' is 'y', which cannot be stored in this column."),
        ({"a": [1, object()]}, "log:2: 'a' is of type object, which cannot be stored in this column."),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_frame_is_refused(frame: Any, problem: str) -> None:
    with pytest.raises(SourceError) as caught:
        as_table(frame, "log")
    assert caught.value.problem == problem


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ([1.0, np.nan], "log:2: 'user_id' is missing."),
        (["a", " "], "log:2: 'user_id' is empty."),
        ([True], "log:1: 'user_id' is True, which is not an id."),
        ([1, np.bool_(True)], "log:2: 'user_id' is np.True_, which is not an id."),
        (np.array([True]), "log: 'user_id' is of type bool, which is not an id."),
        (pd.to_datetime(["2020-01-01"]), "log: 'user_id' is of type timestamp[us], which is not an id."),
        ([["a"]], "log:1: 'user_id' is ['a'], which is not an id."),
        (pa.array([["a"]]), "log: 'user_id' contains list<item: string>, but one id per row is needed."),
        (
            np.array([1.0, 1e17]),
            "log:2: 'user_id' is 1e+17, which is not an id: a float of this size has lost digits.",
        ),
        (pa.array([b"a", b"\xff"]), r"log:2: 'user_id' is b'\xff', which is not in UTF-8."),
    ],
    ids=str,
)
def test_columns_of_ids_name_the_row_that_has_none(cells: Any, problem: str) -> None:
    with pytest.raises(SourceError) as caught:
        as_table({"user_id": cells}, "log", ids=["user_id"])["user_id"]
    assert caught.value.problem == problem


def test_an_absent_column_of_ids_is_named() -> None:
    with pytest.raises(SourceError, match="log has no column 'user_id'") as caught:
        as_table({"userid": ["a"]}, "log", ids=["user_id"])
    assert caught.value.remedy == "Did you mean 'userid'?"
    with pytest.raises(SourceError) as caught:
        as_table(pd.DataFrame({"user_id": ["a"], "n": [1]}).set_index("user_id"), "log", ids=["user_id"])
    assert caught.value.remedy == "It is the index of the frame; give frame.reset_index()."
