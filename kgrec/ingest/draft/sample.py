"""The first rows of a file.

Enters: a path. Leaves: a `Sample`, which the other modules find keys and roles for.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from kgrec.errors import SourceError
from kgrec.ingest.sources import Source
from kgrec.ingest.tables import open_table
from kgrec.mapping import TableFormat

_ROWS = 20_000


@dataclass
class Sample:
    """The first rows of one file."""

    source: Source
    columns: dict[str, pa.Array]
    key: str = ""
    type: str = ""
    #: in a log, the column of the item
    item: str = ""
    reasons: list[str] = field(default_factory=list)

    def why(self, column: str, role: str, reason: str) -> None:
        """Note a decision and its reason."""
        self.reasons.append(f"{self.source.name}: {column}: {role}, since {reason}")


def read_sample(path: Path, folder: Path) -> Sample:
    """Read the first rows of a file, whose name is to be relative to `folder`.

    Raises:
        SourceError: The file is not there, or cannot be read.
    """
    name = Path(os.path.relpath(path, folder)).as_posix()
    source = Source(path, name)
    if not path.is_file():
        raise SourceError(f"{path} is not there.", "Name tables that exist: CSV, TSV, JSONL or Parquet.")
    _refuse_headerless(path)
    table = open_table(source, TableFormat.model_validate({"file": name}))
    columns: dict[str, pa.Array] = dict.fromkeys(table.columns, pa.array([], pa.string()))
    for batch in table.read(table.columns):
        columns = {name: array.slice(0, _ROWS) for name, array in batch.columns.items()}
        break
    return Sample(source, columns)


def _refuse_headerless(path: Path) -> None:
    """Say so where the first line has numbers for names, as MovieLens' u.data and u.item have."""
    if path.suffix.lower() in (".gz", ".zst", ".parquet", ".pq", ".jsonl", ".ndjson"):
        return
    with path.open("rb") as stream:
        first = stream.readline(100_000).decode("latin-1").strip()
    parts = re.split(r"\t|::|\||,", first)
    numbers = sum(re.fullmatch(r"-?\d+(\.\d+)?", cell) is not None for cell in parts)
    if len(parts) > 1 and numbers * 2 >= len(parts):
        raise SourceError(
            f"{path.name}:1: the first line has no names of columns but values, such as '{parts[0]}'.",
            "Write the names above it; a dataset of MovieLens and the like is read by kgrec import FOLDER.",
        )
