"""`kgrec serve` as a process: it starts, drains, is killed, and starts again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from endurance import endure_kills, endure_load, endure_requests, endure_swaps
from server_process import running
from stores import KINDS, new_database

import kgrec


@pytest.fixture(scope="module")
def model(shared_catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    config = kgrec.Config.read(settings=["text.model=none", "epochs=2", "train.threads=1"])
    folder = tmp_path_factory.mktemp("served") / "model"
    kgrec.Recommender(config).fit(graph).save(folder)
    return folder


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with new_database(request.param, tmp_path) as url:
        yield url


def test_a_killed_server_loses_nothing_acknowledged(model: Path, store: str):
    counted = endure_kills(model, store, kills=1)
    assert counted["stored"] >= counted["acknowledged"] > 0


def test_models_are_swapped_under_load(model: Path, tmp_path: Path):
    assert endure_swaps(model, tmp_path, swaps=2)["lists"] > 0


def test_mixed_load(model: Path, tmp_path: Path):
    counted = endure_load(model, tmp_path, seconds=2)
    assert counted["requests"] > 0 and counted["MB at most"] >= counted["MB"] > 0


def test_requests_that_nobody_would_send(model: Path, tmp_path: Path):
    pytest.importorskip("schemathesis")
    counted = endure_requests(model, tmp_path, requests=30)
    assert counted["requests"] >= 30 and counted["4xx"] > 0


def test_a_server_that_is_told_to_end_drains(model: Path, tmp_path: Path):
    with running(model, f"sqlite:///{tmp_path / 'store.sqlite'}", "--drain", "0.3") as server:
        event = {"event_id": "e", "user": "n0", "item": "f1", "type": "like"}
        assert server.ask("POST", "/v1/feedback", {"events": [event]})[0] == 200
        assert server.ask("GET", "/v1/users/n0/history")[0] == 200
        assert server.ask("GET", "/readyz")[0] == 200
        server.process.send_signal(signal.SIGTERM)
        status = 200
        while status == 200:  # it answers while it drains
            status, ready = server.ask("GET", "/readyz")
        assert (status, ready["type"]) == (503, "/problems/not-ready")
        assert server.process.wait(60) == 0
        server.reader.join(10)
        lines = [json.loads(line) for line in server.log]
    assert lines[-1]["message"] == "The server has ended."
    assert not any("n0" in json.dumps(line) for line in lines)


def kgrec_serve(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kgrec", "serve", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_check_and_keys(model: Path, tmp_path: Path):
    keys, store = tmp_path / "keys.json", tmp_path / "store.sqlite"
    made = kgrec_serve("--keys", keys, "--make-key", "shop", "--scopes", "read, feedback")
    assert made.returncode == 0 and made.stdout.startswith("kgrec_")
    done = kgrec_serve(model, "--store", store, "--keys", keys, "--check", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["items"], found["users"], found["events"]) == (6, 6, 0)
    assert found["keys"] == [{"name": "shop", "scopes": ["feedback", "read"]}]
    assert made.stdout.strip() not in done.stdout + done.stderr


def test_what_a_server_refuses(model: Path, tmp_path: Path):
    store = tmp_path / "store.sqlite"
    open_to_all = kgrec_serve(model, "--store", store, "--host", "0.0.0.0")
    assert open_to_all.returncode == 2 and "has no keys" in open_to_all.stderr
    assert "--keys" in kgrec_serve("--make-key", "a").stderr
    assert "no such folder" in kgrec_serve(tmp_path / "nothing", "--store", store, "--check").stderr
