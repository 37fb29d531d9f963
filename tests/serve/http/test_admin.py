"""The model that answers, others in its place, snapshots, exports."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pyarrow as pa
import pytest
from film_server import Server, Start
from stores import both_databases

import kgrec


@pytest.fixture
def other(shared_catalogue: Path, tmp_path: Path) -> Path:
    """A model of the same catalogue from another training, in a folder of its own."""
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    config = kgrec.Config.read(settings=["text.model=none", "epochs=3", "train.threads=1", "seed=7"])
    kgrec.Recommender(config).fit(graph).save(tmp_path / "other")
    return tmp_path / "other"


@pytest.fixture
def folder(model: Path, tmp_path: Path) -> Path:
    """A copy of the model that may be replaced."""
    return Path(shutil.copytree(model, tmp_path / "model"))


def test_the_model(server: Server):
    server.event("u1", "f4")
    answer = server.get("/v1/admin/model")
    assert (answer["items"], answer["users"]) == ({"trained": 6, "added": 0, "removed": 0}, 6)
    assert answer["store"]["rows"]["events"] == 1 and answer["revision"] == 1


@both_databases
def test_another_model_is_swapped_in_with_the_events(start: Start, folder: Path, other: Path):
    server = start(folder)
    server.event("new", "f1")
    assert server.post("/v1/admin/reload", None) == {
        "swapped": False,
        "model": server.service.state.name,
        "revision": 1,
    }
    kgrec.Recommender.load(other).save(folder)
    answer = server.post("/v1/admin/reload", None)
    assert answer["swapped"] is True
    listed = server.post("/v1/recommend", {"user": "new"})
    assert (listed["model"], listed["fallback"]) == (answer["model"], None)
    frame = kgrec.Recommender.load(other).recommend_for_history([["f1"]])
    assert [item["item"] for item in listed["items"]] == frame["item_id"].tolist()


def test_a_model_that_cannot_be_read_is_not_swapped_in(start: Start, folder: Path, other: Path):
    server = start(folder)
    before = server.service.state.name
    kgrec.Recommender.load(other).save(folder)
    broken = next(path for path in sorted(folder.glob("*.npy")))
    broken.write_bytes(b"nothing")
    problem = server.post("/v1/admin/reload", None, 409)
    assert broken.name in problem["problem"]
    assert server.post("/v1/recommend", {"user": "u1"})["model"] == before
    assert 'kgrec_reloads_total{result="failed"} 1.0' in server.client.get("/metrics").text


def test_the_newest_release_is_followed(start: Start, folder: Path, other: Path, tmp_path: Path):
    releases = tmp_path / "releases"
    first = Path(shutil.copytree(folder, releases / "a"))
    server = start(first, releases=releases)
    before = server.service.state.name
    kgrec.Recommender.load(other).save(releases / "b")
    for _ in range(400):
        if (name := server.post("/v1/recommend", {"user": "u1"})["model"]) != before:
            break
        time.sleep(0.01)
    assert name == json.loads((releases / "b" / "manifest.json").read_text())["seal"][:12]


@both_databases
def test_a_snapshot_has_what_came_since(start: Start, folder: Path):
    server = start(folder)
    server.event("new", "f1")
    server.post("/v1/items", {"rows": {"film": [{"id": "n1", "title": "Moon Base", "director": "Ada"}]}})
    answer = server.post("/v1/admin/snapshot", None)
    assert (answer["folder"], answer["revision"]) == ("model", 2)
    rec = kgrec.Recommender.load(folder)
    assert rec.model.inputs["feedback"] == "2" and rec.label("n1") == "Moon Base"
    server.event("new", "f2")
    again = start(folder)
    assert again.service.state.name == answer["model"]
    history = {one["item"]: one["count"] for one in again.get("/v1/users/new/history")["items"]}
    assert history == {"f1": 1, "f2": 1}


@both_databases
def test_events_are_exported(server: Server):
    server.event("u1", "f4", "click")
    server.event("u2", "f5", "rating", value=3)
    lines = [json.loads(line) for line in server.client.get("/v1/export/interactions").text.splitlines()]
    assert [(one["user_id"], one["item_id"], one["type"], one["value"]) for one in lines] == [
        ("u1", "f4", "click", None),
        ("u2", "f5", "rating", 3.0),
    ]
    arrow = server.client.get("/v1/export/interactions", params={"format": "arrow", "since": 1})
    assert arrow.headers["x-revision"] == "2"
    assert pa.ipc.open_stream(arrow.content).read_all()["user_id"].to_pylist() == ["u2"]
    empty = server.client.get("/v1/export/interactions", params={"format": "arrow", "since": 2})
    assert pa.ipc.open_stream(empty.content).read_all().num_rows == 0
