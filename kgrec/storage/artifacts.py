"""Folders on disk that appear whole or not at all, each with a manifest.

Enters: a function that fills an empty folder. Leaves: that folder under its final name, with a `manifest.json` that lists the
hash of every file. A process that is killed at any instant leaves the old folder as it was; a reader sees the old folder or the
new one, never a mixture.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from kgrec._version import __version__
from kgrec.errors import ArtifactError, CorruptArtifact, KgrecError, VersionMismatch
from kgrec.storage import atomic, kept
from kgrec.storage.files import corrupt, digest, read_json, write_json

#: Format of all folders that this kgrec writes; it is raised when older versions of kgrec cannot read them, or when a part of a
#: folder changes its name or meaning. Each increase comes with a step in `kgrec.storage.migrations`.
FORMAT_VERSION = 8
#: formats that this kgrec reads
READABLE = (2, 3, 4, 5, 6, 7, 8)
MANIFEST = "manifest.json"

ArtifactKind = Literal["graph", "model", "split", "report", "drift", "simulation"]
_T = TypeVar("_T")
#: how many times a folder is read again when a writer replaces it during the read
_RETRIES = 20
#: how many times a folder is looked up: a writer that cannot exchange two folders renames twice, and a look-up may fall between
_LOOKS = 5


@dataclass(frozen=True)
class Manifest:
    """Contents and provenance of a folder.

    `files` gives the SHA-256 and the size in bytes of each file; `inputs` the SHA-256 of each source; `config` the options that
    decided the content, the seed included.
    """

    kind: str
    format_version: int = FORMAT_VERSION
    kgrec_version: str = __version__
    #: UTC, to the millisecond
    created: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: SHA-256 of the fields above as canonical JSON
    seal: str = ""


class _ReplacedError(Exception):
    """A writer replaced the folder while it was read."""


class _AbsentError(ArtifactError):
    """No folder has that name, or the folder was not written by kgrec."""


def check_output(folder: Path, kind: ArtifactKind) -> None:
    """Check that an output folder can be written, before any work is done for it.

    Raises:
        ArtifactError: The folder holds something other than an artefact of this kind, or cannot be written.
    """
    folder = Path(folder).resolve()
    _check_replaceable(folder, kind)
    parent = next(place for place in folder.parents if place.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise ArtifactError(f"{folder}: {parent} cannot be written to.", "Choose another output folder.")


@contextmanager
def writing(
    folder: Path,
    *,
    kind: ArtifactKind,
    inputs: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
    keep: int = 0,
) -> Iterator[Path]:
    """Yield a temporary folder to fill; when the block ends without an error, it becomes `folder`.

    Args:
        folder: The final path; an older artefact of the same kind there is replaced.
        kind: The kind of artefact, which is checked on reading.
        inputs: SHA-256 of each source, by name.
        config: The options that decided the content.
        keep: How many earlier versions of the folder to keep beside it, see `kgrec.storage.kept`; with 0 the replaced version
        is removed, and versions that were kept earlier stay.

    Raises:
        ArtifactError: `folder` holds something other than an artefact of this kind, or the disk reports an error.
    """
    folder = Path(folder).resolve()
    _check_replaceable(folder, kind)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        atomic.restore(folder)
        temporary = atomic.temporary_beside(folder)
        temporary.mkdir()
    except OSError as error:
        raise ArtifactError(
            f"{folder}: cannot write there ({error.strerror}).", "Choose another output folder."
        ) from None
    try:
        yield temporary
        _seal(temporary, Manifest(kind, created=_now(), inputs=dict(inputs or {}), config=dict(config or {})))
        atomic.put_in_place(temporary, folder, keep=kept.place_for(folder) if keep else None)
        if keep:
            kept.prune(folder, keep)
    except ArtifactError as error:  # raised for a folder inside this one: put the final name in the message
        raise ArtifactError(error.problem.replace(str(temporary), str(folder)), error.remedy) from error
    except OSError as error:
        raise ArtifactError(
            f"{folder}: cannot be written ({error.strerror or error}).",
            "Check whether the disk is full; an older folder there is unchanged.",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def reading(
    folder: Path, kind: ArtifactKind, load: Callable[[Path, Manifest], _T], later: tuple[str, ...] = ()
) -> _T:
    """Check the files of a folder and return `load(folder, manifest)`; start again if a writer replaced the folder meanwhile.

    Args:
        folder: The artefact.
        kind: Its kind.
        load: Reads the folder.
        later: Prefixes of the names of files that `load` does not read. Their sizes are checked now, and their hashes later by
        `reading_again`.

    Raises:
        ArtifactError: The folder is missing, corrupt, or of another kind or version.
    """
    for _ in range(_RETRIES):
        try:
            return _read_once(*_found(Path(folder), kind), load, later)
        except (_ReplacedError, FileNotFoundError):
            continue
        except OSError as error:
            raise ArtifactError(
                f"{error.filename or folder}: cannot be read ({error.strerror or error}).",
                "Check the permissions of the folder, and the disk.",
            ) from error
    raise ArtifactError(
        f"{folder} was replaced {_RETRIES} times while it was read.", "Try again when no writer is active."
    )


def current(folder: Path, kind: ArtifactKind) -> Manifest:
    """The manifest of `folder`; its version is checked, its files are not.

    Raises:
        ArtifactError: The folder is missing, or of another kind or version.
    """
    return _found(Path(folder), kind)[1]


def kind_of(folder: Path) -> str:
    """The kind of an artefact.

    Raises:
        ArtifactError: The folder is missing, or was not written by kgrec.
    """
    place = atomic.present(Path(folder))
    if not place.is_dir():
        raise _AbsentError(f"{folder}: there is no such folder.", "Give the path of a graph or model folder.")
    if not (place / MANIFEST).is_file():
        raise _AbsentError(
            f"{folder}: has no {MANIFEST}, so it was not written by kgrec.",
            "Give the path of a graph or model folder.",
        )
    raw = read_json(place / MANIFEST)
    if not isinstance(raw, dict) or raw.get("kind") not in get_args(ArtifactKind):
        raise corrupt(place / MANIFEST, "is not a manifest of kgrec")
    return str(raw["kind"])


def reading_again(folder: Path, manifest: Manifest, name: str, load: Callable[[Path], _T]) -> _T:
    """Return `load(folder / name)`, provided that the folder still has the manifest it had when it was loaded.

    Args:
        folder: The artefact.
        manifest: Its manifest when it was loaded.
        name: A file, whose hash is checked, or an artefact inside, which checks its own files.
        load: Reads the file or the artefact.

    Raises:
        ArtifactError: The folder was replaced, or cannot be read.
    """
    for _ in range(_RETRIES):
        place, found = _found(Path(folder), manifest.kind)
        if found != manifest:
            break
        with suppress(_ReplacedError):
            return _unless_replaced(place, manifest, partial(_read_part, place, manifest, name, load))
    raise ArtifactError(f"{folder} was replaced after it was loaded.", "Load it again.")


def _check_replaceable(folder: Path, kind: ArtifactKind) -> None:
    if not folder.exists() and not folder.is_symlink():
        return
    with suppress(OSError):  # a path that cannot be listed is not treated as an empty folder
        if folder.is_dir() and not any(folder.iterdir()):
            return
    found = None
    with suppress(CorruptArtifact, OSError):
        found = read_json(folder / MANIFEST)
    if not isinstance(found, dict) or found.get("kind") != kind:
        raise ArtifactError(
            f"{folder} exists and is not a {kind} folder, so it is not replaced.",
            "Choose another output folder, or remove this one.",
        )


def _seal(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a filled folder."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    for path in paths:
        manifest.files[path.relative_to(folder).as_posix()] = {
            "sha256": digest(path),
            "bytes": path.stat().st_size,
        }
    manifest = replace(manifest, seal=_seal_of(asdict(manifest)))
    write_json(asdict(manifest), folder / MANIFEST)


def _seal_of(raw: dict[str, Any]) -> str:
    """SHA-256 of a manifest's other values; an altered manifest does not match it."""
    values = {name: value for name, value in raw.items() if name != "seal"}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _found(folder: Path, kind: str) -> tuple[Path, Manifest]:
    """The current path of a folder, and its manifest with the version checked."""
    for _ in range(_LOOKS - 1):
        with suppress(_AbsentError, FileNotFoundError):
            place = atomic.present(folder)
            return place, _manifest(place, kind)
    place = atomic.present(folder)
    return place, _manifest(place, kind)


