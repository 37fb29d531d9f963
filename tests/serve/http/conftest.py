"""A server of the six films, in this process, with an empty store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from film_server import Server, Start
from starlette.testclient import TestClient
from stores import new_database

from kgrec.encode.text import TextEncoder
from kgrec.serve.http.app import create_app
from kgrec.serve.http.keys import Keys
from kgrec.serve.http.service import Service
from kgrec.serve.http.settings import Settings
from kgrec.serve.http.swaps import Swaps
from kgrec.serve.live import LiveModel
from kgrec.serve.store.store import Store


@pytest.fixture
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of the store: a SQLite file, unless the test runs on `both_databases`."""
    with new_database(getattr(request, "param", "sqlite"), tmp_path) as url:
        yield url


@pytest.fixture
def start(model: Path, store_url: str) -> Iterator[Start]:
    """A function that starts a server; its arguments are settings, and keys, the folder, the folder of releases, and a text encoder."""
    with ExitStack() as stack:

        def started(
            folder: Path = model,
            keys: Keys | None = None,
            releases: Path | None = None,
            text_encoder: TextEncoder | None = None,
            **settings: Any,
        ) -> Server:
            live = LiveModel.load(folder, Store.open(store_url), text_encoder=text_encoder)
            service = Service(live, Settings(**settings), keys)
            app = create_app(service, Swaps(service, folder, releases, every=0.05))
            client = TestClient(app, "http://localhost", raise_server_exceptions=False)
            return Server(stack.enter_context(client), service)

        yield started


@pytest.fixture
def server(start: Start) -> Server:
    """A server without keys."""
    return start()
