"""The folder of an unfinished batch run: the options that determine its results, and the finished parts.

Enters: tables of parts. Leaves: the same tables, also after an interruption. Writes `NAME.parts/` beside the output file until the
output is complete: `run.json`, and one file per part in Arrow's IPC format.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from kgrec.errors import ArtifactError, CorruptArtifact
from kgrec.serve.result_files import whole_file
from kgrec.storage.files import read_json, write_json

_RUN = "run.json"
_DIGEST = "sha256:"
_RESTART = "Repeat the options of the interrupted run, or run without resume, which starts over."
_DAMAGED = "Run again without resume."
#: remedy if a file cannot be written
KEPT = "Free space on the disk, or choose another output file; finished parts are kept for resume."


class RunFolder:
    """The finished parts of a run; a run of one part has no folder.

    Args:
        folder: Path of the folder.
        run: All plain values that determine the results, by name.
        several: Whether there is more than one part.
        resume: Whether to continue with the finished parts instead of starting over.
    """

    def __init__(self, folder: Path, run: dict[str, Any], *, several: bool, resume: bool) -> None:
        self.folder, self.run, self.several, self._resume = folder, run, several, resume
        #: when the run began
        self.began = datetime.now(UTC)

    def begin(self) -> int:
        """Create the folder, or check the existing one; returns the number of finished parts.

        Raises:
            ArtifactError: The parts belong to another run, or cannot be read.
        """
        if self._resume and (self.folder / _RUN).exists():
            self.began = self._checked(read_json(self.folder / _RUN))
            return self.finished()
        self.remove()
        if self.several:
            with self._whole(_RUN) as place:
                write_json({"began": self.began.isoformat(), "run": self.run}, place)
        return 0

    def read(self, number: int) -> pa.Table:
        """A finished part.

        Raises:
            CorruptArtifact: The file of the part is damaged.
        """
        place = self._place(number)
        try:
            with pa.OSFile(str(place)) as file:
                return pa.ipc.open_file(file).read_all()
        except (pa.ArrowInvalid, OSError) as error:
            raise CorruptArtifact(f"{place} cannot be read ({error}).", _DAMAGED) from None

    def keep(self, number: int, table: pa.Table) -> pa.Table:
        """Write a part, and return it."""
        if self.several:
            options = pa.ipc.IpcWriteOptions(compression="zstd")
            with (
                self._whole(self._place(number).name) as place,
                pa.OSFile(str(place), "wb") as file,
                pa.ipc.new_file(file, table.schema, options=options) as writer,
            ):
                writer.write_table(table)
        return table

    def remove(self) -> None:
        """Remove the files of a run, and the folder if it holds nothing else."""
        # run.json first: parts without it are never resumed from, so a process killed here does no harm.
        kept = [self.folder / _RUN, *self.folder.glob("*.arrow"), *self.folder.glob(".*.tmp")]
        with suppress(OSError):
            for path in kept:
                path.unlink(missing_ok=True)
            self.folder.rmdir()

    def finished(self) -> int:
        """Number of finished parts: they are written in order, so the first absent one is the first to compute."""
        number = 0
        while self._place(number).exists():
            number += 1
        return number

    def _place(self, number: int) -> Path:
        return self.folder / f"{number:06}.arrow"

    @contextmanager
    def _whole(self, name: str) -> Iterator[Path]:
        """A temporary path for a file in the folder."""
        with suppress(OSError):  # writing the file fails next, with a better error
            self.folder.mkdir(exist_ok=True)
        with whole_file(self.folder / name, KEPT) as place:
            yield place

    def _checked(self, stored: Any) -> datetime:
        """Time at which the run of the finished parts began; ArtifactError if it was another run."""
        try:
            began, run = datetime.fromisoformat(stored["began"]), dict(stored["run"])
        except (KeyError, TypeError, ValueError):
            raise CorruptArtifact(f"{self.folder / _RUN} is damaged.", _DAMAGED) from None
        differences = [_difference(name, run.get(name), value) for name, value in self.run.items()]
        if any(differences):
            differing = ", ".join(filter(None, differences))
            raise ArtifactError(
                f"{self.folder} holds parts of another run, which differs in {differing}.", _RESTART
            )
        return began


def digest(values: Iterable[Any]) -> str:
    """SHA-256 of plain values, which replaces them in `run.json`."""
    total = hashlib.sha256()
    for value in values:
        total.update(json.dumps(value).encode())
    return _DIGEST + total.hexdigest()


def short(value: Any) -> Any:
    """The value itself, or its digest if it is a list."""
    return value if value is None or isinstance(value, str | int | float) else digest([value])


def _difference(name: str, stored: Any, given: Any) -> str:
    if stored == given:
        return ""
    digests = any(isinstance(value, str) and value.startswith(_DIGEST) for value in (stored, given))
    return name if digests else f"{name} (stored: {stored}, now: {given})"
