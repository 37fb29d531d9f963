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


def project_place(what: str, default: Callable[[], Path], where: str, envvar: str | None = None) -> Any:
    """An argument whose default is a place in the project; `where` describes the place in the help."""
    return typer.Argument(help=what, envvar=envvar, default_factory=default, show_default=where)


_MODEL_PLACE = "model/ beside the nearest kgrec.yaml"
GraphFolder = Annotated[
    Path,
    project_place("Graph folder.", project.graph, "graph/ beside the nearest kgrec.yaml", "KGREC_GRAPH"),
]
ModelFolder = Annotated[Path, project_place("Model folder.", project.model, _MODEL_PLACE, "KGREC_MODEL")]
KeptFolder = Annotated[
    Path,
    project_place(
        "Model or graph folder, or folder of releases.", project.model, _MODEL_PLACE, "KGREC_MODEL"
    ),
]
GraphOrModelFolder = Annotated[
    Path,
    project_place(
        "Graph folder or model folder.",
        project.model_or_graph,
        "model/ or graph/ beside the nearest kgrec.yaml",
    ),
]
MappingFile = Annotated[
    Path,
    project_place(
        "Mapping, such as kgrec.yaml.",
        project.mapping,
        "the nearest kgrec.yaml, here or in a folder above",
        "KGREC_MAPPING",
    ),
]
ListLength = Annotated[int, typer.Option("-k", "--k", help="Items per list.", min=1)]


def output_folder(what: str, name: str) -> Any:
    """The option --output of a command that writes a folder into the project."""
    return typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        help=f"{what} to write.",
        show_default=f"{name}/, beside the input if the input is the project's",
    )


Keep = Annotated[
    int,
    typer.Option(
        "--keep",
        min=0,
        help="Number of earlier versions of the folder to keep beside it, for kgrec rollback.",
    ),
]


def one_of(*choices: str) -> Callable[[str], list[str]]:
    """Completion for an option that takes one of a few words."""
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML file with kgrec's options.")]
ConfigSettings = Annotated[
    list[str] | None, typer.Option("--set", help="One of kgrec's options, such as dim=128; may be repeated.")
]

# executors

ExecutorName = Annotated[
    str | None,
    typer.Option(
        "--executor",
        autocompletion=one_of("local", "processes", "ray"),
        help="local: this process; processes: --workers processes; ray: --workers actors in a Ray cluster.",
    ),
]
Workers = Annotated[int, typer.Option("--workers", help="Workers, each with one thread.", min=1)]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        help="With ray: address of the cluster. Default: $RAY_ADDRESS; without it, Ray is started on this machine.",
    ),
]
GpusPerWorker = Annotated[
    float,
    typer.Option(
        "--gpus-per-worker",
        help="With ray: GPUs that each worker reserves; with 0.5, two workers share one.",
        min=0,
    ),
]

# options of splits

SplitProtocol = Annotated[
    str,
    typer.Option(
        "--protocol",
        autocompletion=one_of("random", "last", "time", "folds", "cold-items", "cold-users"),
        help="Held-out interactions: random, last (the last ones of each user), time (all after a point in time), folds "
        "(cross-validation), cold-items or cold-users.",
    ),
]
HeldOutShare = Annotated[float | None, typer.Option("--share", help="Share to hold out, between 0 and 1.")]
LastPositives = Annotated[
    int | None, typer.Option("--last", help="With last: number of positives to hold out per user.")
]
FoldCount = Annotated[int | None, typer.Option("--folds", help="With folds: number of folds.")]
ValidationShare = Annotated[
    float | None,
    typer.Option("--valid-share", help="Share of the training part that is kept for tuning the baselines."),
]
SplitSeed = Annotated[int, typer.Option("--seed", help="Seed of all random choices.")]
