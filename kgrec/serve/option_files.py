"""Tables named by command options: pairs of a user and an item, and numbers per item.

Enters: paths of CSV, TSV, JSONL or Parquet files. Leaves: columns and dicts; an unusable row raises an error with its file
and line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from kgrec.errors import SourceError, did_you_mean
from kgrec.ingest import cells
from kgrec.ingest.batches import Batch, Table
from kgrec.ingest.mapping.schema import TableFormat
from kgrec.ingest.sources import Source
from kgrec.ingest.table_files import open_table
from kgrec.ingest.table_statements import filled

USER, ITEM = "user_id", "item_id"


def read_items_by_user(path: Path) -> pa.Table:
    """Columns user_id and item_id of a table.

    Raises:
        SourceError: The file cannot be read, lacks a column, or has an empty cell.
    """
    batches = list(whole_batches(opened(path), [USER, ITEM]))
    columns = {name: [batch.columns[name] for batch in batches] for name in (USER, ITEM)}
    return pa.table({name: pa.chunked_array(parts, pa.string()) for name, parts in columns.items()})


def read_numbers(path: Path, column: str) -> dict[str, float]:
    """The number of each item in a table with item_id and another column.

    Raises:
        SourceError: The file cannot be read, lacks a column, has a cell that is empty or not a finite number, or names an item
            twice.
    """
    numbers: dict[str, float] = {}
    for batch in whole_batches(opened(path), [ITEM, column]):
        at, values, bad = cells.numbers(batch.columns[column])
        bad = np.union1d(bad, at[~np.isfinite(values)])
        for place, row in zip(batch.places(bad), bad.tolist(), strict=False):
            value = batch.columns[column][row].as_py()
            raise SourceError(
                f"{place}: '{column}' is \"{value}\", which is not a finite number.", "Correct the row."
            )
        for row, (item, value) in enumerate(
            zip(batch.columns[ITEM].to_pylist(), values.tolist(), strict=True)
        ):
            if item in numbers:
                place = next(batch.places(np.array([row])))
                raise SourceError(f"{place}: the item '{item}' occurs twice.", "Give one row per item.")
            numbers[item] = value
    return numbers


def opened(path: Path) -> Table:
    """The table in a file; SourceError if the file does not exist or cannot be read."""
    if not path.is_file():
        raise SourceError(f"{path} is not there.", "Give a table: .csv, .tsv, .jsonl or .parquet.")
    return open_table(Source(path, str(path)), TableFormat(file=(path.name,)))


def whole_batches(table: Table, columns: Sequence[str]) -> Iterator[Batch]:
    """Batches with these columns, which hold one text per row.

    Raises:
        SourceError: A column is missing, a row cannot be split into columns, or a cell is empty.
    """
    for name in columns:
        if name not in table.columns:
            raise SourceError(f"{table.name} has no column '{name}'.", did_you_mean(name, table.columns))
    for batch in table.read(list(dict.fromkeys(columns))):
        for line, _ in batch.broken[:1]:
            raise SourceError(
                f"{batch.name}:{line}: the row cannot be split into columns.", "Correct the row."
            )
        for name in columns:
            for place in batch.places(np.flatnonzero(~filled(batch, name))):
                raise SourceError(f"{place}: '{name}' is empty.", "Correct the row, or remove it.")
        yield batch
