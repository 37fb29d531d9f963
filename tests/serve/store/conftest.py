"""A new store in each database: SQLite, and PostgreSQL where KGREC_TEST_POSTGRES names one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stores import KINDS, new_database

from kgrec.serve.store.store import Store

#: 2026-11-30T12:00:00Z
NOW = 1_796_040_000_000


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database without tables."""
    with new_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store whose clock stands at `NOW`."""
    with Store.open(url, clock=lambda: NOW / 1000) as opened:
        yield opened
