"""Files and frames of interactions other than those of the build: which table of the mapping describes them.

Enters: a path or a table, and the mapping's tables of interactions. Leaves: the table, and the mapping of the columns that it has.
Nothing is written.

The columns of user and item have the names of the mapping, or are `user_id` and `item_id`. The other columns have the names of the
mapping and may be absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kgrec.errors import SourceError, did_you_mean
from kgrec.ingest.batches import Table
from kgrec.ingest.mapping.schema import InteractionTable, TableFormat
from kgrec.ingest.sources import Source
from kgrec.ingest.table_files import open_table


def matching(path: Path, tables: Sequence[InteractionTable]) -> tuple[Table, InteractionTable]:
    """The table in a file, and the mapping of its columns.

    If the mapping has several tables, the one with most of its columns in the file is chosen; among ties, the one with the file's name.

    Raises:
        SourceError: The file is absent or cannot be read, or has no columns of users and items.
    """
    several = tables or (_plain(path.name),)
    found = [(table, mapped) for mapped in several if (table := _read_as(path, mapped)) is not None]
    if not found:
        _refuse(str(path), _opened(path).columns, several[0])
    table, mapped = max(found, key=lambda pair: _fit(pair[0], pair[1], path.name))
    return table, _described(table.columns, mapped)


def describing(table: Table, tables: Sequence[InteractionTable]) -> InteractionTable:
    """The mapping of a table's columns, as in `matching`.

    Raises:
        SourceError: It has no columns of users and items.
    """
    several = tables or (_plain(table.name),)
    found = [mapped for mapped in several if _has_pair(table, mapped)]
    if not found:
        _refuse(table.name, table.columns, several[0])
    return _described(table.columns, max(found, key=lambda mapped: _fit(table, mapped, table.name)))


def _plain(name: str) -> InteractionTable:
    return InteractionTable(file=(name,), user="user_id", item="item_id")


def _fit(table: Table, mapped: InteractionTable, name: str) -> tuple[int, bool]:
    """How well a table of the mapping describes another table: number of its columns that exist, and whether it has the same name."""
    return len({*mapped.columns_read} & {*table.columns}), name in {Path(file).name for file in mapped.file}


def _opened(path: Path, nulls: tuple[str, ...] = ()) -> Table:
    if not path.is_file():
        raise SourceError(f"{path} is not there.", "Give a table with columns user_id and item_id.")
    return open_table(Source(path, str(path)), TableFormat(file=(path.name,), nulls=nulls))


def _read_as(path: Path, mapped: InteractionTable) -> Table | None:
    """The table in a plain format, or in the format of the mapping's table; None if it has no columns of users and items."""
    problem: SourceError | None = None
    try:
        table = _opened(path, mapped.nulls)
        if _has_pair(table, mapped):
            return table
    except SourceError as error:  # for example a suffix without a known format
        if not path.is_file():
            raise
        problem = error
    with suppress(SourceError):
        as_logged = open_table(Source(path, str(path)), mapped)
        if {mapped.user, mapped.item_column} <= set(as_logged.columns):
            return as_logged
    if problem is not None:
        raise problem
    return None


def _has_pair(table: Table, mapped: InteractionTable) -> bool:
    return all(set(pair) & set(table.columns) for pair in _names(mapped))


def _described(columns: list[str], mapped: InteractionTable) -> InteractionTable:
    """A table of the mapping, reduced to the columns that a file has."""
    user, item = (next(name for name in pair if name in columns) for pair in _names(mapped))
    value = mapped.value if mapped.value in columns else None
    changed: dict[str, Any] = {
        "user": user,
        "item": mapped.item if item == mapped.item_column else item,
        "value": value,
        "positive": mapped.positive if value else None,
        "only": {name: values for name, values in mapped.only.items() if name in columns},
    }
    if mapped.time not in columns:
        changed |= {"time": None, "time_format": None, "time_unit": None}
    if mapped.position is not None and mapped.position not in columns:
        # for example a list of clicks, newest last
        changed |= {"position": None, "order": "rows"}
    if mapped.event not in columns:
        changed |= {"event": None, "events": None}
    return mapped.model_copy(update=changed)


def _names(mapped: InteractionTable) -> tuple[tuple[str, str], tuple[str, str]]:
    """Names that the columns of users and of items may have."""
    return ("user_id", mapped.user), ("item_id", mapped.item_column)


def _refuse(name: str, columns: Sequence[str], mapped: InteractionTable) -> None:
    for target, other in _names(mapped):
        if target not in columns and other not in columns:
            raise SourceError(f"{name} has no column '{target}'.", did_you_mean(target, list(columns)))
