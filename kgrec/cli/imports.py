"""`kgrec import`: from a published format to what `kgrec build` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kgrec.cli.console import Json, Quiet, console


def import_(
    source: Annotated[list[Path], typer.Argument(help="A folder, or files, in a published format.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write.")] = Path("imported"),
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="recbole, kgcn, kgat, ml-100k, ml-1m, ml-latest or triples, where names and headers do not say it.",
        ),
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option("--items", help="For triples: a file that lists the heads that are items, one a line."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a folder that is no import, or was changed since.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Import a dataset in a published format into a folder that `kgrec build` takes as it is.

    Example: `kgrec import ml-latest-small/ -o movies/`
    """
    from kgrec.ingest.datasets import import_dataset

    out = console(as_json, quiet)
    done = import_dataset(source, output, format=format, items=items, force=force)
    out.say(f"Read as {done.format}, since {done.reason}.\n")
    out.say(str(done.report))
    if done.unread:
        out.say(f"not read: {', '.join(done.unread)}")
    if done.remarks:
        out.say("\n" + "\n".join(done.remarks))
    written = ", ".join(f"{name} ({count:,})" for name, count in done.written.items())
    out.say(
        f"\nWrote {output}: {written}, kgrec.yaml. Read kgrec.yaml through, then: kgrec build {output}/kgrec.yaml -o graph/"
    )
    out.result({"folder": str(output), **done.to_dict()})
