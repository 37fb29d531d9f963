"""Options that are looked at, and what their errors say."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kgrec.arguments import options
from kgrec.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "close"),
    [(1.5, 2), (None, 1), (0, 1), (-3, 1), (True, 1), ("3", 1), (float("nan"), 1), (np.float64(7.0), 7)],
)
def test_whole_numbers(value: Any, close: int) -> None:
    with pytest.raises(ConfigError) as caught:
        options.whole_number("k", value)
    assert caught.value.problem.startswith("k is ")
    assert caught.value.remedy == f"It must be a whole number, 1 or more, such as {close}."


def test_whole_numbers_of_other_types_and_bounds() -> None:
    assert options.whole_number("k", np.int32(5)) == 5
    assert options.whole_number("hops", 0, least=0) == 0
    with pytest.raises(ConfigError, match="0 to 3, such as 3"):
        options.whole_number("shard", 9, least=0, most=3)


@pytest.mark.parametrize(
    "value",
    [None, float("nan"), float("inf"), 1e300, 10**400, "0.5", True, [1], np.array([1.0]), 1j],
    ids=repr,
)
def test_numbers(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^min_score is"):
        options.number("min_score", value)


def test_numbers_of_other_types_and_bounds() -> None:
    assert options.number("level", np.float32(0.5), above=0, below=1) == 0.5
    assert options.number("level", Decimal("0.5")) == 0.5
    with pytest.raises(ConfigError) as caught:
        options.number("level", 1, above=0, below=1)
    assert caught.value.remedy == "It must be a finite number above 0 and below 1, such as 0.5."


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("Raise", "Did you mean 'raise'? Choose one of raise, skip."),
        ("skp", "Did you mean 'skip'? Choose one of raise, skip."),
        ("ignore", "Choose one of raise, skip."),
        (None, "Choose one of raise, skip."),
        (True, "Choose one of raise, skip."),
        (["raise"], "Choose one of raise, skip."),
    ],
    ids=repr,
)
def test_choices(value: Any, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        options.choice("on_unknown", value, ("raise", "skip"))
    assert caught.value.remedy == remedy


REFUSED: list[tuple[Callable[[str, Any], object], Any]] = [
    *((options.flag, value) for value in (0, 1, None, "yes")),
    *((options.text, value) for value in (None, 1, b"a", "\ud800", ["a"])),
    *((options.path, value) for value in (None, 1, b"a", "", "a\0b", ["a"])),
]


@pytest.mark.parametrize(("check", "value"), REFUSED, ids=ascii)
def test_flags_texts_and_paths(check: Callable[[str, Any], object], value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        check("option", value)
    assert caught.value.problem.startswith("option is ")
    str(caught.value).encode()


def test_what_is_valid_comes_back_as_a_plain_value() -> None:
    assert options.flag("arrow", np.bool_(True)) is True
    assert type(options.text("where", np.str_("a = b"))) is str
    assert options.path("output", "a/b") == Path("a/b")
    assert options.words("types", "item", ("item", "user")) == ["item"]
    with pytest.raises(ConfigError, match=r"types\[1\] is 'itm'"):
        options.words("types", ["user", "itm"], ("item", "user"))


def test_values_in_messages_are_short_and_printable() -> None:
    assert options.shown("a" * 500) == "'" + "a" * 56 + "..."
    assert options.shown("\ud800") == r"'\ud800'"
    assert options.shown(10**5000) == "of type int"
    assert options.shown(np.zeros(9)) == "of type ndarray"
