"""CPU time of the server per request, against the library's; events against bare inserts. Prints ratios of one run.

    kgrec train graph/ -o model/
    python tests/benchmarks/serve.py model/

The server runs as a process of its own; its CPU time is what psutil reports, so a busy machine changes little.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_process import Client, running

from kgrec.recommend.recommender import Recommender
from kgrec.serve.store.store import Store

N, WAITING, EVENTS, TURNS = 400, 32, 20_000, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--n", type=int, default=N, help="requests of each kind")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    recommender = Recommender.load(options.model)
    users = recommender.model.users.labels.to_pylist()[: options.n]
    library = per_call(
        lambda at: recommender.recommend([users[at % len(users)]], k=10, arrow=True).to_pylist(), options.n
    )
    with (
        tempfile.TemporaryDirectory() as place,
        running(options.model, f"sqlite:///{Path(place) / 'store.sqlite'}", "--no-access-log") as server,
    ):
        process, port = psutil.Process(server.process.pid), server.port
        ask = Client(port)
        for _ in range(50):
            ask("POST", "/v1/recommend", {"user": users[0]})
        nothing = cpu(process, lambda: [ask("GET", "/healthz") for _ in range(options.n)]) / options.n
        one = (
            cpu(
                process,
                lambda: [
                    ask("POST", "/v1/recommend", {"user": users[at % len(users)]}) for at in range(options.n)
                ],
            )
            / options.n
        )
        each = cpu(process, lambda: asyncio.run(together(port, users, options.n * 4))) / (options.n * 4)
        events = cpu_and_wall(process, lambda: feed(ask, users, recommender.model.items.ids.tolist()))
        clicks = (
            cpu(process, lambda: click(ask, users, recommender.model.items.ids.tolist(), options.n))
            / options.n
        )
    bare = bare_inserts(recommender, users)
    rows = [
        ("no-op", nothing, "ms", "bar .7", ""),
        ("recommend, the library alone", library, "ms", "", ""),
        ("recommend, one at a time", one, "ms", "bar 1.5 times the library", f"{one / library:.2f} times"),
        (f"recommend, {WAITING} waiting", each, "ms", "bar .7", f"{each / library:.2f} times"),
        ("a click and the list after it", clicks, "ms", "", ""),
        ("events of the server", EVENTS / events[1], "per s", "", ""),
        (
            "bare inserts into the same store",
            EVENTS / bare,
            "per s",
            "bar .5",
            f"{bare / events[1]:.2f} of them",
        ),
    ]
    one_worker, two_workers = workers(options.model, users, options.n * 4)
    rows += [
        ("lists of one worker", one_worker, "per s", "", ""),
        ("lists of two workers", two_workers, "per s", "", f"{two_workers / one_worker:.2f} times"),
    ]
    for name, value, unit, bar, ratio in rows:
        print(f"{name:36} {value:10,.2f} {unit:6} {ratio:16} {bar}")


def workers(model: Path, users: Sequence[str], n: int) -> list[float]:
    """Lists per second of a server with one worker, and of one with two, while 32 requests wait; medians of turns."""
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        ports = []
        for count in ("1", "2"):
            store = f"sqlite:///{Path(place) / count}.sqlite"
            server = stack.enter_context(running(model, store, "--no-access-log", "--workers", count))
            ports.append(server.port)
        until = time.monotonic() + 120
        while count_of_workers(ports[1]) < 2:
            assert time.monotonic() < until, "the second worker does not start"
            time.sleep(0.1)
        for port in ports:
            asyncio.run(together(port, users, 10 * WAITING))
        rates: list[list[float]] = [[], []]
        for _ in range(TURNS):
            for port, found in zip(ports, rates, strict=True):
                began = time.perf_counter()
                asyncio.run(together(port, users, n))
                found.append(n / (time.perf_counter() - began))
        return [statistics.median(found) for found in rates]


def count_of_workers(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
        return len(set(re.findall(r'worker="(\d+)"', response.read().decode())))


def per_call(call: Callable[[int], Any], n: int) -> float:
    """CPU milliseconds of a call in this process."""
    for at in range(20):
        call(at)
    began = time.process_time()
    for at in range(n):
        call(at)
    return (time.process_time() - began) / n * 1000


def cpu(process: psutil.Process, work: Callable[[], Any]) -> float:
    """CPU milliseconds of a process while something is done."""
    return cpu_and_wall(process, work)[0]


def cpu_and_wall(process: psutil.Process, work: Callable[[], Any]) -> tuple[float, float]:
    """CPU milliseconds of a process while something is done, and its seconds."""
    before, began = process.cpu_times(), time.perf_counter()
    work()
    after, wall = process.cpu_times(), time.perf_counter() - began
    return (after.user + after.system - before.user - before.system) * 1000, wall


async def together(port: int, users: Sequence[str], n: int) -> None:
    """Requests on connections that wait at one time."""

    async def some(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for at in range(n // WAITING):
            body = json.dumps({"user": users[(number + at * WAITING) % len(users)]}).encode()
            head = f"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            answered = await reader.readuntil(b"\r\n\r\n")
            assert answered.startswith(b"HTTP/1.1 200"), answered
            length = re.search(rb"content-length: (\d+)", answered)
            assert length is not None
            await reader.readexactly(int(length[1]))
        writer.close()

    await asyncio.gather(*(some(number) for number in range(WAITING)))


def events(users: Sequence[str], items: Sequence[str], n: int, name: str) -> list[dict[str, Any]]:
    return [
        {
            "event_id": f"{name}{at}",
            "user": users[at % len(users)],
            "item": items[at * 7 % len(items)],
            "type": "like",
        }
        for at in range(n)
    ]


def feed(ask: Client, users: Sequence[str], items: Sequence[str]) -> None:
    """Events, a thousand per request."""
    for start in range(0, EVENTS, 1000):
        ask("POST", "/v1/feedback", {"events": events(users, items, 1000, f"s{start}-")})


def click(ask: Client, users: Sequence[str], items: Sequence[str], n: int) -> None:
    """An event, and a list that counts it."""
    for at in range(n):
        revision = ask(
            "POST",
            "/v1/feedback",
            {"events": events(users[at % len(users) :], items[at * 7 % len(items) :], 1, f"c{at}-")},
        )["revision"]
        ask("POST", "/v1/recommend", {"user": users[at % len(users)], "min_revision": revision})


def bare_inserts(recommender: Recommender, users: Sequence[str]) -> float:
    """Seconds that the store alone takes for the events."""
    items = recommender.model.items.ids.tolist()
    with tempfile.TemporaryDirectory() as place, Store.open(Path(place) / "bare.sqlite") as store:
        began = time.perf_counter()
        for start in range(0, EVENTS, 1000):
            store.add_events(events(users, items, 1000, f"s{start}-"))
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
