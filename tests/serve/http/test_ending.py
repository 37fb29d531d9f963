"""The end of a server: what still runs when its time to finish is over gets an answer, too."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
from multiprocessing import Pipe
from pathlib import Path

import pytest

from kgrec.serve.http.server import END, answer
from kgrec.serve.http.service import Service
from kgrec.serve.http.settings import Settings
from kgrec.serve.live import LiveModel
from kgrec.serve.store.store import Store


def test_a_request_that_waits_for_a_revision_is_answered_at_the_end(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    live = LiveModel.load(model, Store.open(tmp_path / "store.sqlite"))
    service = Service(live, Settings(deadline=600.0))
    parent, child = Pipe()
    listening = socket.create_server(("127.0.0.1", 0))
    ready = threading.Event()
    server = threading.Thread(
        target=answer,
        args=(service, None, [listening]),
        kwargs={"drain": 0.2, "finish": 1, "parent": child, "ready": ready.set},
    )
    with caplog.at_level(logging.INFO):
        server.start()
        assert ready.wait(60)
        client = http.client.HTTPConnection("127.0.0.1", listening.getsockname()[1], timeout=60)
        body = json.dumps({"user": "u1", "min_revision": 5})
        client.request("POST", "/v1/recommend", body, {"Content-Type": "application/json"})
        parent.send(END)
        response = client.getresponse()
        problem = json.loads(response.read())
        client.close()
        server.join(60)
    assert not server.is_alive()
    assert (response.status, problem["type"]) == (503, "/problems/not-ready")
    assert response.headers["Retry-After"] == "1"
    assert not [record for record in caplog.records if record.exc_info]
