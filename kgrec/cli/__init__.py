"""The command line: one command a stage, a thin layer over the library.

Every command takes `--json` and `--quiet`, draws progress on a terminal only, and ends with exit
code 0 when all is done, 2 for wrong usage or input, 3 when too many rows were bad; an error is two
lines: what is wrong where, and what to do.
"""

from __future__ import annotations

import os
import sys

# Set before torch starts its threads: idle ones that spin starve the other programs of the machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import typer

from kgrec._version import __version__
from kgrec.cli import build, cold, demo, doctor, query, train
from kgrec.cli.console import report_error
from kgrec.errors import KgrecError

app = typer.Typer(
    name="kgrec",
    help="A catalogue in CSV or RDF and a log in; explained recommendations out, new items included.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _version(version: bool = typer.Option(False, "--version", help="Print the version and end.")) -> None:
    if version:
        typer.echo(f"kgrec {__version__}")
        raise typer.Exit


for _command in (
    demo.demo,
    build.init,
    build.build,
    build.inspect,
    train.train,
    query.recommend,
    query.similar,
    cold.add,
    query.embed,
    query.explain,
    doctor.doctor,
):
    app.command(_command.__name__)(_command)


def main() -> None:
    """Run the command line; the entry point of the script `kgrec`."""
    try:
        app()
    except KgrecError as error:
        report_error(error, as_json="--json" in sys.argv)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("\nStopped. Folders that were there before are as they were.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of the output, `head` say, has what it wanted; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
