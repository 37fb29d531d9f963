"""Output of commands: results to stdout, progress and errors to stderr."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.errors import KgrecError

if TYPE_CHECKING:
    from kgrec.serve.batch_options import RunWatcher
    from kgrec.train.data import EpochRecord

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors and requested results only.")]


class UsageError(KgrecError):
    """A command was called with unknown options or arguments."""


@dataclass(frozen=True)
class Console:
    """Output of one command."""

    as_json: bool
    quiet: bool

    def say(self, text: str = "") -> None:
        """Print a remark, unless `--json` or `--quiet` is given."""
        if not (self.as_json or self.quiet):
            typer.echo(text)

    def result(self, value: Mapping[str, Any], text: str | None = None) -> None:
        """Print the result: `value` with `--json`, else `text`, with `--quiet` too."""
        if self.as_json:
            typer.echo(json.dumps(value, ensure_ascii=False, default=_plain))
        elif text is not None:
            typer.echo(text)

    @contextmanager
    def watcher(self) -> Iterator[RunWatcher]:
        """Callbacks of a batch run: remarks to stdout, warnings and a bar to stderr."""
        from kgrec.serve.batch_options import RunWatcher

        with self.bars() as bars:
            yield RunWatcher(
                progress=lambda step, done, total: bars.step(step)(done, total),
                note=self.say,
                warn=lambda text: typer.echo(f"\n{text}", err=True),
            )

    @contextmanager
    def bars(self) -> Iterator[Bars]:
        """Progress bars on a terminal; elsewhere, and with `--json` or `--quiet`, none."""
        if self.quiet or self.as_json or not sys.stderr.isatty():
            yield Bars(None)
            return
        from rich.console import Console as Terminal
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
            *(TextColumn("{task.fields[rate]}"), TimeRemainingColumn()),
        )
        terminal = Terminal(stderr=True)
        # Steps may be a minute apart, so the time left is estimated from the last ten minutes.
        with Progress(*columns, console=terminal, transient=True, speed_estimate_period=600) as display:
            yield Bars(display)


class Bars:
    """Progress of the steps of a command: one bar, for the step that was reported last."""

    def __init__(self, display: Any | None) -> None:
        self._display = display
        self._step, self._recall = "", ""
        self._task: Any = None
        #: number done at the first report of the step, and its time
        self._first, self._began = 0, 0.0

    def step(self, name: str) -> Callable[[int, int], None]:
        """A function of (done, total) for one step."""
        return lambda done, total: self._show(name, name, done, total)

    def epoch(self, record: EpochRecord, done: int, planned: int) -> None:
        """Show the loss of an epoch and the last validation recall."""
        if record.valid_recall is not None:
            self._recall = f", recall {record.valid_recall:.3f}"
        loss = "" if record.loss is None else f", loss {record.loss:.2f}"
        self._show("training", f"training ({record.stage}{loss}{self._recall})", done, planned)

    def _show(self, step: str, description: str, done: int, total: int) -> None:
        if self._display is None:
            return
        if step != self._step:
            if self._task is not None:
                self._display.remove_task(self._task)
            self._step, self._first, self._began = step, done, time.monotonic()
            self._task = self._display.add_task(description, total=total, completed=done, rate="")
        rate = _rate(done - self._first, time.monotonic() - self._began)
        self._display.update(self._task, description=description, completed=done, total=total, rate=rate)


def console(as_json: bool, quiet: bool) -> Console:
    """The console of a command; warnings of the library go to stderr."""
    logging.basicConfig(level=logging.ERROR if quiet else logging.WARNING, format="%(message)s")
    # These libraries log that they load models.
    for name in ("sentence_transformers", "transformers", "faiss"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return Console(as_json, quiet)


def counted(count: int, name: str) -> str:
    """The number with its noun: "1 item", "2,000 items"."""
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def report_error(error: KgrecError, *, as_json: bool) -> None:
    """Print an error to stderr: two lines, or a JSON value."""
    if as_json:
        text = json.dumps({"error": type(error).__name__, "problem": error.problem, "remedy": error.remedy})
    else:
        text = f"Error: {error}"
    typer.echo(text, err=True)


def _rate(done: int, seconds: float) -> str:
    """Number per second as text; "" below one per second."""
    return f"{done / seconds:,.0f}/s" if done > seconds > 0 else ""


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
