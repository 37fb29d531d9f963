"""The command line: one command per stage, a thin layer over the library.

Every command takes `--json` and `--quiet` and draws progress only on a terminal. The exit code is 0
on success, 2 for wrong usage or input, and 3 when too many rows were bad. An error has two lines:
the problem with its place, and the remedy.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

# Set before torch starts its threads: idle threads that spin starve other programs on the machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Otherwise pydantic reads the entry points of every installed package when the first model is defined.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

import typer
from typer.core import TyperGroup

from kgrec._version import __version__
from kgrec.cli import (
    ask,
    build,
    demo,
    doctor,
    drift,
    embed,
    evaluate,
    explain,
    export,
    find,
    imports,
    items,
    nightly,
    plan,
    refresh,
    replay,
    rollback,
    score,
    serve,
    simulate,
    split,
    train,
)
from kgrec.cli.command import Command, variables
from kgrec.cli.console import Stopped, UsageError, report_error, report_stop
from kgrec.errors import KgrecError

#: base of typer's usage errors, whose public name differs between versions of typer
_WrongUsage: type[Exception] = typer.BadParameter.__mro__[1]
_INTERRUPTED = 130
_TRUE = ("1", "true", "t", "yes", "y", "on")
#: number of new objects that triggers a garbage collection of the youngest generation; Python's default is 700
_GARBAGE = 50_000


class _Commands(TyperGroup):
    """The commands; every way a command ends becomes an exit code, and an error becomes two lines or a JSON value."""

    def get_params(self, context: Any) -> Any:
        options = super().get_params(context)
        for option in options:
            option.metavar = ""  # all are flags
        return options

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        try:
            # A command that ends early, such as `--help`, returns an exit code here.
            code = super().main(words, *rest, **options | {"standalone_mode": False})
        except KgrecError as error:
            report_error(error, _told(words))
            code = error.exit_code
        except _WrongUsage as error:
            report_error(_in_two_lines(error), _told(words))
            code = 2
        except Stopped as stopped:
            report_stop(stopped, words)
            code = _INTERRUPTED
        except KeyboardInterrupt:
            report_stop(Stopped(), words)
            code = _INTERRUPTED
        except BrokenPipeError:
            # The reader of the output, such as `head`, closed the pipe; Python would complain again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 1
        else:
            if code == _INTERRUPTED:
                report_stop(Stopped(), words)
        sys.exit(code)


def _told(words: Sequence[str]) -> list[str]:
    """The words of the command line, with --json added if the environment requests it."""
    names = variables(words[0], "--json") if words else []
    by_environment = any(os.environ.get(name, "").lower() in _TRUE for name in names)
    return [*words, *(["--json"] if by_environment else [])]


def _in_two_lines(error: Any) -> UsageError:
    problem = " ".join(error.format_message().split())
    path = error.ctx.command_path if error.ctx is not None else "kgrec"
    return UsageError(
        problem if problem.endswith(".") else f"{problem}.", f"See {path} --help.{_variable(error)}"
    )


def _variable(error: Any) -> str:
    """A sentence that names the environment variable with the wrong value; "" if the value is from the command line."""
    option = getattr(error, "param", None)
    if option is None or error.ctx is None:
        return ""
    source = error.ctx.get_parameter_source(option.name)
    names = option.envvar if source is not None and source.name == "ENVIRONMENT" else ()
    given = [name for name in ([names] if isinstance(names, str) else names) if os.environ.get(name)]
    return f" The environment has {given[0]}={os.environ[given[0]]}." if given else ""


app = typer.Typer(
    name="kgrec",
    cls=_Commands,
    help="Explained recommendations, also of new items, from a catalogue in CSV or RDF and a log of interactions.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        typer.echo(f"kgrec {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


_PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "Start": (demo.demo, build.init, imports.import_, doctor.doctor),
    "Graph": (build.build, build.inspect, find.find, export.export, plan.plan),
    "Model": (
        train.train,
        refresh.refresh,
        nightly.nightly,
        split.split,
        evaluate.evaluate,
        drift.drift,
        simulate.simulate,
        replay.replay,
    ),
    "Lists": (ask.recommend, ask.similar, score.score, explain.explain, embed.embed),
    "Server": (serve.serve,),
    "Changes": (items.add, items.update, items.remove, rollback.rollback),
}
for _panel, _functions in _PANELS.items():
    for _function in _functions:
        _name = _function.__name__.removesuffix("_")
        app.command(_name, cls=Command, rich_help_panel=_panel)(_function)


def main() -> None:
    """Run the command line; the entry point of the script `kgrec`."""
    # Most objects of a short command belong to modules and stay alive: repeated garbage collections, and the last one
    # at exit, would take a third of the run time.
    gc.set_threshold(_GARBAGE)
    try:
        app()
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:
            _exit_interrupted()
        raise
    finally:
        gc.freeze()


def _exit_interrupted() -> None:
    """Exit with code 130 at any point of a run.

    If Ctrl-C arrives while an extension module runs Python code, as some do during their import, Python would otherwise
    end by the signal itself, with another exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(_INTERRUPTED)
