"""Boosts as arguments: numbers added to the scores of items, by id or by condition.

Enters: a mapping or a frame. Leaves: a dict of plain values, or an error that names key and value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from kgrec.arguments import options
from kgrec.arguments.frames import as_table
from kgrec.arguments.ids import as_id, is_frame
from kgrec.errors import ConfigError, SourceError, did_you_mean
from kgrec.graph.where_syntax import parse


def item_boosts(values: Any) -> dict[str, float] | None:
    """Item -> number, from a mapping or a frame with item_id and boost.

    Raises:
        ConfigError: The value is neither, an item is named twice, or a boost is not a finite number.
        SourceError: The frame lacks a column, or a cell is not an id.
    """
    if is_frame(values):
        return _numbers("item_boost", _pairs(values))
    _check_mapping("item_boost", values, "items", '{"alien-1979": 0.05}')
    return _numbers("item_boost", [(as_id(key, "a key of item_boost"), one) for key, one in values.items()])


def where_boosts(values: Any) -> dict[str, float]:
    """Condition -> number, from a mapping.

    Raises:
        ConfigError: The value is not a mapping, a condition cannot be parsed, or a boost is not a finite number.
    """
    _check_mapping("where_boost", values, "conditions", '{"year >= 2000": 0.05}')
    pairs = [
        (options.text("a key of where_boost", key, "'year >= 1990'"), one) for key, one in values.items()
    ]
    for condition, _ in pairs:
        parse(condition)
    return _numbers("where_boost", pairs)


def _pairs(frame: Any) -> list[tuple[str, Any]]:
    table = as_table(frame, "item_boost", ids=["item_id"])
    if "boost" not in table.column_names:
        raise SourceError("item_boost has no column 'boost'.", did_you_mean("boost", table.column_names))
    return list(zip(table["item_id"].to_pylist(), table["boost"].to_pylist(), strict=True))


def _check_mapping(name: str, values: Any, keys: str, example: str) -> None:
    if not isinstance(values, Mapping):
        raise ConfigError(
            f"{name} is {options.shown(values)}.", f"Give a dict from {keys} to numbers: {example}."
        )


def _numbers(name: str, pairs: list[tuple[str, Any]]) -> dict[str, float]:
    for key, times in Counter(key for key, _ in pairs).items():
        if times > 1:
            raise ConfigError(f"{name} has '{key}' twice.", "Give one number for each.")
    return {key: options.number(f"{name}[{key!r}]", value) for key, value in pairs}
