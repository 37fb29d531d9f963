"""`kgrec plan`: predict the time and memory of each stage before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kgrec.cli import project
from kgrec.cli.console import Json, Quiet, console
from kgrec.cli.options import ConfigFile, ConfigSettings
from kgrec.cli.status import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kgrec.plan.costs import StageCost
    from kgrec.plan.sizes import Sizes

_NAMES = {
    "build": "build",
    "text": "train: text encoding",
    "train": "train: all other steps",
    "recommend": "recommend --all-users",
    "similar": "similar --all-items",
    "embed": "embed --items --users",
}


def plan(
    graph: Annotated[
        Path | None,
        typer.Argument(help="Graph folder.", show_default="graph/ beside the nearest kgrec.yaml"),
    ] = None,
    items: Annotated[
        int | None, typer.Option("--items", metavar="N", help="Instead of a graph: number of items.", min=0)
    ] = None,
    interactions: Annotated[
        int | None,
        typer.Option(
            "--interactions", metavar="N", help="Instead of a graph: number of interactions.", min=0
        ),
    ] = None,
    times: Annotated[
        float, typer.Option("--times", help="Factor by which to multiply the items, users, rows and texts.")
    ] = 1.0,
    workers: Annotated[
        int,
        typer.Option("--workers", help="Workers, each with one core, for texts, lists and vectors.", min=1),
    ] = 1,
    config: ConfigFile = None,
    settings: ConfigSettings = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Predict CPU time, duration and memory of each stage, for a graph or for a size.

    Example: `kgrec plan graph/ --times 100 --workers 16`
    """
    from kgrec.config import Config
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.plan.costs import plan as planned
    from kgrec.plan.sizes import sizes_of

    out = console(as_json, quiet)
    options = Config.read(config, settings or [])
    if graph is None and items is None and interactions is None:
        graph = project.graph()
    loaded = None if graph is None else KnowledgeGraph.load(graph)
    sizes = sizes_of(loaded, items, interactions).times(times)
    costs = planned(sizes, options, workers)
    out.say(_table(sizes, costs, workers))
    values = [
        {
            "stage": cost.stage,
            "cpu_seconds": round(cost.cpu_seconds, 1),
            "workers": cost.workers,
            "seconds": round(cost.seconds, 1),
            "memory_bytes": round(cost.memory),
            "measured": cost.measured,
        }
        for cost in costs
    ]
    out.result({"sizes": vars(sizes), "stages": values})


def _table(sizes: Sizes, costs: Sequence[StageCost], workers: int) -> str:
    counts = ", ".join(f"{value:,} {name}" for name, value in vars(sizes).items() if name != "text_bytes")
    takes = f"{workers} workers" if workers > 1 else "1 worker"
    lines = [f"{counts}.", f"{'':23} {'CPU time':>12} {takes:>14} {'memory each':>12}"]
    for cost in costs:
        mark = "" if cost.measured else " *"
        lines.append(
            f"{_NAMES[cost.stage]:23} {duration(cost.cpu_seconds):>12} {duration(cost.seconds):>14} "
            f"{cost.memory / 1e9:>9.1f} GB{mark}"
        )
    if not all(cost.measured for cost in costs):
        lines.append("* extrapolated: larger than any measured size")
    lines.append("CPU times are for one core of the reference machine; see docs/how-to/clusters.md.")
    return "\n".join(lines)
