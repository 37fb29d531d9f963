"""`kgrec add`, `update` and `remove`: items into a trained model, other content for them, items out of its lists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli.console import Console, Json, Quiet, console, counted
from kgrec.errors import ConfigError

if TYPE_CHECKING:
    from kgrec.recommend.recommender import Recommender
    from kgrec.recommend.results import Added, Placed, Updated

ModelFolder = Annotated[Path, typer.Argument(help="A model folder.")]
Folder = Annotated[
    Path | None, typer.Argument(help="A folder with files named and laid out as in kgrec.yaml.")
]
Items = Annotated[Path | None, typer.Option("--items", help="Instead of a folder: one table of items.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="The model folder to write; without it, MODEL is replaced."),
]


def add(
    model: ModelFolder,
    folder: Folder = None,
    items: Items = None,
    output: Output = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Add new items to a model: they are recommendable at once, nothing is trained.

    Example: `kgrec add model/ new/`
    """
    out = console(as_json, quiet)
    recommender, rows = _begun("add", model, folder, items, output)
    with out.bars() as bars:
        added = recommender.add_items(rows, on_text=bars.step("encoding text"))
    _finish(recommender, model, output, changed=len(added) > 0)
    _tell(out, added, lines(added), {"added": _records(added), "known": added.known}, output or model)


def update(
    model: ModelFolder,
    folder: Folder = None,
    items: Items = None,
    output: Output = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Give known items the content that changed rows say; what their users taught stays, nothing is trained.

    Example: `kgrec update model/ changed/`
    """
    out = console(as_json, quiet)
    recommender, rows = _begun("update", model, folder, items, output)
    with out.bars() as bars:
        updated = recommender.update_items(rows, on_text=bars.step("encoding text"))
    _finish(recommender, model, output, changed=len(updated) > 0)
    record = {
        "updated": _records(updated),
        "reached": updated.reached,
        "same": updated.same,
        "unknown": updated.unknown,
    }
    _tell(out, updated, _update_lines(updated), record, output or model)


def remove(
    model: ModelFolder,
    item: Annotated[list[str] | None, typer.Option("--item", "-i", help="An item; may be repeated.")] = None,
    items_file: Annotated[Path | None, typer.Option("--items-file", help="Items, one a line.")] = None,
    output: Output = None,
    skip_unknown: Annotated[
        bool,
        typer.Option("--skip-unknown", help="Pass over items that the model does not know, and count them."),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Recommend some items no longer; in the histories that hold them they go on to count.

    Example: `kgrec remove model/ --items-file gone.txt`
    """
    from kgrec.recommend.recommender import Recommender
    from kgrec.serve.input_files import read_ids
    from kgrec.storage.artifacts import check_output

    out = console(as_json, quiet)
    if bool(item) == (items_file is not None):
        raise ConfigError("It is not clear what to remove.", "Give --item once or more, or --items-file.")
    names = list(dict.fromkeys(item or read_ids(items_file or Path())))
    recommender = Recommender.load(model)
    check_output(output or model, "model")
    known = recommender.model.items.rows(names) >= 0
    unknown = [name for name, there in zip(names, known, strict=True) if not there]
    removed = recommender.remove_items(names, on_unknown="skip" if skip_unknown else "raise")
    _finish(recommender, model, output, changed=len(removed) > 0)
    out.say(f"Removed {counted(len(removed), 'item')}: in no list from now on.")
    for what, some in (("Removed before", removed.before), ("Not known to the model", unknown)):
        if some:
            out.say(f"{what} ({len(some):,}): {_some(some)}")
    record = {"removed": removed.ids, "before": removed.before, "unknown": unknown}
    out.result({"model": str(output or model), **record})


def lines(added: Added) -> list[str]:
    """What was added, linked to what."""
    if len(added):
        report = [f"Added {counted(len(added), 'item')}; recommendable from now on.", *_items(added)]
    else:
        report = ["There was no new item to add."]
    if added.known:
        report.append(
            f"Known before, so these rows were left out ({len(added.known):,}): {_some(added.known)}"
        )
    return report


def _update_lines(updated: Updated) -> list[str]:
    if len(updated):
        report = [f"Updated {counted(len(updated), 'item')}.", *_items(updated)]
        if updated.reached:
            count = f"{len(updated.reached):,}"
            report.append(f"Linked to what changed, so these moved too ({count}): {_some(updated.reached)}")
    else:
        report = ["There was nothing to update."]
    if updated.same:
        report.append(f"As they were ({len(updated.same):,}): {_some(updated.same)}")
    if updated.unknown:
        report.append(
            f"Not among the model's items, so these rows were left out ({len(updated.unknown):,}): "
            f"{_some(updated.unknown)}"
        )
    return report


def _items(placed: Placed, most: int = 10) -> list[str]:
    """What places each item, and a warning of those that nothing places."""
    rows = list(zip(placed.ids, placed.labels, placed.linked, placed.words, strict=True))
    report = [
        f"  {name}  {label}: {counted(linked, 'known neighbour')}, {counted(words, 'word')} of text"
        for name, label, linked, words in rows[:most]
    ]
    if len(rows) > most:
        report.append(f"  and {len(rows) - most:,} more")
    if placed.bare:
        report.append(
            f"Warning: nothing places {counted(len(placed.bare), 'item')}, for want of a known neighbour, text, "
            f"number or vector that the model reads: {_some(placed.bare)}"
        )
    return report


def _records(placed: Placed) -> list[dict[str, Any]]:
    rows = zip(placed.ids, placed.labels, placed.linked, placed.words, strict=True)
    bare = set(placed.bare)
    return [
        {"item_id": name, "label": label, "neighbors": linked, "words": words, "bare": name in bare}
        for name, label, linked, words in rows
    ]


def _begun(
    verb: str, model: Path, folder: Path | None, items: Path | None, output: Path | None
) -> tuple[Recommender, Path]:
    """The model, and where the rows are."""
    from kgrec.recommend.recommender import Recommender
    from kgrec.storage.artifacts import check_output

    if (folder is not None and items is not None) or (rows := folder or items) is None:
        raise ConfigError(f"It is not clear what to {verb}.", "Give a folder, or --items with a table.")
    recommender = Recommender.load(model)
    check_output(output or model, "model")
    return recommender, rows


def _finish(recommender: Recommender, model: Path, output: Path | None, *, changed: bool) -> None:
    """Write the model, unless it is in its place already."""
    if changed or output is not None:
        recommender.save(output or model)


def _tell(out: Console, placed: Placed, said: list[str], record: dict[str, Any], written: Path) -> None:
    out.say(f"{placed.report}\n")
    for line in said:
        out.say(line)
    out.result({"model": str(written), **record, "report": placed.report.to_dict()})


def _some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
