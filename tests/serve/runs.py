"""Runs that tests write, resume and interrupt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kgrec
from kgrec import BatchOptions, Request, RunWatcher

#: three parts of two users
OPTIONS = BatchOptions(batch=2)
REQUEST = Request(k=3)
USERS = [f"u{n}" for n in range(1, 7)]


def write(model: Path, output: Path, options: BatchOptions = OPTIONS, **more: Any) -> kgrec.RunSummary:
    return kgrec.write_recommendations(model, output, **{"request": REQUEST, "options": options} | more)


def resuming(**values: Any) -> BatchOptions:
    return BatchOptions(**{"batch": 2, "resume": True} | values)


class Stop:
    """Ctrl-C when a number of users are finished, and what the run reported until then."""

    def __init__(self, finished: int | None = None) -> None:
        self.finished = finished
        self.steps: list[tuple[str, int, int]] = []
        self.notes: list[str] = []
        self.warnings: list[str] = []

    @property
    def watcher(self) -> RunWatcher:
        return RunWatcher(self._progress, self.notes.append, self.warnings.append)

    def _progress(self, step: str, done: int, total: int) -> None:
        self.steps.append((step, done, total))
        if done == self.finished:
            raise KeyboardInterrupt
