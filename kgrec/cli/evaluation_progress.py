"""Progress of an evaluation: one task per system and fold, and an estimate of the total time.

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
#: share of a training that must be done before its time is extrapolated
_MIN_SHARE = 0.05


@dataclass
class Remaining:
    """Estimates the remaining time from the runs that have ended.

    A run is one system on one fold. Its estimate is the mean time of the ended runs of its family. Until a baseline has ended,
    a baseline is assumed to take as long as kgrec or as its search budget, whichever is less.
    """

    #: family of each run, in the order of the runs
    families: Sequence[str]
    #: seconds that the search of a baseline may take
    budget: float
    clock: Callable[[], float] = time.monotonic
    #: seconds of each ended run; None if its predictions were kept
    ended: list[float | None] = field(default_factory=list)
    #: start of the current run, and whether its predictions were kept; None: no run is going on
    running: tuple[float, bool] | None = None
    #: total seconds of the current training, extrapolated from its epochs
    extrapolated: float | None = None

    def begin(self, *, kept: bool) -> None:
        """Start a run; the previous one has ended."""
        self.end()
        self.running, self.extrapolated = (self.clock(), kept), None

    def end(self) -> None:
        """End the current run."""
        if self.running is not None:
            began, kept = self.running
            self.ended.append(None if kept else self.clock() - began)
            self.running = None

    def __call__(self, span: str, share: float) -> tuple[float, float | None]:
        """Share of the whole evaluation that is done, and remaining seconds (None: not yet known).

        Args:
            span: Name of the current count.
            share: Share of this count that is done.
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
        """Expected seconds of a run of a family; None: unknown."""
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
        systems: All systems, in order.
        folds: Number of folds.
        budget: CPU seconds of the option search of a baseline.
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
        # A system that failed on one fold is not run on later folds.
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
