"""A run over many users or items: dealt into parts, of which each is kept once it is answered.

Enters: what is asked for, and a function that answers some of it. Leaves: a file of results, whole.
Writes beside it, until it is whole, a folder `NAME.parts/` with `run.json`, which says what decides the
answers, and the answered parts in Arrow's format. A run that was cut off goes on from there, and ends
in the same file, byte for byte. Memory holds one part, whatever the number of users.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kgrec._version import __version__
from kgrec.errors import ArtifactError, ConfigError, CorruptArtifact
from kgrec.serve.requests import Question
from kgrec.serve.result_files import ResultWriter, check_result, metadata_of, result_file, whole_file
from kgrec.storage.files import read_json, write_json

if TYPE_CHECKING:
    from kgrec.model.model import Model

_RUN = "run.json"
_DIGEST = "sha256:"
#: names that are hashed at once
_HASHED = 4096
_ANEW = "Give the options of the run that was cut off, or run without --resume, which starts anew."
_ANOTHER = "Choose another output file."
_FULL = "Mend that, or choose another output file; parts that are finished are kept for --resume."


@dataclass(frozen=True)
class Delivery:
    """Where the answers go."""

    #: None: the screen
    output: Path | None
    #: names a part
    batch: int
    resume: bool = False
    #: which of the shards, and how many there are
    shard: int = 0
    shards: int = 1

    @classmethod
    def of(
        cls, output: Path | None, batch: int, resume: bool, shards: int | None, shard: int | None
    ) -> Delivery:
        """From the options of a command.

        Raises:
            ConfigError: They do not go together.
            ArtifactError: The file cannot be there.
        """
        if output is None and (resume or shards is not None or shard is not None):
            raise ConfigError(
                "--resume, --shards and --shard are about a file that is written.", "Name it with --output."
            )
        if output is not None:
            check_result(output)
        if (shards is None) != (shard is None):
            raise ConfigError(
                "--shards and --shard belong together.", "Give the number of shards, and which one this is."
            )
        if output is None or shards is None or shard is None:
            return cls(output, batch, resume)
        if shard >= shards:
            raise ConfigError(f"There is no shard {shard} of {shards}.", f"Give 0 to {shards - 1}.")
        place = output.with_name(f"{output.stem}-{shard:05}-of-{shards:05}{output.suffix}")
        check_result(place)
        return cls(place, batch, resume, shard, shards)

    def dealt(self, question: Question) -> Question:
        """The part of a question that this shard answers: each name of which the position, from 0, leaves it."""
        if self.shards == 1:
            return question
        mine = np.arange(self.shard, len(question.names), self.shards)
        return replace(question, names=question.names.take(pa.array(mine)))


def _ignore(*_: object) -> None:
    """Hear of something, and do nothing."""


@dataclass(frozen=True)
class RunWatcher:
    """Callbacks of a run; each may be replaced."""

    #: called with the step's name, the names that are done, and how many there are
    progress: Callable[[str, int, int], None] = _ignore
    #: called with a remark on the run
    say: Callable[[str], None] = _ignore
    #: called with what a user must know of a run that was interrupted
    warn: Callable[[str], None] = _ignore


@dataclass(frozen=True)
class RunSummary:
    """What a run wrote."""

    rows: int
    #: of names that got at least one row
    lists: int
    #: names of an earlier run's parts
    resumed: int
    #: wall-clock time
    seconds: float


def write(
    question: Question, model: Model, delivery: Delivery, what: str, watcher: RunWatcher | None = None
) -> RunSummary:
    """Answer a question into a file, a part at a time, from where an earlier run was cut off if that is wanted.

    Args:
        question: As dealt to this shard.
        model: That answers it.
        delivery: With a file.
        what: The plural of what is asked for: users, items, texts.
        watcher: Receives progress and remarks.

    Raises:
        ArtifactError: The file cannot be written, or the parts that are there are of another run.
    """
    assert delivery.output is not None
    watcher = watcher or RunWatcher()
    began, total = time.perf_counter(), len(question.names)
    parts = RunFolder(
        delivery.output.with_name(f"{delivery.output.name}.parts"),
        description(question, model, delivery, what),
        several=total > delivery.batch,
        resume=delivery.resume,
    )
    kept = parts.begin()
    resumed = min(kept * delivery.batch, total)
    if kept:
        watcher.say(f"Resuming: {resumed:,} of {total:,} {what} are done.")
    rows = lists = 0
    with parts.file(delivery.output, model, watcher) as file:
        for n, names in enumerate(question.parts(delivery.batch)):
            step = "reading finished parts" if n < kept else "writing lists"
            watcher.progress(step, n * delivery.batch, total)
            table = parts.read(n) if n < kept else parts.keep(n, question.answer(names))
            file.write(table)
            rows += len(table)
            # the best of a list is in it, if anything is
            lists += int(np.count_nonzero(table["rank"].to_numpy() == 1))
            watcher.progress(step, min((n + 1) * delivery.batch, total), total)
    parts.remove()
    return RunSummary(rows, lists, resumed, time.perf_counter() - began)


class RunFolder:
    """The folder of the parts that are finished; a run of one part has none.

    Args:
        folder: Where.
        run: What decides the answers; plain values by name.
        several: Whether there is more than one part.
        resume: Go on with what is there, rather than start anew.
    """

    def __init__(self, folder: Path, run: dict[str, Any], *, several: bool, resume: bool) -> None:
        self._folder, self._run, self._several, self._resume = folder, run, several, resume
        #: when the run began
        self.began = datetime.now(UTC)

    def begin(self) -> int:
        """Make the folder, or see what it has; gives the number of parts that are there.

        Raises:
            ArtifactError: They are of another run, or cannot be read.
        """
        if self._resume and (self._folder / _RUN).exists():
            self.began = self._checked(read_json(self._folder / _RUN))
            return len(list(self._folder.glob("*.arrow")))
        self.remove()
        if self._several:
            with self._whole(_RUN) as place:
                write_json({"began": self.began.isoformat(), "run": self._run}, place)
        return 0

    @contextmanager
    def file(self, path: Path, model: Model, watcher: RunWatcher) -> Iterator[ResultWriter]:
        """The file that the parts are for; who cuts the run off is told that they are kept."""
        told = {"kgrec.run": json.dumps(self._run, ensure_ascii=False)}
        metadata = {**metadata_of(model, self.began), **told}
        try:
            with result_file(path, metadata, _FULL if self._several else _ANOTHER) as file:
                yield file
        except KeyboardInterrupt:
            if self._several:
                watcher.warn(f"Finished parts are in {self._folder}: --resume goes on from them.")
            raise

    def read(self, n: int) -> pa.Table:
        """A part that is there; CorruptArtifact when it is damaged."""
        try:
            with pa.OSFile(str(self._place(n))) as file:
                return pa.ipc.open_file(file).read_all()
        except (pa.ArrowInvalid, OSError) as error:
            raise CorruptArtifact(
                f"{self._place(n)} cannot be read ({error}).", "Run again without --resume."
            ) from None

    def keep(self, n: int, table: pa.Table) -> pa.Table:
        """Write a part, and give it back."""
        if self._several:
            options = pa.ipc.IpcWriteOptions(compression="zstd")
            with (
                self._whole(self._place(n).name) as place,
                pa.OSFile(str(place), "wb") as file,
                pa.ipc.new_file(file, table.schema, options=options) as writer,
            ):
                writer.write_table(table)
        return table

    def remove(self) -> None:
        """Remove what a run keeps, and the folder if it holds nothing else."""
        # First what the parts are of: a process killed here leaves none that could be taken for all.
        kept = [self._folder / _RUN, *self._folder.glob("*.arrow"), *self._folder.glob(".*.tmp")]
        with suppress(OSError):
            for path in kept:
                path.unlink(missing_ok=True)
            self._folder.rmdir()

    def _place(self, n: int) -> Path:
        return self._folder / f"{n:06}.arrow"

    def _whole(self, name: str) -> AbstractContextManager[Path]:
        """A name to write a file of the folder under."""
        with suppress(OSError):  # which is told of where the file is written
            self._folder.mkdir(exist_ok=True)
        return whole_file(self._folder / name, _FULL)

    def _checked(self, stored: Any) -> datetime:
        """When the run began that the parts are of."""
        try:
            began, run = datetime.fromisoformat(stored["began"]), dict(stored["run"])
        except (KeyError, TypeError, ValueError):
            raise CorruptArtifact(
                f"{self._folder / _RUN} is not as it was written.", "Run again without --resume."
            ) from None
        others = [_differing(name, run.get(name), value) for name, value in self._run.items()]
        others = [text for text in others if text]
        if others:
            raise ArtifactError(
                f"{self._folder} holds parts of another run, which differs in {', '.join(others)}.", _ANEW
            )
        return began


def description(question: Question, model: Model, delivery: Delivery, what: str) -> dict[str, Any]:
    """What decides the answers of a run: plain values, and of what is long a digest."""
    assert model.origin is not None
    return {
        "kgrec": __version__,
        "columns": list(question.columns),
        "model": _DIGEST + model.origin[1].seal,
        what: _digest(question.parts(_HASHED)),
        "batch": delivery.batch,
        "shard": f"{delivery.shard} of {delivery.shards}",
        **{name: _short(value) for name, value in question.options.items()},
    }


def _short(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else _digest([value])


def _digest(values: Iterable[Any]) -> str:
    total = hashlib.sha256()
    for value in values:
        total.update(json.dumps(value).encode())
    return _DIGEST + total.hexdigest()


def _differing(name: str, there: Any, here: Any) -> str:
    if there == here:
        return ""
    digests = any(isinstance(value, str) and value.startswith(_DIGEST) for value in (there, here))
    return name if digests else f"{name} ({there} there, {here} here)"
