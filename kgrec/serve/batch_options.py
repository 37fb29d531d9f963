"""Options of a batch run, its callbacks, and its summary.

Enters: plain values. Leaves: validated options, and records of a run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from kgrec.arguments import options
from kgrec.errors import ConfigError
from kgrec.parallel import Executor, executor_for


@dataclass(frozen=True)
class BatchOptions:
    """How a batch run is divided and computed. Executor, workers and resume do not affect its results.

    Raises:
        ConfigError: A value is out of range, or options contradict each other.
    """

    batch: int = 4096
    """Names per part; a part is one row group of Parquet, and the unit kept for `resume`."""
    executor: str | None = None
    """"local" (this process), "processes" or "ray"; None: local for one worker, processes for more."""
    workers: int = 1
    """Number of workers; each loads the model from its folder and searches with one thread."""
    resume: bool = False
    """Continue with the finished parts of an interrupted run that wrote to the same file."""
    shard: int | None = None
    """Number of the shard that this run writes, starting at 0: the names at positions shard, shard + shards, ..."""
    shards: int | None = None
    """Number of runs that divide the names among them; each writes its own file."""
    item_fields: tuple[str, ...] = ()
    """Fields of the listed items to add as columns: `label`, relations, types of neighbours, columns of numbers, dates or texts."""
    format: Literal["parquet", "csv", "jsonl"] | None = None
    """Format of the result file; None: given by its suffix."""
    address: str | None = None
    """Address of the Ray cluster; None: $RAY_ADDRESS; without it, Ray is started on this machine."""
    gpus_per_worker: float = 0.0
    """GPUs that each Ray worker reserves; with a fraction, workers share a GPU."""

    def __post_init__(self) -> None:
        if self.format is not None:
            options.choice("format", self.format, ("parquet", "csv", "jsonl"))
        options.whole_number("batch", self.batch)
        options.whole_number("workers", self.workers)
        options.flag("resume", self.resume)
        if self.executor is not None:
            options.text("executor", self.executor, "'processes'")
        if self.address is not None:
            options.text("address", self.address, "'auto'")
        options.number("gpus_per_worker", self.gpus_per_worker, least=0)
        self.new_executor()
        if (self.shards is None) != (self.shard is None):
            raise ConfigError(
                "shards and shard must be given together.",
                "Give the number of shards, and the number of this shard.",
            )
        if self.shards is not None:
            options.whole_number("shards", self.shards)
            if options.whole_number("shard", self.shard, least=0) >= self.shards:
                raise ConfigError(
                    f"There is no shard {self.shard} of {self.shards}.", f"Give 0 to {self.shards - 1}."
                )

    def new_executor(self) -> Executor:
        """The executor that these options select."""
        return executor_for(self.executor, self.workers, self.address, self.gpus_per_worker)

    def file(self, output: Path) -> Path:
        """`output`, or `NAME-00003-of-00016.SUFFIX` with shards."""
        if self.shards is None:
            return output
        return output.with_name(f"{output.stem}-{self.shard:05}-of-{self.shards:05}{output.suffix}")


def _ignore(*_: object) -> None:
    """A callback that does nothing."""


@dataclass(frozen=True)
class RunWatcher:
    """Callbacks of a batch run."""

    #: called with the name of the step, the number of finished names, and their total
    progress: Callable[[str, int, int], None] = _ignore
    #: called with a remark, for example about skipped ids
    note: Callable[[str], None] = _ignore
    #: called with a warning, for example the folder with the finished parts of an interrupted run
    warn: Callable[[str], None] = _ignore

    def __post_init__(self) -> None:
        for name in ("progress", "note", "warn"):
            if not callable(getattr(self, name)):
                raise ConfigError(
                    f"{name} is {options.shown(getattr(self, name))}.", "Give a function, or leave it out."
                )


@dataclass(frozen=True)
class RunSummary:
    """Figures about the result of a batch run."""

    output: Path
    #: plural noun of the names: "users", "items" or "texts"
    noun: str
    #: number of names for which lists were computed
    queries: int
    rows: int
    #: number of names with at least one row
    lists: int
    #: number of names whose lists came from an interrupted run
    resumed: int
    #: wall-clock seconds
    seconds: float
    #: plural noun -> skipped ids, which are unknown to the model
    skipped: dict[str, list[str]] = field(default_factory=dict)
