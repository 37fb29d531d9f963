"""`kgrec rollback`: restore an earlier version of a folder, or an earlier release in a folder of releases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli.console import Console, Json, Quiet, console
from kgrec.cli.inspect_model import size
from kgrec.cli.options import KeptFolder

if TYPE_CHECKING:
    from kgrec.serve.releases import Release
    from kgrec.storage.kept import Version


def rollback(
    folder: KeptFolder,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help="Version or release to restore, as named by --list. Default: the previous one."
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Only list the versions or releases.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Restore an earlier version of a model or a graph; the current version is kept, so a second rollback undoes the first.

    In a folder of releases, releases newer than the restored one get hidden names, and servers switch within seconds.

    Example: `kgrec rollback model/`
    """
    from kgrec.serve import releases
    from kgrec.storage import kept

    out = console(as_json, quiet)
    if not (folder / kept.MANIFEST).exists() and (there := releases.all_of(folder)):
        _releases(folder, there, to, list_, out)
        return
    if list_:
        present, earlier = kept.version_of(folder), kept.versions(folder)
        values = {"present": present and _values(present), "kept": [_values(one) for one in earlier]}
        out.result(values, "\n".join(_lines(present, earlier)))
        return
    now, before = kept.rollback(folder, to)
    out.say(
        f"{folder} is version {now.name} now. Version {before.name} is kept; to restore it: kgrec rollback {folder}"
    )
    out.result({"folder": str(folder), "present": now.name, "kept": before.name})


def _releases(folder: Path, there: list[Release], to: str | None, list_: bool, out: Console) -> None:
    """Roll a folder of releases back, or list it."""
    from kgrec.serve import releases

    if list_:
        rows = [{"release": one.folder.name, "created": one.manifest.created} for one in there]
        states = ("present", *["earlier"] * (len(there) - 1))
        lines = [f"{state:<8} {one.folder.name}" for state, one in zip(states, there, strict=True)]
        out.result({"releases": rows}, "\n".join(lines))
        return
    now, withdrawn = releases.withdraw(folder, to)
    hidden = ", ".join(f".{name}.withdrawn" for name in withdrawn)
    out.say(
        f"{now.folder.name} is served now. Withdrawn: {hidden or 'nothing'}; rename a withdrawn release to restore it."
    )
    out.result({"folder": str(folder), "present": now.folder.name, "withdrawn": withdrawn})


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
