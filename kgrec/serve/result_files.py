"""Result files, written table by table; a file appears under its name completely or not at all.

Enters: Arrow tables with one schema. Writes: a Parquet, CSV or JSONL file, or any file by `whole_file`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from kgrec._version import __version__
from kgrec.errors import ArtifactError, ConfigError
from kgrec.storage.atomic import put_in_place, temporary_beside

#: suffixes of files of lists
LIST_SUFFIXES = (".parquet", ".csv", ".jsonl")
#: remedy if a file cannot be written
OTHER_FILE = "Choose another output file."


def check_result(path: Path, suffixes: Sequence[str] = LIST_SUFFIXES, format: str | None = None) -> None:
    """Check the path of a result file before any result is computed.

    Raises:
        ConfigError: There is no `format`, and the suffix is not one of `suffixes`.
        ArtifactError: The folder of the file does not exist, or the file is a folder.
    """
    if format is None and path.suffix not in suffixes:
        raise ConfigError(
            f"{path} has no suffix that names a format.",
            f"Name it {' or '.join(filter(None, (', '.join(suffixes[:-1]), suffixes[-1])))}.",
        )
    if path.is_dir():
        raise ArtifactError(f"{path} is a folder.", OTHER_FILE)
    if not path.parent.is_dir():
        raise ArtifactError(
            f"{path.parent}: there is no such folder.", "Create it, or choose another output file."
        )


def metadata_of(model_version: str, began: datetime) -> dict[str, str]:
    """Metadata of a Parquet file: the version of kgrec, when the run began, and when the model was written."""
    return {
        "kgrec.version": __version__,
        "kgrec.written": began.isoformat(timespec="seconds"),
        "kgrec.model": model_version,
    }


@contextmanager
def whole_file(path: Path, remedy: str = OTHER_FILE) -> Iterator[Path]:
    """A temporary path to write to; the file is renamed to `path` when the block ends without an error.

    Raises:
        ArtifactError: The file cannot be written; its remedy is `remedy`.
    """
    temporary = temporary_beside(path)
    try:
        yield temporary
        put_in_place(temporary, path)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be written ({error.strerror or error}).", remedy) from None
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def result_file(
    path: Path, metadata: dict[str, str], remedy: str = OTHER_FILE, format: str | None = None
) -> Iterator[ResultWriter]:
    """A writer of Arrow tables in the given format, or in the format of the path's suffix; otherwise like `whole_file`."""
    with whole_file(path, remedy) as temporary, temporary.open("wb") as stream:
        writer = ResultWriter(stream, f".{format}" if format else path.suffix, metadata)
        try:
            yield writer
        finally:
            writer.close()


class ResultWriter:
    """Appends Arrow tables to a Parquet, CSV or JSONL file; in Parquet, each is a row group."""

    def __init__(self, stream: BinaryIO, suffix: str, metadata: dict[str, str]) -> None:
        self._stream, self._suffix, self._metadata = stream, suffix, metadata
        self._writer: Any = None

    def write(self, table: pa.Table) -> None:
        """Append a table; all tables have the same columns."""
        if self._suffix == ".jsonl":
            self._stream.write(_jsonl(table))
            return
        if self._suffix == ".csv":
            table = _plain(table)
        if self._writer is None:
            self._writer = self._opened(table.schema)
        self._writer.write_table(table)

    def close(self) -> None:
        """Finish the file; the stream stays open."""
        if self._writer is not None:
            self._writer.close()

    def _opened(self, schema: pa.Schema) -> Any:
        if self._suffix == ".csv":
            return pyarrow.csv.CSVWriter(self._stream, schema)
        # Scores and vectors rarely repeat, so a dictionary would not save space.
        repeating = [field.name for field in schema if not _is_real(field.type)]
        return pq.ParquetWriter(
            self._stream, schema.with_metadata(self._metadata), compression="zstd", use_dictionary=repeating
        )


def _plain(table: pa.Table) -> pa.Table:
    """The table for CSV, which has neither lists nor structs: list values are joined by "|", and structs are written as JSON."""
    for at, column in enumerate(table.schema):
        if pa.types.is_list(column.type):
            joined = pc.binary_join(table.column(at), "|")
            table = table.set_column(at, column.name, joined)
        elif pa.types.is_struct(column.type):
            table = table.set_column(at, column.name, pa.array(_cells(table.column(at)), pa.string()))
    return table


def _is_real(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_fixed_size_list(kind))


def _jsonl(table: pa.Table) -> bytes:
    """One JSON object per line, encoded column by column: three times as fast as row by row."""
    line = "{" + ", ".join(f"{json.dumps(name)}: %s" for name in table.column_names) + "}\n"
    return "".join([line % row for row in zip(*map(_cells, table.columns), strict=True)]).encode()


def _cells(column: pa.ChunkedArray) -> list[str]:
    """Each value as JSON."""
    encode = json.JSONEncoder(ensure_ascii=False).encode
    values = column.to_pylist()
    # Numbers contain no ", ", so one call encodes the whole column, without the brackets.
    if values and (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        return encode(values)[1:-1].split(", ")
    return [encode(value) for value in values]
