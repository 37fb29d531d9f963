"""`kgrec add`, `update` and `remove`: add items to a trained model, update their content, exclude items from its lists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli import project
from kgrec.cli.ask import item_ids
from kgrec.cli.console import Console, Json, LogLines, Quiet, Verbose, console, counted
from kgrec.cli.options import ModelFolder
from kgrec.cli.progress import Progress
from kgrec.cli.training_progress import TrainingProgress
from kgrec.errors import ConfigError

if TYPE_CHECKING:
    from kgrec.recommend.recommender import Recommender
    from kgrec.recommend.results import Added, AddedInteractions, Placed, Updated

RowsFolder = Annotated[
    Path | None, typer.Argument(help="Folder of files with the names and columns in the mapping.")
]
ItemTable = Annotated[
    Path | None, typer.Option("--items", metavar="FILE", help="One table of items instead of a folder.")
]
InteractionsSince = Annotated[
    Path | None,
    typer.Option(
        "--interactions",
        help="Table of interactions since training, with columns user_id and item_id, or the mapping's.",
    ),
]
ModelOutput = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FOLDER", help="Model folder to write. Default: replace MODEL."),
]


def add(
    model: ModelFolder,
    folder: RowsFolder = None,
    items: ItemTable = None,
    interactions: InteractionsSince = None,
    output: ModelOutput = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogLines = "text",
) -> None:
    """Add new items or interactions to a model without training; they take effect at once.

    Example: `kgrec add model/ new/`
    """
    out = console(as_json, quiet, verbose, log_format)
    if interactions is None or folder is not None:
        model, folder = project.model_and_rows(model, folder, items)
    added = None
    with out.working() as progress:
        if interactions is not None and folder is None and items is None:
            progress.stage("reading the model folder")
            recommender = _loaded(model, output)
        else:
            recommender, rows = _opened("add", model, folder, items, output, progress)
            progress.stage("adding items")
            added = recommender.add_items(rows, on_text=TrainingProgress(progress).text)
        since = None
        if interactions is not None:
            progress.stage("adding interactions")
            since = recommender.add_interactions(interactions)
        _save(recommender, model, output, progress, changed=bool(added) or bool(since))
    record: dict[str, Any] = {"model": str(output or model)}
    if added is not None:
        out.say(f"{added.report}\n")
        _say_all(out, added_lines(added))
        record |= {"added": _records(added), "known": added.known, "report": added.report.to_dict()}
    if since is not None:
        out.say(f"{since.report}\n")
        _say_all(out, _interaction_lines(since))
        record["interactions"] = {
            "rows": since.rows,
            "users": since.users,
            "new_users": since.new_users,
            "report": since.report.to_dict(),
        }
    out.result(record)


def update(
    model: ModelFolder,
    folder: RowsFolder = None,
    items: ItemTable = None,
    output: ModelOutput = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogLines = "text",
) -> None:
    """Update the content of known items from changed rows without training; learned residuals are kept.

    Example: `kgrec update model/ changed/`
    """
    out = console(as_json, quiet, verbose, log_format)
    model, folder = project.model_and_rows(model, folder, items)
    with out.working() as progress:
        recommender, rows = _opened("update", model, folder, items, output, progress)
        progress.stage("updating items")
        updated = recommender.update_items(rows, on_text=TrainingProgress(progress).text)
        _save(recommender, model, output, progress, changed=len(updated) > 0)
    record = {
        "updated": _records(updated),
        "reached": updated.reached,
        "same": updated.same,
        "kept": updated.kept,
        "unknown": updated.unknown,
    }
    _report(out, updated, _updated_lines(updated), record, output or model)


def remove(
    model: ModelFolder,
    item: Annotated[
        list[str] | None,
        typer.Option("--item", "-i", help="Item to remove, by id or label; may be repeated."),
    ] = None,
    items_file: Annotated[
        Path | None, typer.Option("--items-file", help="File of items, one per line.")
    ] = None,
    output: ModelOutput = None,
    skip_unknown: Annotated[
        bool,
        typer.Option("--skip-unknown", help="Skip and count items that are not in the model."),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Stop recommending items; they still count in the histories that contain them.

    Example: `kgrec remove model/ --items-file gone.txt`
    """
    from kgrec.serve.input_files import read_ids

    out = console(as_json, quiet)
    if bool(item) == (items_file is not None):
        raise ConfigError("It is not clear what to remove.", "Give --item once or more, or --items-file.")
    names = list(dict.fromkeys(item or read_ids(items_file or Path())))
    recommender = _loaded(model, output)
    if item:
        names = item_ids(recommender, names, out, skip_unknown)
    known = recommender.model.items.rows(names) >= 0
    unknown = [name for name, there in zip(names, known, strict=True) if not there]
    removed = recommender.remove_items(names, on_unknown="skip" if skip_unknown else "raise")
    _save(recommender, model, output, out.progress, changed=len(removed) > 0)
    out.say(f"Removed {counted(len(removed), 'item')}.")
    for state, names in (("Already removed", removed.before), ("Not in the model", unknown)):
        if names:
            out.say(f"{state} ({len(names):,}): {_first(names)}")
    record = {"removed": removed.ids, "before": removed.before, "unknown": unknown}
    out.result({"model": str(output or model), **record})


