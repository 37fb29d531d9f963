"""`kgrec plan`."""

from __future__ import annotations

from pathlib import Path

import kgrec

from .conftest import Run


def test_a_plan_of_a_graph(run: Run, catalogue: Path, tmp_path: Path):
    kgrec.build_graph(catalogue / "kgrec.yaml").save(tmp_path / "graph")
    lines = run("plan", tmp_path / "graph", "--workers", 4).out.splitlines()
    assert lines[0] == "6 items, 6 users, 15 interactions, 15 triples."
    assert lines[1].split() == ["CPU", "time", "4", "workers", "memory", "each"]
    assert [line[:23].rstrip() for line in lines[2:8]] == [
        "build",
        "train: text encoding",
        "train: all other steps",
        "recommend --all-users",
        "similar --all-items",
        "embed --items --users",
    ]


def test_a_plan_of_sizes(run: Run):
    value = run("plan", "--items", 10**9, "--interactions", 10**10, "--workers", 1000, "--json").json
    assert value["sizes"]["users"] == 5 * 10**8
    (recommend,) = (stage for stage in value["stages"] if stage["stage"] == "recommend")
    assert recommend["workers"] == 1000 and not recommend["measured"]
    assert run("plan", "--items", 10**9, "--interactions", 10**10).out.count(" *") == 6


def test_a_plan_of_nothing(run: Run):
    assert run("plan", "--items", 5).error[1] == "It is not clear what to plan."
