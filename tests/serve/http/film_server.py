"""A server in this process, as tests ask it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.testclient import TestClient

from kgrec.serve.http.service import Service


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
