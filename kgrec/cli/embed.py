"""`kgrec embed`: vectors of items and users in files of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli.console import Bars, Json, Quiet, console
from kgrec.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from kgrec.model.model import Model

#: vectors computed and written at a time
_BATCH = 4096
_SUFFIXES = (".parquet", ".jsonl", ".npy")


def embed(
    model: Annotated[Path, typer.Argument(help="A model folder.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write: .parquet, .jsonl or .npy.")
    ] = Path("embeddings.parquet"),
    items: Annotated[bool, typer.Option("--items", help="All items; so it is without --users, too.")] = False,
    users: Annotated[bool, typer.Option("--users", help="All users; with --items, both.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the embeddings of all items, of all users, or of both: columns id, type and vector.

    With .npy the vectors alone, and beside them ids and types in the same order, in .ids.parquet.

    Example: `kgrec embed model/ --items --users -o embeddings.parquet`
    """
    from kgrec.recommend.recommender import Recommender
    from kgrec.serve.requests import known_users
    from kgrec.serve.result_files import check_result

    if output.suffix == ".csv":
        raise ConfigError(f"{output}: CSV has no cells for vectors.", "Name it .parquet, .jsonl or .npy.")
    check_result(output, _SUFFIXES)
    out = console(as_json, quiet)
    recommender = Recommender.load(model)
    kinds = [kind for kind, wanted in (("item", items or not users), ("user", users)) if wanted]
    if users:
        known_users(recommender, "Leave out --users for the vectors of items.")
    count, dim = _count(recommender.model, kinds), recommender.model.items.vectors.shape[1]
    with out.bars() as bars:
        _write(recommender.model, kinds, output, bars)
    out.say(f"Wrote {count:,} vectors of length {dim} to {output}.")
    out.result({"output": str(output), "count": count, "dim": dim})


def _write(model: Model, kinds: list[str], output: Path, bars: Bars) -> None:
    from datetime import UTC, datetime

    from kgrec.serve.result_files import metadata_of, result_file, whole_file

    metadata = metadata_of(model, datetime.now(UTC))
    show, done, total = bars.step("writing vectors"), 0, _count(model, kinds)
    if output.suffix != ".npy":
        with result_file(output, metadata) as file:
            for table, vectors in _batches(model, kinds):
                file.write(table.append_column("vector", _lists(vectors)))
                show(done := done + len(table), total)
        return
    # The ids get their name first: who sees the vectors finds them.
    with (
        whole_file(output) as place,
        place.open("wb") as stream,
        result_file(output.with_suffix(".ids.parquet"), metadata) as ids,
    ):
        _write_header(stream, (total, model.items.vectors.shape[1]))
        for table, vectors in _batches(model, kinds):
            ids.write(table)
            stream.write(vectors.tobytes())
            show(done := done + len(table), total)


def _batches(model: Model, kinds: list[str]) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Ids with types, and their vectors, some at a time."""
    import numpy as np
    import pyarrow as pa

    for kind in kinds:
        known = model.items.ids if kind == "item" else model.users
        for start in range(0, len(known), _BATCH):
            some = slice(start, start + _BATCH)
            vectors = (
                model.items.vectors[some] if kind == "item" else model.user_vectors(model.histories[some])
            )
            ids = known.labels.slice(start, _BATCH)
            table = pa.table({"id": ids, "type": pa.repeat(kind, len(ids))})
            yield table, np.ascontiguousarray(vectors, np.float32)


def _count(model: Model, kinds: list[str]) -> int:
    return sum(len(model.items if kind == "item" else model.users) for kind in kinds)


def _lists(vectors: np.ndarray) -> pa.Array:
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])


def _write_header(stream: Any, shape: tuple[int, int]) -> None:
    from numpy.lib.format import write_array_header_1_0

    write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
