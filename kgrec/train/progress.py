"""Progress of a training: records of all epochs, and callbacks.

Enters: records of epochs. Leaves: the same records, passed to callbacks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kgrec.encode.text import TextProgress
from kgrec.train.data import EpochRecord, TrainingData

#: called after each epoch with its record, the number of finished epochs and the number of planned epochs
OnEpoch = Callable[[EpochRecord, int, int], None]
#: called with the name of each stage when it starts
OnStage = Callable[[str], None]
#: names of the stages that consist of epochs
TRIAL, FINAL_TRAINING = "trial", "final training"


@dataclass(frozen=True)
class TrainingWatcher:
    """Callbacks of a training; each may be absent."""

    text: TextProgress | None = None
    epoch: OnEpoch | None = None
    stage: OnStage | None = None

    def begin(self, stage: str) -> None:
        """Report the start of a stage."""
        if self.stage:
            self.stage(stage)


class EpochLog:
    """Collects the records of all runs, and reports each with the numbers of finished and planned epochs."""

    def __init__(self, watcher: TrainingWatcher, data: TrainingData, records: list[EpochRecord]) -> None:
        self.watcher, self.records = watcher, records
        self.done = sum(record.stage != "valid" for record in records)
        whole = data.epochs
        # A typical search: four trials of half length (three temperatures and a second learning rate), one of full length, and
        # the refit.
        self.planned = 4 * max(1, whole // 2) + 2 * whole

    def add(self, record: EpochRecord) -> None:
        """Add a record, and report it."""
        self.records.append(record)
        if record.stage != "valid":
            self.done += 1
            left = record.hyperparameters.epochs - record.epoch
            planned = self.done + left
            # The refit is the last run, so its end is known; before it, the plan can only grow.
            self.planned = planned if record.stage == "refit" else max(self.planned, planned)
        if self.watcher.epoch:
            self.watcher.epoch(record, self.done, self.planned)
