"""Input files of the user: tables of interactions, lists of other systems, lists of ids.

Enters: paths. Leaves: interactions, Arrow tables and lists; an unreadable row raises an error with its file and line.
Every table of interactions is read by `read_rows`, with the mapping stored in the graph or the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from kgrec.errors import SourceError, did_you_mean
from kgrec.ingest import cells
from kgrec.ingest.batches import Batch, Table
from kgrec.ingest.build_report import FileReport, Report, Tally
from kgrec.ingest.interaction_files import matching
from kgrec.ingest.interaction_rows import InteractionRows, ItemCodes, LogReader
from kgrec.ingest.mapping.schema import ErrorPolicy, InteractionTable, TableFormat
from kgrec.ingest.sources import Source
from kgrec.ingest.table_files import open_table
from kgrec.ingest.table_statements import filled

if TYPE_CHECKING:
    from kgrec.graph.interactions import Interactions
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.graph.vocabulary import Vocabulary

#: column with the weights of history rows
WEIGHT = "weight"
_OTHER_ITEMS = "Remove such rows, or add the items first."


def read_rows(
    path: Path,
    tables: Sequence[InteractionTable],
    item_codes: Callable[[str | None], ItemCodes],
    known: Vocabulary | None = None,
) -> InteractionRows:
    """Rows of a table of interactions, read by the mapping's table that has the same columns.

    The user and item columns have the names in the mapping, or are `user_id` and `item_id`. Other columns have the names in
    the mapping and may be absent; without the column of the value, every row is positive.

    Args:
        path: The table.
        tables: The mapping's tables of interactions.
        item_codes: Returns codes of items for a reference (their ids, or another key); -1 for unknown items.
        known: The known items, from which errors suggest replacements for an unknown item.

    Raises:
        SourceError: The file cannot be read, has no column of users or items, has an unusable row, or names an
            unknown item.
        TooManyBadRows: The mapping leaves out all rows.
    """
    table, mapped = matching(path, tables)
    log, report = InteractionRows.of([mapped]), Report()
    tally = Tally(str(path), FileReport(), ErrorPolicy(bad_row="fail"))
    reader = LogReader(log, mapped, report, item_codes(mapped.item_reference))
    reader.read(_only_whole(table, [mapped.user, mapped.item_column]), tally)
    reader.close()
    if report.unknown_items.count:
        place, _, item = report.unknown_items.first[0].removesuffix('"').rpartition(': "')
        others = report.unknown_items.count - 1
        more = f" (and {others:,} more row{'s' if others > 1 else ''})" if others else ""
        near = did_you_mean(item, known.sorted_labels) if known else _OTHER_ITEMS
        raise SourceError(f"{place}: there is no item '{item}'{more} in the graph.", near)
    return log


def read_weights(path: Path, tables: Sequence[InteractionTable]) -> np.ndarray | None:
    """The column `weight` of a table of histories; shape (rows,), float64; None if it is absent, or the mapping uses it as the value.

    Raises:
        SourceError: A cell is not a number above 0.
    """
    table, mapped = matching(path, tables)
    if WEIGHT not in table.columns or WEIGHT in mapped.columns_read:
        return None
    parts = [np.zeros(0)]
    for batch in table.read([WEIGHT]):
        at, values, _ = cells.numbers(batch.plain(WEIGHT))
        numbers = np.full(len(batch), np.nan)
        numbers[at] = values
        for row in np.flatnonzero(~(numbers > 0) | ~np.isfinite(numbers))[:1]:
            place, value = next(batch.places(np.array([row]))), batch.columns[WEIGHT][int(row)].as_py()
            raise SourceError(
                f"{place}: '{WEIGHT}' is \"{value}\", which is not a number above 0.", "Correct the row."
            )
        parts.append(numbers)
    return np.concatenate(parts)


def read_interactions(path: Path, graph: KnowledgeGraph) -> Interactions:
    """Interactions of a table, over the items of `graph`; the mapping decides which rows are positive, if the table has its column.

    Raises:
        SourceError: As for `read_rows`.
        TooManyBadRows: As for `read_rows`.
    """
    from kgrec.graph.interactions import Interactions

    log = read_rows(path, graph.mapping.interactions, graph.item_codes_by, graph.item_ids)
    return Interactions.from_log(log, graph.item_ids)


def read_lists(path: Path) -> pa.Table:
    """Another system's lists, with columns user_id, item_id, and rank or score (float64).

    Raises:
        SourceError: The file cannot be read, has no such column, or has a cell that is empty or not a number.
    """
    table = _opened(path)
    key = "rank" if "rank" in table.columns or "score" not in table.columns else "score"
    columns = [_column(path, table.columns, name, name) for name in ("user_id", "item_id", key)]
    batches = list(table.read(columns))
    for batch in batches:
        _check_whole(batch, columns)
        numbers = pd.to_numeric(batch.columns[key].to_pandas(), errors="coerce").to_numpy(np.float64)
        for place in batch.places(np.flatnonzero(~np.isfinite(numbers))[:1]):
            raise SourceError(f"{place}: '{key}' is not a number.", "Correct the row, or remove it.")
        batch.columns[key] = pa.array(numbers)
    cells = {name: [batch.columns[name] for batch in batches] for name in columns}
    return pa.table({name: pa.chunked_array(parts) for name, parts in cells.items()})


def read_ids(path: Path, *, may_be_empty: bool = False) -> list[str]:
    """One id per line; empty lines are skipped.

    Raises:
        SourceError: The file cannot be read; or it has no ids, and `may_be_empty` is false.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read ({error.strerror}).", "Give a file with one id per line."
        ) from None
    except UnicodeDecodeError:
        raise SourceError(f"{path} is not in UTF-8.", "Convert it, for example with iconv.") from None
    ids = [line.strip() for line in lines if line.strip()]
    if not ids and not may_be_empty:
        raise SourceError(f"{path} is empty.", "Give a file with one id per line.")
    return ids


