"""A benchmark that takes CPU seconds by stage names functions of the library: run small, it shows that they are there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCALE = Path(__file__).parent / "benchmarks" / "scale.py"


def test_scale_counts_every_stage_of_a_training():
    command = [sys.executable, SCALE, "2e3", "--set", "epochs=1", "--set", "search_seconds=0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "200 items" in done.stdout
    calls = dict(re.findall(r"^  (\w[\w:, ]*?) +[\d.]+ s +[\d.]+% +(\d+) ", done.stdout, re.MULTILINE))
    assert calls.pop("rest") == "0"
    assert {name for name, count in calls.items() if count == "0"} == set()
    assert {
        "features: label tokens",
        "epochs: optimizer",
        "choice of weights",
        "slim",
        "index",
        "save",
    } <= set(calls)
