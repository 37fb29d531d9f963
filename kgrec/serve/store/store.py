"""`Store`: the feedback store of a server, opened by URL.

Enters: events, shown lists, items, scenarios. Leaves: the same records, for readers in any process. Writes a SQLite file or the
tables of a PostgreSQL database.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, func, select, update

from kgrec.arguments import options
from kgrec.serve.store import checks, documents, event_log, tables
from kgrec.serve.store.database import Change, Database
from kgrec.serve.store.records import (
    Added,
    Erasure,
    Impression,
    Rejected,
    StoredEvent,
    StoredItem,
    StoreFigures,
)
from kgrec.serve.store.tables import IMPRESSIONS, META, METADATA
from kgrec.serve.store.urls import database_of

if TYPE_CHECKING:
    import pyarrow as pa

_T = TypeVar("_T", StoredEvent, StoredItem, Erasure, Impression)
#: rows that are read at a time
_ROWS = 5_000
#: events of one user that are returned unless more are asked for
_HISTORY = 10_000
#: of the integers of both databases
_LARGEST = 2**63 - 1


class Store(AbstractContextManager["Store"]):
    """A feedback store, opened by `Store.open`.

    The store has a clock, its revision. Each event, item, erasure and scenario gets the next number when it is added, and becomes
    visible in the order of these numbers, whichever process adds it. A reader therefore only needs to remember one number and
    reads the later changes. Numbers may be skipped.

    Several threads may call methods at once, and several processes may open the same store.

    Raises:
        StoreError: Raised by any method if the database cannot be read or written.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    @classmethod
    def open(
        cls, url: str | os.PathLike[str], *, create: bool = True, clock: Callable[[], float] = time.time
    ) -> Store:
        """Open a store, and create or migrate its tables.

        Args:
            url: A path, `sqlite:///path`, or `postgresql://user:password@host:port/database`. To keep the tables in a schema, add
                `?options=-csearch_path%3Dname`.
            create: Create the store if it does not exist.
            clock: Returns the seconds since 1970.

        Raises:
            ConfigError: The URL is none of these.
            NoStore: The store does not exist and `create` is false.
            StoreError: The database cannot be opened, or contains tables of another application.
            VersionMismatch: A later version of kgrec wrote the store.
        """
        database = database_of(url, create=create)
        try:
            database.prepare(create=create)
        except BaseException:
            database.close()
            raise
        return cls(database, clock)

    @property
    def place(self) -> str:
        """The path or the URL without its password."""
        return self._database.place

    def close(self) -> None:
        """Close the connections of this object."""
        self._database.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the store."""
        self.close()

    # revisions

    def revision(self) -> int:
        """Number of the last change; 0 for an empty store."""
        return self._database.revision()

    def wait_for_revision(self, revision: int, timeout: float) -> int:
        """Wait until the store has a revision.

        Args:
            revision: The number to wait for.
            timeout: Seconds after which to return in any case.

        Returns:
            The revision of the store; it is less than `revision` after a timeout.
        """
        until = time.monotonic() + options.number("timeout", timeout, least=0)
        with self._database.watching() as pause:
            while (found := self.revision()) < revision and (left := until - time.monotonic()) > 0:
                pause(left)
        return found

    def watermark(self) -> int:
        """Revision up to which the current model includes all changes; see `set_watermark`."""
        with self._database.reading() as connection:
            return connection.scalar(select(META.c.value).where(META.c.name == "watermark")) or 0

    def set_watermark(self, revision: int) -> None:
        """Record that the current model was trained on all changes up to a revision.

        Raises:
            ConfigError: The revision is below 0, or above the revision of the store.
        """
        with self._database.writing() as change:
            value = options.whole_number("watermark", revision, 0, change.revision)
            change.connection.execute(update(META).where(META.c.name == "watermark").values(value=value))

    # events

    def add_events(self, events: Iterable[Mapping[str, Any]]) -> Added:
        """Add events in one transaction; they are durable when this returns.

        An event has the fields event_id, user, item and type, and may have value (a finite number), time (milliseconds since 1970, or
        a datetime or ISO 8601 text with an offset; default: now), rid (id of the recommendation that showed the item) and position
        (its rank there, from 1). Ids are texts of up to 512 characters, or whole numbers; a type has up to 64 characters.

        An event whose event_id is in the store is not added again, regardless of its other fields, so a caller can safely repeat a call
        that may have failed. Events of an erased user are added if they happened after the erasure.

        Args:
            events: At most 100,000.

        Returns:
            The numbers of accepted and duplicate events, and the rejected events with reasons; rejected events do not affect the others.

        Raises:
            ConfigError: The value is not a list, or is too long.
        """
        return self.add_batches([events])[0]

    def add_batches(self, batches: Sequence[Iterable[Mapping[str, Any]]]) -> list[Added]:
        """Add events of several callers in one transaction, like `add_events` for one caller; a commit costs more than an event.

        Returns:
            One result per caller.

        Raises:
            ConfigError: One value is not a list, or is too long; no event is added.
        """
        now = self._now()
        checked = [event_log.checked(checks.batch("events", events), now) for events in batches]
        with self._database.writing() as change:
            latest = event_log.latest_erasure(change.connection)
            return [self._added(change, latest, *one) for one in checked]

    def _added(
        self,
        change: Change,
        latest: int | None,
        rows: list[tuple[Any, ...]],
        places: list[int],
        rejected: list[Rejected],
    ) -> Added:
        """Add the checked events of one caller."""
        erased = event_log.erased_since(change.connection, rows, latest)
        if erased:
            late = [event_log.is_erased(row, erased) for row in rows]
            rejected += [
                event_log.rejection(at, row) for at, row, gone in zip(places, rows, late, strict=True) if gone
            ]
            rows = [row for row, gone in zip(rows, late, strict=True) if not gone]
        accepted = self._insert(change.connection, change.revision, rows)
        if accepted:
            change.take(len(rows))
        rejected.sort(key=lambda one: one.index)
        return Added(accepted, len(rows) - accepted, tuple(rejected), change.revision)

    def events_since(self, seq: int = 0, *, until: int | None = None) -> Iterator[StoredEvent]:
        """Events after a revision, in the order of their numbers, read in parts of bounded memory.

        Args:
            seq: The revision that the reader has already seen.
            until: Last revision to read; None: up to the last event.
        """
        return self._pages(
            lambda c, after: event_log.events_after(c, after, until, _ROWS), _number(seq), lambda e: e.seq
        )

    def events_of(self, user: str, *, since: int = 0, limit: int = _HISTORY) -> list[StoredEvent]:
        """The latest events of a user, in the order of their numbers.

        Args:
            user: Id of the user.
            since: Only events after this revision.
            limit: Largest number of events.
        """
        most = options.whole_number("limit", limit, 1, checks.MAX_BATCH)
        with self._database.reading() as connection:
            return event_log.events_of(connection, checks.identifier(user, "user"), since, most)

    def export_interactions(self, *, since: int = 0, until: int | None = None) -> pa.RecordBatchReader:
        """Events as a reader of Arrow batches: user_id, item_id, type (string), value (float64, null if there is none), time (ms, UTC).

        Args:
            since: Only events after this revision.
            until: Only events up to this revision; None: all events.
        """
        from kgrec.serve.store.arrow import interaction_reader

        return interaction_reader(self.events_since(since, until=until))

    # users

    def erase_user(self, user: str) -> Erasure:
        """Delete the events and impressions of a user, and keep a tombstone: the id and the time.

        Training leaves erased users out. Events that happened after the erasure are accepted again.
        """
        name = checks.identifier(user, "user")
        with self._database.writing() as change:
            return event_log.erase(change, name, self._now())

    def erased_since(self, revision: int = 0) -> Iterator[Erasure]:
        """Users who were erased after a revision, in the order of their numbers."""
        return self._pages(
            lambda c, after: event_log.erasures_after(c, after, _ROWS),
            _number(revision),
            lambda one: one.revision,
        )

    # impressions

    def add_impressions(self, impressions: Iterable[Impression]) -> int:
        """Store shown lists in one transaction; a list whose rid is already stored is left out.

        Args:
            impressions: At most 100,000.

        Returns:
            The number of added lists.

        Raises:
            ConfigError: A value cannot be stored; no list is added.
        """
        now = self._now()
        rows = [checks.impression_row(one, now) for one in checks.batch("impressions", impressions)]
        with self._database.writing() as change:
            erased = event_log.erasure_times(change.connection, {row["user_id"] for row in rows} - {None})
            kept = [row for row in rows if row["time"] > erased.get(row["user_id"], -1)]
            return tables.put(change.connection, IMPRESSIONS, kept, replace=False)

    def add_impression(self, impression: Impression) -> int:
        """Store one list; see `add_impressions`."""
        return self.add_impressions([impression])

    def impression(self, rid: str) -> Impression | None:
        """The list of a recommendation; None if it is not stored."""
        with self._database.reading() as connection:
            return documents.impression(connection, checks.identifier(rid, "rid"))

    def impressions(self, *, scenario: str | None = None) -> Iterator[Impression]:
        """All impressions, or those of one scenario, in the order of rid, read in parts of bounded memory."""
        return self._pages(
            lambda c, after: documents.impressions_after(c, after, scenario, _ROWS), "", lambda one: one.rid
        )

    # items

    def put_items(self, items: Mapping[str, Any], *, unless_changed_since: int | None = None) -> int | None:
        """Add items, or replace what is kept of them.

        Args:
            items: id -> JSON value, such as the rows of the item by node type.
            unless_changed_since: The revision that the values are based on. If another writer put or removed one of the items after it,
                nothing is added: read what is there now, and try again. None: replace in any case.

        Returns:
            The revision from which on readers see them: that of the last item, the others have those before it. None if nothing was
            added.

        Raises:
            ConfigError: An id or a value cannot be stored; no item is added.
        """
        given = options.mapping("items", items, "Give a dict of JSON values by id.")
        checks.batch("items", given.keys())
        texts = {
            checks.identifier(name, "id"): checks.json_text(rows, f"items[{name!r}]")
            for name, rows in given.items()
        }
        known = None if unless_changed_since is None else _number(unless_changed_since)
        with self._database.writing() as change:
            since = change.revision if known is None else known
            if not texts.keys().isdisjoint(documents.changed_items(change.connection, since)):
                return None
            documents.put_items(change, texts)
            return change.revision

    def remove_items(self, ids: Iterable[str]) -> int:
        """Mark items as removed, whether the store or only the model has them; `put_items` adds them again.

        Returns:
            The revision from which readers see it.
        """
        names = dict.fromkeys(
            checks.identifier(name, f"ids[{at}]") for at, name in enumerate(checks.batch("ids", ids))
        )
        with self._database.writing() as change:
            documents.remove_items(change, list(names))
            return change.revision

    def items_since(self, revision: int = 0) -> Iterator[StoredItem]:
        """Items put or removed after a revision, each in its latest state, in the order of their numbers."""
        return self._pages(
            lambda c, after: documents.items_after(c, after, _ROWS),
            _number(revision),
            lambda one: one.revision,
        )

    # scenarios

    def put_scenario(self, name: str, body: Mapping[str, Any]) -> int:
        """Add or replace a scenario, a JSON object.

        Returns:
            The revision from which readers see it.

        Raises:
            ConfigError: The name or the object cannot be stored.
        """
        checked = checks.identifier(name, "name", checks.MAX_NAME)
        text = checks.json_text(dict(options.mapping("body", body, "Give a JSON object.")), "body")
        with self._database.writing() as change:
            documents.put_scenario(change, checked, text)
            return change.revision

    def scenario(self, name: str) -> dict[str, Any] | None:
        """A scenario; None if there is none with this name."""
        with self._database.reading() as connection:
            body: dict[str, Any] | None = documents.scenario(connection, name)
            return body

    def scenarios(self) -> dict[str, dict[str, Any]]:
        """Name -> scenario, sorted by name."""
        with self._database.reading() as connection:
            return documents.scenarios(connection)

    # the whole

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Write a consistent copy to a SQLite file, which is itself a store; other processes may read and write meanwhile.

        Args:
            path: Path of the file; an existing file is replaced.
        """
        from kgrec.serve.store.backup import copy_store

        copy_store(self._database, options.path("path", path))

    def figures(self) -> StoreFigures:
        """Rows by table, size, revision and watermark in a consistent state; counting takes time in a large store."""
        with self._database.snapshot() as connection:
            counted = METADATA.tables.items() - {("meta", META)}
            rows = {
                name: connection.scalar(select(func.count()).select_from(table)) or 0
                for name, table in sorted(counted)
            }
            meta = dict(map(tuple, connection.execute(select(META.c.name, META.c.value))))
            size = self._database.bytes(connection)
        return StoreFigures(rows, size, meta["revision"], meta["watermark"])

    def _insert(self, connection: Connection, revision: int, rows: list[tuple[Any, ...]]) -> int:
        """Add rows of events from the number after `revision` on."""
        numbered = [(revision + at, *row) for at, row in enumerate(rows, 1)]
        return self._database.insert_events(connection, numbered) if numbered else 0

    def _pages(
        self, read: Callable[[Connection, Any], list[_T]], after: Any, key: Callable[[_T], Any]
    ) -> Iterator[_T]:
        """Rows of successive reads; no transaction stays open between reads."""
        while True:
            with self._database.reading() as connection:
                rows = read(connection, after)
            yield from rows
            if len(rows) < _ROWS:
                return
            after = key(rows[-1])

    def _now(self) -> int:
        return round(self._clock() * 1000)


def _number(revision: Any) -> int:
    """A revision given by a reader."""
    return options.whole_number("revision", revision, 0, _LARGEST)
