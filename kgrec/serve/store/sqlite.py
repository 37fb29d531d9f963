"""A store in a SQLite file, read and written by several processes of one machine.

The file is in WAL mode, so readers do not wait for the writer. With `synchronous=NORMAL`, a commit survives any end of the process,
but the last commits may be lost if the machine loses power; the file stays consistent in any case.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event

from kgrec.errors import NoStore, StoreError
from kgrec.serve.store.database import Database, driver

#: seconds that a writer waits for another writer
_PATIENCE = 30.0
#: seconds between two reads of the revision, which other processes may change
_POLL = 0.05
_INSERT = (
    "INSERT INTO events (seq, event_id, user_id, item_id, type, value, time, rid, position, received) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING"
)


class SQLiteDatabase(Database):
    """A SQLite file.

    Args:
        path: The file.
        create: Create the file if it does not exist.

    Raises:
        StoreError: The file does not exist and `create` is false, or its folder does not exist.
    """

    _driver_error = sqlite3.Error

    def __init__(self, path: Path, *, create: bool) -> None:
        if path.is_dir() or not path.absolute().parent.is_dir():
            what = "is a folder" if path.is_dir() else "is in a folder that does not exist"
            raise StoreError(f"The store {path} {what}.", "Give the path of a file, such as feedback.sqlite.")
        if not create and not path.is_file():
            raise NoStore(f"There is no store {path}.", "Check the path; kgrec serve creates a store.")
        url = URL.create("sqlite+pysqlite", database=str(path))
        connect_args = {"timeout": _PATIENCE, "check_same_thread": False}
        super().__init__(create_engine(url, connect_args=connect_args, pool_timeout=_PATIENCE), str(path))
        event.listen(self.engine, "connect", _prepare)
        event.listen(self.engine, "begin", _begin)
        self._use_wal()

    def _use_wal(self) -> None:
        """Enable write-ahead logging, a setting stored in the file. SQLite does not wait for other processes here, so this method does."""
        until = time.monotonic() + _PATIENCE
        try:
            raw = self.engine.raw_connection()
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.place} cannot be opened: {error}", self._remedy()) from error
        try:
            while raw.cursor().execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                try:
                    raw.cursor().execute("PRAGMA journal_mode=WAL").fetchone()
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error) or time.monotonic() > until:
                        raise StoreError(f"{self.place} cannot be opened: {error}", self._remedy()) from error
                    time.sleep(_POLL)
        finally:
            raw.close()

    @contextmanager
    def watching(self) -> Iterator[Callable[[float], None]]:
        """Threads of this process wake each other; changes by other processes are noticed within a few milliseconds."""

        def pause(seconds: float) -> None:
            with self._changed:
                self._changed.wait(min(seconds, _POLL))

        yield pause

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """In WAL mode, every transaction reads a consistent state."""
        with self.reading() as connection:
            yield connection

    def insert_events(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run one statement per row."""
        return int(driver(connection).executemany(_INSERT, rows).rowcount)

    def bytes(self, connection: Connection) -> int:
        """Size of the pages of the file, including those in its log."""
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        return int(pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one())

    def fold_log(self) -> None:
        """Write the log into the file, and switch back to a file without a log."""
        raw = self.engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode=DELETE").fetchone()
        finally:
            raw.close()

    def _lock_tables(self, connection: Connection) -> None:
        """Nothing to do: a writing transaction is exclusive from its start."""

    def _announce(self, connection: Connection, revision: int) -> None:
        """Nothing to do: other processes poll the revision."""


def _prepare(connection: Any, _record: Any) -> None:
    # Python's own BEGIN comes only before the first write, so earlier reads would see a different state.
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=NORMAL")
    # Erased data is also overwritten in the file.
    connection.execute("PRAGMA secure_delete=ON")


def _begin(connection: Connection) -> None:
    # A transaction that begins by reading and then writes fails at once if another one has written in between.
    writes = connection.get_execution_options().get("kgrec_writes")
    driver(connection).execute("BEGIN IMMEDIATE" if writes else "BEGIN")
