"""Embeddings of items and users, written to a file or streamed as Arrow tables.

Enters: a model folder or a `Recommender`, and which embeddings. Leaves: tables with columns id, type and vector, items before
users. Writes a Parquet or JSONL file; or a .npy file, with the ids of its rows beside it in .ids.parquet.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.lib.format import write_array_header_1_0

from kgrec.arguments import options as arguments
from kgrec.errors import ConfigError
from kgrec.recommend.queries import Queries
from kgrec.recommend.recommender import Recommender
from kgrec.serve.batch_options import BatchOptions, RunWatcher
from kgrec.serve.batch_run import ModelSource, for_stream, opened, stored_version, tables, without_numbers
from kgrec.serve.requests import all_users
from kgrec.serve.result_files import check_result, metadata_of, result_file, whole_file

EmbeddedType = Literal["item", "user"]
#: suffixes of files of embeddings
EMBEDDING_SUFFIXES = (".parquet", ".jsonl", ".npy")


@dataclass(frozen=True)
class EmbeddingSummary:
    """Figures about the result of `write_embeddings`."""

    output: Path
    count: int
    dim: int


def write_embeddings(
    model: ModelSource,
    output: str | Path,
    types: Sequence[EmbeddedType] = ("item",),
    *,
    options: BatchOptions | None = None,
    watcher: RunWatcher | None = None,
) -> EmbeddingSummary:
    """Write the embeddings of all items, all users, or both.

    Args:
        model: A model folder, or a recommender.
        output: A file that ends in .parquet or .jsonl; or in .npy, for an array of shape (n, dim), float32. With .npy,
            `NAME.ids.parquet` beside it contains the id and type of each row.
        types: "item", "user", or both.
        options: Parts, executor and workers.
        watcher: Receives progress.

    Raises:
        ConfigError: A type is unknown, or as for `write_recommendations`.
        ArtifactError: The file cannot be written.
        UnknownId: The model has no users.
        WorkerError: A worker process died.
    """
    output, types = arguments.path("output", output), _checked(types)
    watcher = (
        arguments.optional("watcher", watcher, RunWatcher, "Give kgrec.RunWatcher(progress=...).")
        or RunWatcher()
    )
    if output.suffix == ".csv":
        raise ConfigError(f"{output}: CSV has no cells for vectors.", "Name it .parquet, .jsonl or .npy.")
    check_result(output, EMBEDDING_SUFFIXES)
    recommender = opened(model)
    count, dim = _count(recommender, types), recommender.model.items.vectors.shape[1]
    computed = stream_embeddings(recommender, types, options=options)
    reported = _reported(computed, count, watcher.progress)
    metadata = metadata_of(stored_version(recommender), datetime.now(UTC))
    write = _write_array if output.suffix == ".npy" else _write_tables
    write(output, reported, (count, dim), metadata)
    return EmbeddingSummary(output, count, dim)


def stream_embeddings(
    model: ModelSource,
    types: Sequence[EmbeddedType] = ("item",),
    *,
    options: BatchOptions | None = None,
) -> Generator[pa.Table, None, None]:
    """Embeddings, one Arrow table per part of items or users.

    Args:
        model: A model folder, or a recommender.
        types: "item", "user", or both.
        options: Parts, executor and workers.

    Returns:
        Tables with columns id, type ("item" or "user") and vector (a list of fixed size, float32, unit length).

    Raises:
        KgrecError: As for `write_embeddings`.
    """
    options, types, recommender = for_stream(options), _checked(types), opened(model)
    parts = list(_parts(recommender, types, options.batch))
    return without_numbers(tables(recommender, embeddings_of, parts, options.new_executor()))


def embeddings_of(queries: Queries, part: tuple[EmbeddedType, int, int]) -> pa.Table:
    """Embeddings of one type, for the model's rows from start to stop."""
    kind, start, stop = part
    model, rows = queries.model, slice(start, stop)
    known = model.items.ids if kind == "item" else model.users
    vectors = (
        model.items.vectors[rows]
        if kind == "item"
        else model.user_vectors(model.histories.take(np.arange(start, min(stop, len(known)))))
    )
    ids = known.labels.slice(start, len(vectors))
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    vector = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    return pa.table({"id": ids, "type": pa.repeat(kind, len(ids)), "vector": vector})


def _parts(
    recommender: Recommender, types: Sequence[EmbeddedType], size: int
) -> Iterator[tuple[EmbeddedType, int, int]]:
    for kind in types:
        for start in range(0, _count(recommender, [kind]), size):
            yield kind, start, start + size


def _checked(types: Any) -> list[EmbeddedType]:
    checked: Any = arguments.words("types", types, get_args(EmbeddedType))
    return list(dict.fromkeys(checked))


def _count(recommender: Recommender, types: Sequence[EmbeddedType]) -> int:
    counts = {"item": len(recommender.model.items)}
    if "user" in types:
        counts["user"] = len(all_users(recommender, "Leave out users to get the embeddings of items only."))
    return sum(counts[kind] for kind in types)


def _reported(
    computed: Iterator[pa.Table], total: int, progress: Callable[[str, int, int], None]
) -> Iterator[pa.Table]:
    """The tables, with progress reported after each."""
    done = 0
    for table in computed:
        yield table
        progress("writing vectors", done := done + len(table), total)


def _write_tables(
    output: Path, computed: Iterator[pa.Table], _: tuple[int, int], metadata: dict[str, str]
) -> None:
    with result_file(output, metadata) as file:
        for table in computed:
            file.write(table)


def _write_array(
    output: Path, computed: Iterator[pa.Table], shape: tuple[int, int], metadata: dict[str, str]
) -> None:
    # The contexts end in reverse order, so the file of ids appears before the file of vectors: a reader that finds the vectors
    # also finds their ids.
    with (
        whole_file(output) as place,
        place.open("wb") as stream,
        result_file(output.with_suffix(".ids.parquet"), metadata) as ids,
    ):
        _write_header(stream, shape)
        for table in computed:
            ids.write(table.drop(["vector"]))
            stream.write(_values(table).tobytes())


def _values(table: pa.Table) -> np.ndarray:
    """The concatenated numbers of all vectors; shape (rows * dim,), float32."""
    return np.asarray(table["vector"].combine_chunks().flatten(), np.float32)


def _write_header(stream: Any, shape: tuple[int, int]) -> None:
    write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
