"""Events per second of a feedback store, against bare inserts into the same database.

    python tests/benchmarks/store.py
    python tests/benchmarks/store.py --postgres postgresql://postgres@127.0.0.1:5432/test

Enters: nothing; events are made from a seed. Leaves: for calls of 1, 100 and 10,000 events, the events per second of `Store.add_events`
and of bare inserts, and their ratio. A bare insert is one `executemany` of the driver for the rows of a call, within a transaction of its own, into a table with
the same columns and indexes: no checks, no clock, no answer. Both run in turns, in this process; medians are printed. In PostgreSQL the tables are made in a schema
of their own, which is dropped afterwards.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kgrec.serve.store.store import Store

#: events per call -> calls per turn
CALLS = {1: 100, 100: 20, 10_000: 1}
TURNS = 9
_TABLE = """
CREATE TABLE bare (seq {big} PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL, item_id TEXT NOT NULL,
                   type TEXT NOT NULL, value FLOAT, time BIGINT NOT NULL, rid TEXT, position INTEGER, received BIGINT NOT NULL)
"""
_INSERT = "INSERT INTO bare VALUES ({})"


def events(rng: np.random.Generator, n: int) -> list[dict[str, Any]]:
    """Clicks of 10,000 users on 5,000 items."""
    now = int(time.time() * 1000)
    users, items = rng.integers(10_000, size=n), rng.integers(5_000, size=n)
    return [
        {
            "event_id": uuid.UUID(bytes=rng.bytes(16)).hex,
            "user": f"user-{user}",
            "item": f"item-{item}",
            "type": "click",
            "time": now,
            "rid": None,
            "position": 3,
        }
        for user, item in zip(users.tolist(), items.tolist(), strict=True)
    ]


class Bare:
    """A connection of the driver and its table."""

    def __init__(self, connection: Any, *, big: str, mark: str) -> None:
        self.connection = connection
        self.seq = 0
        self.insert = _INSERT.format(", ".join([mark] * 10))
        connection.execute(_TABLE.format(big=big))
        connection.execute("CREATE INDEX bare_of_user ON bare (user_id, seq)")
        connection.commit()

    def add(self, made: list[dict[str, Any]]) -> None:
        rows = [
            (
                self.seq + at,
                e["event_id"],
                e["user"],
                e["item"],
                e["type"],
                None,
                e["time"],
                e["rid"],
                e["position"],
                e["time"],
            )
            for at, e in enumerate(made)
        ]
        self.seq += len(rows)
        self.connection.cursor().executemany(self.insert, rows)
        self.connection.commit()


def per_second(add: Callable[[list[dict[str, Any]]], Any], calls: list[list[dict[str, Any]]]) -> float:
    """Events per second."""
    started = time.perf_counter()
    for call in calls:
        add(call)
    return sum(map(len, calls)) / (time.perf_counter() - started)


def measure(name: str, store: Store, bare: Bare) -> None:
    """Print a line for each size of a call."""
    rng = np.random.default_rng(0)
    for size, calls in CALLS.items():
        rates: dict[str, list[float]] = {"store": [], "bare": []}
        for _ in range(TURNS):
            for who, add in (("store", store.add_events), ("bare", bare.add)):
                rates[who].append(per_second(add, [events(rng, size) for _ in range(calls)]))
        ours, theirs = statistics.median(rates["store"]), statistics.median(rates["bare"])
        ratio = statistics.median(a / b for a, b in zip(rates["store"], rates["bare"], strict=True))
        print(
            f"{name:10} {size:6,} events per call: {ours:9,.0f} events/s, bare {theirs:9,.0f}, ratio {ratio:.2f}"
        )


def main() -> None:
    """Measure SQLite, and PostgreSQL if a URL is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--postgres", default=os.environ.get("KGREC_TEST_POSTGRES"), help="URL of a database")
    url = parser.parse_args().postgres
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "feedback.sqlite"
        with Store.open(path) as store:
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA synchronous=NORMAL")
            measure("SQLite", store, Bare(connection, big="INTEGER", mark="?"))
            connection.close()
    if url:
        postgres(url)


def postgres(url: str) -> None:
    """Measure in a schema of its own."""
    import psycopg

    schema = f"kgrec_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        try:
            with (
                Store.open(f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{schema}") as store,
                psycopg.connect(url, options=f"-csearch_path={schema}") as own,
            ):
                measure("PostgreSQL", store, Bare(own, big="BIGINT", mark="%s"))
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")


if __name__ == "__main__":
    sys.exit(main())
