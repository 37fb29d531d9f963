"""A server beside nightly runs."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from film_server import Server, Start

from kgrec.serve.nightly import NightlyRules, NightlySources, nightly
from kgrec.serve.releases import newest, withdraw


def name_after(server: Server, before: str) -> str:
    """The model that answers once it is another one."""
    for _ in range(1000):
        name = str(server.post("/v1/recommend", {"user": "u1"})["model"])
        if name != before:
            return name
        time.sleep(0.01)
    return before


def test_a_server_follows_nightly_runs_and_their_rollback(start: Start, model: Path, tmp_path: Path):
    releases = tmp_path / "releases"
    first = Path(shutil.copytree(model, releases / "a"))
    server = start(first, releases=releases)
    before = server.service.state.name
    for item in ("f4", "f5"):
        server.event("new", item)
    done = nightly(releases, NightlySources(server.service.live.store), NightlyRules(max_new=1))
    assert done.outcome == "refreshed"
    assert name_after(server, before) == newest(releases).name
    server.event("new", "f1")
    listed = server.post("/v1/recommend", {"user": "new"})
    assert listed["fallback"] is None and "f4" not in [item["item"] for item in listed["items"]]
    withdraw(releases)
    assert name_after(server, listed["model"]) == before
    history = {one["item"] for one in server.get("/v1/users/new/history")["items"]}
    assert history == {"f1", "f4", "f5"}, "events count on top of the earlier model"
