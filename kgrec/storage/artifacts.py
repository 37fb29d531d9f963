"""Folders on disk that are either whole or absent.

Enters: a function that fills an empty folder. Leaves: that folder under its final name, with a
`manifest.json` that names every file with its hash. A process that is killed at any instant leaves
the old folder as it was; a reader sees the old folder or the new one, never a mixture.

File formats are Parquet, JSON, npy, safetensors and FAISS: reading one never runs code from it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from kgrec._version import __version__
from kgrec.errors import ArtifactError, CorruptArtifact, KgrecError, VersionMismatch
from kgrec.storage import atomic

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

#: Raised when an older kgrec cannot read what this one writes.
FORMAT_VERSION = 7
#: Versions that this kgrec reads.
READABLE = (2, 3, 4, 5, 6, 7)
MANIFEST = "manifest.json"

ArtifactKind = Literal["graph", "model", "split", "report"]
_T = TypeVar("_T")
#: of the arrays that kgrec maps: safetensors' name -> numpy's
_TENSOR_TYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8"}
#: times that a folder may be replaced while it is read
_RETRIES = 20
#: times that a name is looked up: a writer without an exchanging rename has two renames, and a look may fall between
_LOOKS = 5


@dataclass(frozen=True)
class Manifest:
    """What a folder holds and where it came from.

    `files` gives the SHA-256 and the size in bytes of each file; `inputs` the SHA-256 of each
    source; `config` whatever decided the content, the seed included.
    """

    kind: str
    format_version: int = FORMAT_VERSION
    kgrec_version: str = __version__
    created: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: SHA-256 of all the above, as canonical JSON
    seal: str = ""


class _ReplacedError(Exception):
    """A writer replaced the folder while it was read."""


class _AbsentError(ArtifactError):
    """There is no folder under that name, or none of kgrec's."""


def check_output(folder: Path, kind: ArtifactKind) -> None:
    """Refuse an output folder before any work is done for it.

    Raises:
        ArtifactError: It holds something that is not an artefact of this kind, or cannot be written.
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
) -> Iterator[Path]:
    """Give a temporary folder to fill; on leaving without an error it becomes `folder`.

    Args:
        folder: The final place; an older artefact of the same kind there is replaced.
        kind: What is written, checked when it is read.
        inputs: SHA-256 of each source, by name.
        config: What decided the content.

    Raises:
        ArtifactError: `folder` holds something that is not an artefact of this kind, or the
            disk refuses.
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
        atomic.put_in_place(temporary, folder)
    except ArtifactError as error:  # of a folder within, which is named as it would be in the end
        raise ArtifactError(error.problem.replace(str(temporary), str(folder)), error.remedy) from error
    except OSError as error:
        raise ArtifactError(
            f"{folder}: cannot be written ({error.strerror or error}).",
            "See whether the disk is full; what was there before is untouched.",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def reading(
    folder: Path, kind: ArtifactKind, load: Callable[[Path, Manifest], _T], later: tuple[str, ...] = ()
) -> _T:
    """`load(folder, manifest)` of files that are as they were written, repeated when a writer replaced the folder meanwhile.

    Args:
        folder: The artefact.
        kind: Of it.
        load: Reads it.
        later: Beginnings of names of files that `load` does not read: of these the size is compared, and the hash when
            `reading_again` reads them.

    Raises:
        ArtifactError: There is no such folder, it is of another kind, of another version, or corrupt.
    """
    for _ in range(_RETRIES):
        try:
            return _read_once(*_found(Path(folder), kind), load, later)
        except (_ReplacedError, FileNotFoundError):
            continue
        except OSError as error:
            raise ArtifactError(
                f"{error.filename or folder}: cannot be read ({error.strerror or error}).",
                "See who may read the folder, and whether the disk is sound.",
            ) from error
    raise ArtifactError(
        f"{folder}: it was replaced {_RETRIES} times while being read.", "Try again when writers are done."
    )


def current(folder: Path, kind: ArtifactKind) -> Manifest:
    """The manifest of `folder`, its version checked but not its files.

    Raises:
        ArtifactError: There is no such folder, or it is of another kind or version.
    """
    return _found(Path(folder), kind)[1]


def reading_again(folder: Path, manifest: Manifest, name: str, load: Callable[[Path], _T]) -> _T:
    """`load(folder / name)` in a folder that had this manifest when it was read.

    Args:
        folder: The artefact.
        manifest: Of it.
        name: A file, which is compared with its hash, or an artefact within, which compares its own files.
        load: Reads it.

    Raises:
        ArtifactError: Another one has its place, or it cannot be read.
    """
    for _ in range(_RETRIES):
        place, found = _found(Path(folder), manifest.kind)
        if found != manifest:
            break
        with suppress(_ReplacedError):
            return _unless_replaced(place, manifest, partial(_read_part, place, manifest, name, load))
    raise ArtifactError(f"{folder} was replaced after it was loaded.", "Load it again.")


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(value: object, path: Path) -> None:
    """Write `value` as indented JSON with a final newline."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """The value in a JSON file; CorruptArtifact when it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _corrupt(path, f"is not JSON ({error})") from None


def write_table(table: pa.Table, path: Path) -> None:
    """Write an Arrow table as Parquet; the same table gives the same bytes."""
    import pyarrow.parquet as pq

    # each group of rows repeats the dictionaries: few, large groups
    pq.write_table(table, path, compression="zstd", row_group_size=1 << 24)


def read_table(path: Path) -> pa.Table:
    """The Arrow table of a Parquet file; CorruptArtifact when it is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # `read_table` would import what reads folders of many files, which takes as long as the file
        with pq.ParquetFile(path) as file:
            return file.read()
    except (pa.ArrowException, OSError) as error:
        raise _corrupt(path, f"is not a Parquet file ({error})") from None


def write_array(array: np.ndarray, path: Path) -> None:
    """Write an array as npy."""
    import numpy as np

    np.save(path, array, allow_pickle=False)


def map_array(path: Path, shape: tuple[int | None, ...]) -> np.ndarray:
    """The array of an npy file, which must have `shape` (None: any length); read when it is used, and not to be changed.

    It outlives the file's name: a folder may be replaced meanwhile.
    """
    import numpy as np

    try:
        array: np.ndarray = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (ValueError, OSError, EOFError) as error:
        raise _corrupt(path, f"is not an npy file ({error})") from None
    if len(array.shape) != len(shape) or any(
        want not in (None, have) for have, want in zip(array.shape, shape, strict=True)
    ):
        raise _corrupt(path, f"has shape {array.shape} where {shape} was expected")
    return array


def write_tensors(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write named arrays as safetensors."""
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, path)
    except SafetensorError as error:
        raise OSError(str(error)) from None


