"""Outputs of progress: a live line on a terminal, plain lines, JSON lines, or silence.

Enters: statuses and remarks. Leaves: lines on stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

from kgrec.cli.status import Status, end_line, live_line, running_line, values_of

#: seconds between two lines of a running stage when stderr is not a terminal
INTERVAL = 30.0
#: seconds between two redraws of the live line
_REFRESH = 0.25
_CLEAR = "\r\x1b[2K"


class Output:
    """An output for progress; this base class prints nothing."""

    #: seconds between two ticks
    every = 60.0

    def begin(self, status: Status) -> None:
        """A stage begins."""

    def tick(self, status: Status) -> None:
        """Time has passed, or the count has risen."""

    def end(self, status: Status, *, shown: bool) -> None:
        """A stage or a task has ended; if `shown`, its end is printed even without `--verbose`."""

    def note(self, level: str, text: str) -> None:
        """Print a remark or a log line."""

    def clear(self) -> None:
        """Make room for a line on stdout, or for the end of the command."""


class LiveLine(Output):
    """One line at the bottom of a terminal, redrawn in place."""

    every = _REFRESH

    def __init__(
        self, stream: TextIO, *, verbose: bool = False, width: Callable[[], int] | None = None
    ) -> None:
        self._stream, self._verbose = stream, verbose
        self._width = width or (lambda: _columns(stream))
        self._drawn, self._drawn_at = "", 0.0

    def tick(self, status: Status) -> None:
        """See `Output`."""
        now, line = time.monotonic(), live_line(status, self._width() - 1)
        if line != self._drawn and (not self._drawn or now - self._drawn_at >= _REFRESH / 2):
            self._stream.write(_CLEAR + line)
            self._stream.flush()
            self._drawn, self._drawn_at = line, now

    def end(self, status: Status, *, shown: bool) -> None:
        """See `Output`."""
        del shown
        if self._verbose:
            self.note("info", end_line(status))

    def note(self, level: str, text: str) -> None:
        """See `Output`."""
        del level
        self.clear()
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """See `Output`."""
        if self._drawn:
            self._stream.write(_CLEAR)
            self._stream.flush()
            self._drawn = ""


class PlainLines(Output):
    """One line at the end of each stage, and one every 30 seconds while a stage runs."""

    every = 1.0

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        verbose: bool = False,
        clock: Callable[[], float] = time.monotonic,
        interval: float = INTERVAL,
    ) -> None:
        self._write, self._verbose, self._clock, self._interval = write, verbose, clock, interval
        self._last = clock()

    def tick(self, status: Status) -> None:
        """See `Output`."""
        if self._clock() - self._last >= self._interval:
            self._print(running_line(status))

    def end(self, status: Status, *, shown: bool) -> None:
        """See `Output`."""
        if shown or self._verbose:
            self._print(end_line(status))

    def note(self, level: str, text: str) -> None:
        """See `Output`."""
        del level
        self._print(text)

    def _print(self, line: str) -> None:
        self._write(line)
        self._last = self._clock()


class JsonLines(Output):
    """One JSON object per line: events begin, progress (every 30 seconds), end, note and log."""

    every = 1.0

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
        interval: float = INTERVAL,
    ) -> None:
        self._write, self._quiet, self._clock, self._interval = write, quiet, clock, interval
        self._last = clock()

    def begin(self, status: Status) -> None:
        """See `Output`."""
        self._print("begin", values_of(status))

    def tick(self, status: Status) -> None:
        """See `Output`."""
        if self._clock() - self._last >= self._interval:
            self._print("progress", values_of(status))

    def end(self, status: Status, *, shown: bool) -> None:
        """See `Output`."""
        del shown
        self._print("end", values_of(status))

    def note(self, level: str, text: str) -> None:
        """See `Output`."""
        if not self._quiet or level in ("error", "critical"):
            self._print("note", {"level": level, "message": text})

    def _print(self, event: str, values: dict[str, Any]) -> None:
        if not self._quiet or event == "note":
            self._write(json_line(event, values))
        self._last = self._clock()


class Silence(Output):
    """Prints only warnings and errors."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def note(self, level: str, text: str) -> None:
        """See `Output`."""
        if level not in ("debug", "info"):
            self._write(text)


def is_terminal(stream: TextIO) -> bool:
    """Whether the stream is a terminal on which a line can be redrawn."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def json_line(event: str, values: dict[str, Any]) -> str:
    """One line of the JSON log."""
    when = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": when, "event": event, **values}, ensure_ascii=False)


def stderr_line(text: str) -> None:
    """Write a line to the current stderr."""
    print(text, file=sys.stderr, flush=True)


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
