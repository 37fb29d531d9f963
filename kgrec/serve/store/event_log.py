"""Statements for events and erased users.

Enters: a transaction, and validated values. Leaves: rows of `events` and `users`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select

from kgrec.errors import ConfigError
from kgrec.serve.store import tables
from kgrec.serve.store.checks import event_row
from kgrec.serve.store.database import Change, driver
from kgrec.serve.store.records import Erasure, Rejected, StoredEvent
from kgrec.serve.store.tables import EVENTS, IMPRESSIONS, USERS

#: ids per statement; SQLite allows 32,766 parameters, and 999 before version 3.32
_IDS = 900
#: positions of user and time in the rows of `event_row`
_USER, _TIME = 1, 5


def checked(events: Sequence[Any], now: int) -> tuple[list[tuple[Any, ...]], list[int], list[Rejected]]:
    """Rows of the valid events, their positions, and the rejected events."""
    rows, places, rejected = [], [], []
    for index, event in enumerate(events):
        try:
            rows.append(event_row(event, now))
        except ConfigError as error:
            rejected.append(Rejected(index, error.problem, error.remedy))
        else:
            places.append(index)
    return rows, places, rejected


def latest_erasure(connection: Connection) -> int | None:
    """Time of the last erasure of a user; None if there was none."""
    latest: int | None = driver(connection).execute("SELECT max(erased) FROM users").fetchone()[0]
    return latest


def erased_since(
    connection: Connection, rows: Sequence[tuple[Any, ...]], latest: int | None
) -> dict[str, int]:
    """Erasure times of the users who were erased at or after the time of one of their rows; `latest` is the time of the last erasure."""
    if latest is None:
        return {}
    # Nearly all events are later than any erasure and need no look-up.
    users = {row[_USER] for row in rows if row[_TIME] <= latest}
    return erasure_times(connection, users)


def erasure_times(connection: Connection, users: set[str]) -> dict[str, int]:
    """Erasure times by user; users who were not erased are absent."""
    found: dict[str, int] = {}
    for some in _parts(sorted(users)):
        query = select(USERS.c.id, USERS.c.erased).where(USERS.c.id.in_(some))
        found.update((user, erased) for user, erased in connection.execute(query))
    return found


def is_erased(row: tuple[Any, ...], erased: dict[str, int]) -> bool:
    """Whether the user of a row was erased at or after the time of the row."""
    return row[_USER] in erased and row[_TIME] <= erased[row[_USER]]


def rejection(index: int, row: tuple[Any, ...]) -> Rejected:
    """The rejection of an event of an erased user."""
    return Rejected(
        index,
        f"The data of user {row[_USER]!r} was erased after the time of this event.",
        "Send only events that happened after the erasure.",
    )


def events_after(connection: Connection, seq: int, until: int | None, limit: int) -> list[StoredEvent]:
    """At most `limit` events after `seq` and up to `until`."""
    query = select(EVENTS).where(EVENTS.c.seq > seq).order_by(EVENTS.c.seq).limit(limit)
    if until is not None:
        query = query.where(EVENTS.c.seq <= until)
    return [StoredEvent._make(row) for row in connection.execute(query).all()]


def events_of(connection: Connection, user: str, after: int, limit: int) -> list[StoredEvent]:
    """The latest events of a user, in order of seq."""
    query = select(EVENTS).where(EVENTS.c.user_id == user, EVENTS.c.seq > after)
    rows = connection.execute(query.order_by(EVENTS.c.seq.desc()).limit(limit)).all()
    return [StoredEvent._make(row) for row in reversed(rows)]


def erase(change: Change, user: str, now: int) -> Erasure:
    """Delete the data of a user, and record the time."""
    for table in (EVENTS, IMPRESSIONS):
        change.connection.execute(delete(table).where(table.c.user_id == user))
    erasure = Erasure(user, now, change.take())
    row = {"id": user, "erased": now, "revision": erasure.revision}
    tables.put(change.connection, USERS, [row], replace=True)
    return erasure


def erasures_after(connection: Connection, revision: int, limit: int) -> list[Erasure]:
    """At most `limit` erased users after a revision."""
    query = select(USERS.c.id, USERS.c.erased, USERS.c.revision).where(USERS.c.revision > revision)
    return [Erasure._make(row) for row in connection.execute(query.order_by(USERS.c.revision).limit(limit))]


def _parts(ids: list[str]) -> Iterator[list[str]]:
    for at in range(0, len(ids), _IDS):
        yield ids[at : at + _IDS]