def map_tensors(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file by name, as `map_array` gives one.

    The library copies what it reads: https://huggingface.co/docs/safetensors says how the file is laid out.
    """
    try:
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(min(size, path.stat().st_size)))
        header.pop("__metadata__", None)
        return {name: _mapped_tensor(path, 8 + size, **told) for name, told in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _corrupt(path, f"is not a safetensors file ({error})") from None


def _mapped_tensor(
    path: Path, start: int, dtype: str, shape: list[int], data_offsets: list[int]
) -> np.ndarray:
    import numpy as np

    kind, (begin, end) = np.dtype(_TENSOR_TYPES[dtype]), data_offsets
    if kind.itemsize * math.prod(shape) != end - begin or start + end > path.stat().st_size:
        raise ValueError(f"an array of shape {shape} does not fit")
    # Each is mapped by itself: of a view of a larger array scipy makes a copy.
    return (
        np.asarray(np.memmap(path, kind, "r", start + begin, tuple(shape)))
        if end > begin
        else np.zeros(shape, kind)
    )


def _check_replaceable(folder: Path, kind: ArtifactKind) -> None:
    if not folder.exists() and not folder.is_symlink():
        return
    with suppress(OSError):  # what cannot be listed is no folder to replace
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
    """Write the manifest."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    for path in paths:
        manifest.files[path.relative_to(folder).as_posix()] = {
            "sha256": digest(path),
            "bytes": path.stat().st_size,
        }
    manifest = replace(manifest, seal=_seal_of(asdict(manifest)))
    write_json(asdict(manifest), folder / MANIFEST)


def _seal_of(raw: dict[str, Any]) -> str:
    """SHA-256 of a manifest's other values: a manifest that was altered does not match it."""
    values = {name: value for name, value in raw.items() if name != "seal"}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _found(folder: Path, kind: str) -> tuple[Path, Manifest]:
    """Where a folder is, and its manifest, the version checked."""
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
    """What `load` gives or raises; _ReplacedError if the folder was replaced meanwhile, so that neither counts."""
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
        raise _corrupt(folder / MANIFEST, "is not a manifest of kgrec")
    if raw["kind"] != kind:
        raise ArtifactError(f"{folder} is a {raw['kind']} folder.", f"This needs a {kind} folder.")
    if raw.get("format_version") not in READABLE:
        raise VersionMismatch(
            f"{folder} has format version {raw.get('format_version')} (kgrec {raw.get('kgrec_version')}); "
            f"this is kgrec {__version__}, which reads versions {READABLE[0]} to {READABLE[-1]}.",
            "Make it again with this version of kgrec, or install the version that wrote it.",
        )
    if raw.keys() != Manifest.__dataclass_fields__.keys() or raw["seal"] != _seal_of(raw):
        raise _corrupt(folder / MANIFEST, "differs from what was written")
    return Manifest(**raw)


def _check_file(path: Path, expected: object, *, content: bool = True) -> None:
    if not isinstance(expected, dict) or not {"sha256", "bytes"} <= expected.keys():
        raise _corrupt(path.parent / MANIFEST, f"has no hash of {path.name}")
    if not path.is_file():
        raise _corrupt(path, "is missing")
    if path.stat().st_size != expected["bytes"]:
        raise _corrupt(path, f"has {path.stat().st_size:,} bytes where {expected['bytes']:,} were written")
    if content and digest(path) != expected["sha256"]:
        raise _corrupt(path, "differs from what was written")


def _unchanged(folder: Path, manifest: Manifest) -> bool:
    try:
        return bool(read_json(Path(folder) / MANIFEST) == asdict(manifest))
    except (KgrecError, OSError):
        return False


def _corrupt(path: Path, problem: str) -> CorruptArtifact:
    return CorruptArtifact(f"{path} {problem}.", "Make the folder again, or restore it from a copy.")


def _now() -> str:
    # no two of a folder are made in one millisecond, so manifests of two are never the same
    return datetime.now(UTC).isoformat(timespec="milliseconds")
