"""`kgrec simulate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run

SMALL = (
    "--viewers",
    "4",
    "--rounds",
    "3",
    "--seeds",
    "2",
    "-k",
    "2",
    "--by",
    "genre",
    "--option",
    "choices.trust=9",
)


def test_a_simulation_prints_and_writes(run: Run, graph: Path, tmp_path: Path):
    folder = tmp_path / "simulation"
    answer = run("simulate", graph, *SMALL, "--policy", "model", "--policy", "random", "-o", folder)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0].split() == [
        "first",
        "third",
        "clicks",
        "satisfaction",
        "retention",
        "diversity",
        "gini",
        "coverage",
        "homogeneity",
    ]
    assert [line.split()[0] for line in lines[1:6]] == ["model", "random", "last", "model", "random"]
    assert lines[-1] == f"Wrote {folder}. Open {folder / 'simulation.html'} in a browser."
    assert (folder / "simulation.html").is_file()


def test_json_is_what_the_folder_holds(run: Run, graph: Path, tmp_path: Path):
    folder = tmp_path / "simulation"
    words = ["--policy", "random", "--option", "choices.boredom=0", "--provider", "person", "-o", folder]
    value = run("simulate", graph, *SMALL, *words, "--json").json
    assert value.pop("simulation") == str(folder)
    assert value == json.loads((folder / "simulation.json").read_text(encoding="utf-8"))
    assert value["config"]["choices"]["boredom"] == 0
    assert value["world"] == {"items": 6, "by": ["genre"], "nodes": 4, "provider": "person", "providers": 4}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--policy", "best"], "There is no policy 'best'."),
        (["--option", "choices.boredom=x"], "choices.boredom is 'x'"),
        (["--set", "dim=0"], "dim"),
        (["-o", "."], "exists and is not a simulation folder"),
    ],
)
def test_what_cannot_be_done_is_refused(
    run: Run, graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], problem: str
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").touch()
    _, said, _ = run("simulate", graph, *SMALL, *words).error
    assert problem in said
    assert not (tmp_path / "simulation").exists()
