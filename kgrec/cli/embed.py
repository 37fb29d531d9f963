"""`kgrec embed`: write vectors of items and users to files for other tools."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kgrec.cli.console import Json, LogLines, Quiet, Verbose, console
from kgrec.cli.options import (
    STANDARD_OUTPUT,
    Address,
    ExecutorName,
    GpusPerWorker,
    ModelFolder,
    Workers,
)

if TYPE_CHECKING:
    from kgrec.serve.embeddings import EmbeddedType


def embed(
    model: ModelFolder,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="File to write: .parquet, .jsonl or .npy; - for standard output, as JSON lines.",
        ),
    ] = Path("embeddings.parquet"),
    items: Annotated[
        bool, typer.Option("--items", help="All items; this is the default without --users.")
    ] = False,
    users: Annotated[bool, typer.Option("--users", help="All users; give both options for both.")] = False,
    executor: ExecutorName = None,
    workers: Workers = 1,
    address: Address = None,
    gpus_per_worker: GpusPerWorker = 0.0,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogLines = "text",
) -> None:
    """Write the embeddings of all items, all users, or both, with columns id, type and vector.

    A .npy file holds only the vectors; ids and types go to a .ids.parquet file beside it, in the same order.

    Example: `kgrec embed model/ --items --users -o embeddings.parquet`
    """
    from kgrec.serve.batch_options import BatchOptions
    from kgrec.serve.embeddings import stream_embeddings, write_embeddings
    from kgrec.serve.result_files import ResultWriter

    out = console(as_json, quiet, verbose, log_format)
    options = BatchOptions(
        executor=executor, workers=workers, address=address, gpus_per_worker=gpus_per_worker
    )
    wanted: dict[EmbeddedType, bool] = {"item": items or not users, "user": users}
    types = [kind for kind, is_wanted in wanted.items() if is_wanted]
    if output == STANDARD_OUTPUT:
        writer = ResultWriter(sys.stdout.buffer, ".jsonl", {})
        for table in stream_embeddings(model, types, options=options):
            writer.write(table)
        sys.stdout.buffer.flush()
        return
    with out.watcher() as watcher:
        out.progress.stage("reading the model folder")
        summary = write_embeddings(model, output, types, options=options, watcher=watcher)
    out.say(f"Wrote {summary.count:,} vectors of length {summary.dim} to {output}.")
    out.result({"output": str(output), "count": summary.count, "dim": summary.dim})
