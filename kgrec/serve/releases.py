"""A folder of releases: model folders, of which the newest is served.

Enters: a folder with model folders. Leaves: the path of the newest one. Writes: `withdraw` and `prune` rename or
remove whole releases.

A model folder appears complete under its name, so every visible one can be read. A folder whose name begins with a dot is not a release;
a withdrawn release is called `.NAME.withdrawn`.
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
#: names made by `dated_name`
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
    """A model folder in its current state.

    Raises:
        ArtifactError: The folder is missing, or has another kind or version.
    """
    return Release(folder, artifacts.current(folder, "model"))


def all_of(folder: Path) -> list[Release]:
    """The readable releases, newest first; among simultaneous releases, the last by name is the newest."""
    found = []
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        if place.is_dir() and not place.name.startswith("."):
            with suppress(ArtifactError):
                found.append(release(place))
    return sorted(found, key=lambda one: (one.manifest.created, one.folder.name), reverse=True)


def newest(folder: Path) -> Release:
    """The newest model in a folder of releases; among simultaneous models, the last by name.

    Raises:
        ArtifactError: There is no readable model.
    """
    found = all_of(folder)
    if not found:
        raise ArtifactError(
            f"{folder} has no readable model folder.",
            "Write one there: kgrec train graph/ -o FOLDER/NAME.",
        )
    return found[0]


def dated_name(seconds: float) -> str:
    """The name of a release written at this time (seconds since 1970): 2026-12-01T030000Z."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H%M%SZ")


def withdraw(folder: Path, to: str | None = None) -> tuple[Release, list[str]]:
    """Return to an earlier release: newer releases get names that servers ignore.

    Args:
        folder: The folder of releases.
        to: Name of the release to serve; None: the one before the newest.

    Returns:
        The release that is served now, and the names of the withdrawn releases, newest first.

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
            f"{folder} has no release before the newest one.", "Make another one with kgrec nightly."
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
    """Remove all except the newest releases among those named by `dated_name`, including withdrawn ones; returns the removed names."""
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
