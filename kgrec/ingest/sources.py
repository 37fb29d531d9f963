"""The files that a mapping names.

Enters: names and globs relative to a folder. Leaves: existing files, sorted, inside that folder.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kgrec.errors import SourceError, did_you_mean
from kgrec.ingest.compressed import inner_name


@dataclass(frozen=True)
class Source:
    """One file; `name` is its path relative to the mapping's folder, as used in reports."""

    path: Path
    name: str

    @property
    def suffix(self) -> str:
        """The suffix in lower case, without the suffix of compression; for a .zip file, that of the file in it; "" if there is none."""
        return Path(inner_name(self.path)).suffix.lower() or Path(self.path.stem).suffix.lower()


def find_files(folder: Path, names: Sequence[str], *, allow_outside: bool) -> list[Source]:
    """The distinct files that match `names`, sorted by name.

    Raises:
        SourceError: A name matches no file, or a file outside `folder`, also through a symbolic link.
    """
    found = {path: None for name in names for path in _matches(folder, name)}
    for path in found:
        if not allow_outside and not path.resolve().is_relative_to(folder.resolve()):
            raise SourceError(
                f"{path} is outside the mapping's folder, {folder}.",
                "Move the file into the folder, or give --allow-outside (allow_outside=True) if you trust the mapping.",
            )
    return [Source(path, _name(path, folder)) for path in sorted(found)]


def _matches(folder: Path, name: str) -> list[Path]:
    path = folder / name
    if path.is_file():
        return [path]
    # unlike Path.glob, glob.glob accepts names that are absolute or begin with ".."
    matches = glob.glob(str(path), recursive=True) if glob.has_magic(name) else []  # noqa: PTH207
    files = [Path(match) for match in matches if Path(match).is_file()]
    if not files:
        there = sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else []
        what = "is a folder" if path.is_dir() else "does not exist"
        raise SourceError(
            f"{path} {what}.", f"Correct `file:` in the mapping. {did_you_mean(path.name, there)}"
        )
    return files


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
