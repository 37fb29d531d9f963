"""Arguments and options that several commands share.

Enters: nothing. Leaves: annotated types for parameters of commands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

GraphFolder = Annotated[Path, typer.Argument(help="Graph folder.")]
ModelFolder = Annotated[Path, typer.Argument(help="Model folder.")]
ListLength = Annotated[int, typer.Option("-k", help="Items per list.", min=1)]

ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML file of kgrec's options.")]
ConfigSettings = Annotated[
    list[str] | None, typer.Option("--set", help="One of kgrec's options, such as dim=128; may be repeated.")
]

# options of splits

SplitProtocol = Annotated[
    str,
    typer.Option(
        "--protocol",
        help="Held-out interactions: random, last (of each user), time (all after a point in time), folds (cross-validation), "
        "cold-items, cold-users.",
    ),
]
HeldOutShare = Annotated[float | None, typer.Option("--share", help="Share to hold out, between 0 and 1.")]
LastPositives = Annotated[
    int | None, typer.Option("--last", help="With last: positives to hold out per user.")
]
FoldCount = Annotated[int | None, typer.Option("--folds", help="With folds: number of folds.")]
ValidationShare = Annotated[
    float | None,
    typer.Option("--valid-share", help="Share of the training part to keep for tuning baselines."),
]
SplitSeed = Annotated[int, typer.Option("--seed", help="Seed of all random choices.")]
