"""The project that a command belongs to: the nearest folder, from the working folder upwards, with a kgrec.yaml.

Enters: the working folder. Leaves: paths of its mapping, graph and model, for arguments and options that are not given.
"""

from __future__ import annotations

import os
from pathlib import Path

from kgrec.errors import ArtifactError

MAPPING, GRAPH, MODEL = "kgrec.yaml", "graph", "model"
#: `kgrec.storage.artifacts.MANIFEST`, repeated here because importing it is slow
_MANIFEST = "manifest.json"


def folder() -> Path | None:
    """The folder of the project, relative to the working folder; None where there is no kgrec.yaml."""
    here = Path.cwd()
    for place in (here, *here.parents):
        if (place / MAPPING).is_file():
            return Path(os.path.relpath(place, here))
    return None


def mapping() -> Path:
    """The project's mapping.

    Raises:
        ArtifactError: There is none.
    """
    found = folder()
    if found is None and not _completing():
        raise ArtifactError(
            f"No mapping was given, and there is no {MAPPING} here or in a folder above.",
            "Give a mapping, or draft one: kgrec init FILES.",
        )
    return (found or Path()) / MAPPING


def graph() -> Path:
    """The project's graph folder.

    Raises:
        ArtifactError: It is not there.
    """
    return _there(GRAPH, "kgrec build")


def model() -> Path:
    """The project's model folder.

    Raises:
        ArtifactError: It is not there.
    """
    return _there(MODEL, "kgrec train")


def model_or_graph() -> Path:
    """The project's model folder; its graph folder if there is no model yet.

    Raises:
        ArtifactError: Neither is there.
    """
    place = folder() or Path()
    return graph() if not (place / MODEL).exists() and (place / GRAPH).exists() else model()


def model_and_rows(first: Path, second: Path | None, table: Path | None) -> tuple[Path, Path | None]:
    """Model folder and folder of rows of a command that takes both: a single argument that is no model is the rows.

    Args:
        first: The first argument.
        second: The second one.
        table: A table that replaces the folder of rows.
    """
    if second is None and table is None and first.exists() and not (first / _MANIFEST).is_file():
        return model(), first
    return first, second


def beside(source: Path, name: str) -> Path:
    """Where output goes that was made from `source`: into the project's folder if `source` is there, else here."""
    found = folder()
    inside = found is not None and source.resolve().parent == found.resolve()
    return found / name if found is not None and inside else Path(name)


def _there(name: str, command: str) -> Path:
    place = folder() or Path()
    if not (place / name).is_dir() and not _completing():
        raise ArtifactError(
            f"No {name} folder was given, and there is no {place / name}.",
            f"Give one, or make it: {command}.",
        )
    return place / name


def _completing() -> bool:
    """Whether the shell asks for completions: arguments that are missing are no error then."""
    return "_KGREC_COMPLETE" in os.environ
