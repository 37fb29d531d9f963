"""Arguments and options that several commands share.

Enters: nothing. Leaves: annotated types for parameters of commands.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from kgrec.cli import project

#: the path that stands for standard output
STANDARD_OUTPUT = Path("-")

GraphFolder = Annotated[
    Path,
    typer.Argument(
        help="Graph folder.",
        envvar="KGREC_GRAPH",
        default_factory=project.graph,
        show_default="graph/ beside the nearest kgrec.yaml",
    ),
]
ModelFolder = Annotated[
    Path,
    typer.Argument(
        help="Model folder.",
        envvar="KGREC_MODEL",
        default_factory=project.model,
        show_default="model/ beside the nearest kgrec.yaml",
    ),
]
ListLength = Annotated[int, typer.Option("-k", "--k", help="Items per list.", min=1)]

MappingFile = Annotated[
    Path,
    typer.Argument(
        help="Mapping, such as kgrec.yaml.",
        envvar="KGREC_MAPPING",
        default_factory=project.mapping,
        show_default="the nearest kgrec.yaml, here or in a folder above",
    ),
]
GraphOrModelFolder = Annotated[
    Path,
    typer.Argument(
        help="Graph folder or model folder.",
        default_factory=project.model_or_graph,
        show_default="model/ or graph/ beside the nearest kgrec.yaml",
    ),
]


def output_folder(what: str, name: str) -> Any:
    """The option --output of a command that writes a folder into the project."""
    return typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        help=f"{what} to write.",
        show_default=f"{name}/, beside the input if that is the project's",
    )


Keep = Annotated[
    int,
    typer.Option(
        "--keep", min=0, help="Earlier versions of the folder to keep beside it, for kgrec rollback."
    ),
]


def one_of(*choices: str) -> Callable[[str], list[str]]:
    """Completion of an option that takes one of a few words."""
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML file of kgrec's options.")]
ConfigSettings = Annotated[
    list[str] | None, typer.Option("--set", help="One of kgrec's options, such as dim=128; may be repeated.")
]

# options of splits

SplitProtocol = Annotated[
    str,
    typer.Option(
        "--protocol",
        autocompletion=one_of("random", "last", "time", "folds", "cold-items", "cold-users"),
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
