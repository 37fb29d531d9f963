"""Earlier versions of a folder, kept beside it: `model.kept/20261201T051802.123/` beside `model/`.

Enters: an artefact. Leaves: its versions. Writes: the kept folders, each whole; a rollback swaps two folders in one step.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kgrec.errors import ArtifactError, CorruptArtifact, UnknownId, did_you_mean
from kgrec.storage import atomic
from kgrec.storage.files import read_json

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Version:
    """One version of a folder."""

    #: time it was written, as a folder name
    name: str
    #: the folder of this version
    path: Path
    #: time it was written, UTC
    created: str
    kgrec_version: str
    #: size of its files in bytes
    size: int


def versions(folder: Path) -> list[Version]:
    """The kept versions of a folder, latest first; damaged ones are left out."""
    place = kept_beside(folder)
    found = [version_of(path) for path in place.iterdir()] if place.is_dir() else []
    return sorted((one for one in found if one is not None), key=lambda one: one.created, reverse=True)


def version_of(path: Path) -> Version | None:
    """The version in a folder; None if the folder is not an artefact."""
    raw = _manifest(path)
    if raw is None:
        return None
    size = sum(int(file["bytes"]) for file in raw["files"].values())
    return Version(name_of(raw["created"]), path, raw["created"], raw["kgrec_version"], size)


def place_for(folder: Path) -> Path | None:
    """Where to keep the current content of a folder; None if it has none."""
    present = version_of(folder) if folder.is_dir() else None
    return None if present is None else kept_beside(folder) / present.name


def prune(folder: Path, most: int) -> None:
    """Remove the oldest kept versions so that at most `most` remain."""
    for version in versions(folder)[most:]:
        atomic.remove(version.path)


def rollback(folder: Path, to: str | None = None) -> tuple[Version, Version]:
    """Replace a folder by one of its kept versions; its current content becomes a kept version.

    Args:
        folder: The artefact.
        to: Name of the version; None means the latest.

    Returns:
        The version that the folder holds now, and the one that it held before.

    Raises:
        ArtifactError: The folder is not an artefact, no version is kept, or the disk reports an error.
        UnknownId: No such version exists.
    """
    folder = folder.resolve()
    present, kept = version_of(folder) if folder.is_dir() else None, versions(folder)
    if present is None:
        raise ArtifactError(
            f"{folder} was not written by kgrec.", "Give the path of a graph or model folder."
        )
    if not kept:
        raise ArtifactError(
            f"No earlier version of {folder} is kept.",
            "kgrec build and kgrec train keep earlier versions with --keep, for example --keep 3.",
        )
    names = [version.name for version in kept]
    if to is not None and to not in names:
        raise UnknownId(f"There is no version '{to}' of {folder}.", did_you_mean(to, names))
    chosen = kept[names.index(to) if to else 0]
    try:
        atomic.put_in_place(chosen.path, folder, keep=kept_beside(folder) / present.name)
    except OSError as error:
        raise ArtifactError(
            f"{folder} cannot be replaced ({error.strerror or error}).",
            "Check the permissions of the folder that contains it.",
        ) from None
    return chosen, present


def kept_beside(folder: Path) -> Path:
    """The folder of the kept versions."""
    return folder.with_name(f"{folder.name}.kept")


def _manifest(path: Path) -> dict[str, Any] | None:
    try:
        raw = read_json(path / MANIFEST)
    except (CorruptArtifact, OSError):
        return None
    fields = {"created": str, "kgrec_version": str, "files": dict}
    fits = isinstance(raw, dict) and all(isinstance(raw.get(name), kind) for name, kind in fields.items())
    return raw if fits else None


def name_of(created: str) -> str:
    """The time as a name that every file system accepts: digits, T and a point."""
    return created.partition("+")[0].replace("-", "").replace(":", "")
