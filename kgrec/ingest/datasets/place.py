"""The output folder of an import, whole or absent.

Enters: a function that fills an empty folder. Leaves: the folder under its final name, with `import.json`: format, source
files, counts of what was read and left out, and a hash of every file, which shows later edits.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kgrec.errors import ArtifactError, CorruptArtifact
from kgrec.storage.atomic import put_in_place, temporary_beside
from kgrec.storage.files import digest, read_json, write_json

RECORD = "import.json"


def check_place(folder: Path, sources: Sequence[Path], *, force: bool) -> None:
    """Check an output folder before any work is done.

    Raises:
        ArtifactError: The folder holds a source, or it exists, is not an unchanged import, and `force` is not set.
    """
    folder = folder.resolve()
    if any(source.resolve().is_relative_to(folder) for source in sources):
        raise ArtifactError(f"{folder} holds a source of the import.", "Choose another output folder.")
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not folder.is_dir():
        raise ArtifactError(f"{folder} is a file.", "Choose another output folder.")
    if not force and (why := _not_ours(folder)):
        raise ArtifactError(
            f"{folder} {why}, so it is not replaced.", "Choose another folder with -o, or give --force."
        )


@contextmanager
def placing(folder: Path, record: Callable[[], dict[str, Any]]) -> Iterator[Path]:
    """A temporary folder to fill; it becomes `folder` when the block ends without an error.

    Raises:
        ArtifactError: The folder cannot be written.
    """
    folder = folder.resolve()
    temporary = temporary_beside(folder)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        files = {path.name: digest(path) for path in sorted(temporary.iterdir())}
        write_json({"kind": "import", **record(), "files": files}, temporary / RECORD)
        put_in_place(temporary, folder)
    except OSError as error:
        raise ArtifactError(
            f"{folder}: cannot be written ({error.strerror or error}).",
            "Check free space and permissions; an older folder is unchanged.",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _not_ours(folder: Path) -> str:
    """Reason why a folder is not an unchanged import; "" if it is one."""
    record = None
    with suppress(CorruptArtifact, OSError):
        record = read_json(folder / RECORD)
    if not isinstance(record, dict) or record.get("kind") != "import":
        return "exists and is not an earlier import"
    written = record.get("files", {})
    for path in sorted(folder.iterdir()):
        if path.name == RECORD or path.name.startswith("."):
            continue
        if path.name not in written:
            return f"holds {path.name}, which the import did not write"
        if not path.is_file() or digest(path) != written[path.name]:
            return f"holds {path.name}, which was changed since the import"
    return ""
