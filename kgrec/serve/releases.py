"""The newest model of a folder of releases.

Enters: a folder with model folders. Leaves: the path of the one that was written last. Nothing is written.

A model folder appears whole under its name, so one that is there can be read.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kgrec.errors import ArtifactError
from kgrec.storage import artifacts


@dataclass(frozen=True)
class Release:
    """A model folder."""

    folder: Path
    manifest: artifacts.Manifest

    @property
    def name(self) -> str:
        """The first characters of its seal."""
        return self.manifest.seal[:12]


def release(folder: Path) -> Release:
    """A model folder as it is now.

    Raises:
        ArtifactError: It is missing, or of another kind or version.
    """
    return Release(folder, artifacts.current(folder, "model"))


def newest(folder: Path) -> Release:
    """The model that was written last in a folder of releases; of simultaneous ones the last by name.

    Raises:
        ArtifactError: There is none that can be read.
    """
    found = []
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        if place.is_dir() and not place.name.startswith("."):
            with suppress(ArtifactError):
                found.append(release(place))
    if not found:
        raise ArtifactError(
            f"{folder} has no model folder that can be read.",
            "Write one there: kgrec train graph/ -o FOLDER/NAME.",
        )
    return max(found, key=lambda one: (one.manifest.created, one.folder.name))