def _read_once(
    folder: Path, manifest: Manifest, load: Callable[[Path, Manifest], _T], later: tuple[str, ...]
) -> _T:
    def checked() -> _T:
        for name, expected in manifest.files.items():
            _check_file(folder / name, expected, content=not name.startswith(later))
        return load(folder, manifest)

    return _unless_replaced(folder, manifest, checked)


def _read_part(folder: Path, manifest: Manifest, name: str, load: Callable[[Path], _T]) -> _T:
    file = name if name in manifest.files else f"{name}/{MANIFEST}"
    _check_file(folder / file, manifest.files.get(file))
    return load(folder / name)


def _unless_replaced(folder: Path, manifest: Manifest, load: Callable[[], _T]) -> _T:
    """The result or error of `load`; _ReplacedError instead if the folder was replaced during the call."""
    try:
        result = load()
    except (KgrecError, OSError):
        if _unchanged(folder, manifest):
            raise
        raise _ReplacedError from None
    if not _unchanged(folder, manifest):
        raise _ReplacedError
    return result


def _manifest(folder: Path, kind: str) -> Manifest:
    if not folder.is_dir():
        raise _AbsentError(
            f"{folder}: there is no such folder.", f"Give the path of a {kind} folder, or make one first."
        )
    if not (folder / MANIFEST).is_file():
        raise _AbsentError(
            f"{folder}: has no {MANIFEST}, so it is not a {kind} folder.",
            f"Give the path of a {kind} folder.",
        )
    raw = read_json(folder / MANIFEST)
    if not isinstance(raw, dict) or raw.get("kind") not in get_args(ArtifactKind):
        raise corrupt(folder / MANIFEST, "is not a manifest of kgrec")
    if raw["kind"] != kind:
        raise ArtifactError(f"{folder} is a {raw['kind']} folder.", f"This needs a {kind} folder.")
    _check_version(folder, raw)
    if raw.keys() != Manifest.__dataclass_fields__.keys() or raw["seal"] != _seal_of(raw):
        raise corrupt(folder / MANIFEST, "differs from what was written")
    return Manifest(**raw)


