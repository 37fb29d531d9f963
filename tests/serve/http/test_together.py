"""Many requests at one time: one call, one model per list."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import Start

import kgrec
from kgrec.serve.http import service as service_module


def test_lists_that_wait_are_one_call(start: Start, monkeypatch: pytest.MonkeyPatch):
    """The first call waits until the others are in the queue."""
    calls: list[int] = []
    go = threading.Event()
    compute = service_module.lists

    def slow(state, options, whom):
        calls.append(len(whom))
        if len(calls) == 1:
            assert go.wait(30)
        return compute(state, options, whom)

    monkeypatch.setattr(service_module, "lists", slow)
    server = start(deadline=30.0)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(server.items, user="u1", k=3)
        while not calls:
            threading.Event().wait(0.001)
        users = [f"u{1 + n % 6}" for n in range(8)]
        others = [pool.submit(server.items, user=user, k=2) for user in users]
        while len(server.service._lists._waiting) < 8:
            threading.Event().wait(0.001)
        go.set()
        assert first.result() == server.items(user="u1", k=3)
        assert [one.result() for one in others] == [server.items(user=user, k=2) for user in users]
    assert calls[:2] == [1, 8]


def test_a_list_belongs_to_one_model_while_models_are_swapped(
    start: Start, model: Path, shared_catalogue: Path, tmp_path: Path
):
    """Two models with different labels: a list with labels of both would show."""
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    recommenders = [kgrec.Recommender.load(model) for _ in range(2)]
    rows = (shared_catalogue / "films.csv").read_text().splitlines()
    renamed = [",".join([line.split(",")[0], line.split(",")[1] + " II", *line.split(",")[2:]]) for line in rows[1:]]
    (tmp_path / "films.csv").write_text("\n".join([rows[0], *renamed]) + "\n")
    recommenders[1].update_items(tmp_path / "films.csv")
    server = start(folder)
    labels: dict[str, set[bool]] = {}
    stop = threading.Event()

    def ask() -> int:
        asked = 0
        while not stop.is_set():
            answer = server.post("/v1/recommend", {"user": "nobody", "k": 6})
            labels.setdefault(answer["model"], set()).update(one["label"].endswith(" II") for one in answer["items"])
            asked += 1
        return asked

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        for turn in range(8):
            recommenders[(turn + 1) % 2].save(folder)
            assert server.post("/v1/admin/reload", None)["swapped"]
        stop.set()
        assert all(one.result() > 0 for one in asking)
    assert len(labels) >= 8 and all(len(found) == 1 for found in labels.values())
