"""`kgrec simulate`: the effect of list policies on simulated viewers over many rounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kgrec.cli import project
from kgrec.cli.console import Json, Quiet, console
from kgrec.cli.options import ConfigFile, ConfigSettings, GraphFolder, SplitSeed, one_of, output_folder

if TYPE_CHECKING:
    from kgrec.evaluate.simulation.outcome import Simulation

#: figures that are printed
_PRINTED = ("clicks", "satisfaction", "retention", "diversity", "gini", "coverage", "homogeneity")


def simulate(
    graph: GraphFolder,
    output: Annotated[Path | None, output_folder("Folder", "simulation")] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            "--policy",
            autocompletion=one_of(
                *("model", "popularity", "random", "diversity", "calibrated"),
                *("epsilon", "thompson", "new", "ideal"),
            ),
            help="List policy: model (the recommender as it is), popularity, random, diversity, calibrated, epsilon, thompson, "
            "new (exploration), ideal; may be repeated. Default: all.",
        ),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            help="Node type or relation on which tastes are based, such as genre; may be repeated. "
            "Default: up to three types with few nodes.",
        ),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            "--provider",
            help="Node type or relation of the providers of items, such as publisher. Default: the first of --by.",
        ),
    ] = None,
    viewers: Annotated[int, typer.Option("--viewers", help="Viewers per run.", min=2)] = 200,
    rounds: Annotated[int, typer.Option("--rounds", help="Rounds per run.", min=2)] = 30,
    seeds: Annotated[int, typer.Option("--seeds", help="Runs per policy.", min=1)] = 5,
    k: Annotated[int, typer.Option("-k", "--k", help="Items per list.", min=1)] = 10,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            help="Another option of the simulation, such as choices.boredom=0 or new_share=0.5; may be repeated.",
        ),
    ] = None,
    config: ConfigFile = None,
    settings: ConfigSettings = None,
    seed: SplitSeed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Simulate the effect of list policies on viewers and a catalogue over many rounds, and write a page.

    Example: `kgrec simulate graph/ --policy model --policy epsilon --by genre`
    """
    from kgrec.config import Config
    from kgrec.evaluate.report.page import check_installed
    from kgrec.evaluate.report.simulation_page import simulation_page
    from kgrec.evaluate.simulation.choices import SimulationConfig
    from kgrec.evaluate.simulation.run import FAST
    from kgrec.evaluate.simulation.run import simulate as simulated
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.storage.artifacts import check_output

    out = console(as_json, quiet)
    output = output or project.beside(graph, "simulation")
    check_output(output, "simulation")
    check_installed()
    given = {"viewers": viewers, "rounds": rounds, "seeds": seeds, "k": k, "seed": seed}
    size = SimulationConfig.read([*(f"{name}={value}" for name, value in given.items()), *(options or ())])
    # a configuration file is used unchanged; settings without a file change the fast default configuration
    model = Config.read(config, [*(FAST if config is None else ()), *(settings or ())])
    with out.working() as progress:
        progress.stage("reading the graph folder")
        loaded = KnowledgeGraph.load(graph)
        progress.stage("simulating")
        result = simulated(
            loaded,
            policy,
            simulation=size,
            by=by,
            provider=provider,
            config=model,
            on_run=lambda name, done, total: progress.stage("simulating", done, total, name, unit="runs"),
        )
        progress.stage("writing the page")
        record = result.save(output, simulation_page)
    out.result({"simulation": str(output), **record}, "\n".join(_lines(result)))
    out.say(f"Wrote {output}. Open {output / 'simulation.html'} in a browser.")


def _lines(result: Simulation) -> list[str]:
    """Lines with means over the first and the last third of the rounds."""
    lines = []
    for part, rounds in result.thirds.items():
        lines.append(
            f"{'first' if part == 'early' else 'last'} third".ljust(12)
            + "".join(f"{name:>13}" for name in _PRINTED)
        )
        for policy in result.runs:
            values = (result.curve(policy, name).mean[rounds].mean() for name in _PRINTED)
            lines.append(f"{policy:12}" + "".join(f"{value:13.3f}" for value in values))
    return lines