def _check_version(folder: Path, raw: dict[str, Any]) -> None:
    if raw.get("format_version") not in READABLE:
        raise VersionMismatch(
            f"{folder} has format version {raw.get('format_version')} (kgrec {raw.get('kgrec_version')}); "
            f"this is kgrec {__version__}, which reads versions {READABLE[0]} to {READABLE[-1]}.",
            "Make it again with this version of kgrec, or install the version that wrote it.",
        )


def _check_file(path: Path, expected: object, *, content: bool = True) -> None:
    if not isinstance(expected, dict) or not {"sha256", "bytes"} <= expected.keys():
        raise corrupt(path.parent / MANIFEST, f"has no hash of {path.name}")
    if not path.is_file():
        raise corrupt(path, "is missing")
    if path.stat().st_size != expected["bytes"]:
        raise corrupt(path, f"has {path.stat().st_size:,} bytes where {expected['bytes']:,} were written")
    if content and digest(path) != expected["sha256"]:
        raise corrupt(path, "differs from what was written")


def _unchanged(folder: Path, manifest: Manifest) -> bool:
    try:
        return bool(read_json(Path(folder) / MANIFEST) == asdict(manifest))
    except (KgrecError, OSError):
        return False


def _now() -> str:
    # a folder is never written twice within a millisecond, so two manifests of one path differ
    return datetime.now(UTC).isoformat(timespec="milliseconds")
