"""Options of commands that have the form of a table: boosts, and lists of users.

Enters: files, and conditions with numbers. Leaves: values of a `Request`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kgrec.errors import ConfigError

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
    boosts: dict[str, float] = {}
    for value in values or ():
        condition, _, number = value.rpartition(":")
        try:
            boost = float(number)
        except ValueError:
            boost = None
        if not condition.strip() or boost is None:
            raise ConfigError(
                f"--where-boost is '{value}'.",
                "Write a condition, a colon and a number: 'year >= 2000: 0.05'.",
            )
        if condition.strip() in boosts:
            raise ConfigError(
                f"--where-boost has '{condition.strip()}' twice.", "Give one number per condition."
            )
        boosts[condition.strip()] = boost
    return boosts or None


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
