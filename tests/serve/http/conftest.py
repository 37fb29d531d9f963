"""A server of the six films, in this process, with an empty store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kgrec.serve.http.app import create_app
from kgrec.serve.http.keys import Keys
from kgrec.serve.http.service import Service
from kgrec.serve.http.settings import Settings
from kgrec.serve.http.swaps import Swaps
from kgrec.serve.live import LiveModel
from kgrec.serve.store.store import Store


@dataclass(frozen=True)
class Server:
    """A running server."""

    client: TestClient
    service: Service

    def get(self, path: str, status: int = 200, **params: Any) -> Any:
        """The JSON of an answer."""
        response = self.client.get(path, params=params)
        assert response.status_code == status, response.text
        return response.json()

    def post(self, path: str, body: Any, status: int = 200) -> Any:
        response = self.client.post(path, json=body)
        assert response.status_code == status, response.text
        return response.json()

    def items(self, **body: Any) -> list[str]:
        """The ids of a list."""
        return [item["item"] for item in self.post("/v1/recommend", body)["items"]]

    def event(self, user: str, item: str, type_: str = "like", **others: Any) -> Any:
        """Send an event."""
        name = f"{user}-{item}-{type_}-{others}"
        return self.post(
            "/v1/feedback",
            {"events": [{"event_id": name, "user": user, "item": item, "type": type_, **others}]},
        )


Start = Callable[..., Server]


@pytest.fixture
def start(model: Path, tmp_path: Path) -> Iterator[Start]:
    """A function that starts a server; its arguments are settings, and keys, the folder, and the folder of releases."""
    with ExitStack() as stack:

        def started(
            folder: Path = model, keys: Keys | None = None, releases: Path | None = None, **settings: Any
        ) -> Server:
            live = LiveModel.load(folder, Store.open(tmp_path / "store.sqlite"))
            service = Service(live, Settings(**settings), keys)
            app = create_app(service, Swaps(service, folder, releases, every=0.05))
            client = TestClient(app, "http://localhost", raise_server_exceptions=False)
            return Server(stack.enter_context(client), service)

        yield started


@pytest.fixture
def server(start: Start) -> Server:
    """A server without keys."""
    return start()
