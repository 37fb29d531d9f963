"""`kgrec drift`: compare recent interactions with those that a model was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kgrec.cli import project
from kgrec.cli.console import Json, Quiet, console
from kgrec.cli.options import ModelFolder, SplitSeed, output_folder

if TYPE_CHECKING:
    from kgrec.evaluate.drift.findings import Check, Drift


def drift(
    model: ModelFolder,
    interactions: Annotated[
        Path,
        typer.Option("--interactions", help="Table of recent interactions, not used in training."),
    ],
    output: Annotated[Path | None, output_folder("Folder", "drift")] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            help="Node type or relation that gives item categories, such as genre; may be repeated. "
            "Default: up to three types with few nodes.",
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", "--k", help="Length of the lists for NDCG.", min=1, max=50)] = 20,
    seed: SplitSeed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare recent interactions with those that a model was trained on; print a verdict (stable, watch or retrain), and write a page.

    Example: `kgrec drift model/ --interactions recent.parquet`
    """
    from kgrec.evaluate.drift.look import drift as looked
    from kgrec.evaluate.report.drift_page import drift_page
    from kgrec.evaluate.report.page import check_installed
    from kgrec.recommend.recommender import Recommender
    from kgrec.storage.artifacts import check_output

    out = console(as_json, quiet)
    output = output or project.beside(model, "drift")
    check_output(output, "drift")
    check_installed()
    with out.working() as progress:
        progress.stage("reading the model folder")
        recommender = Recommender.load(model)
        progress.stage("looking for drift")
        found = looked(recommender, interactions, by=by, k=k, seed=seed)
        progress.stage("writing the page")
        record = found.save(output, drift_page)
    out.result({"drift": str(output), **record}, "\n".join(_lines(found)))
    out.say(f"Wrote {output}. Open {output / 'drift.html'} in a browser.")


def _lines(found: Drift) -> list[str]:
    width = max(len(check.name) for check in found.checks)
    return [
        f"{'check':{width}}  {'value':>7} {'watch':>6} {'retrain':>8} {'p':>7}  verdict",
        *(_line(check, width) for check in found.checks),
        *(
            f"{check.name}, most in {part.name}: {part.reference:.3g} before, {part.recent:.3g} now."
            for check in found.checks
            if check.verdict in ("watch", "retrain") and (part := check.largest) is not None
        ),
        *(f"{check.name} was not measured: {check.note}" for check in found.checks if check.verdict is None),
        f"Verdict: {found.verdict}.",
    ]


def _line(check: Check, width: int) -> str:
    if check.value is None or check.p_holm is None:
        return f"{check.name:{width}}  {'':>7} {'':>6} {'':>8} {'':>7}  not measured"
    p = "<.001" if check.p_holm < 0.001 else f"{check.p_holm:.3f}"
    scale = check.scale
    return f"{check.name:{width}}  {check.value:7.3f} {scale.watch:6.2f} {scale.retrain:8.2f} {p:>7}  {check.verdict}"
