"""Progress of a training.

Enters: records of epochs. Leaves: the same, passed on to callbacks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kgrec.encode.text import TextProgress
from kgrec.train.data import EpochRecord, TrainingData

#: called after each epoch with its record, and the number of epochs done and planned
OnEpoch = Callable[[EpochRecord, int, int], None]


@dataclass(frozen=True)
class TrainingWatcher:
    """Callbacks of a training; each may be absent."""

    text: TextProgress | None = None
    epoch: OnEpoch | None = None


class EpochLog:
    """Keeps the records of all runs and passes them on, with the number of epochs that are likely to come."""

    def __init__(self, on_epoch: OnEpoch | None, data: TrainingData, records: list[EpochRecord]) -> None:
        self.on_epoch, self.records = on_epoch, records
        self.done = sum(record.stage != "valid" for record in records)
        whole = data.train.epochs
        # three temperatures and another learning rate over half of the epochs, all epochs twice
        self.planned = 4 * max(1, whole // 2) + 2 * whole

    def add(self, record: EpochRecord) -> None:
        """Keep a record, and pass it on."""
        self.records.append(record)
        if record.stage != "valid":
            self.done += 1
            left = record.hyperparameters.epochs - record.epoch
            planned = self.done + left
            self.planned = planned if record.stage == "refit" else max(self.planned, planned)
        if self.on_epoch:
            self.on_epoch(record, self.done, self.planned)
