"""What a server must endure: kills, swaps, requests that nobody would send, and load for long.

Tests run each of these briefly, and `tests/benchmarks/endure.py` at full length. Each function returns what it counted, and raises
AssertionError for what a server must not do.
"""

from __future__ import annotations

import http.client
import itertools
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
from server_process import Client, Running, running

import kgrec
from kgrec.serve.store.store import Store

#: events of one request, and clients at one time
EVENTS, CLIENTS = 3, 3
#: users whose lists are compared while models are swapped
USERS = 20


# kills


class Feeder:
    """A client that adds events, and repeats a request that had no answer, as a client should."""

    def __init__(self, name: str, items: Sequence[str]) -> None:
        self.name, self.items = name, items
        self.acknowledged: set[str] = set()
        self._number = 0

    def feed(self, port: int) -> None:
        """Add events until the server is gone."""
        with suppress(OSError, http.client.HTTPException), closing(Client(port)) as client:
            while True:
                events = self._events()
                answer = client("POST", "/v1/feedback", {"events": events})
                assert answer["accepted"] + answer["duplicate"] == EVENTS, answer
                self.acknowledged.update(event["event_id"] for event in events)
                self._number += 1

    def _events(self) -> list[dict[str, Any]]:
        names = [f"{self.name}-{self._number}-{n}" for n in range(EVENTS)]
        item = self.items[self._number % len(self.items)]
        return [{"event_id": name, "user": f"u-{name}", "item": item, "type": "like"} for name in names]


def endure_kills(model: Path, store: str, kills: int, seed: int = 0) -> dict[str, int]:
    """Kill the server under load; nothing acknowledged is lost, and nothing counts twice."""
    rng = random.Random(seed)
    feeders = [Feeder(f"c{n}", _items(model)) for n in range(CLIENTS)]
    for _ in range(kills):
        with running(model, store, "--no-access-log") as server, ThreadPoolExecutor(CLIENTS) as pool:
            before = sum(len(one.acknowledged) for one in feeders)
            feeding = [pool.submit(one.feed, server.port) for one in feeders]
            _wait(lambda known=before: _acknowledged(feeders) > known, feeding)
            time.sleep(rng.uniform(0, 0.3))
            assert server.ended(signal.SIGKILL) == -signal.SIGKILL
            for one in feeding:
                one.result()
    return {"kills": kills, **_kept_once(model, store, set().union(*(one.acknowledged for one in feeders)))}


def _acknowledged(feeders: Sequence[Feeder]) -> int:
    return sum(len(one.acknowledged) for one in feeders)


def _kept_once(model: Path, store: str, acknowledged: set[str]) -> dict[str, int]:
    """The store has each event once, and so has the server after another start."""
    with Store.open(store) as opened:
        stored = Counter(event.event_id for event in opened.events_since())
    lost, twice = acknowledged - set(stored), [name for name, count in stored.items() if count > 1]
    assert not lost and not twice, (sorted(lost)[:5], twice[:5])
    with running(model, store, "--no-access-log") as server, closing(Client(server.port)) as client:
        for name in random.Random(1).sample(sorted(acknowledged), min(500, len(acknowledged))):
            [one] = client("GET", f"/v1/users/u-{name}/history")["items"]
            assert one["count"] == 1, name
    return {"acknowledged": len(acknowledged), "stored": len(stored), "lost": 0, "twice": 0}


# swaps


