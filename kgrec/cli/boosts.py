"""Command options with tabular values: boosts, and lists per user.

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
    typer.Option(
        "--item-boost", help="Table with columns item_id and boost; each boost is added to the item's score."
    ),
]
WhereBoost = Annotated[
    list[str] | None,
    typer.Option(
        "--where-boost",
        help="Boost added to the scores of items that meet a condition, such as 'year >= 2000: 0.05'; may be repeated.",
    ),
]
UserCandidatesFile = Annotated[
    Path | None,
    typer.Option(
        "--user-candidates",
        help="Table with columns user_id and item_id: the only items to rank for these users.",
    ),
]
UserDenyFile = Annotated[
    Path | None,
    typer.Option(
        "--user-deny", help="Table with columns user_id and item_id: items to exclude for these users."
    ),
]


def where_boosts(values: list[str] | None) -> dict[str, float] | None:
    """Condition -> number, parsed from values such as "year >= 2000: 0.05".

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
    """Name -> number, parsed from values such as "author=2"; the number follows the last separator.

    Args:
        option: Name of the option, for errors.
        values: Values of the option, one per use; None: the option is absent.
        separator: Text between name and number.
        read: Parses the number, or raises ValueError.
        remedy: Second line of the error for a malformed value.
        remedy_twice: Second line of the error for a name that is given twice.

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
    """The values of these options for a `Request`."""
    from kgrec.serve.option_files import read_items_by_user, read_numbers

    return {
        "item_boost": None if item_boost is None else read_numbers(item_boost, "boost"),
        "where_boost": where_boosts(where_boost),
        "user_candidates": None if candidates is None else read_items_by_user(candidates),
        "user_deny": None if deny is None else read_items_by_user(deny),
    }
