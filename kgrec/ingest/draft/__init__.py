"""A first mapping, from headers and samples.

Enters: paths of tables. Leaves: a `Draft`: kgrec.yaml as text, and why each column got its role. Guesses are plain rules
on names and values, so that the reasons can be given; the user has the last word.

sample   the first rows of a file
values   what the values of a column look like
files    which file is a table with a key, which is a log
columns  the roles of a table's columns
logs     the columns of a log
lines    text as YAML has it
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kgrec.errors import SourceError
from kgrec.ingest.draft.columns import node_lines
from kgrec.ingest.draft.files import item_table, tables_and_logs
from kgrec.ingest.draft.logs import log_lines
from kgrec.ingest.draft.sample import read_sample


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
    samples = [read_sample(Path(path), Path(paths[0]).parent if folder is None else folder) for path in paths]
    tables, logs = tables_and_logs(samples)
    if not tables:
        raise SourceError(
            "No file has a column that can be a key.", "One column must be filled and unique, such as an id."
        )
    item = item_table(tables, logs[0] if logs else None)
    lines = ["version: 1", "base: https://example.org/", "nodes:"]
    for table in tables:
        lines += node_lines(table, tables, item)
    if logs:
        lines += log_lines(logs[0])
    reasons = [reason for sample in samples for reason in sample.reasons]
    return Draft("\n".join(lines) + "\n", reasons)
