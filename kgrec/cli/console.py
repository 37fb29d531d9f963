"""What commands print and where: results to stdout, progress and errors to stderr."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.errors import KgrecError

if TYPE_CHECKING:
    from kgrec.train import Epoch

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing but errors, and results that were asked for.")
]


class UsageError(KgrecError):
    """A command was called with options or arguments that it does not have."""


@dataclass(frozen=True)
class Console:
    """How one command speaks."""

    as_json: bool
    quiet: bool

    def say(self, text: str = "") -> None:
        """Print a remark that neither `--json` nor `--quiet` wants."""
        if not (self.as_json or self.quiet):
            typer.echo(text)

    def result(self, value: Mapping[str, Any], text: str | None = None) -> None:
        """Print what the command was asked for: `value` with `--json`, else `text`, which `--quiet` keeps."""
        if self.as_json:
            typer.echo(json.dumps(value, ensure_ascii=False, default=_plain))
        elif text is not None:
            typer.echo(text)

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """A bar on a terminal; gives a function of (done, total)."""
        with self._bar() as bar:
            task = None if bar is None else bar.add_task(what, total=None)

            def advance(done: int, total: int) -> None:
                if bar is not None:
                    bar.update(task, completed=done, total=total)

            yield advance

    @contextmanager
    def training(self) -> Iterator[Callable[[Epoch, int, int], None]]:
        """A bar that shows loss, validation recall and time left."""
        with self._bar() as bar:
            task = None if bar is None else bar.add_task("training", total=None)

            def advance(line: Epoch, done: int, planned: int) -> None:
                if bar is not None:
                    recall = "" if line.valid_recall is None else f", recall {line.valid_recall:.3f}"
                    what = f"training ({line.stage}, loss {line.loss:.2f}{recall})"
                    bar.update(task, description=what, completed=done, total=planned)

            yield advance

    @contextmanager
    def _bar(self) -> Iterator[Any]:
        if self.quiet or self.as_json or not sys.stderr.isatty():
            yield None
            return
        from rich.console import Console as Terminal
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Terminal(stderr=True), transient=True) as bar:
            yield bar


def console(as_json: bool, quiet: bool) -> Console:
    """The console of a command; warnings of the library go to stderr."""
    logging.basicConfig(level=logging.ERROR if quiet else logging.WARNING, format="%(message)s")
    # These report on their own loading, which no user of ours asked for.
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


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
