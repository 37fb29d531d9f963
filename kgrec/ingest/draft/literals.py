"""The role of values that are neither keys nor IRIs, of a column or of a predicate.

Enters: the filled values. Leaves: a `Guess`: number, date, category, nodes, text, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import pyarrow as pa

from kgrec.ingest.draft.dates import date_form
from kgrec.ingest.draft.lines import Guess
from kgrec.ingest.draft.names import NAMED_ID, NUMERIC, singular, type_of_values
from kgrec.ingest.draft.values import (
    LONG,
    all_match,
    distinct,
    has_lists,
    is_long,
    mean_length,
    numbers_of,
    parts_of,
    share_matching,
)
from kgrec.roles import is_type_name

_OBJECTS = r"^\s*(\{[\s\S]*\}|\[\s*[\[{][\s\S]*\])\s*$"
_CODES = r"^\S*\d\S*$"
#: digits in groups, decimal commas, currencies, per cent
_FOR_PEOPLE = r"^\s*[€$£¥]?\s?[+-]?\d+([.,' ]\d+)*\s?([€$£¥%]|[A-Z]{3})?\s*$"
#: names of things, not of the node itself: they are nodes, even if many of them occur once
_OF_NAMES = re.compile(r"[_ .-]names?$|[a-z]Names?$")
#: so many rows with one and the same value say nothing
_MANY = 20


def literal_role(name: str, full: pa.Array, *, rows: int, taken: Collection[str], edge: str = "") -> Guess:
    """The role of some values.

    Args:
        name: Of the column, or the last part of the predicate's.
        full: The values that are filled, at least one.
        rows: How many rows or nodes there are, with a value or without.
        taken: Types with keys of their own, which values are not.
        edge: Name of the relation to say of nodes; "" if the default is meant.
    """
    if all_match(full, _OBJECTS):
        return Guess({"as": "ignore"}, "it holds JSON objects, which have no role")
    values, separator = parts_of(full)
    if not len(values):
        return Guess({"as": "ignore"}, "it holds nothing but separators")
    if separator is not None or has_lists(full):
        return _several(values, separator, type_of_values(name, taken), edge)
    if (form := date_form(full, name)) is not None:
        role = {"as": "date"} if form.format is None else {"as": "date", "format": form.format}
        return Guess(role, form.reason)
    if numbers_of(full) is not None:
        return _number(name, full, taken)
    if all_match(full, _FOR_PEOPLE):
        why = "its numbers have commas, currencies or the like: write plain ones, with a point"
        return Guess({"as": "ignore"}, why)
    return _worded(name, full, rows, taken)


def alike(guesses: dict[str, Guess], names: Mapping[str, str], taken: Collection[str]) -> dict[str, Guess]:
    """The guesses, in which those that differ in a number only agree: the third actor is one as the first is.

    Args:
        guesses: By column or predicate.
        names: Name of each.
        taken: Types with keys of their own.
    """
    types = {key: type_of_values(names[key], taken) for key in guesses}
    numbered = {key for key in guesses if re.search(r"\d", names[key])}
    categories = {types[key] for key in numbered if guesses[key].role["as"] == "category"}
    return {
        key: Guess({"as": "category", "type": types[key]}, f"others like it repeat, and {guess.reason}")
        if key in numbered and guess.role["as"] == "text" and types[key] in categories
        else guess
        for key, guess in guesses.items()
    }


def _several(values: pa.Array, separator: str | None, type_: str, edge: str) -> Guess:
    how = f"separated by '{separator}'" if separator else "in lists"
    if not separator and mean_length(values) > LONG:
        return Guess({"as": "text"}, "it holds lists of sentences")
    role = {"as": "node", "type": type_}
    role |= {"edge": edge} if edge else {}
    role |= {"split": separator} if separator else {}
    return Guess(role, f"it holds several values, {how}")


def _number(name: str, full: pa.Array, taken: Collection[str]) -> Guess:
    if not share_matching(full, r"^\s*0\d") and not NAMED_ID.fullmatch(name):
        return Guess({"as": "number"}, "all its values are numbers")
    if _repeats(full):
        return Guess(category(name, taken), f"its numbers are codes, and {_counted(full)}")
    return Guess({"as": "ignore"}, "its numbers are codes, which hardly repeat")


def _worded(name: str, full: pa.Array, rows: int, taken: Collection[str]) -> Guess:
    if is_long(full):
        return Guess({"as": "text"}, "its values are long")
    if distinct(full) == 1 and len(full) == rows >= _MANY:
        return Guess({"as": "ignore"}, "it has one value in all rows looked at")
    if _repeats(full, 0.9 if _OF_NAMES.search(name) else 0.5):
        return Guess(category(name, taken), _counted(full))
    if share_matching(full, _CODES) > 0.9:
        return Guess({"as": "ignore"}, "its values are codes, which hardly repeat")
    if NUMERIC.search(name):
        return Guess({"as": "ignore"}, "its name is that of a number, and its values are none")
    return Guess({"as": "text"}, "its values hardly repeat")


def _repeats(full: pa.Array, most: float = 0.5) -> bool:
    return distinct(full) < len(full) and distinct(full) <= max(20, most * len(full))


def _counted(full: pa.Array) -> str:
    return f"only {distinct(full):,} of its {len(full):,} values differ"


def category(name: str, taken: Collection[str]) -> dict[str, str]:
    """A role that makes a node of each value, with a type where the column's name does not do for one."""
    type_ = type_of_values(name, taken)
    is_default = type_ == singular(name) and is_type_name(name) and name not in taken
    return {"as": "category"} if is_default else {"as": "category", "type": type_}
