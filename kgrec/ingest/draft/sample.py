"""The first rows of a table's file.

Enters: a path. Leaves: a `Sample`, which the other modules find keys and roles for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from kgrec.errors import SourceError
from kgrec.ingest import cells
from kgrec.ingest.batches import Table
from kgrec.ingest.draft.lines import listed, quoted
from kgrec.ingest.draft.nulls import null_marks
from kgrec.ingest.draft.sniff import sniff
from kgrec.ingest.sources import Source
from kgrec.ingest.tables import open_table
from kgrec.mapping import TableFormat

ROWS = 20_000


@dataclass
class Sample:
    """The first rows of one file."""

    source: Source
    columns: dict[str, pa.Array]
    #: what stands beside `file:` where the defaults do not hold
    options: dict[str, Any] = field(default_factory=dict)
    #: column of the identifiers; None in what is no table
    key: str | None = None
    why_key: str = ""
    #: columns of a type that has no text, such as structs; `columns` has no values of them
    unreadable: set[str] = field(default_factory=set)
    type: str = ""
    #: in a log: user, item, value, time -> column
    log: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    @property
    def has_names(self) -> bool:
        """Whether the file itself names its columns."""
        return "header" not in self.options

    @property
    def keys(self) -> pa.Array:
        """The identifiers of the nodes of a table."""
        assert self.key is not None
        return self.columns[self.key]

    def why(self, column: str, role: object, reason: str) -> None:
        """Note a decision and its reason."""
        self.reasons.append(f"{self.source.name}: {column or quoted(column)}: {role}, since {reason}")

    def rename(self, names: dict[str, str]) -> dict[str, str]:
        """Give columns that the file does not name better names, each once; gives those that are new."""
        known: dict[str, str] = {}
        for old, new in names.items():
            if new not in (*self.columns, *known.values()):
                known[old] = new
        self.columns = {known.get(name, name): array for name, array in self.columns.items()}
        self.options["header"] = list(self.columns)
        self.key = known.get(self.key, self.key) if self.key is not None else None
        self.log = {role: known.get(name, name) for role, name in self.log.items()}
        return known

    def file_lines(self) -> Iterator[str]:
        """The lines of kgrec.yaml that say what file it is, and how it is to be read."""
        yield f"file: {quoted(self.source.name)}"
        for name, value in self.options.items():
            yield f"{name}: {quoted(value) if isinstance(value, str) else listed(value)}"


def source_of(path: Path, folder: Path) -> Source:
    """The file `path`, named as seen from `folder`.

    Raises:
        SourceError: It is not there, or is a folder.
    """
    if path.is_dir():
        raise SourceError(f"{path} is a folder.", f"Name the files in it: kgrec init {path}/*")
    if not path.is_file():
        raise SourceError(f"{path} is not there.", "Name files that exist: CSV, TSV, JSONL, Parquet or RDF.")
    return Source(path, Path(os.path.relpath(path, folder)).as_posix())


def read_sample(source: Source, head: bytes) -> Sample:
    """Read the first rows of a table; `head` are its first bytes.

    Raises:
        SourceError: It cannot be read.
    """
    sniffed = sniff(source, head)
    sample = Sample(source, {}, sniffed.options)
    for key, value, why in sniffed.reasons:
        sample.why(key, value, why)
    table = open_table(source, TableFormat.model_validate({"file": source.name, **sniffed.options}))
    try:
        sample.columns = _first_rows(table, table.columns)
    except SourceError:
        sample.unreadable = {name for name in table.columns if not _is_readable(table, name)}
        if len(sample.unreadable) in (0, len(table.columns)):
            raise
        read = _first_rows(table, [name for name in table.columns if name not in sample.unreadable])
        nothing = pa.array([], pa.string())
        sample.columns = {name: read.get(name, nothing) for name in table.columns}
    _empty_nulls(sample)
    return sample


def _empty_nulls(sample: Sample) -> None:
    """Take marks of nothing out of the rows, and say so."""
    marks = null_marks(sample.columns)
    for mark, why in marks.items():
        sample.why("nulls", quoted(mark), why)
    if marks:
        sample.options["nulls"] = list(marks)
        sample.columns = {name: cells.emptied(array, list(marks)) for name, array in sample.columns.items()}


def _first_rows(table: Table, columns: list[str]) -> dict[str, pa.Array]:
    batch = next((batch for batch in table.read(columns) if len(batch)), None)
    if batch is None:
        return dict.fromkeys(columns, pa.array([], pa.string()))
    return {name: batch.columns[name].slice(0, ROWS) for name in columns}


def _is_readable(table: Table, name: str) -> bool:
    """Whether a column's type has a text: structs in Parquet have none."""
    try:
        _first_rows(table, [name])
    except SourceError:
        return False
    return True
