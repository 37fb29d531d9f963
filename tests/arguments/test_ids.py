"""One rule for ids, whatever holds them."""

from __future__ import annotations

import array
import datetime
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgrec.arguments.frames import as_table
from kgrec.arguments.ids import as_id_lists, as_ids, as_texts
from kgrec.errors import ConfigError, SourceError

#: value -> its id, in a list as in a column
TEXTS: list[tuple[Any, str]] = [
    ("1", "1"),
    (1, "1"),
    (1.0, "1"),
    (-0.0, "0"),
    (3.5, "3.5"),
    (1e15, "1000000000000000"),
    (np.int64(1), "1"),
    (np.uint8(1), "1"),
    (np.float32(0.1), "0.1"),
    (np.str_("a"), "a"),
    (Decimal("3.00"), "3"),
    (Decimal("4.50"), "4.5"),
    (Decimal("1E+2"), "100"),
    (b"a", "a"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (datetime.date(2020, 1, 2), "2020-01-02"),
    ("a\0b", "a\0b"),
    ("日本", "日本"),
    (2**60, str(2**60)),
]
NO_IDS: list[Any] = [
    *(None, float("nan"), pd.NA, pd.NaT, np.datetime64("NaT"), Decimal("NaN"), pa.scalar(None, pa.int64())),
    *(True, np.bool_(False), float("inf"), 1e17, 1 + 2j, 10**5000, np.timedelta64(1, "s")),
    *(pd.Timestamp("2020"), datetime.datetime(2020, 1, 1), np.datetime64("2020")),
    *("\ud800", b"\xff", [1], {"a": 1}, {1}, object(), int),
]


@pytest.mark.parametrize(("value", "text"), TEXTS, ids=repr)
def test_a_value_is_the_same_id_in_a_list_and_in_a_column(value: Any, text: str) -> None:
    assert as_ids([value], "users") == [text]
    assert as_ids(["z", value], "users") == ["z", text]
    frame = pd.DataFrame({"user_id": pd.Series([value], dtype=object)})
    assert as_table(frame, "log", ids=["user_id"])["user_id"].to_pylist() == [text]
    mixed = pd.DataFrame({"user_id": pd.Series(["z", value], dtype=object)})
    assert as_table(mixed, "log", ids=["user_id"])["user_id"].to_pylist() == ["z", text]


@pytest.mark.parametrize("value", NO_IDS, ids=lambda value: type(value).__name__)
def test_what_is_no_id_is_refused_with_its_position(value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        as_ids(["a", value], "users")
    assert caught.value.problem.startswith("users[1] is ")
    assert caught.value.remedy
    frame = pd.DataFrame({"user_id": pd.Series(["a", value], dtype=object)})
    with pytest.raises(SourceError, match=r"^log:2: 'user_id'"):
        as_table(frame, "log", ids=["user_id"])["user_id"]


CONTAINERS: dict[str, Any] = {
    "tuple": (1, "2"),
    "range": range(1, 3),
    "array": array.array("i", [1, 2]),
    "keys": {1: "a", 2: "b"}.keys(),
    "numpy ints": np.array([1, 2]),
    "numpy floats": np.array([1.0, 2.0]),
    "numpy small floats": np.array([1, 2], np.float32),
    "numpy texts": np.array(["1", "2"]),
    "numpy bytes": np.array([b"1", b"2"]),
    "numpy objects": np.array([1, "2"], dtype=object),
    "pandas ints": pd.Series([1, 2]),
    "pandas floats": pd.Series([1.0, 2.0]),
    "pandas nullable": pd.Series([1, 2], dtype="Int64"),
    "pandas category": pd.Series([1, "2"], dtype="category"),
    "pandas string": pd.Series(["1", "2"], dtype="string"),
    "pandas index": pd.Index([1, 2]),
    "polars ints": pl.Series([1, 2]),
    "polars categorical": pl.Series(["1", "2"], dtype=pl.Categorical),
    "polars enum": pl.Series(["1", "2"], dtype=pl.Enum(["1", "2"])),
    "polars object": pl.Series([1, "2"], dtype=pl.Object),
    "polars decimal": pl.Series([Decimal("1.0"), Decimal("2.0")]),
    "arrow": pa.array([1, 2]),
    "arrow dictionary": pa.array(["1", "2"]).dictionary_encode(),
    "arrow large": pa.chunked_array([["1"], ["2"]], pa.large_string()),
    "arrow view": pa.array(["1", "2"], pa.string_view()),
}


@pytest.mark.parametrize("values", CONTAINERS.values(), ids=CONTAINERS)
def test_any_container_holds_ids(values: Any) -> None:
    assert as_ids(values, "users") == ["1", "2"]
    if not isinstance(values, pd.Index | tuple | range | array.array | type({}.keys())):
        assert as_table({"user_id": values}, "log", ids=["user_id"])["user_id"].to_pylist() == ["1", "2"]


def test_a_generator_is_read_once_and_a_set_is_sorted() -> None:
    assert as_ids((name for name in "ba"), "users") == ["b", "a"]
    assert as_ids({"b", "c", "a"}, "users") == ["a", "b", "c"]
    assert as_ids({"b": 1, "a": 2}.keys(), "users") == ["b", "a"]


@pytest.mark.parametrize("value", ["ab", 7, 7.0, b"ab", np.int32(7), np.array(7)], ids=repr)
def test_a_single_id_stands_for_a_list_of_it(value: Any) -> None:
    assert as_ids(value, "users") in (["ab"], ["7"])


@pytest.mark.parametrize(
    "values",
    [
        *(None, {"a": 1}, pd.DataFrame({"a": [1]}), pl.DataFrame({"a": [1]}), pl.LazyFrame({"a": [1]})),
        *(pa.table({"a": [1]}), object(), str, float("nan"), True, np.array([[1]]), np.array([True])),
        np.array(["2020"], "M8[ns]"),
        np.array([(1,)], [("a", "i4")]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_holds_no_ids_is_refused(values: Any) -> None:
    with pytest.raises(ConfigError, match=r"^users"):
        as_ids(values, "users")


@pytest.mark.parametrize(
    "values",
    [
        [[1, "2"], []],
        ((x for x in [1, 2]) for _ in range(1)),
        [np.array([1, 2])],
        [pd.Series([1.0, 2.0])],
        np.array([[1, 2]]),
        pd.Series([["1", "2"]]),
        pl.Series([["1", "2"]]),
        pa.array([[1, 2]]),
        list(pa.array([[1, 2]])),
        [{2, 1}],
    ],
    ids=lambda value: type(value).__name__,
)
def test_lists_of_ids(values: Any) -> None:
    assert as_id_lists(values, "histories")[0] == ["1", "2"]


@pytest.mark.parametrize(
    ("values", "where"),
    [
        (["alien", "heat"], "histories[0] is 'alien'"),
        ("alien", "histories is 'alien'"),
        ([1], "histories[0] is 1"),
        (np.array([1, 2]), "histories[0] is 1"),
        (pd.Series(["a"]), "histories[0] is 'a'"),
        (None, "histories is None"),
        ([["a"], None], "histories[1] is None"),
        ([["a"], float("nan")], "histories[1] is nan"),
        ([["a", None]], "histories[0][1] is None"),
        ({"u": ["a"]}, "histories is a dict"),
        ({("a", "b")}, "histories is a set"),
        (pd.DataFrame({"user_id": ["u"], "item_id": ["a"]}), "histories is a DataFrame"),
        ([{"a": 1}], "histories[0] is a dict"),
        ([[["a"]]], "histories[0][0] is ['a']"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_other_shapes_than_lists_of_lists_are_refused(values: Any, where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        as_id_lists(values, "histories")
    assert caught.value.problem.startswith(where)


@pytest.mark.parametrize("values", [[1], [None], ["\ud800"], [b"a"], None, {"a": 1}, 7, [["a"]]], ids=ascii)
def test_texts_are_texts(values: Any) -> None:
    with pytest.raises(ConfigError, match=r"^texts"):
        as_texts(values, "texts")
    assert as_texts("slow films", "texts") == ["slow films"]
    assert as_texts((text for text in ["a"]), "texts") == ["a"]


@pytest.mark.parametrize(
    "time", [np.datetime64("NaT"), np.datetime64("2020"), np.timedelta64(1, "s")], ids=repr
)
@pytest.mark.parametrize("other", [np.int64(1), np.float32(1), 1, "1", None], ids=repr)
def test_times_of_numpy_among_other_values_are_refused(time: Any, other: Any) -> None:
    """Arrow reads wild memory for some of these, which ends the process."""
    for values in ([time, other], [other, time]):
        for frame in ({"user_id": values}, pd.DataFrame({"user_id": pd.Series(values, dtype=object)})):
            with pytest.raises(SourceError, match=r"^log:"):
                as_table(frame, "log", ids=["user_id"])


@given(st.lists(st.sampled_from([value for value, _ in TEXTS]), min_size=1, max_size=4))
def test_any_mix_of_values_has_the_same_ids_in_a_list_and_in_a_column(values: list[Any]) -> None:
    expected = as_ids(values, "users")
    for frame in (
        {"user_id": values},
        pd.DataFrame({"user_id": pd.Series(values, dtype=object)}),
        pl.DataFrame({"user_id": pl.Series(values, dtype=pl.Object)}),
    ):
        assert as_table(frame, "log", ids=["user_id"])["user_id"].to_pylist() == expected


@given(
    st.lists(st.sampled_from([value for value, _ in TEXTS]), max_size=3),
    st.sampled_from(NO_IDS),
    st.integers(0, 3),
)
def test_any_mix_with_one_that_is_no_id_is_refused(values: list[Any], wrong: Any, at: int) -> None:
    values.insert(at, wrong)
    with pytest.raises(ConfigError, match=rf"^users\[{min(at, len(values) - 1)}\] is "):
        as_ids(values, "users")
    for frame in ({"user_id": values}, pd.DataFrame({"user_id": pd.Series(values, dtype=object)})):
        with pytest.raises(SourceError, match=r"^log:"):
            as_table(frame, "log", ids=["user_id"])