def added_lines(added: Added) -> list[str]:
    """A report of the added items, and of the content that each item's embedding was computed from."""
    if len(added):
        report = [f"Added {counted(len(added), 'item')}; they can be recommended now.", *_items(added)]
    else:
        report = ["There are no new items to add."]
    if added.known:
        report.append(
            f"Skipped, because they are already in the model ({len(added.known):,}): {_first(added.known)}"
        )
    return report


def _interaction_lines(added: AddedInteractions) -> list[str]:
    report = [
        f"Added {counted(added.rows, 'interaction')} of {counted(added.users, 'user')}; they take effect now."
    ]
    if added.new_users:
        report.append(f"New users ({len(added.new_users):,}): {_first(added.new_users)}")
    return report


def _updated_lines(updated: Updated) -> list[str]:
    if len(updated):
        report = [f"Updated {counted(len(updated), 'item')}.", *_items(updated)]
        if updated.reached:
            count = f"{len(updated.reached):,}"
            report.append(f"Re-embedded neighbours of updated items ({count}): {_first(updated.reached)}")
    else:
        report = ["There is nothing to update."]
    for type_, names in updated.kept.items():
        report.append(f"Columns of {type_} that are not in the rows keep their values: {', '.join(names)}")
    if updated.same:
        report.append(f"Unchanged ({len(updated.same):,}): {_first(updated.same)}")
    if updated.unknown:
        report.append(
            f"Skipped, because they are not in the model ({len(updated.unknown):,}): "
            f"{_first(updated.unknown)}"
        )
    return report


def _items(placed: Placed, most: int = 10) -> list[str]:
    """One line per item about its content, and a warning about items without any content that the model reads."""
    rows = list(zip(placed.ids, placed.labels, placed.linked, placed.words, strict=True))
    report = [
        f"  {name}  {label}: {counted(linked, 'known neighbour')}, {counted(words, 'word')} of text"
        for name, label, linked, words in rows[:most]
    ]
    if len(rows) > most:
        report.append(f"  and {len(rows) - most:,} more")
    if placed.bare:
        report.append(
            f"Warning: {counted(len(placed.bare), 'item')} without any content that the model reads (known neighbours, texts, "
            f"numbers or vectors): {_first(placed.bare)}"
        )
    return report


def _records(placed: Placed) -> list[dict[str, Any]]:
    rows = zip(placed.ids, placed.labels, placed.linked, placed.words, strict=True)
    bare = set(placed.bare)
    return [
        {"item_id": name, "label": label, "neighbors": linked, "words": words, "bare": name in bare}
        for name, label, linked, words in rows
    ]


def _opened(
    verb: str,
    model: Path,
    folder: Path | None,
    items: Path | None,
    output: Path | None,
    progress: Progress,
) -> tuple[Recommender, Path]:
    """The loaded model, and the path to the rows.

    Raises:
        ConfigError: Neither a folder nor a table is given, or both.
    """
    if (folder is not None and items is not None) or (rows := folder or items) is None:
        raise ConfigError(f"It is not clear what to {verb}.", "Give a folder, or --items with a table.")
    progress.stage("reading the model folder")
    return _loaded(model, output), rows


def _loaded(model: Path, output: Path | None) -> Recommender:
    """The model, loaded after a check that the result can be saved."""
    from kgrec.recommend.recommender import Recommender
    from kgrec.storage.artifacts import check_output

    recommender = Recommender.load(model)
    check_output(output or model, "model")
    return recommender


def _save(
    recommender: Recommender, model: Path, output: Path | None, progress: Progress, *, changed: bool
) -> None:
    """Save the model, unless nothing changed and the output is the same folder."""
    if changed or output is not None:
        progress.stage("writing the model folder")
        recommender.save(output or model)


def _report(out: Console, placed: Placed, lines: list[str], record: dict[str, Any], written: Path) -> None:
    out.say(f"{placed.report}\n")
    _say_all(out, lines)
    out.result({"model": str(written), **record, "report": placed.report.to_dict()})


def _say_all(out: Console, lines: list[str]) -> None:
    for line in lines:
        out.say(line)


def _first(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
