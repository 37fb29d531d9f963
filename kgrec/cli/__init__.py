"""The command line: one command per stage, a thin layer over the library.

Every command takes `--json` and `--quiet`, draws progress on a terminal only, and ends with exit
code 0 when all is done, 2 for wrong usage or input, 3 when too many rows were bad; an error is two
lines: what is wrong where, and what to do.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

# Set before torch starts its threads: idle ones that spin starve the other programs of the machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Else the first of its models reads the entry points of every installed package.
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

#: base of typer's errors of usage, which it exports under different names in different versions
_WrongUsage: type[Exception] = typer.BadParameter.__mro__[1]
_INTERRUPTED = 130
_TRUE = ("1", "true", "t", "yes", "y", "on")
#: objects that are made before Python looks for garbage among the young ones; 700 if nothing is said
_GARBAGE = 50_000


class _Commands(TyperGroup):
    """The commands; whatever ends one becomes an exit code, and an error two lines or a JSON value."""

    def get_params(self, context: Any) -> Any:
        options = super().get_params(context)
        for option in options:
            option.metavar = ""  # all are flags
        return options

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        try:
            # What ends a command early, `--help` say, comes back as an exit code.
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
            # The reader of the output, `head` say, has what it wanted; Python would complain once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 1
        else:
            if code == _INTERRUPTED:
                report_stop(Stopped(), words)
        sys.exit(code)


def _told(words: Sequence[str]) -> list[str]:
    """The words of the command line, with --json if the environment asks for it."""
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
    """A sentence about the environment variable that a wrong value comes from; "" for one of the command line."""
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
    help="A catalogue in CSV or RDF and a log in; explained recommendations out, new items included.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and end."),
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
    # Most objects of a short command are those of modules, which stay: to look through them for garbage, over and over
    # and once more at the end, would take a third of its time.
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
    """End with exit code 130, whatever was going on.

    Python would end by the signal itself, with another code, if Ctrl-C came while an extension module was running Python code,
    as some do when they are imported.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(_INTERRUPTED)
