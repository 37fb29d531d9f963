"""`kgrec rollback`: an earlier version of a folder back in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli.console import Json, Quiet, console
from kgrec.cli.inspect_model import size
from kgrec.cli.options import KeptFolder

if TYPE_CHECKING:
    from kgrec.storage.kept import Version


def rollback(
    folder: KeptFolder,
    to: Annotated[
        str | None,
        typer.Option("--to", help="Version to put in place, as --list names it. Default: the latest."),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List the kept versions, and change nothing.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Put an earlier version of a model or a graph back in its place; the present one is kept, so a second rollback undoes it.

    Example: `kgrec rollback model/`
    """
    from kgrec.storage import kept

    out = console(as_json, quiet)
    if list_:
        present, earlier = kept.version_of(folder), kept.versions(folder)
        values = {"present": present and _values(present), "kept": [_values(one) for one in earlier]}
        out.result(values, "\n".join(_lines(present, earlier)))
        return
    now, before = kept.rollback(folder, to)
    out.say(
        f"{folder} is the version {now.name} now. The version {before.name} is kept: kgrec rollback {folder}"
    )
    out.result({"folder": str(folder), "present": now.name, "kept": before.name})


def _lines(present: Version | None, earlier: list[Version]) -> list[str]:
    rows = [("present", present)] if present else []
    rows += [("kept", one) for one in earlier]
    lines = [f"{state:<8} {one.name}  kgrec {one.kgrec_version}, {size(one.size)}" for state, one in rows]
    return lines if earlier else [*lines, "No earlier version is kept."]


def _values(version: Version) -> dict[str, Any]:
    return {
        "version": version.name,
        "created": version.created,
        "kgrec": version.kgrec_version,
        "bytes": version.size,
        "folder": str(version.path),
    }
