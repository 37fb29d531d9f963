"""Command options about lists as a whole: diversity, calibration, novelty, exposure, caps and quotas.

Enters: numbers, names, and values such as "author=2". Leaves: values of a `Request`.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kgrec.cli.boosts import numbers_by_name
from kgrec.cli.options import one_of

DiversityOption = Annotated[
    float,
    typer.Option(
        "--diversity",
        help="Weight of diversity: how much an item gains by being unlike the items listed before it; 0 to 1.",
    ),
]
DiversityMethodOption = Annotated[
    str,
    typer.Option(
        "--diversity-method",
        autocompletion=one_of("mmr", "dpp"),
        help="mmr: penalize similarity to the most similar listed item; dpp: to all listed items together.",
    ),
]
CalibrationOption = Annotated[
    float,
    typer.Option(
        "--calibration",
        help="Weight of calibration: how closely the list follows the history's shares of --calibrate-by; 0 to 1.",
    ),
]
CalibrateBy = Annotated[
    str | None,
    typer.Option("--calibrate-by", help="Node type or relation, such as genre."),
]
NoveltyOption = Annotated[
    float,
    typer.Option("--novelty", help="Weight of novelty: how much items with few users gain; 0 to 1."),
]
ExposureOption = Annotated[
    float,
    typer.Option(
        "--exposure",
        help="Weight of fair exposure for the groups of --exposure-by; 0 to 1.",
    ),
]
ExposureBy = Annotated[
    str | None,
    typer.Option("--exposure-by", help="Node type or relation, such as publisher."),
]
ExposureTargetOption = Annotated[
    str,
    typer.Option(
        "--exposure-target",
        autocompletion=one_of("equal", "catalogue", "relevance"),
        help="Target exposure of a group: equal, or in proportion to its number of items (catalogue) or their relevance (relevance).",
    ),
]
AtMost = Annotated[
    list[str] | None,
    typer.Option(
        "--at-most",
        help="Largest number of items per list for each node of a type, such as author=2; may be repeated.",
    ),
]
AtLeast = Annotated[
    list[str] | None,
    typer.Option(
        "--at-least",
        help="Smallest number of items per list that meet a condition, such as 'year >= 2020=3'; new=1 means one item without "
        "interactions at training; may be repeated.",
    ),
]


def counts(option: str, values: list[str] | None, example: str) -> dict[str, int] | None:
    """Name -> number, parsed from values such as "author=2"; the number follows the last equals sign.

    Raises:
        ConfigError: No whole number follows the last equals sign, or a name is given twice.
    """
    remedy = f"Write a name, = and a whole number: '{example}'."
    return numbers_by_name(option, values, "=", _whole, remedy, "Give one number for each.")


def _whole(text: str) -> int:
    if not text.strip().isdecimal():  # int() would also read "-1" and "1_0"
        raise ValueError
    return int(text)


def wishes(
    diversity: float,
    diversity_method: str,
    calibration: float,
    calibrate_by: str | None,
    novelty: float,
    exposure: float,
    exposure_by: str | None,
    exposure_target: str,
    at_most: list[str] | None,
    at_least: list[str] | None,
) -> dict[str, Any]:
    """The values of these options for a `Request`."""
    return {
        "diversity": diversity,
        "diversity_method": diversity_method,
        "calibration": calibration,
        "calibrate_by": calibrate_by,
        "novelty": novelty,
        "exposure": exposure,
        "exposure_by": exposure_by,
        "exposure_target": exposure_target,
        "at_most": counts("--at-most", at_most, "author=2"),
        "at_least": counts("--at-least", at_least, "year >= 2020=3"),
    }
