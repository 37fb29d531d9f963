"""A store in a PostgreSQL database, read and written by processes on any machine.

A writer locks the row of the clock until it commits. Without the lock, a row with a lower number could be committed after a row with a
higher number, and a reader that remembers numbers would never see it. Revisions are announced by NOTIFY.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, create_engine, text

from kgrec.serve.store.database import Database, driver
from kgrec.serve.store.tables import METADATA

_CHANNEL = "kgrec_revision"
#: key of the advisory lock for the creation of tables: "kgrec" in ASCII
_TABLES = 0x6B67726563
#: seconds until a connection attempt fails, and largest interval between two checks of a waiting reader
_CONNECT, _LONGEST = 10, 5.0
#: number of rows from which COPY is faster than one statement with arrays
_MANY = 2_000
_INTO = "INSERT INTO events (seq, event_id, user_id, item_id, type, value, time, rid, position, received)"
_INSERT = f"""
{_INTO}
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::float8[], %s::bigint[],
                     %s::text[], %s::int[], %s::bigint[])
ON CONFLICT (event_id) DO NOTHING
"""


class PostgresDatabase(Database):
    """A PostgreSQL database, or one of its schemas, named by `search_path` in the URL's options.

    Args:
        url: URL of the database.
    """

    _clock = f"{Database._clock} FOR UPDATE"
    _mark = "%s"
    _driver_error = psycopg.Error

    def __init__(self, url: URL) -> None:
        url = url.set(drivername="postgresql+psycopg")
        engine = create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": _CONNECT})
        super().__init__(engine, url.set(drivername="postgresql").render_as_string(hide_password=True))

    @contextmanager
    def watching(self) -> Iterator[Callable[[float], None]]:
        """LISTEN on a separate connection."""
        with self._errors("read"), self.engine.connect() as plain:
            connection = plain.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql(f"LISTEN {_CHANNEL}")
            listening = driver(connection)

            def pause(seconds: float) -> None:
                for _ in listening.notifies(timeout=min(seconds, _LONGEST), stop_after=1):
                    pass

            yield pause
            connection.exec_driver_sql("UNLISTEN *")

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """REPEATABLE READ."""
        with self._errors("read"), self.engine.connect() as plain:
            yield plain.execution_options(isolation_level="REPEATABLE READ")

    def insert_events(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run one statement with one array per column; many rows are first copied into a temporary table."""
        if len(rows) >= _MANY:
            return self._copy_events(connection, rows)
        columns = tuple(list(column) for column in zip(*rows, strict=True))
        return int(driver(connection).execute(_INSERT, columns).rowcount)

    def _copy_events(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        own = driver(connection)
        own.execute("CREATE TEMPORARY TABLE IF NOT EXISTS incoming (LIKE events) ON COMMIT DELETE ROWS")
        with own.cursor() as cursor, cursor.copy("COPY incoming FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return int(own.execute(f"{_INTO} SELECT * FROM incoming ON CONFLICT (event_id) DO NOTHING").rowcount)

    def bytes(self, connection: Connection) -> int:
        """Size of the tables including their indexes."""
        sizes = text(
            "SELECT sum(pg_total_relation_size(to_regclass(name))) FROM unnest(CAST(:names AS text[])) AS name"
        )
        return int(connection.scalar(sizes, {"names": list(METADATA.tables)}) or 0)

    def _lock_tables(self, connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _TABLES})

    def _announce(self, connection: Connection, revision: int) -> None:
        driver(connection).execute("SELECT pg_notify(%s, %s)", (_CHANNEL, str(revision)))
