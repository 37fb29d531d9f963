"""The tables of a feedback store, and migrations from older schemas.

Enters: a connection within a transaction. Leaves: the tables of the current schema.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from kgrec.errors import StoreError, VersionMismatch

METADATA = MetaData()
#: SQLite keeps a table in the order of a primary key only if its type is INTEGER
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

#: schema_version, revision and watermark
META = Table(
    "meta", METADATA, Column("name", Text, primary_key=True), Column("value", BigInteger, nullable=False)
)
EVENTS = Table(
    "events",
    METADATA,
    Column("seq", _NUMBER, primary_key=True, autoincrement=False),
    Column("event_id", Text, nullable=False, unique=True),
    Column("user_id", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("value", Double),
    Column("time", BigInteger, nullable=False),
    Column("rid", Text),
    Column("position", Integer),
    Column("received", BigInteger, nullable=False),
    Index("events_of_user", "user_id", "seq"),
)
IMPRESSIONS = Table(
    "impressions",
    METADATA,
    Column("rid", Text, primary_key=True),
    Column("user_id", Text),
    Column("scenario", Text),
    Column("variant", Text),
    Column("model", Text),
    Column("revision", BigInteger, nullable=False),
    #: JSON list of ids
    Column("items", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    #: JSON list of numbers, one per item, if the list was drawn
    Column("propensities", Text),
    Index("impressions_of_user", "user_id"),
)
ITEMS = Table(
    "items",
    METADATA,
    Column("id", Text, primary_key=True),
    #: JSON
    Column("rows", Text, nullable=False),
    Column("removed", Boolean, nullable=False),
    Column("revision", BigInteger, nullable=False, unique=True),
)
USERS = Table(
    "users",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("erased", BigInteger, nullable=False, index=True),
    Column("revision", BigInteger, nullable=False, unique=True),
)
SCENARIOS = Table(
    "scenarios",
    METADATA,
    Column("name", Text, primary_key=True),
    #: JSON
    Column("body", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
)


def _create(connection: Connection) -> None:
    METADATA.create_all(connection, checkfirst=False)
    rows = [{"name": name, "value": 0} for name in ("schema_version", "revision", "watermark")]
    connection.execute(META.insert(), rows)


def _add_propensities(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE impressions ADD COLUMN propensities TEXT"))


#: version -> the step to the next version; version 0 is a database without tables, whose step creates all current tables
_STEPS: dict[int, Callable[[Connection], None]] = {0: _create, 1: _add_propensities}
SCHEMA_VERSION = len(_STEPS)


def schema_version(connection: Connection, place: str) -> int:
    """The version of the existing tables; 0 if there are none.

    Raises:
        StoreError: The tables are not those of a feedback store.
    """
    found = set(inspect(connection).get_table_names())
    if META.name in found and {c["name"] for c in inspect(connection).get_columns(META.name)} == {
        "name",
        "value",
    }:
        version = connection.scalar(select(META.c.value).where(META.c.name == "schema_version"))
        if version is not None:
            return int(version)
    foreign = sorted(found & METADATA.tables.keys())
    if foreign:
        raise StoreError(
            f"{place} has a table '{foreign[0]}' that does not belong to a feedback store.",
            "Give the store its own database or schema.",
        )
    return 0


def check_version(version: int, place: str) -> None:
    """Raise VersionMismatch if a later version of kgrec wrote the tables."""
    if version > SCHEMA_VERSION:
        raise VersionMismatch(
            f"{place} has schema version {version}; this version of kgrec supports versions up to {SCHEMA_VERSION}.",
            "Use the version of kgrec that wrote it, or a later one.",
        )


def migrate(connection: Connection, version: int) -> None:
    """Migrate the tables of an older version to the current one, one step per version."""
    for earlier in range(version, SCHEMA_VERSION) if version else (0,):
        _STEPS[earlier](connection)
    connection.execute(update(META).where(META.c.name == "schema_version").values(value=SCHEMA_VERSION))


def put(connection: Connection, table: Table, rows: Sequence[dict[str, Any]], *, replace: bool) -> int:
    """Insert rows; a row with an existing primary key replaces the old row if `replace`, and is otherwise left out.

    Returns:
        The number of inserted or replaced rows.
    """
    key = list(table.primary_key.columns)
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    if replace:
        new = {c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key}
        statement = statement.on_conflict_do_update(index_elements=key, set_=new)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=key)
    if not rows:
        return 0
    return connection.execute(statement, list(rows), execution_options={"preserve_rowcount": True}).rowcount
