"""Input files of the user: tables of users and items, lists of other systems, lists of ids.

Enters: paths. Leaves: Arrow tables and lists; a row that cannot be read raises an error with its file and line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from kgrec.errors import SourceError, did_you_mean
from kgrec.ingest.batches import Batch, Table
from kgrec.ingest.mapping.schema import InteractionTable, TableFormat
from kgrec.ingest.sources import Source
from kgrec.ingest.table_files import open_table
from kgrec.ingest.table_statements import filled

if TYPE_CHECKING:
    from kgrec.graph.interactions import Interactions
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.graph.vocabulary import Vocabulary


def read_pairs(
    path: Path,
    mapped: InteractionTable | None,
    value: str | None = None,
    items: Vocabulary | None = None,
) -> pa.Table:
    """Columns user_id and item_id of a table, and its column `value` under this name.

    The columns of user and item may also have the names of the mapping.

    Raises:
        SourceError: The file cannot be read, has no such column, or has a row without a user or an item, or with an item that is
            not in `items`.
    """
    names = ["user_id", "item_id", *(["value"] if value else [])]
    rows = list(batches_of_pairs(path, mapped, value, items))
    return pa.table(
        {name: pa.chunked_array([batch[at] for batch in rows], pa.string()) for at, name in enumerate(names)}
    )


def batches_of_pairs(
    path: Path,
    mapped: InteractionTable | None,
    value: str | None = None,
    items: Vocabulary | None = None,
) -> Iterator[list[pa.Array]]:
    """The columns of `read_pairs`, in batches of rows.

    Raises:
        SourceError: As for `read_pairs`.
    """
    table = _opened(path)
    names = {
        "user_id": mapped.user if mapped else "user_id",
        "item_id": mapped.item_column if mapped else "item_id",
    }
    pair = [_column(path, table.columns, target, other) for target, other in names.items()]
    columns = [*pair, *([value] if value else [])]
    for batch in table.read(columns):
        _check_whole(batch, pair)
        if items is not None:
            _check_known(batch, pair[1], items)
        yield [batch.columns[name] for name in columns]


def read_interactions(path: Path, graph: KnowledgeGraph) -> Interactions:
    """Interactions of a table, over the items of `graph`; the mapping decides which are positive, if the table has its column.

    Raises:
        SourceError: The file cannot be read, has no such column, or names an unknown item.
    """
    from kgrec.graph.interactions import Interactions

    mapped = graph.mapping.interactions[0] if graph.mapping.interactions else None
    value = mapped.value if mapped and mapped.value and has_columns(path, (mapped.value,)) else None
    pairs = read_pairs(path, mapped, value, graph.item_ids)
    positive = mapped.positive if mapped and value else None
    return Interactions.from_frame(pairs, graph.item_ids, value=value and "value", positive=positive)


def read_lists(path: Path) -> pa.Table:
    """Columns user_id, item_id, and rank or score (float64), of another system's lists.

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
            raise SourceError(f"{place}: '{key}' is not a number.", "Mend the row, or take it out.")
        batch.columns[key] = pa.array(numbers)
    cells = {name: [batch.columns[name] for batch in batches] for name in columns}
    return pa.table({name: pa.chunked_array(parts) for name, parts in cells.items()})


def has_columns(path: Path, names: Sequence[str]) -> bool:
    """Whether a table has all of these columns."""
    return set(names) <= set(_opened(path).columns)


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


def _opened(path: Path) -> Table:
    if not path.is_file():
        raise SourceError(f"{path} is not there.", "Give a table with columns user_id and item_id.")
    return open_table(Source(path, str(path)), TableFormat(file=(path.name,)))


def _column(path: Path, columns: list[str], name: str, other: str) -> str:
    for candidate in (name, other):
        if candidate in columns:
            return candidate
    raise SourceError(f"{path} has no column '{name}'.", did_you_mean(name, columns))


def _check_whole(batch: Batch, ids: list[str]) -> None:
    """Refuse a row that would be dropped: these tables have no report that could count it."""
    if batch.broken:
        line = batch.broken[0][0]
        raise SourceError(f"{batch.name}:{line}: the row cannot be split into columns.", "Mend the row.")
    for row in batch.left_out:
        raise SourceError(f"{batch.name}:{row.line}: the row {row.reason}.", "Mend the row, or take it out.")
    for name in ids:
        if not pa.types.is_string(batch.columns[name].type):
            raise SourceError(f"{batch.name}: '{name}' holds lists.", "Write one user and one item per row.")
        for place in batch.places(batch.garbled_in(name)[:1]):
            raise SourceError(f"{place}: '{name}' is not encoded in UTF-8.", "Save the file as UTF-8.")
        empty = np.flatnonzero(~filled(batch, name))
        if len(empty):
            place = next(batch.places(empty))
            raise SourceError(f"{place}: '{name}' is empty.", "Mend the row, or take it out.")


def _check_known(batch: Batch, name: str, items: Vocabulary) -> None:
    unknown = np.flatnonzero(items.ids(batch.columns[name]) < 0)
    for place in batch.places(unknown[:1]):
        item = batch.columns[name][int(unknown[0])].as_py()
        raise SourceError(
            f"{place}: there is no item '{item}' in the graph.", did_you_mean(item, items.sorted_labels)
        )
