"""Output of commands: results go to stdout; progress, remarks and errors go to stderr."""

from __future__ import annotations

import itertools
import json
import logging
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kgrec.cli.progress import LogHandler, Progress, Ticker
from kgrec.cli.progress_output import (
    JsonLines,
    LiveLine,
    Output,
    PlainLines,
    Silence,
    is_terminal,
    json_line,
    stderr_line,
)
from kgrec.errors import KgrecError

if TYPE_CHECKING:
    from kgrec.serve.batch_options import RunWatcher

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors and requested results.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also print the end of every stage, and the library's log.")
]
LogFormat = Literal["text", "json"]
LogLines = Annotated[
    LogFormat,
    typer.Option("--log-format", help="Progress and log on stderr: text, or json, one object per line."),
]


class UsageError(KgrecError):
    """A command was called with unknown options or arguments."""


class Stopped(Exception):
    """A command was stopped by Ctrl-C.

    Args:
        kept: A sentence that says which part of its work is kept; "": none.
        resumable: Whether `--resume` continues the work.
    """

    def __init__(self, kept: str = "", *, resumable: bool = False) -> None:
        super().__init__(kept)
        self.kept, self.resumable = kept, resumable


@dataclass(frozen=True)
class Console:
    """Output of one command."""

    as_json: bool
    quiet: bool
    progress: Progress = field(default_factory=lambda: Progress(Silence(stderr_line)))
    #: seconds between two ticks of the progress
    every: float = 60.0

    def say(self, text: str = "") -> None:
        """Print a remark, unless `--json` or `--quiet` is given."""
        if not (self.as_json or self.quiet):
            self._print(text)

    def result(self, value: Mapping[str, Any], text: str | None = None) -> None:
        """Print the result, even with `--quiet`: `value` with `--json`, otherwise `text`."""
        if self.as_json:
            self._print(json.dumps(value, ensure_ascii=False, default=_plain))
        elif text is not None:
            self._print(text)

    def _print(self, text: str) -> None:
        with self.progress.room():
            typer.echo(text)

    @contextmanager
    def watcher(self) -> Iterator[RunWatcher]:
        """Callbacks for a batch run: remarks go to stdout, warnings and progress to stderr."""
        from kgrec.serve.batch_options import RunWatcher

        with self.working() as progress:
            yield RunWatcher(
                progress=lambda step, done, total: progress.stage(step, done, total),
                note=self.say,
                warn=lambda text: progress.note(text, "warning"),
            )

    @contextmanager
    def working(self) -> Iterator[Progress]:
        """The progress of the command; it is closed cleanly however the block ends.

        Raises:
            Stopped: Ctrl-C was pressed, and the block did not report which work is kept.
        """
        finished = False
        logging.captureWarnings(True)
        try:
            with Ticker(self.progress, self.every):
                yield self.progress
            finished = True
        except KeyboardInterrupt:
            raise Stopped from None
        finally:
            logging.captureWarnings(False)
            self.progress.close(finished=finished)


def console(as_json: bool, quiet: bool, verbose: bool = False, log_format: LogFormat = "text") -> Console:
    """The console of a command; the library's warnings go to stderr.

    Raises:
        UsageError: `verbose` and `quiet` are both given.
    """
    if verbose and quiet:
        raise UsageError("--verbose and --quiet cannot be combined.", "Give one of them.")
    output = _output(as_json, quiet, verbose, log_format)
    progress = Progress(output)
    _log_to(progress, quiet=quiet, verbose=verbose)
    return Console(as_json, quiet, progress, output.every)


def _output(as_json: bool, quiet: bool, verbose: bool, log_format: LogFormat) -> Output:
    """The output for progress. With `--json`, errors are JSON values on stderr, so progress is printed only on request."""
    if log_format == "json":
        return JsonLines(stderr_line, quiet=quiet)
    if quiet or (as_json and not verbose):
        return Silence(stderr_line)
    if is_terminal(sys.stderr):
        return LiveLine(sys.stderr, verbose=verbose)
    return PlainLines(stderr_line, verbose=verbose)


def _log_to(progress: Progress, *, quiet: bool, verbose: bool) -> None:
    """Route the log to the progress of this command, and no longer to that of an earlier command."""
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, LogHandler):
            root.removeHandler(handler)
    handler = LogHandler(progress)
    handler.setLevel(logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING)
    root.addHandler(handler)
    logging.getLogger("kgrec").setLevel(logging.INFO if verbose else logging.NOTSET)
    # These libraries log each model that they load.
    for name in ("sentence_transformers", "transformers", "faiss"):
        logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def stopping(left: Callable[[], Stopped]) -> Iterator[None]:
    """Make Ctrl-C in the block raise the `Stopped` that `left` returns for the work so far."""
    try:
        yield
    except KeyboardInterrupt:
        raise left() from None


def counted(count: int, name: str) -> str:
    """A count with its noun: "1 item", "2,000 items"."""
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def report_error(error: KgrecError, words: Sequence[str]) -> None:
    """Print an error to stderr: as two lines, or as a JSON value if the command line has --json."""
    values = {"error": type(error).__name__, "problem": error.problem, "remedy": error.remedy}
    if _logs_json(words):
        text = json_line("error", values)
    elif "--json" in words:
        text = json.dumps(values)
    else:
        text = f"Error: {error}"
    typer.echo(text, err=True)


def report_stop(stopped: Stopped, words: Sequence[str]) -> None:
    """Print which work Ctrl-C left, and how to continue."""
    again = [*words, *([] if "--resume" in words else ["--resume"])]
    command = f"kgrec {shlex.join(again)}" if stopped.resumable else ""
    if _logs_json(words):
        values = {"message": stopped.kept, "resume": command}
        typer.echo(json_line("stopped", {name: value for name, value in values.items() if value}), err=True)
        return
    if sys.stderr.isatty():
        typer.echo(err=True)  # the terminal has echoed ^C
    typer.echo("Stopped. Existing folders are unchanged.", err=True)
    if stopped.kept:
        typer.echo(stopped.kept, err=True)
    if command:
        typer.echo(f"Continue with: {command}", err=True)


def _logs_json(words: Sequence[str]) -> bool:
    return "--log-format=json" in words or ("--log-format", "json") in itertools.pairwise(words)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
