"""`kgrec refresh`: train a model further on newer interactions and items."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli.console import Json, LogLines, Quiet, Verbose, console, counted
from kgrec.cli.items import InteractionsSince, ModelOutput, added_lines
from kgrec.cli.options import Keep, ModelFolder
from kgrec.cli.training_progress import TrainingProgress
from kgrec.errors import ConfigError

if TYPE_CHECKING:
    from kgrec.recommend.recommender import Recommender
    from kgrec.recommend.results import Refreshed

#: exit code of a refresh whose model ranks worse than its parent
REJECTED = 4

NewItems = Annotated[
    Path | None,
    typer.Option(
        "--items", metavar="PATH", help="New items: a folder with the mapping's layout, or a table."
    ),
]
Replay = Annotated[
    float | None,
    typer.Option(
        "--replay",
        min=0,
        max=1,
        help="Share of the histories without new interactions to learn from again. Default: 0.2.",
    ),
]


def refresh(
    model: ModelFolder,
    interactions: InteractionsSince = None,
    items: NewItems = None,
    from_store: Annotated[
        str | None,
        typer.Option(
            "--from-store",
            help="Feedback store of kgrec serve, a path or a URL; the model learns from its items and events since training.",
        ),
    ] = None,
    output: ModelOutput = None,
    replay: Replay = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write the refreshed model even if it ranks worse.")
    ] = False,
    keep: Keep = 1,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogLines = "text",
) -> None:
    """Learn from interactions and items since training, in a fraction of the training time; a model that ranks worse is not written (exit code 4).

    Example: `kgrec refresh model/ --interactions new.parquet -o model-next/`
    """
    from kgrec.recommend.recommender import Recommender
    from kgrec.storage.artifacts import check_output

    out = console(as_json, quiet, verbose, log_format)
    if interactions is None and items is None and from_store is None:
        raise ConfigError(
            "It is not clear what to learn from.", "Give --interactions, --items, or --from-store."
        )
    written = output or model
    check_output(written, "model")
    with out.working() as progress:
        progress.stage("reading the model folder")
        parent = Recommender.load(model)
        shown = TrainingProgress(progress)
        options: dict[str, Any] = {"items": items, "replay": replay, "force": force}
        options |= {"on_text": shown.text, "on_epoch": shown.epoch, "on_stage": shown.stage}
        recommender, done = _refreshed(parent, interactions, from_store, options)
        if done.accepted:
            progress.stage("writing the model folder")
            recommender.save(written, keep=keep)
    for given in (done.added, done.added_interactions):
        if given is not None:
            out.say(f"{given.report}\n")
    for line in refresh_lines(done):
        out.say(line)
    if done.accepted:
        out.say(f"Wrote {written}.")
    out.result({"model": str(written) if done.accepted else str(model), **record_of(done)})
    if not done.accepted:
        raise typer.Exit(REJECTED)


def _refreshed(
    parent: Recommender, interactions: Path | None, store: str | None, options: dict[str, Any]
) -> tuple[Recommender, Refreshed]:
    from kgrec.serve.feedback_log import opened_store
    from kgrec.serve.store_refresh import refreshed_from_store

    if store is None:
        return parent, parent.refresh(interactions, **options)
    with opened_store(store) as opened:
        return refreshed_from_store(parent, opened, interactions, **options)


def refresh_lines(done: Refreshed) -> list[str]:
    """Lines that report the new data, the comparison with the parent, and which model is kept."""
    new = f"{counted(done.interactions, 'new interaction')} of {counted(done.users, 'user')}"
    lines = added_lines(done.added) if done.added is not None else []
    lines += [f"Learned from {new}; {counted(done.new_items, 'new item')}, "]
    lines[-1] += f"{counted(done.newly_learned_items, 'item')} with interactions for the first time."
    if math.isnan(done.after):
        return [
            *lines,
            "No user with earlier interactions has held-out interactions, so the models were not compared.",
        ]
    lines.append(
        f"On the newest interactions of {counted(done.compared_users, 'user')}: NDCG@{done.k} {done.after:.4f}, "
        f"its parent {done.before:.4f}; difference with 95 % interval {done.after - done.before:+.4f} "
        f"({done.low:+.4f} to {done.high:+.4f}), p = {done.p:.2g}."
    )
    if not done.accepted:
        lines.append(
            "The refreshed model ranks significantly worse than its parent, so the parent is kept. "
            "Train on all interactions (kgrec train), or write the refreshed model anyway with --force."
        )
    elif done.lineage["forced"]:
        lines.append("It ranks significantly worse than its parent, and was written because of --force.")
    return lines


def record_of(done: Refreshed) -> dict[str, Any]:
    """The result as plain values."""
    given = {"items": done.added, "interactions": done.added_interactions}
    reports = {name: one.report.to_dict() for name, one in given.items() if one is not None}
    return {"accepted": done.accepted, **done.lineage, "reports": reports}
