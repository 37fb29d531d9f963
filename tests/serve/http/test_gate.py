"""What every request passes, health, figures, and the description of the API."""

from __future__ import annotations

import asyncio
import json
import logging
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from film_server import Server, Start

import kgrec.serve.http
from kgrec.errors import StoreError
from kgrec.serve.http.gate import JsonLines
from kgrec.serve.http.keys import Keys, make_key
from kgrec.serve.http.metrics import Metrics


def test_health(server: Server):
    assert server.get("/healthz")["status"] == "alive"
    assert server.get("/readyz")["status"] == "ready"
    server.service.ready = False
    assert server.get("/readyz", 503)["type"] == "/problems/not-ready"
    assert server.get("/healthz")["status"] == "alive"


def test_headers_of_safety(server: Server):
    headers = server.client.get("/healthz").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert headers["cache-control"] == "no-store" and headers["x-request-id"]
    assert "access-control-allow-origin" not in headers


def test_a_server_without_keys_answers_this_machine_alone(server: Server, start: Start, tmp_path: Path):
    for host, status in (
        ("localhost:8700", 200),
        ("127.0.0.1", 200),
        ("[::1]:8700", 200),
        ("evil.example", 403),
    ):
        assert server.client.get("/healthz", headers={"Host": host}).status_code == status
    key = make_key(tmp_path / "keys.json", "a", ["read"])
    open_to_all = start(keys=Keys.read(tmp_path / "keys.json"))
    headers = {"Host": "shop.example", "X-API-Key": key}
    assert open_to_all.client.post("/v1/recommend", json={"user": "u1"}, headers=headers).status_code == 200


def test_large_bodies_are_refused(start: Start):
    server = start(body=1000, large_body=2000)
    big = {"user": "u1", "deny": ["x" * 400] * 3}
    problem = server.post("/v1/recommend", big, 413)
    json_type = {"Content-Type": "application/json"}
    assert problem["type"] == "/problems/too-large"
    assert (
        server.client.post(
            "/v1/recommend", content=iter([b"{"] + [b" " * 600] * 3), headers=json_type
        ).status_code
        == 413
    )
    events = {"events": [{"event_id": "a" * 400, "user": "u1", "item": "f1", "type": "like"}] * 3}
    assert server.post("/v1/feedback", events)["duplicate"] == 2
    assert server.post("/v1/feedback", {"events": events["events"] * 4}, 413)


@pytest.mark.parametrize("path", ["/v1/recommend", "/v1/explain", "/v1/feedback"])
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"a":' * 20_000,
        b"nothing",
        b'"text"',
        b"null",
        b'{"user": "\\ud800"}',
    ],
)
def test_what_is_no_json_object_is_a_problem(server: Server, path: str, body: bytes):
    response = server.client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "problem", "remedy", "where"} <= response.json().keys()


def test_addresses_and_methods_that_are_not_there(server: Server):
    assert server.get("/v1/nothing", 404)["type"] == "/problems/no-route"
    assert server.get("/v1/feedback", 405)["remedy"] == "It takes POST."
    assert server.client.put("/v1/recommend", json={}).status_code == 405


def test_a_fault_of_the_server_is_a_problem_without_details(server: Server, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(server.service.live, "add_events", broken)
    response = server.client.post("/v1/feedback", json={"events": []})
    assert (response.status_code, response.json()["type"]) == (500, "/problems/failed")
    assert "secret" not in response.text


@pytest.mark.parametrize("path", ["/v1/recommend", "/v1/search"])
def test_a_client_that_leaves_is_no_failure(server: Server, path: str):
    received = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(received)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"content-length", b"100")]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    asyncio.run(server.client.app(scope, receive, send))
    assert sent[0]["status"] == 400


def test_the_log_has_no_ids(server: Server, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "kgrec"):
        server.get("/v1/users/u1")
        server.post("/v1/recommend", {"user": "u2"})
        server.get("/v1/users/secret-user", 404)
        server.get("/secret-path", 404)
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    requests = [line for line in lines if line["message"] == "request"]
    assert [(one["method"], one["route"], one["status"]) for one in requests] == [
        ("GET", "/v1/users/{user}", 200),
        ("POST", "/v1/recommend", 200),
        ("GET", "/v1/users/{user}", 404),
        ("GET", "other", 404),
    ]
    assert not any(word in json.dumps(lines) for word in ("u1", "u2", "secret"))


def test_figures_have_no_ids(server: Server):
    server.event("secret-user", "f1")
    server.post("/v1/recommend", {"user": "nobody"})
    server.client.post("/v1/feedback", json={"events": [{"event_id": "x"}]})
    text = server.client.get("/metrics").text
    for line in (
        'kgrec_requests_total{method="POST",route="/v1/recommend",status="200"} 1.0',
        'kgrec_events_total{result="accepted"} 1.0',
        'kgrec_events_total{result="rejected"} 1.0',
        'kgrec_fallbacks_total{reason="unknown_user"} 1.0',
        'kgrec_items{state="trained"} 6.0',
        "kgrec_store_lag 0.0",
        "kgrec_store_up 1.0",
        "kgrec_ready 1.0",
        "kgrec_workers 1.0",
        "kgrec_revision 1.0",
        'kgrec_listed_items_total{age="trained"} 6.0',
    ):
        assert line in text
    assert "secret" not in text and "nobody" not in text
    server.service.ready = False
    assert "kgrec_ready 0.0" in server.client.get("/metrics").text


def test_figures_stay_where_the_store_does_not_answer(server: Server):
    def revision() -> int:
        raise StoreError("The database is gone.", "Start it.")

    text = Metrics(lambda: server.service.state, revision).text().decode()
    lines = text.splitlines()
    assert "kgrec_store_up 0.0" in lines and not any(line.startswith("kgrec_store_lag") for line in lines)
    assert 'kgrec_items{state="trained"} 6.0' in text


def test_the_description_of_the_api(server: Server):
    schema = server.get("/openapi.json")
    assert schema["openapi"].startswith("3.1")
    operations = {
        (path, method): value for path, some in schema["paths"].items() for method, value in some.items()
    }
    assert len(operations) > 30
    for (path, _), operation in operations.items():
        assert operation["summary"], path
        if path.startswith("/v1"):
            assert operation["description"] and operation["x-scope"] in (
                "read",
                "feedback",
                "write",
                "admin",
            ), path
            assert "application/problem+json" in operation["responses"]["422"]["content"]


def test_every_route_is_on_the_page_of_the_api(server: Server):
    page = (Path(__file__).parents[3] / "docs" / "http.md").read_text(encoding="utf-8")
    for path, operations in server.get("/openapi.json")["paths"].items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in page


def test_the_page_of_the_description_is_served_from_here(server: Server):
    page = server.client.get("/docs")
    assert page.status_code == 200 and "http://" not in page.text and "https://" not in page.text
    assert "unsafe-inline" not in page.headers["content-security-policy"].split(";")[1]
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "page.js"):
        assert server.client.get(f"/docs/{name}").status_code == 200
    assert server.client.get("/docs/..%2Fapp.py").status_code == 404


def test_vendored_files_are_those_of_the_list():
    folder = Path(kgrec.serve.http.__file__).with_name("swagger")
    lines = (folder / "VENDORED").read_text().splitlines()[1:]
    for line in lines:
        digest, name = line.split()
        assert sha256((folder / name).read_bytes()).hexdigest() == digest
