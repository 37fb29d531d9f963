"""The first rows of a table's file, and its marks of missing values.

Enters: a path. Leaves: a `Sample`, to which other modules add keys and roles.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.ingest import cells
from kgrec.ingest.batches import Table
from kgrec.ingest.draft import looks
from kgrec.ingest.draft.lines import written
from kgrec.ingest.draft.nested import expanded
from kgrec.ingest.draft.sniff import sniff
from kgrec.ingest.mapping.schema import TableFormat
from kgrec.ingest.sources import Source
from kgrec.ingest.table_files import open_table

_SAMPLE_ROWS = 20_000
#: share of a column's cells from which a mark is frequent
_OFTEN = 0.02


@dataclass
class Sample:
    """The first rows of one file."""

    source: Source
    columns: dict[str, pa.Array]
    #: keys beside `file:` with values other than the defaults
    options: dict[str, Any] = field(default_factory=dict)
    #: column of the identifiers; None if the file is not a table of nodes
    key: str | None = None
    why_key: str = ""
    #: columns of a type without a text form, such as structs; they are empty in `columns`
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
    def plain(self) -> list[str]:
        """The columns that hold no lists."""
        return [name for name, array in self.columns.items() if not cells.is_list(array)]

    @property
    def keys(self) -> pa.Array:
        """The identifiers of the nodes of a table."""
        assert self.key is not None
        return self.columns[self.key]

    def why(self, column: str, role: object, reason: str) -> None:
        """Note a decision and its reason."""
        self.reasons.append(f"{self.source.name}: {column or written(column)}: {role}, since {reason}")

    def rename(self, names: dict[str, str]) -> dict[str, str]:
        """Rename columns without a name in the file; returns old name -> new name, without names that are taken."""
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
        """The lines of kgrec.yaml with the file and its format."""
        yield f"file: {written(self.source.name)}"
        yield from (f"{name}: {written(value)}" for name, value in self.options.items())


def source_of(path: Path, folder: Path) -> Source:
    """The file `path`, with its name relative to `folder`.

    Raises:
        SourceError: The file does not exist, or is a folder.
    """
    if path.is_dir():
        raise SourceError(f"{path} is a folder.", f"Name the files in it: kgrec init {path}/*")
    if not path.is_file():
        raise SourceError(
            f"{path} does not exist.", "Name files that exist: CSV, TSV, JSONL, Parquet or RDF."
        )
    return Source(path, Path(os.path.relpath(path, folder)).as_posix())


def read_sample(source: Source, head: bytes) -> Sample:
    """Read the first rows of a table; `head` are its first bytes.

    Raises:
        SourceError: The file cannot be read.
    """
    sniffed = sniff(source, head)
    sample = Sample(source, {}, sniffed.options)
    for key, value, why in sniffed.reasons:
        sample.why(key, value, why)
    table = open_table(source, TableFormat.model_validate({"file": source.name, **sniffed.options}))
    try:
        sample.columns = _first_rows(table, table.columns)
    except SourceError:
        for name in table.columns:
            try:
                sample.columns |= _first_rows(table, [name])
            except SourceError:
                sample.columns[name] = pa.array([], pa.string())
                sample.unreadable.add(name)
        if len(sample.unreadable) == len(table.columns):
            raise
    sample.columns = expanded(sample.columns)
    marks = _null_marks(sample)
    for mark, why in marks.items():
        sample.why("nulls", written(mark), why)
    if marks:
        sample.options["nulls"] = list(marks)
        sample.columns = {name: cells.emptied(array, list(marks)) for name, array in sample.columns.items()}
    return sample


def _first_rows(table: Table, columns: list[str]) -> dict[str, pa.Array]:
    batch = next((batch for batch in table.read(columns) if len(batch)), None)
    if batch is None:
        return dict.fromkeys(columns, pa.array([], pa.string()))
    return {name: batch.columns[name].slice(0, _SAMPLE_ROWS) for name in columns}


def _null_marks(sample: Sample) -> dict[str, str]:
    """Marks of missing values, with reasons; marks such as `-` may be values, and need more evidence than `NULL`."""
    found: dict[str, str] = {}
    often: Counter[str] = Counter()
    for name in sample.plain:
        values = pc.utf8_trim_whitespace(sample.columns[name])
        marks = pc.value_counts(values.filter(pc.is_in(values, value_set=pa.array(looks.NULLS)))).to_pylist()
        kind = _kind_of_rest(name, values) if marks else ""
        for mark, count in (row.values() for row in marks):
            if kind:
                found.setdefault(mark, f"the other values of {name} are all {kind}")
            elif count > max(1, _OFTEN * len(values)):
                often[mark] += 1
    for mark, number in often.items():
        if number > 1 or mark in looks.SURE_NULLS:
            found.setdefault(mark, f"it is frequent in {number:,} column{'s' if number > 1 else ''}")
    return {mark: found[mark] for mark in looks.NULLS if mark in found}


def _kind_of_rest(name: str, values: pa.Array) -> str:
    """The kind of all values but the marks (numbers, dates, IRIs), if there are at least two; else ""."""
    rest = looks.filled(cells.emptied(values, looks.NULLS))
    if len(rest) < 2:
        return ""
    if looks.numbers_of(rest) is not None:
        return "numbers"
    if looks.date_form(rest, name) is not None:
        return "dates"
    return "IRIs" if looks.share(rest, looks.IRIS) == 1 else ""
