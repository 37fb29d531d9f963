"""`kgrec serve --workers 2` as processes, on both databases: what one worker is told, the other knows."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from server_process import Running, running
from stores import KINDS, new_database

import kgrec
from kgrec.serve.http.keys import make_key
from kgrec.serve.http.metrics import Metrics, with_workers
from kgrec.serve.http.peers import Peers, is_of_peer
from kgrec.serve.live import LiveState

SCOPES = ["read", "feedback", "write", "admin"]


class Client:
    """A connection to one worker, with a key."""

    def __init__(self, port: int, key: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.key = key

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json", "X-API-Key": self.key}
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = self.connection.getresponse()
        text = response.read().decode()
        return response.status, text if path == "/metrics" else json.loads(text)

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.ask(method, path, body)
        assert status == 200, answer
        return answer

    def items(self, **body: Any) -> list[str]:
        return [item["item"] for item in self("POST", "/v1/recommend", {"k": 10, **body})["items"]]


class Workers:
    """A server of two workers, and connections to each."""

    def __init__(self, process: Running, key: str, folder: Path) -> None:
        self.process, self.key, self.folder = process, key, folder
        self.opened: list[Client] = []

    def client(self) -> Client:
        """A connection to the worker that the kernel chooses."""
        self.opened.append(Client(self.process.port, self.key))
        return self.opened[-1]

    def clients(self) -> list[Client]:
        """A connection to worker 0 and one to worker 1."""
        found: dict[int, Client] = {}

        def both() -> bool:
            client = self.client()
            rid = client("POST", "/v1/recommend", {"user": "u1", "k": 1})["rid"]
            found.setdefault(int(rid.partition(".")[0]), client)
            return len(found) == 2

        wait_until(both)
        return [found[0], found[1]]

    def processes(self) -> set[int]:
        """The processes of the workers; the parent has another child, which looks after shared resources."""
        parent = self.process.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        with suppress(FileNotFoundError):
            return {
                int(child)
                for child in children
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
            }
        return set()


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until, "it does not come about"
        time.sleep(0.02)


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workers]:
    place = tmp_path_factory.mktemp("workers")
    folder = Path(shutil.copytree(model, place / "model"))
    key = make_key(place / "keys.json", "all", SCOPES)
    with (
        new_database(request.param, place) as url,
        running(folder, url, "--workers", "2", "--keys", str(place / "keys.json")) as process,
    ):
        workers = Workers(process, key, folder)
        yield workers
        for client in workers.opened:
            client.connection.close()


def event(user: str, item: str) -> dict[str, Any]:
    return {"event_id": f"{user}-{item}", "user": user, "item": item, "type": "like"}


def test_a_click_counts_in_the_next_request_of_its_worker_and_soon_in_the_other(server: Workers):
    one, other = server.clients()
    revision = one("POST", "/v1/feedback", {"events": [event("n1", "f1")]})["revision"]
    assert "f1" not in one.items(user="n1")
    assert "f1" not in other.items(user="n1", min_revision=revision)
    again = other("POST", "/v1/feedback", {"events": [event("n1", "f1")]})
    assert (again["accepted"], again["duplicate"]) == (0, 1)


def test_items_are_added_and_removed_everywhere(server: Workers):
    one, other = server.clients()
    rows = {"film": [{"id": "m1", "title": "Moon Base", "genres": "Science fiction", "director": "Ada"}]}
    added = one("POST", "/v1/items", {"rows": rows})
    assert "m1" in one.items(user="nobody")
    assert "m1" in other.items(user="nobody", min_revision=added["revision"])
    removed = other("DELETE", "/v1/items/m1")
    assert "m1" not in other.items(user="nobody")
    assert "m1" not in one.items(user="nobody", min_revision=removed["revision"])


def test_columns_that_both_change_at_one_time_all_stay(server: Workers):
    clients = server.clients()
    together = threading.Barrier(2)

    def change(client: Client, column: str, value: str) -> int:
        together.wait(60)
        return int(client("PATCH", "/v1/items/f2", {column: value})["revision"])

    with ThreadPoolExecutor(2) as pool:
        for n in range(5):
            columns = {"title": f"title {n}", "plot": f"plot {n}"}
            changes = [
                pool.submit(change, client, *column)
                for client, column in zip(clients, columns.items(), strict=True)
            ]
            revision = max(one.result() for one in changes)
            for client in clients:
                client.items(user="u1", min_revision=revision)
                found = client("GET", "/v1/items/f2")
                assert (found["label"], found["fields"]["plot"]) == (columns["title"], columns["plot"])


def test_next_pages_and_sessions_are_found_by_either_worker(server: Workers):
    for one, other in (server.clients(), server.clients()[::-1]):
        first = one("POST", "/v1/recommend", {"user": "nobody", "k": 2})
        second = other("GET", f"/v1/recommendations/{first['rid']}/next")
        third = one("GET", f"/v1/recommendations/{first['rid']}/next?k=2")
        shown = [item["item"] for page in (first, second, third) for item in page["items"]]
        assert len(shown) == len(set(shown)) == 6
        assert [item["rank"] for item in second["items"]] == [3, 4]
        session = one("POST", "/v1/sessions", {})["session"]
        assert other("POST", f"/v1/sessions/{session}/turns", {"likes": ["f1"]})["turns"] == 1
        assert one("GET", f"/v1/sessions/{session}")["understood"]["likes"][0]["item"] == "f1"
        problem = other.ask("POST", f"/v1/sessions/{session}/turns", {"likes": ["nothing"]})
        assert problem[0] == 422
        for name in ("0.nothing", "1.nothing", "2.nothing", "x.y", "nothing"):
            assert one.ask("GET", f"/v1/recommendations/{name}/next")[0] == 404
        without = server.client()
        without.key = ""
        assert without.ask("GET", f"/v1/sessions/{session}")[0] == 401


def test_scenarios_choose_the_same_variant_in_each_worker(server: Workers):
    one, other = server.clients()
    body = {"options": {"k": 2}, "variants": {"a": {}, "b": {"options": {"k": 3}}}}
    revision = one("PUT", "/v1/scenarios/home", body)["revision"]
    variants = set()
    for user in (f"s{n}" for n in range(12)):
        asked = {"user": user, "scenario": "home", "min_revision": revision}
        lists = [client("POST", "/v1/recommend", asked) for client in (one, other)]
        assert lists[0]["variant"] == lists[1]["variant"]
        assert len(lists[0]["items"]) == {"a": 2, "b": 3}[lists[0]["variant"]]
        variants.add(lists[0]["variant"])
    assert variants == {"a", "b"}


def test_an_erased_user_is_forgotten_by_each_worker(server: Workers):
    one, other = server.clients()
    one("POST", "/v1/feedback", {"events": [event("gone", "f2")]})
    session = one("POST", "/v1/sessions", {"user": "gone"})["session"]
    revision = other("DELETE", "/v1/users/gone")["revision"]
    assert other.ask("GET", "/v1/users/gone")[0] == 404
    one("POST", "/v1/recommend", {"user": "gone", "min_revision": revision})
    assert one.ask("GET", "/v1/users/gone")[0] == 404
    wait_until(lambda: one.ask("GET", f"/v1/sessions/{session}")[0] == 404)


def test_metrics_have_the_figures_of_each_worker(server: Workers):
    one, other = server.clients()

    def counted(route: str) -> dict[str, float]:
        """Requests by worker."""
        line = rf'^kgrec_requests_total{{method="GET",route="{re.escape(route)}",status="200",worker="(\d)"}} (\S+)'
        found = re.findall(line, one("GET", "/metrics"), re.M)
        return {"0": 0.0, "1": 0.0} | {worker: float(value) for worker, value in found}

    def more(route: str, than: dict[str, float], expected: dict[str, float]) -> bool:
        return counted(route) == {worker: than[worker] + expected[worker] for worker in than}

    before = counted("/v1/users/{user}")
    for client, times in ((one, 3), (other, 2)):
        for _ in range(times):
            client("GET", "/v1/users/u1")
    wait_until(lambda: more("/v1/users/{user}", before, {"0": 3, "1": 2}))
    # a page that is passed on is counted by the worker that was asked
    pages = "/v1/recommendations/{rid}/next"
    before = counted(pages)
    rid = one("POST", "/v1/recommend", {"user": "u1", "k": 1})["rid"]
    other("GET", f"/v1/recommendations/{rid}/next")
    wait_until(lambda: more(pages, before, {"0": 0, "1": 1}))


def test_all_workers_take_another_model(server: Workers):
    one, other = server.clients()
    rows = kgrec.Recommender.load(server.folder)
    rows.remove_items(["f6"])
    rows.save(server.folder)
    answer = one("POST", "/v1/admin/reload")
    assert answer["swapped"]
    for client in (one, other):
        found = client("POST", "/v1/recommend", {"user": "nobody", "k": 10})
        assert found["model"] == answer["model"]
        assert "f6" not in [item["item"] for item in found["items"]]
    assert not other("POST", "/v1/admin/reload")["swapped"]


def test_a_snapshot_is_taken_by_all_workers(server: Workers):
    one, other = server.clients()
    other("POST", "/v1/feedback", {"events": [event("kept", "f3")]})
    written = other("POST", "/v1/admin/snapshot")
    for client in (one, other):
        assert client("POST", "/v1/recommend", {"user": "kept"})["model"] == written["model"]
        assert client("GET", "/v1/users/kept")["interactions"] == 1


def test_a_killed_worker_is_replaced_and_loses_nothing_acknowledged(server: Workers):
    acknowledged: list[str] = []
    server.clients()
    before = server.processes()
    assert len(before) == 2

    killed = before.pop()

    def feed(name: str) -> None:
        """Send events, each on a connection of its own, until the killed worker was replaced and a while longer."""
        number = 0
        while number < 50 or len(server.processes() - {killed}) < 2:
            number += 1
            try:
                server.client()("POST", "/v1/feedback", {"events": [event(f"{name}{number}", "f1")]})
            except (OSError, http.client.HTTPException):
                continue
            acknowledged.append(f"{name}{number}")

    with ThreadPoolExecutor(2) as pool:
        feeding = [pool.submit(feed, name) for name in ("a", "b")]
        wait_until(lambda: len(acknowledged) > 20)
        os.kill(killed, signal.SIGKILL)
        for one in feeding:
            one.result()
    one, other = server.clients()
    assert one("POST", "/v1/feedback", {"events": [event(user, "f1") for user in acknowledged]}) == {
        "revision": one("GET", "/readyz")["revision"],
        "accepted": 0,
        "duplicate": len(acknowledged),
        "rejected": [],
    }
    revision = one("GET", "/readyz")["revision"]
    for user in (acknowledged[0], acknowledged[-1]):
        other("POST", "/v1/recommend", {"user": user, "min_revision": revision})
        assert other("GET", f"/v1/users/{user}")["interactions"] == 1


def test_workers_end_with_their_parent(server: Workers, request: pytest.FixtureRequest):
    """The last test of this server: in one run the parent is told to end, in the other it is killed."""
    processes = server.processes()
    assert len(processes) == 2
    if "sqlite" in request.node.name:
        assert server.process.ended(signal.SIGTERM) == 0
        messages = [json.loads(line)["message"] for line in server.process.log]
        assert messages.count("The server is draining.") == 2
        assert any(message.endswith("has ended with code -9; a new one is starting.") for message in messages)
        assert messages[-1] == "The server has ended."
    else:
        server.process.ended(signal.SIGKILL)
    wait_until(lambda: not any(map(alive, processes)))


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # one whose parent is gone, and which nobody has waited for, is no longer running either
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_the_error_of_the_first_worker_is_that_of_the_server(tmp_path: Path):
    with (
        pytest.raises(AssertionError, match="no such folder"),
        running(tmp_path / "nothing", str(tmp_path / "store.sqlite"), "--workers", "2"),
    ):
        pass


def test_names_have_the_number_of_their_worker():
    assert "." not in Peers().new_name()
    first, second = Peers(0, 2, Path("there")), Peers(1, 2, Path("there"))
    name = second.new_name()
    assert (first.owner(name), second.owner(name)) == (1, None)
    assert [first.owner(name) for name in ("2.a", "-1.a", "1", ".a", "²." + "a", "00001.a")] == [None] * 6
    assert first.ask(1, "GET", "/metrics", {}) is None
    assert [is_of_peer({"server": server}) for server in (("::1", 80), ("/a/0.sock", None), None)] == [
        False,
        True,
        True,
    ]


def test_all_workers_follow_releases_and_none_mixes_them(model: Path, shared_catalogue: Path, tmp_path: Path):
    """Both models have the same items under other labels, so that a list of both would show."""
    releases = tmp_path / "releases"
    shutil.copytree(model, releases / "a")
    films = (shared_catalogue / "films.csv").read_text().splitlines()
    cells = [line.split(",") for line in films[1:]]
    renamed = [",".join([key, f"{title} II", *others]) for key, title, *others in cells]
    (tmp_path / "films.csv").write_text("\n".join([films[0], *renamed]) + "\n")
    newer = kgrec.Recommender.load(model)
    newer.update_items(tmp_path / "films.csv")
    stop = threading.Event()
    seen: dict[str, set[bool]] = {}
    options = ("--releases", str(releases), "--workers", "2", "--deadline", "60")

    def ask(client: Client) -> set[str]:
        """The models that answered, until all have the new one."""
        models = set()
        while not stop.wait(0.01):
            found = client("POST", "/v1/recommend", {"user": "nobody", "k": 6})
            assert len(found["items"]) == 6
            labels = {item["label"].endswith(" II") for item in found["items"]}
            seen.setdefault(found["model"], set()).update(labels)
            models.add(found["model"])
            newest[client] = found["model"]
        return models

    with (
        running(None, f"sqlite:///{tmp_path / 'store.sqlite'}", *options) as process,
        ThreadPoolExecutor(2) as pool,
    ):
        workers = Workers(process, "", releases)
        clients, newest = workers.clients(), dict[Client, str]()
        asking = [pool.submit(ask, client) for client in clients]
        try:
            wait_until(lambda: len(newest) == 2)
            [before] = set(newest.values())
            newer.save(releases / "b")
            after = json.loads((releases / "b" / "manifest.json").read_text())["seal"][:12]
            wait_until(lambda: set(newest.values()) == {after} or any(one.done() for one in asking))
        finally:
            stop.set()
        assert [one.result() for one in asking] == [{before, after}] * 2
        for client in workers.opened:
            client.connection.close()
    assert seen == {before: {False}, after: {True}}


def test_figures_of_workers_are_kept_apart(rec: kgrec.Recommender):
    def figures(times: int) -> bytes:
        metrics = Metrics(lambda: state(rec), lambda: 7, workers=2)
        metrics.events.labels("accepted").inc(times)
        metrics.seconds.labels("/a").observe(0.002)
        return metrics.text()

    lines = with_workers({0: figures(2), 1: figures(3)}).decode().splitlines()
    assert 'kgrec_events_total{result="accepted",worker="0"} 2.0' in lines
    assert 'kgrec_events_total{result="accepted",worker="1"} 3.0' in lines
    assert 'kgrec_request_seconds_bucket{le="0.0025",route="/a",worker="1"} 1.0' in lines
    assert lines.count("# TYPE kgrec_events_total counter") == 1
    assert 'kgrec_workers{worker="1"} 2.0' in lines


def state(rec: kgrec.Recommender) -> LiveState:
    from kgrec.serve.event_rules import EventRules

    return LiveState(rec, 7, "name", 0.0, 0.0, EventRules({}), 1.0)
