"""The project of a command: the nearest folder with a kgrec.yaml, from the working folder upwards.

Enters: the working folder. Leaves: paths of the project's mapping, graph and model, as defaults of arguments and options.
"""

from __future__ import annotations

import os
from pathlib import Path

from kgrec.errors import ArtifactError

MAPPING, GRAPH, MODEL = "kgrec.yaml", "graph", "model"
#: `kgrec.storage.artifacts.MANIFEST`, repeated here because importing it is slow
_MANIFEST = "manifest.json"


def folder() -> Path | None:
    """The project's folder, relative to the working folder; None if there is no kgrec.yaml."""
    here = Path.cwd()
    for place in (here, *here.parents):
        if (place / MAPPING).is_file():
            return Path(os.path.relpath(place, here))
    return None


def mapping() -> Path:
    """The project's mapping.

    Raises:
        ArtifactError: There is no mapping.
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
        ArtifactError: The folder does not exist.
    """
    return _there(GRAPH, "kgrec build")


def model() -> Path:
    """The project's model folder.

    Raises:
        ArtifactError: The folder does not exist.
    """
    return _there(MODEL, "kgrec train")


def model_or_graph() -> Path:
    """The project's model folder, or its graph folder if there is no model yet.

    Raises:
        ArtifactError: Neither folder exists.
    """
    place = folder() or Path()
    return graph() if not (place / MODEL).exists() and (place / GRAPH).exists() else model()


def model_and_rows(first: Path, second: Path | None, table: Path | None) -> tuple[Path, Path | None]:
    """Model folder and folder of rows, for a command that takes both. A single argument that is not a model is the folder of rows.

    Args:
        first: The first argument.
        second: The second argument.
        table: A table that replaces the folder of rows.
    """
    if second is None and table is None and first.exists() and not (first / _MANIFEST).is_file():
        return model(), first
    return first, second


def beside(source: Path, name: str) -> Path:
    """The path for output made from `source`: in the project's folder if `source` is there, otherwise in the working folder."""
    found = folder()
    inside = found is not None and source.resolve().parent == found.resolve()
    return found / name if found is not None and inside else Path(name)


def _there(name: str, command: str) -> Path:
    place = folder() or Path()
    if not (place / name).is_dir() and not _completing():
        raise ArtifactError(
            f"No {name} folder was given, and there is no {place / name}.",
            f"Give one, or make it with {command}.",
        )
    return place / name


def _completing() -> bool:
    """Whether the shell requests completions; missing arguments are then not an error."""
    return "_KGREC_COMPLETE" in os.environ
