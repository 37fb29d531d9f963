"""A store in a SQLite file, read and written by several processes of one machine.

The file is in WAL mode: readers do not wait for the writer. With `synchronous=NORMAL` a commit survives the end of the process,
however it ends, but the last commits may be lost when the machine loses power; the file is whole in any case.
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

#: seconds that a writer waits for another one
_PATIENCE = 30.0
#: seconds between two looks at the revision, which other processes may change
_POLL = 0.05
_INSERT = (
    "INSERT INTO events (seq, event_id, user_id, item_id, type, value, time, rid, position, received) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING"
)


class SQLiteDatabase(Database):
    """A SQLite file.

    Args:
        path: The file.
        create: Make it if it is absent.

    Raises:
        StoreError: The file is absent and `create` is false, or its folder is absent.
    """

    _driver_error = sqlite3.Error

    def __init__(self, path: Path, *, create: bool) -> None:
        if path.is_dir() or not path.absolute().parent.is_dir():
            what = "is a folder" if path.is_dir() else "is in a folder that does not exist"
            raise StoreError(f"The store {path} {what}.", "Give the path of a file, such as feedback.sqlite.")
        if not create and not path.is_file():
            raise NoStore(f"There is no store {path}.", "Check the path; kgrec serve makes a store.")
        url = URL.create("sqlite+pysqlite", database=str(path))
        connect_args = {"timeout": _PATIENCE, "check_same_thread": False}
        super().__init__(create_engine(url, connect_args=connect_args, pool_timeout=_PATIENCE), str(path))
        event.listen(self.engine, "connect", _prepare)
        event.listen(self.engine, "begin", _begin)
        self._use_wal()

    def _use_wal(self) -> None:
        """Write-ahead logging, which the file remembers; SQLite does not wait for others here, so this does."""
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
        """Threads of this process wake each other; changes by others are seen within some milliseconds."""

        def pause(seconds: float) -> None:
            with self._changed:
                self._changed.wait(min(seconds, _POLL))

        yield pause

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """In WAL mode any transaction reads one state."""
        with self.reading() as connection:
            yield connection

    def insert_events(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """One statement, run for each row."""
        return int(driver(connection).executemany(_INSERT, rows).rowcount)

    def bytes(self, connection: Connection) -> int:
        """Pages of the file, those that wait in its log included."""
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        return int(pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one())

    def fold_log(self) -> None:
        """Write what waits in the log into the file, and go back to a file without one."""
        raw = self.engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode=DELETE").fetchone()
        finally:
            raw.close()

    def _lock_tables(self, connection: Connection) -> None:
        """Nothing to do: a transaction that writes is alone from its beginning."""

    def _announce(self, connection: Connection, revision: int) -> None:
        """Nothing to do: others look."""


def _prepare(connection: Any, _record: Any) -> None:
    # Python's own BEGIN comes late, before the first write, and reads before it are of another state.
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=NORMAL")
    # What is erased is overwritten in the file, too.
    connection.execute("PRAGMA secure_delete=ON")


def _begin(connection: Connection) -> None:
    # A transaction that begins by reading and then writes fails at once if another one has written in between.
    writes = connection.get_execution_options().get("kgrec_writes")
    driver(connection).execute("BEGIN IMMEDIATE" if writes else "BEGIN")