def endure_swaps(model: Path, place: Path, swaps: int) -> dict[str, int]:
    """Swap two models under load; no request fails, and each list is wholly of the model that it names.

    The second model lacks the items that the first one lists first.
    """
    recommenders = [kgrec.Recommender.load(model), kgrec.Recommender.load(model)]
    users = recommenders[0].model.users.tolist()[:USERS]
    best = recommenders[0].recommend(users, k=1)
    recommenders[1].remove_items(sorted(set(best["item_id"])))
    sources = [place / "first", place / "second"]
    for rec, source in zip(recommenders, sources, strict=True):
        rec.save(source)
    folder = Path(shutil.copytree(sources[0], place / "model"))
    expected = _lists(recommenders, users)
    stop, seen, answers = threading.Event(), set[int](), itertools.count()
    options = ("--no-access-log", "--deadline", "60", "--no-impressions")

    def ask() -> None:
        with closing(Client(server.port)) as client:
            while not stop.is_set():
                user = users[next(answers) % len(users)]
                found = client("POST", "/v1/recommend", {"user": user, "k": 10})
                listed = tuple((one["item"], one["label"]) for one in found["items"])
                which = names.setdefault(found["model"], expected[user].index(listed))
                assert expected[user][which] == listed, (user, found["model"])
                seen.add(which)

    with (
        running(folder, f"sqlite:///{place / 'store.sqlite'}", *options) as server,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        names: dict[str, int] = {}
        asking = [pool.submit(ask) for _ in range(CLIENTS)]
        try:
            for turn in range(swaps):
                names.clear()  # a folder that is written again has another name
                kgrec.Recommender.load(sources[(turn + 1) % 2]).save(folder, keep=0)
                status, answer = server.ask("POST", "/v1/admin/reload")
                assert (status, answer.get("swapped")) == (200, True), answer
        finally:
            stop.set()
        for one in asking:
            one.result()
    assert swaps < 2 or seen == {0, 1}
    return {"swaps": swaps, "lists": next(answers), "failed": 0, "mixed": 0}


def _lists(recommenders: Sequence[kgrec.Recommender], users: Sequence[str]) -> dict[str, list[Any]]:
    """Items and labels of the list of each user, by each recommender."""
    found: dict[str, list[Any]] = {user: [] for user in users}
    for rec in recommenders:
        frame = rec.recommend(list(users), k=10)
        for user in users:
            items = frame["item_id"][frame["user_id"] == user]
            found[user].append(tuple((item, rec.label(item)) for item in items))
    return found


# requests that nobody would send


def endure_requests(model: Path, place: Path, requests: int) -> dict[str, int]:
    """Requests that schemathesis makes of the description of the API; none fails, and the server ends as it should.

    503 is no failure if the server says that the request waited longer than its deadline: a busy machine is slow. It is counted.
    """
    folder = Path(shutil.copytree(model, place / "model"))
    store = f"sqlite:///{place / 'store.sqlite'}"
    # the first text would keep other requests waiting while the encoder is loaded
    warm = ["--warm-text"] if kgrec.Recommender.load(model).config.text.model != "none" else []
    with running(folder, store, "--no-access-log", "--deadline", "5", *warm) as server:
        address = f"http://127.0.0.1:{server.port}"
        with urllib.request.urlopen(f"{address}/openapi.json") as response:
            operations = response.read().count(b'"operationId"')
        seed = 0
        while (counts := _statuses(server)).total() < requests:
            # it stops early at operations with few different requests, so it is asked again with another seed
            examples = max(1, min(500, (requests - counts.total()) // operations + 1))
            _fuzz(address, examples, seed, place)
            assert server.process.poll() is None, "".join(server.log[-20:])
            seed += 1
        failed = {status: count for status, count in counts.items() if status >= "500" and status != "503"}
        assert not failed, (failed, [line for line in server.log if "Traceback" in line][:3])
        assert counts["503"] == _late(server)
        ended = server.ended(signal.SIGTERM)
    assert ended == 0
    by_class = Counter[str]()
    for status, count in counts.items():
        by_class[f"{status[0]}xx"] += count
    late = by_class.pop("5xx", 0)
    return {"requests": counts.total(), **dict(sorted(by_class.items())), "failed": 0, "late": late}


def _fuzz(address: str, examples: int, seed: int, place: Path) -> None:
    words = (
        f"run {address}/openapi.json --checks not_a_server_error --phases fuzzing --mode all --workers 4 "
        f"--max-examples {examples} --seed {seed} --request-timeout 60 --continue-on-failure --no-color "
        "--suppress-health-check all"
    )
    script = "from schemathesis.cli import schemathesis; schemathesis()"
    command = [sys.executable, "-c", script, *words.split()]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert "Test cases:" in done.stdout, (done.stdout + done.stderr)[-3000:]


def _metrics(server: Running) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as response:
        return str(response.read().decode())


def _late(server: Running) -> int:
    """Requests that the server dropped after their deadline, as it counts them."""
    found = re.search(r'^kgrec_shed_total\{reason="late"\} (\S+)$', _metrics(server), re.MULTILINE)
    return int(float(found[1])) if found else 0


def _statuses(server: Running) -> Counter[str]:
    """Requests by status, as the server counts them."""
    pattern = r'^kgrec_requests_total\{.*?status="(\d+)"\} (\S+)$'
    counts = Counter[str]()
    for status, count in re.findall(pattern, _metrics(server), re.MULTILINE):
        counts[status] += int(float(count))
    return counts


# load


def endure_load(model: Path, place: Path, seconds: float) -> dict[str, float]:
    """Mixed load; the memory of the server grows by 5 % at most after the first fifth of the time."""
    items, users = _items(model), kgrec.Recommender.load(model).model.users.tolist()
    stop, memory = threading.Event(), list[tuple[float, float]]()
    with (
        running(
            model, f"sqlite:///{place / 'store.sqlite'}", "--no-access-log", "--deadline", "60"
        ) as server,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):

        def ask(number: int) -> int:
            calls, asked = _mixed(random.Random(number), users, items), 0
            with closing(Client(server.port)) as client:
                while not stop.is_set():
                    client(*next(calls))
                    asked += 1
            return asked

        asking = [pool.submit(ask, number) for number in range(CLIENTS)]
        process, began = psutil.Process(server.process.pid), time.monotonic()
        try:
            while (passed := time.monotonic() - began) < seconds:
                assert not any(one.done() for one in asking)
                memory.append((passed, process.memory_info().rss / 1e6))
                time.sleep(min(1.0, seconds / 50))
        finally:
            stop.set()
        requests = sum(one.result() for one in asking)
    warm = [megabytes for passed, megabytes in memory if passed >= seconds / 5]
    growth = max(warm) / warm[0] - 1
    return {
        "seconds": seconds,
        "requests": requests,
        "MB": warm[0],
        "MB at most": max(warm),
        "growth": growth,
    }


def _mixed(
    rng: random.Random, users: Sequence[str], items: Sequence[str]
) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    """Requests without end: mostly lists and events, and some of everything else."""
    for number in itertools.count():
        user, item = rng.choice(users), rng.choice(items)
        event = {"event_id": f"{rng.random()}-{number}", "user": user, "item": item, "type": "like"}
        kinds = {
            50: ("POST", "/v1/recommend", {"user": user, "k": 20, "explain": int(number % 10 == 0)}),
            25: ("POST", "/v1/feedback", {"events": [event]}),
            8: ("POST", "/v1/similar/items", {"item": item}),
            5: ("POST", "/v1/explain", {"user": user, "item": item, "edges": 10}),
            4: ("POST", "/v1/search", {"text": item[:2], "mode": "name"}),
            3: ("POST", "/v1/recommend", {"history": [item], "diversity": 0.3}),
            2: ("POST", "/v1/sessions", {"user": user}),
            1: ("GET", "/v1/admin/model", None),
        }
        yield rng.choices(list(kinds.values()), list(kinds))[0]


def _items(model: Path) -> list[str]:
    return kgrec.Recommender.load(model).model.items.ids.tolist()


def _wait(condition: Callable[[], bool], running_: Sequence[Future[None]]) -> None:
    """Wait until a condition holds; what runs meanwhile must not end before."""
    while not condition():
        for one in running_:
            assert not one.done(), one.exception()
        time.sleep(0.001)
