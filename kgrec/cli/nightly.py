"""`kgrec nightly`: make the next release in a folder that a server follows."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli.console import Json, LogLines, Quiet, Verbose, console
from kgrec.cli.items import InteractionsSince
from kgrec.cli.options import ConfigFile, ConfigSettings
from kgrec.cli.refresh import REJECTED, NewItems, Replay
from kgrec.cli.training_progress import TrainingProgress
from kgrec.errors import ConfigError

if TYPE_CHECKING:
    from kgrec.serve.nightly import NightlyResult


def nightly(
    releases: Annotated[
        Path,
        typer.Argument(
            help="Folder of releases, as given to kgrec serve --releases.", envvar="KGREC_RELEASES"
        ),
    ],
    from_store: Annotated[
        str | None,
        typer.Option("--from-store", help="Feedback store of kgrec serve, a path or a URL."),
    ] = None,
    graph: Annotated[
        Path | None,
        typer.Option(
            "--graph",
            metavar="FOLDER",
            help="Graph folder for full trainings. Default: releases are only refreshed.",
        ),
    ] = None,
    interactions: InteractionsSince = None,
    items: NewItems = None,
    max_age: Annotated[
        float, typer.Option("--max-age", min=0, help="Age in days after which a model is retrained.")
    ] = 7.0,
    max_new: Annotated[
        float,
        typer.Option(
            "--max-new",
            min=0,
            max=1,
            help="Share of interactions since the last full training above which a model is retrained.",
        ),
    ] = 0.3,
    full: Annotated[bool, typer.Option("--full", help="Retrain in any case.")] = False,
    keep: Annotated[int, typer.Option("--keep", min=2, help="Releases to keep, including the new one.")] = 5,
    replay: Replay = None,
    force: Annotated[
        bool, typer.Option("--force", help="Publish the new model even if it ranks worse.")
    ] = False,
    config: ConfigFile = None,
    settings: ConfigSettings = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogLines = "text",
) -> None:
    """Refresh the newest release with newer data, or retrain, and publish the result unless it ranks worse (exit code 4).

    Example: `kgrec nightly releases/ --from-store feedback.sqlite --graph graph/ --json`
    """
    from kgrec.config import Config
    from kgrec.evaluate.drift import look
    from kgrec.serve.feedback_log import opened_store
    from kgrec.serve.nightly import NightlyRules, NightlySources
    from kgrec.serve.nightly import nightly as run

    out = console(as_json, quiet, verbose, log_format)
    if from_store is None and graph is None and interactions is None and items is None:
        raise ConfigError(
            "It is not clear what to learn from.", "Give --from-store, --interactions, --items, or --graph."
        )
    options = Config.read(config, settings or ()) if config is not None or settings else None
    rules = NightlyRules(max_age, max_new, keep, full, force, replay)
    with out.working() as progress, ExitStack() as stack:
        store = None if from_store is None else stack.enter_context(opened_store(from_store))
        shown = TrainingProgress(progress)
        told: dict[str, Any] = {"on_text": shown.text, "on_epoch": shown.epoch, "on_stage": shown.stage}
        done = run(
            releases,
            NightlySources(store, graph, interactions, items),
            rules,
            config=options,
            drift=lambda release, recent: look.drift(release, recent).verdict,
            **told,
        )
    out.say(_sentence(done))
    out.result(vars(done))
    if done.outcome == "rejected":
        raise typer.Exit(REJECTED)


def _sentence(done: NightlyResult) -> str:
    answers = f"{done.release} is served" if done.release else "there is no release"
    sentences = {
        "trained": f"Retrained, because {done.why}: {answers} now.",
        "refreshed": f"Refreshed {done.parent}: {answers} now.",
        "unchanged": f"There is no new data; {answers} as before.",
        "rejected": f"Nothing was published, because {done.why}; {answers} as before.",
        "busy": f"Another nightly run is active, so this one did nothing: {answers}.",
    }
    lines = [sentences[done.outcome]]
    if done.ndcg.get("users"):
        lines.append(
            f"On the newest interactions of {done.ndcg['users']:,} users: NDCG@{done.ndcg['k']} "
            f"{done.ndcg['after']:.4f}, before {done.ndcg['before']:.4f}."
        )
    if done.due and done.outcome != "trained":
        lines.append(f"A full training is due, because {done.due}: give --graph.")
    if done.removed:
        lines.append(f"Removed: {', '.join(done.removed)}.")
    return "\n".join(lines)
