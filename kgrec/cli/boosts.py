"""Options of commands that have the form of a table: boosts, and lists of users.

Enters: files, and conditions with numbers. Leaves: values of a `Request`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from kgrec.errors import ConfigError

Number = TypeVar("Number", int, float)

ItemBoostFile = Annotated[
    Path | None,
    typer.Option("--item-boost", help="Table of item_id and boost: numbers that are added to scores."),
]
WhereBoost = Annotated[
    list[str] | None,
    typer.Option(
        "--where-boost",
        help="Number that is added to the scores of items that meet a condition, such as 'year >= 2000: 0.05'; may be repeated.",
    ),
]
UserCandidatesFile = Annotated[
    Path | None,
    typer.Option("--user-candidates", help="Table of user_id and item_id: the only items for these users."),
]
UserDenyFile = Annotated[
    Path | None,
    typer.Option("--user-deny", help="Table of user_id and item_id: items to exclude for these users."),
]


def where_boosts(values: list[str] | None) -> dict[str, float] | None:
    """Condition -> number, of values such as "year >= 2000: 0.05".

    Raises:
        ConfigError: A value has no number after its last colon, or a condition is given twice.
    """
    remedy = "Write a condition, a colon and a number: 'year >= 2000: 0.05'."
    return numbers_by_name("--where-boost", values, ":", float, remedy, "Give one number per condition.")


def numbers_by_name(
    option: str,
    values: list[str] | None,
    separator: str,
    read: Callable[[str], Number],
    remedy: str,
    remedy_twice: str,
) -> dict[str, Number] | None:
    """Name -> number, of values such as "author=2": the number follows the last separator.

    Args:
        option: Name of the option, for errors.
        values: Of the option, which may be repeated; None: it is absent.
        separator: Between name and number.
        read: Reads the number, or raises ValueError.
        remedy: How a value is written.
        remedy_twice: What to do if a name is given twice.

    Raises:
        ConfigError: A value has no name or no number, or a name is given twice.
    """
    found: dict[str, Number] = {}
    for value in values or ():
        name, _, text = value.rpartition(separator)
        try:
            number = read(text) if name.strip() else None
        except ValueError:
            number = None
        if number is None:
            raise ConfigError(f"{option} is '{value}'.", remedy)
        if name.strip() in found:
            raise ConfigError(f"{option} has '{name.strip()}' twice.", remedy_twice)
        found[name.strip()] = number
    return found or None


def list_options(
    item_boost: Path | None,
    where_boost: list[str] | None,
    candidates: Path | None = None,
    deny: Path | None = None,
) -> dict[str, Any]:
    """The values of a `Request` for these options."""
    from kgrec.serve.option_files import read_items_by_user, read_numbers

    return {
        "item_boost": None if item_boost is None else read_numbers(item_boost, "boost"),
        "where_boost": where_boosts(where_boost),
        "user_candidates": None if candidates is None else read_items_by_user(candidates),
        "user_deny": None if deny is None else read_items_by_user(deny),
    }
