"""`kgrec drift`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run


@pytest.fixture
def recent(tmp_path: Path) -> Path:
    path = tmp_path / "recent.csv"
    path.write_text("user_id,item_id\nu1,f4\nu9,f99\n", encoding="utf-8")
    return path


def test_a_few_interactions_say_why_they_cannot_be_measured(
    run: Run, model: Path, recent: Path, tmp_path: Path
):
    answer = run("drift", model, "--interactions", recent, "-o", tmp_path / "drift")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0].split() == ["check", "value", "watch", "retrain", "p", "verdict"]
    assert lines[1].split() == ["popularity", "not", "measured"]
    assert (
        "popularity was not measured: Interactions by the number of other users of the item. It needs"
        in answer.out
    )
    assert lines[-2] == "Verdict: stable."
    assert (tmp_path / "drift" / "drift.html").is_file()


def test_json_is_what_the_folder_holds(run: Run, model: Path, recent: Path, tmp_path: Path):
    folder = tmp_path / "drift"
    value = run("drift", model, "--interactions", recent, "-o", folder, "--by", "genre", "--json").json
    assert value.pop("drift") == str(folder)
    assert value == json.loads((folder / "drift.json").read_text(encoding="utf-8"))
    assert value["verdict"] == "stable"
    assert value["counts"]["unknown items"] == value["counts"]["unknown users"] == 1
    assert "categories: genre" in {check["name"] for check in value["checks"]}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--interactions", "absent.csv"], "absent.csv is not there."),
        (["--interactions", "recent.csv", "--by", "nope"], "There is no node of type 'nope' in the graph."),
        (["--interactions", "recent.csv", "-o", "."], "exists and is not a drift folder"),
    ],
)
def test_what_cannot_be_done_is_refused(
    run: Run, model: Path, recent: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], problem: str
):
    monkeypatch.chdir(recent.parent)
    _, said, _ = run("drift", model, *words).error
    assert problem in said
    assert not (recent.parent / "drift").exists()
