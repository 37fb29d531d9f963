"""The database named by a path or a URL.

Enters: a path, or a URL. Leaves: a `Database`, whose tables are not checked yet.
"""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from kgrec.arguments import options
from kgrec.errors import ConfigError
from kgrec.serve.store.database import Database
from kgrec.serve.store.sqlite import SQLiteDatabase

_URLS = "Give a path, sqlite:///feedback.sqlite, or postgresql://user@host:5432/database."


def database_of(url: str | os.PathLike[str], *, create: bool) -> Database:
    """The database of a path or a URL; see `Store.open`."""
    options.path("store", url)
    text = os.fspath(url)
    if "://" not in text:
        return SQLiteDatabase(Path(text), create=create)
    try:
        parsed = make_url(text)
    except (ArgumentError, ValueError):  # ValueError: the port is not a number
        raise ConfigError("The URL of the store cannot be read.", _URLS) from None
    backend = parsed.drivername.partition("+")[0]
    if backend == "sqlite":
        if parsed.database in (None, "", ":memory:") or parsed.query:
            raise ConfigError("The URL of a SQLite store must name only a file.", _URLS)
        return SQLiteDatabase(Path(str(parsed.database)), create=create)
    if backend in ("postgresql", "postgres"):
        from kgrec.serve.store.postgres import PostgresDatabase

        return PostgresDatabase(parsed)
    raise ConfigError(f"A store cannot be kept in {options.shown(backend)}.", _URLS)
