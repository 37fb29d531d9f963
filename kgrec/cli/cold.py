"""`kgrec add`: new items into a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli.console import Json, Quiet, console, counted
from kgrec.errors import ConfigError

if TYPE_CHECKING:
    from kgrec.results import Added


def add(
    model: Annotated[Path, typer.Argument(help="A model folder.")],
    folder: Annotated[
        Path | None, typer.Argument(help="A folder with files named and laid out as in kgrec.yaml.")
    ] = None,
    items: Annotated[
        Path | None, typer.Option("--items", help="Instead of a folder: one table of items.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The model folder to write; without it, MODEL is replaced."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Add new items to a model: they are recommendable at once, nothing is trained.

    Example: `kgrec add model/ new/`
    """
    from kgrec.artifacts import check_output
    from kgrec.recommend import Recommender

    out = console(as_json, quiet)
    if (folder is None) == (items is None):
        raise ConfigError("It is not clear what to add.", "Give a folder, or --items with a table.")
    recommender = Recommender.load(model)
    check_output(output or model, "model")
    with out.bars() as bars:
        added = recommender.add_items(folder or items, on_text=bars.step("encoding text"))
    if len(added) or output is not None:
        recommender.save(output or model)
    out.say(f"{added.report}\n")
    for line in lines(added):
        out.say(line)
    out.result({"model": str(output or model), **_record(added), "report": added.report.to_dict()})


def lines(added: Added, most: int = 10) -> list[str]:
    """What was added, linked to what."""
    if len(added):
        report = [f"Added {counted(len(added), 'item')}; recommendable from now on."]
    else:
        report = ["There was no new item to add."]
    rows = list(zip(added.ids, added.labels, added.linked, added.words, strict=True))
    for name, label, linked, words in rows[:most]:
        known = counted(linked, "known neighbour")
        report.append(f"  {name}  {label}: {known}, {counted(words, 'word')} of text")
    if len(rows) > most:
        report.append(f"  and {len(rows) - most:,} more")
    bare = [name for name, _, linked, words in rows if not linked and not words]
    if bare:
        report.append(
            f"{counted(len(bare), 'item')} with neither a known neighbour nor text, so nothing places them: {_some(bare)}"
        )
    if added.known:
        report.append(
            f"Known before, so these rows were left out ({len(added.known):,}): {_some(added.known)}"
        )
    return report


def _record(added: Added) -> dict[str, Any]:
    rows = zip(added.ids, added.labels, added.linked, added.words, strict=True)
    return {
        "added": [
            {"item_id": name, "label": label, "neighbors": linked, "words": words}
            for name, label, linked, words in rows
        ],
        "known": added.known,
    }


def _some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
