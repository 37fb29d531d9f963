"""`kgrec nightly`, and `kgrec rollback` of releases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from filelock import FileLock

from kgrec.serve.store.store import Store
from kgrec.train import refresh as refresh_module
from kgrec.train.newest_slice import Comparison

from .conftest import QUICK, Run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    place = tmp_path / "feedback.sqlite"
    events = [{"event_id": f"e{item}", "user": "u7", "item": item, "type": "click"} for item in ("f4", "f6")]
    with Store.open(place) as opened:
        assert opened.add_events(events).accepted == 2
    return place


@pytest.fixture
def releases(run: Run, graph: Path, tmp_path: Path) -> Path:
    assert run("train", graph, "-o", tmp_path / "releases" / "first", *QUICK).code == 0
    return tmp_path / "releases"


def test_a_night_and_the_way_back(run: Run, releases: Path, store: Path):
    words = ["nightly", releases, "--from-store", store, "--max-new", "1"]
    told = run(*words, "--json").json
    assert (told["outcome"], told["parent"], told["removed"]) == ("refreshed", "first", [])
    assert (releases / told["release"] / "manifest.json").exists()
    assert run(*words).out == f"There is no new data; {told['release']} is served as before.\n"
    listed = run("rollback", releases, "--list").out.split()
    assert listed == ["present", told["release"], "earlier", "first"]
    back = run("rollback", releases, "--json").json
    assert (back["present"], back["withdrawn"]) == ("first", [told["release"]])
    code, problem, _ = run("rollback", releases).error
    assert (code, problem) == (2, f"{releases} has no release before the newest one.")


def test_a_full_training_is_told_and_due(run: Run, releases: Path, graph: Path, store: Path):
    words = ["nightly", releases, "--from-store", store, "--max-new", "0"]
    answer = run(*words)
    assert answer.code == 0
    assert answer.out.startswith("Refreshed first: ")
    assert (
        "A full training is due, because 12% of the interactions came since the last full training: give --graph."
        in answer.out
    )
    answer = run(*words, "--graph", graph, "--full")
    assert answer.code == 0 and answer.out.startswith("Retrained, because a full training was requested: ")


def test_a_rejected_release(run: Run, releases: Path, store: Path, monkeypatch: pytest.MonkeyPatch):
    worse = Comparison(20, 9, 0.5, 0.4, -0.2, -0.1, 0.01)
    monkeypatch.setattr(refresh_module, "compared", lambda *_, **__: worse)
    words = ["nightly", releases, "--from-store", store, "--max-new", "1"]
    answer = run(*words, "--json")
    told = json.loads(answer.out)
    assert (answer.code, told["outcome"], told["release"]) == (4, "rejected", "first")
    assert run(*words).out.splitlines()[:2] == [
        "Nothing was published, because the refreshed model ranks worse than its parent; first is served as before.",
        "On the newest interactions of 9 users: NDCG@20 0.4000, before 0.5000.",
    ]


def test_a_second_run_at_the_same_time(run: Run, releases: Path, store: Path):
    with FileLock(releases / ".nightly.lock"):
        answer = run("nightly", releases, "--from-store", store)
    assert (answer.code, answer.out) == (
        0,
        "Another nightly run is active, so this one did nothing: first is served.\n",
    )


def test_nothing_to_learn_from(run: Run, releases: Path, store: Path, tmp_path: Path):
    code, problem, remedy = run("nightly", releases).error
    assert (code, problem) == (2, "It is not clear what to learn from.")
    assert remedy == "Give --from-store, --interactions, --items, or --graph."
    code, problem, _ = run("nightly", tmp_path / "empty", "--from-store", store).error
    assert (code, problem) == (
        2,
        f"{tmp_path / 'empty'} has no release yet, and there is no graph for training the first release.",
    )
