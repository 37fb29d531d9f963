"""Progress of a command: its stages, one at a time, with their counts and remaining time.

Enters: stages, counts and remarks, as the library reports them. Leaves: the same with times, to an `Output`. A thread watches the
clock, so the elapsed time shows even during a stage without reports.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from kgrec.cli.progress_output import Output
from kgrec.cli.status import Status

#: seconds after which a rate is meaningful
_MIN_SECONDS = 1.0
#: maps the name of the current count and its finished share to the finished share of the whole command and its remaining
#: seconds; None where unknown
Estimate = Callable[[str, float], tuple[float, float | None]]


class Progress:
    """The stages of a command, one at a time.

    Args:
        output: Receives the stages.
        clock: Returns the time in seconds.
    """

    def __init__(self, output: Output, clock: Callable[[], float] = time.monotonic) -> None:
        self._output, self._clock = output, clock
        self._lock = threading.RLock()
        self._status, self._began = Status(), clock()
        self._task_began = clock()
        #: name of the count, and its value and time at the start; several stages may share one count
        self._span, self._first, self._counted_since = "", 0, clock()
        self._whole: Estimate | None = None

    def stage(
        self, name: str, done: int = 0, total: int = 0, detail: str = "", *, span: str = "", unit: str = ""
    ) -> None:
        """Report a stage, or its progress.

        Args:
            name: Name of the stage; a new name ends the previous stage.
            done: The count so far.
            total: The final count; 0: unknown.
            detail: Text that follows the count.
            span: Name of the count, if several stages share it; "": the stage.
            unit: Plural noun of what is counted.
        """
        with self._lock:
            now, span = self._clock(), span or name
            new = name != self._status.stage
            if new:
                self._end_stage()
                self._began = now
            if span != self._span:
                self._span, self._first, self._counted_since = span, done, now
            elif done and not self._first:
                # The first step may include loading a model, so its time does not predict later steps.
                self._first, self._counted_since = done, now
            status = replace(self._status, stage=name, done=done, total=total, detail=detail, unit=unit)
            self._status = replace(status, own_count=span == name)
            if new:
                self._output.begin(self._now())
            self._output.tick(self._now())

    @property
    def left(self) -> float | None:
        """Seconds until the current count is full; None: unknown."""
        with self._lock:
            return self._now().left

    def detail(self, text: str) -> None:
        """Set the detail of the running stage."""
        with self._lock:
            self._status = replace(self._status, detail=text)
            self._output.tick(self._now())

    def task(self, name: str) -> None:
        """Begin a task, whose stages are printed only with `--verbose`; "": end the current task."""
        with self._lock:
            self._end_task()
            self._task_began = self._clock()
            self._span = ""
            self._status = replace(self._status, task=name)

    def whole(self, estimate: Estimate) -> None:
        """Set the estimate for the whole command."""
        with self._lock:
            self._whole = estimate

    def note(self, text: str, level: str = "info") -> None:
        """Print a remark."""
        with self._lock:
            self._output.note(level, text)

    @contextmanager
    def room(self) -> Iterator[None]:
        """A block in which the caller may write to stdout."""
        with self._lock:
            self._output.clear()
            yield

    def tick(self) -> None:
        """Update the shown time."""
        with self._lock:
            if self._status.stage:
                self._output.tick(self._now())

    def close(self, *, finished: bool) -> None:
        """End the last stage; `finished` is false if the stage was interrupted."""
        with self._lock:
            if finished:
                self._end_task()
            self._status = Status()
            self._output.clear()

    def _end_task(self) -> None:
        self._end_stage()
        if self._status.task:
            ended = replace(self._now(), seconds=self._clock() - self._task_began)
            self._output.end(ended, shown=True)

    def _end_stage(self) -> None:
        if self._status.stage:
            self._output.end(self._now(), shown=not self._status.task)
            self._status = Status(task=self._status.task)

    def _now(self) -> Status:
        """The current status, with times."""
        now, status = self._clock(), self._status
        counted, elapsed = status.done - self._first, now - self._counted_since
        rate = counted / elapsed if counted > 0 and elapsed >= _MIN_SECONDS else None
        left = (status.total - status.done) / rate if rate and status.total else None
        known = replace(status, seconds=now - self._began, rate=rate, left=left)
        if self._whole is None:
            return known
        share, whole_left = self._whole(self._span, status.share)
        return replace(known, whole_share=share, whole_left=whole_left)


class Ticker:
    """A thread that updates the shown time while its block runs."""

    def __init__(self, progress: Progress, every: float) -> None:
        self._progress, self._every = progress, every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kgrec-progress", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self._progress.tick()


class LogHandler(logging.Handler):
    """Passes log lines to the progress, so that they do not mix with the live line."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        try:
            self._progress.note(self.format(record), record.levelname.lower())
        except Exception:
            self.handleError(record)
