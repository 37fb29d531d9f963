"""A first mapping, from headers and samples.

Enters: paths of files. Leaves: a `Draft`: kgrec.yaml as text, and why each column got its role. Guesses are plain rules
on names and values, so that the reasons can be given; the user has the last word.

lines     roles and names as YAML has them
names     what the names of files and columns say
values    what the values of a column look like
dates     how dates are written
encoding, layout, header, sniff   how a file is to be read
sample    the first rows of a file
logs      the columns of a log
files     which file is a table with a key, which is the log
literals  the role of values that are neither keys nor IRIs
columns   the roles of a table's columns
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from kgrec.errors import SourceError
from kgrec.ingest.draft.columns import Known, node_lines
from kgrec.ingest.draft.files import Files, sort_files
from kgrec.ingest.draft.logs import log_lines
from kgrec.ingest.draft.sample import read_sample, source_of


@dataclass(frozen=True)
class Draft:
    """A drafted mapping."""

    yaml: str
    #: "file.column: role, since ..." for every decision
    reasons: list[str]


def draft_mapping(paths: list[Path], folder: Path | None = None) -> Draft:
    """Draft a mapping for some tables.

    Args:
        paths: The tables.
        folder: Where the mapping will stand; names in it are relative to that. None: beside the first table.

    Raises:
        SourceError: There is no file, one cannot be read, or none of them can be the items.
    """
    if not paths:
        raise SourceError(
            "There is no file to draft a mapping from.", "Name the tables: kgrec init items.csv ratings.csv"
        )
    folder = Path(paths[0]).parent if folder is None else folder
    samples = [read_sample(source_of(Path(path), folder)) for path in paths]
    files = sort_files(samples, ())
    known = Known(files.tables, pa.array([], pa.string()))
    lines = ["version: 1", "base: https://example.org/", "nodes:"]
    for table in files.tables:
        lines += node_lines(table, known, _why_items(files) if table is files.item.table else "")
    if files.log is not None:
        lines += log_lines(files.log)
    reasons = [reason for sample in samples for reason in sample.reasons]
    return Draft("\n".join(lines) + "\n", reasons)


def _why_items(files: Files) -> str:
    if files.log is not None:
        return "its keys are in the interactions"
    return "it is the only table" if len(files.tables) == 1 else "it is the first table"
