"""A folder of releases: model folders of which the newest one answers.

Enters: a folder with model folders. Leaves: the path of the one that was written last. Writes: `withdraw`, `restore` and `prune` rename or
remove whole releases.

A model folder appears whole under its name, so one that is there can be read. A name that begins with a dot is no release: a withdrawn
one is called `.NAME.withdrawn`.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kgrec.errors import ArtifactError, UnknownId, did_you_mean
from kgrec.storage import artifacts, atomic

_WITHDRAWN = ".withdrawn"
#: names that `dated_name` gives
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}T\d{6}Z")


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


def all_of(folder: Path) -> list[Release]:
    """The releases that can be read, the newest first; of simultaneous ones the last by name is the newest."""
    found = []
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        if place.is_dir() and not place.name.startswith("."):
            with suppress(ArtifactError):
                found.append(release(place))
    return sorted(found, key=lambda one: (one.manifest.created, one.folder.name), reverse=True)


def newest(folder: Path) -> Release:
    """The model that was written last in a folder of releases; of simultaneous ones the last by name.

    Raises:
        ArtifactError: There is none that can be read.
    """
    found = all_of(folder)
    if not found:
        raise ArtifactError(
            f"{folder} has no model folder that can be read.",
            "Write one there: kgrec train graph/ -o FOLDER/NAME.",
        )
    return found[0]


def dated_name(seconds: float) -> str:
    """The name of a release that is written at this time, in seconds since 1970: 2026-12-01T030000Z."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H%M%SZ")


def withdraw(folder: Path, to: str | None = None) -> tuple[Release, list[str]]:
    """Let an earlier release answer: those that are newer get names that servers ignore.

    Args:
        folder: The releases.
        to: Name of the release that is to answer; None: the one before the newest.

    Returns:
        The release that answers now, and the names of the withdrawn ones, the newest first.

    Raises:
        ArtifactError: There is no earlier release, or the disk refuses.
        UnknownId: There is no such release.
    """
    found = all_of(folder)
    names = [one.folder.name for one in found]
    if to is not None and to not in names:
        raise UnknownId(f"There is no release '{to}' in {folder}.", did_you_mean(to, names))
    if to is None and len(found) < 2:
        raise ArtifactError(
            f"{folder} has no release before the newest one.", "Write another one there: kgrec nightly."
        )
    at = 1 if to is None else names.index(to)
    for one in found[:at]:
        place = folder / f".{one.folder.name}{_WITHDRAWN}"
        try:
            atomic.remove(place)
            one.folder.rename(place)
        except OSError as error:
            raise ArtifactError(
                f"{one.folder} cannot be renamed ({error.strerror or error}).",
                "Check the permissions of its folder.",
            ) from None
    return found[at], names[:at]


def prune(folder: Path, keep: int) -> list[str]:
    """Remove all but the newest releases with names of `dated_name`, and those of them that were withdrawn; returns the removed names."""
    dated = [one.folder for one in all_of(folder) if _DATED.fullmatch(one.folder.name)]
    hidden = [
        place
        for place in sorted(folder.iterdir())
        if _DATED.fullmatch(place.name.removeprefix(".").removesuffix(_WITHDRAWN))
        and place.name.endswith(_WITHDRAWN)
    ]
    for place in (*dated[keep:], *hidden):
        atomic.remove(place)
    return [place.name for place in (*dated[keep:], *hidden)]
