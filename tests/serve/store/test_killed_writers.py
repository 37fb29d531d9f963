"""Processes that are killed while they write: what was acknowledged is there, once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

from kgrec.serve.store.store import Store

#: KGREC_TEST_KILLS=200 for a long run
KILLS = int(os.environ.get("KGREC_TEST_KILLS", "20"))
WRITERS, SIZE = 2, 5


def started(url: str, name: str) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("writer.py")
    return subprocess.Popen([sys.executable, str(script), url, name], stdout=subprocess.PIPE, text=True)


def acknowledged(process: subprocess.Popen[str], lines: int) -> list[int]:
    """Read some lines, kill the process, and read what it still wrote."""
    assert process.stdout is not None
    read = [process.stdout.readline() for _ in range(lines)]
    process.kill()
    rest, _ = process.communicate()
    # the last line may be cut
    return [
        int(line)
        for line in ["".join(read), *rest.splitlines(keepends=True)]
        for line in line.split("\n")[:-1]
    ]


def test_no_acknowledged_event_is_lost_or_counted_twice(store: Store, url: str):
    rng = random.Random(0)
    done: dict[str, set[int]] = {f"w{n}": set() for n in range(WRITERS)}
    for _ in range(KILLS // WRITERS):
        processes = {name: started(url, name) for name in done}
        for name, process in processes.items():
            done[name].update(acknowledged(process, rng.randint(1, 8)))
    stored = Counter(event.event_id for event in store.events_since())
    assert set(stored.values()) == {1}
    expected = {f"{name}-{call}-{n}" for name, calls in done.items() for call in calls for n in range(SIZE)}
    assert expected <= set(stored)
    # a call is there whole or not at all
    calls = Counter(name.rsplit("-", 1)[0] for name in stored)
    assert set(calls.values()) == {SIZE}
    # and no more than the call under way at each kill was not acknowledged
    assert len(calls) - sum(map(len, done.values())) <= KILLS