def _opened(path: Path, nulls: tuple[str, ...] = ()) -> Table:
    if not path.is_file():
        raise SourceError(f"{path} is not there.", "Give a table with columns user_id and item_id.")
    return open_table(Source(path, str(path)), TableFormat(file=(path.name,), nulls=nulls))


def _column(path: Path, columns: list[str], name: str, other: str) -> str:
    for candidate in (name, other):
        if candidate in columns:
            return candidate
    raise SourceError(f"{path} has no column '{name}'.", did_you_mean(name, columns))


def _only_whole(table: Table, ids: list[str]) -> Table:
    """The same table; a row that would be dropped raises an error."""

    def read(names: Sequence[str]) -> Iterator[Batch]:
        for batch in table.read(names):
            _check_whole(batch, ids)
            yield batch

    return replace(table, read=read)


def _check_whole(batch: Batch, ids: list[str]) -> None:
    """Raise an error for a row that would be dropped, because these tables have no report that could count it."""
    if batch.broken:
        line = batch.broken[0][0]
        raise SourceError(f"{batch.name}:{line}: the row cannot be split into columns.", "Correct the row.")
    for row in batch.left_out:
        raise SourceError(f"{batch.name}:{row.line}: the row {row.reason}.", "Correct the row, or remove it.")
    for name in ids:
        if not pa.types.is_string(batch.columns[name].type):
            raise SourceError(
                f"{batch.name}: '{name}' contains lists.", "Write one user and one item per row."
            )
        for place in batch.places(batch.garbled_in(name)[:1]):
            raise SourceError(f"{place}: '{name}' is not encoded in UTF-8.", "Save the file as UTF-8.")
        empty = np.flatnonzero(~filled(batch, name))
        if len(empty):
            place = next(batch.places(empty))
            raise SourceError(f"{place}: '{name}' is empty.", "Correct the row, or remove it.")
