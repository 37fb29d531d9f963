"""A database that holds a store: connections, transactions, and the clock of revisions.

Enters: a SQLAlchemy engine. Leaves: transactions that read, and transactions that write, one at a time over all processes: a writer holds
the clock from its first statement to its commit. So changes become visible in the order of their revisions, and a reader that has
seen revision n has seen every change up to n.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from kgrec.errors import NoStore, StoreError
from kgrec.serve.store import tables

_REVISION = "SELECT value FROM meta WHERE name = 'revision'"


@dataclass
class Change:
    """A transaction that writes."""

    connection: Connection
    #: revision of the store, including the numbers that this transaction has taken
    revision: int

    def take(self, n: int = 1) -> int:
        """The first of the next `n` revisions."""
        self.revision += n
        return self.revision - n + 1


def driver(connection: Connection) -> Any:
    """The driver's connection, which runs the statements of `add_events`, because SQLAlchemy takes ten times as long."""
    return connection.connection.driver_connection


class Database(ABC):
    """Connections to one database.

    Args:
        engine: The SQLAlchemy engine.
        place: The database for messages, without a password.
    """

    #: statement that locks the clock until the transaction ends
    _clock = _REVISION
    #: placeholder for a value in the driver's statements
    _mark = "?"
    #: base class of the driver's errors
    _driver_error: type[Exception]

    def __init__(self, engine: Engine, place: str) -> None:
        self.engine = engine
        self.place = place
        self._writer = engine.execution_options(kgrec_writes=True)
        self._turn = threading.Lock()
        self._changed = threading.Condition()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that reads."""
        with self._errors("read"), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Change]:
        """A transaction that writes; it is durable when the block ends, and rolled back if the block raises."""
        with self._errors("written"), self._turn, self._writer.begin() as connection:
            first = driver(connection).execute(self._clock).fetchone()[0]
            change = Change(connection, first)
            yield change
            if change.revision > first:
                moved = f"UPDATE meta SET value = {self._mark} WHERE name = 'revision'"
                driver(connection).execute(moved, (change.revision,))
                self._announce(connection, change.revision)
        with self._changed:
            self._changed.notify_all()

    def prepare(self, *, create: bool) -> None:
        """Create or migrate the tables.

        Raises:
            NoStore: The store does not exist and `create` is false.
            StoreError: The tables belong to another application.
            VersionMismatch: A later version of kgrec wrote the tables.
        """
        with self.reading() as connection:
            version = tables.schema_version(connection, self.place)
        if version == 0 and not create:
            raise NoStore(
                f"{self.place} does not contain a feedback store.",
                "Check the name; kgrec serve creates a store.",
            )
        if version < tables.SCHEMA_VERSION:
            with self._errors("written"), self._turn, self._writer.begin() as connection:
                self._lock_tables(connection)
                version = tables.schema_version(connection, self.place)
                tables.migrate(connection, version)
        tables.check_version(version, self.place)

    def revision(self) -> int:
        """The revision of the last change."""
        with self.reading() as connection:
            return int(driver(connection).execute(_REVISION).fetchone()[0])

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.engine.dispose()

    @abstractmethod
    def watching(self) -> AbstractContextManager[Callable[[float], None]]:
        """A function that sleeps for a number of seconds, or until the revision may have changed since the start of the block."""

    @abstractmethod
    def insert_events(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Add rows of `EVENTS`, except those with an existing event_id, and return the number of added rows."""

    @abstractmethod
    def bytes(self, connection: Connection) -> int:
        """Size of the stored data."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[Connection]:
        """A transaction whose statements all read the same state."""

    @abstractmethod
    def _lock_tables(self, connection: Connection) -> None:
        """Wait until no other process creates tables."""

    @abstractmethod
    def _announce(self, connection: Connection, revision: int) -> None:
        """Notify waiting processes of the revision when the transaction commits."""

    @contextmanager
    def _errors(self, done: str) -> Iterator[None]:
        """Errors of the database become `StoreError`."""
        try:
            yield
        except (SQLAlchemyError, self._driver_error) as error:
            # The lines after the first one hold the statement.
            cause = str(error.orig if isinstance(error, DBAPIError) else error).strip().partition("\n")[0]
            raise StoreError(f"{self.place} cannot be {done}: {cause}", self._remedy()) from error

    def _remedy(self) -> str:
        return "Check that the database is there, that it can be written, and that its disk is not full."
