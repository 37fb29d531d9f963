"""How far a training is.

Enters: lines of epochs. Leaves: the same, passed on to those who watch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kgrec.encode.text import TextProgress as TextProgress
from kgrec.train.data import EpochRecord, TrainingData

#: called after each epoch with its line, and the number of epochs done and planned
OnEpoch = Callable[[EpochRecord, int, int], None]


@dataclass(frozen=True)
class TrainingWatcher:
    """Who is told how far the work is; each may be absent."""

    text: TextProgress | None = None
    epoch: OnEpoch | None = None


class EpochLog:
    """Keeps the lines of all runs and passes them on, with how many epochs are likely to come."""

    def __init__(self, on_epoch: OnEpoch | None, data: TrainingData, lines: list[EpochRecord]) -> None:
        self.on_epoch, self.lines, self.done = on_epoch, lines, sum(line.stage != "valid" for line in lines)
        whole = data.train.epochs
        # three temperatures and another learning rate over half of the epochs, all epochs twice
        self.planned = 4 * max(1, whole // 2) + 2 * whole

    def tell(self, line: EpochRecord) -> None:
        """Keep a line, and pass it on."""
        self.lines.append(line)
        if line.stage != "valid":
            self.done += 1
            left = line.hyperparameters.epochs - line.epoch
            self.planned = self.done + left if line.stage == "refit" else max(self.planned, self.done + left)
        if self.on_epoch:
            self.on_epoch(line, self.done, self.planned)
