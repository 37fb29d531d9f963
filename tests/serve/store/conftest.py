"""A new store in each database: SQLite, and PostgreSQL where KGREC_TEST_POSTGRES names one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from kgrec.serve.store.store import Store

#: 2026-11-30T12:00:00Z
NOW = 1_796_040_000_000


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'feedback.sqlite'}"
    else:
        yield from postgres_schema()


def postgres_schema() -> Iterator[str]:
    """URL of a new schema, which is dropped afterwards."""
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


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store whose clock stands at `NOW`."""
    with Store.open(url, clock=lambda: NOW / 1000) as opened:
        yield opened
