"""Many requests at one time: one call, one model per list."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from film_server import Start

import kgrec
from kgrec.serve.http import service as service_module


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(20_000):
        if condition():
            return
        time.sleep(0.001)
    raise AssertionError("it does not come about")


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
        wait_until(lambda: bool(calls))
        users = [f"u{1 + n % 6}" for n in range(8)]
        others = [pool.submit(server.items, user=user, k=2) for user in users]
        wait_until(lambda: len(server.service._lists._waiting) == 8)
        go.set()
        assert first.result() == server.items(user="u1", k=3)
        assert [one.result() for one in others] == [server.items(user=user, k=2) for user in users]
    assert calls[:2] == [1, 8]


def test_a_list_belongs_to_one_model_while_models_are_swapped(
    start: Start, model: Path, shared_catalogue: Path, tmp_path: Path
):
    """Two models with different labels: a list with labels of both would show."""
    sources = [model, tmp_path / "renamed"]
    rows = (shared_catalogue / "films.csv").read_text().splitlines()
    cells = [line.split(",") for line in rows[1:]]
    renamed = [",".join([key, f"{title} II", *others]) for key, title, *others in cells]
    (tmp_path / "films.csv").write_text("\n".join([rows[0], *renamed]) + "\n")
    other = kgrec.Recommender.load(model)
    other.update_items(tmp_path / "films.csv")
    other.save(sources[1])
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    server = start(folder)
    labels: dict[str, set[bool]] = {}
    stop = threading.Event()

    def ask() -> int:
        asked = 0
        while not stop.is_set():
            answer = server.post("/v1/recommend", {"user": "nobody", "k": 6})
            found = {one["label"].endswith(" II") for one in answer["items"]}
            labels.setdefault(answer["model"], set()).update(found)
            asked += 1
        return asked

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        try:
            for turn in range(6):
                kgrec.Recommender.load(sources[(turn + 1) % 2]).save(folder)
                assert server.post("/v1/admin/reload", None)["swapped"]
        finally:
            stop.set()
        assert all(one.result() > 0 for one in asking)
    assert {frozenset(found) for found in labels.values()} == {frozenset([True]), frozenset([False])}
