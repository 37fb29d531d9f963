"""Copy a store to a new SQLite file while other processes read and write it.

Enters: a database. Leaves: a SQLite store with a consistent state, written completely or not at all.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, delete, insert, select

from kgrec.serve.store.database import Database
from kgrec.serve.store.sqlite import SQLiteDatabase
from kgrec.serve.store.tables import META, METADATA
from kgrec.storage.atomic import write_whole

_ROWS = 10_000


def copy_store(source: Database, path: Path) -> None:
    """Write the tables of a store to a SQLite file, which replaces an existing file."""

    def write(temporary: Path) -> None:
        target = SQLiteDatabase(temporary, create=True)
        try:
            target.prepare(create=True)
            with source.snapshot() as reading, target.writing() as change:
                _copy(reading, change.connection)
            target.fold_log()
        finally:
            target.close()

    write_whole(path, write)


def _copy(source: Connection, target: Connection) -> None:
    target.execute(delete(META))
    for table in METADATA.sorted_tables:
        rows = source.execution_options(stream_results=True, yield_per=_ROWS).execute(select(table))
        for part in rows.mappings().partitions(_ROWS):
            target.execute(insert(table), [dict(row) for row in part])
