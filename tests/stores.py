"""New databases for stores: a SQLite file, and a schema of PostgreSQL where KGREC_TEST_POSTGRES names a server."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

KINDS = ["sqlite", "postgres"]
#: runs a test on both databases, where `store_url` is a fixture that takes the kind
both_databases = pytest.mark.parametrize("store_url", KINDS, indirect=True)


@contextmanager
def new_database(kind: str, folder: Path) -> Iterator[str]:
    """URL of a database without tables, which is gone afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'store.sqlite'}"
        return
    server = os.environ.get("KGREC_TEST_POSTGRES")
    if not server:
        pytest.skip("KGREC_TEST_POSTGRES names no PostgreSQL database")
    plain = make_url(server).set(drivername="postgresql+psycopg")
    engine = create_engine(plain, isolation_level="AUTOCOMMIT")
    name = f"kgrec_{uuid.uuid4().hex}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
        try:
            schema = make_url(server).update_query_dict({"options": f"-csearch_path={name}"})
            yield schema.render_as_string(hide_password=False)
        finally:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
    engine.dispose()
