"""`kgrec import`: convert a published dataset into files that `kgrec build` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kgrec.cli.console import Json, Quiet, console


def import_(
    source: Annotated[list[Path], typer.Argument(help="Folder or files in a published format.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder to write.")] = Path(
        "imported"
    ),
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="recbole, kgcn, kgat, ml-100k, ml-1m, ml-latest, log or triples. Default: recognized by file names and headers.",
        ),
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option(
            "--items", metavar="FILE", help="With triples: file of the heads that are items, one per line."
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Replace the folder even if it is not an import, or was changed since it was written.",
        ),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Convert a dataset in a published format into a folder that `kgrec build` reads.

    Example: `kgrec import ml-latest-small/ -o movies/`
    """
    from kgrec.ingest.datasets import import_dataset

    out = console(as_json, quiet)
    done = import_dataset(source, output, format=format, items=items, force=force)
    out.say(f"Read as {done.format}, because {done.reason}.\n")
    out.say(str(done.report))
    if done.unread:
        out.say(f"not read: {', '.join(done.unread)}")
    if done.remarks:
        out.say("\n" + "\n".join(done.remarks))
    written = ", ".join(f"{name} ({count:,})" for name, count in done.written.items())
    out.say(
        f"\nWrote {output}: {written}, kgrec.yaml. Check kgrec.yaml, then run: kgrec build {output}/kgrec.yaml -o graph/"
    )
    out.result({"folder": str(output), **done.to_dict()})
