"""Progress of an evaluation: one task per system and fold, and the time that all of them will take.

Enters: the systems, in the order in which they run, and callbacks of the benchmark. Leaves: tasks of a `Progress`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kgrec.cli.progress import Progress
from kgrec.cli.training_progress import TRAINING

if TYPE_CHECKING:
    from kgrec.evaluate.benchmark.systems import System, SystemKind

#: kgrec without a source takes about as long as kgrec
_FAMILY: Mapping[SystemKind, str] = {
    "kgrec": "kgrec",
    "ablation": "kgrec",
    "baseline": "baseline",
    "lists": "lists",
}
#: share of a training from which on its time is extrapolated
_MIN_SHARE = 0.05


@dataclass
class Remaining:
    """Estimates the time that is left, from the runs that have ended.

    A run is one system on one fold. It will take as long as the mean of those of its family. As long as no baseline has ended,
    one is assumed to take as long as kgrec, or the budget of its search, whichever is less.
    """

    #: family of each run, in their order
    families: Sequence[str]
    #: seconds that the search of a baseline may take
    budget: float
    clock: Callable[[], float] = time.monotonic
    #: seconds of each run that has ended, None if its predictions were kept
    ended: list[float | None] = field(default_factory=list)
    #: when the run that is going on began, and whether its predictions were kept; None: none is going on
    running: tuple[float, bool] | None = None
    #: seconds that the current run, a training, will have taken, as far as its epochs tell
    extrapolated: float | None = None

    def begin(self, *, kept: bool) -> None:
        """A run begins, and the one before has ended."""
        self.end()
        self.running, self.extrapolated = (self.clock(), kept), None

    def end(self) -> None:
        """The run has ended."""
        if self.running is not None:
            began, kept = self.running
            self.ended.append(None if kept else self.clock() - began)
            self.running = None

    def __call__(self, span: str, share: float) -> tuple[float, float | None]:
        """Share of the whole that is done, and seconds that are left, None if nothing is known yet.

        Args:
            span: What the current count is of.
            share: Share of it that is done.
        """
        now = len(self.ended)
        if now == len(self.families):
            return 1.0, None
        began, kept = self.running or (self.clock(), True)
        elapsed = self.clock() - began
        if span == TRAINING and share >= _MIN_SHARE:
            self.extrapolated = elapsed / share
        expected = [self._expected(family) for family in self.families[now:]]
        if kept:
            expected[0] = elapsed
        if any(seconds is None for seconds in expected):
            return now / len(self.families), None
        left = max(sum(seconds or 0.0 for seconds in expected) - elapsed, 0.0)
        spent = sum(seconds or 0.0 for seconds in self.ended) + elapsed
        return spent / max(spent + left, 1e-9), left

    def _expected(self, family: str) -> float | None:
        """Seconds that a run of a family takes; None: unknown."""
        if family == "lists":
            return 0.0
        runs = zip(self.families, self.ended, strict=False)
        times = [seconds for one, seconds in runs if one == family and seconds is not None]
        if family == "kgrec" and self.extrapolated is not None:
            times.append(self.extrapolated)
        if times:
            return sum(times) / len(times)
        alike = self._expected("kgrec") if family == "baseline" else None
        return None if alike is None else min(alike, self.budget)


class EvaluationProgress:
    """The callback of a benchmark.

    Args:
        progress: Shows the runs.
        systems: All of them, in order.
        folds: Number of folds.
        budget: CPU seconds of the search of a baseline.
        announce: Prints the name of each system when it starts.
    """

    def __init__(
        self,
        progress: Progress,
        systems: Sequence[System],
        folds: int,
        budget: float,
        announce: Callable[[str], None],
    ) -> None:
        self._progress, self._systems, self._folds, self._announce = progress, systems, folds, announce
        self._announced = ""
        families = [_FAMILY[system.kind] for system in systems for _ in range(folds)]
        self._remaining = Remaining(families, budget)

    def run(self, system: System, fold: int, kept: bool) -> None:
        """A system starts on a fold."""
        names = [one.name for one in self._systems]
        number, label = (
            names.index(system.name),
            f"[{names.index(system.name) + 1}/{len(names)}] {system.name}",
        )
        self._remaining.end()
        # A system that failed on one fold does not run on the next ones.
        skipped = number * self._folds - len(self._remaining.ended)
        self._remaining.ended += [None] * max(skipped, 0)
        if label != self._announced:
            self._announce(label)
            self._announced = label
        self._progress.task(f"{label}, fold {fold + 1} of {self._folds}" if self._folds > 1 else label)
        self._remaining.begin(kept=kept)
        self._progress.whole(self._remaining)
        self._progress.stage("reading kept lists" if kept else "preparing")

    def finish(self) -> None:
        """All systems have run."""
        self._remaining.end()
        self._progress.task("")
