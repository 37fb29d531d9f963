"""`kgrec replay`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import kgrec
from kgrec.serve.store.records import Impression
from kgrec.serve.store.store import Store

from .conftest import Run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "feedback.sqlite"
    with Store.open(path) as opened:
        lists = [
            Impression("r1", "u1", ("x", "y"), 1_700_000_000_000, "home", "a"),
            Impression("r2", "u2", ("y", "x"), 1_700_000_000_000, "home", "a"),
            Impression("r3", "u3", ("x",), 1_700_000_000_000, "home", "b"),
            Impression("r4", "u3", ("x",), 1_700_000_000_000),
        ]
        assert opened.add_impressions(lists) == 4
        made = [
            ("r1", "x", "click"),
            ("r2", "x", "click"),
            ("r1", "y", "buy"),
            ("r9", "x", "click"),
            ("r1", "z", "click"),
        ]
        events = [
            {"event_id": f"{rid}{item}", "user": "u1", "item": item, "type": type_, "rid": rid}
            for rid, item, type_ in made
        ]
        assert opened.add_events(events).accepted == 5
    return path


def test_replay_prints_a_line_per_variant(run: Run, store: Path):
    answer = run("replay", store)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert [line.split()[:4] for line in lines[1:4]] == [
        ["-", "1", "1", "0.0000"],
        ["a", "2", "2", "1.0000"],
        ["b", "1", "1", "0.0000"],
    ]
    assert lines[4].startswith("A user looks at position k with probability k^-")
    assert lines[5:] == [
        "Left out: 1 click on lists that are not in the store.",
        "Left out: 1 click on items that were not in their list.",
    ]


def test_replay_of_one_scenario_as_json(run: Run, store: Path):
    answer = run("replay", store, "--scenario", "home", "--click", "buy", "--json")
    found = json.loads(answer.out)
    assert [(one["variant"], one["lists"], one["clicks"]) for one in found["variants"]] == [
        ("a", 2, 1),
        ("b", 1, 0),
    ]
    assert found["variants"][1]["click_rate"] == {"value": 0.0, "low": None, "high": None}


def test_replay_of_nothing(run: Run, store: Path, tmp_path: Path):
    assert run("replay", store, "--scenario", "none").out == "The store has no lists of scenario 'none'.\n"
    answer = run("replay", tmp_path / "none.sqlite")
    assert answer.code == 2
    assert "There is no store" in answer.err


def test_estimates_for_another_model(run: Run, model: Path, tmp_path: Path):
    path = tmp_path / "drawn.sqlite"
    first, second = kgrec.Recommender.load(model).recommend(["u1"], 2)["item_id"]
    with Store.open(path) as opened:
        opened.add_impressions(
            [
                Impression(
                    f"r{n}", "u1" if n else "u2", (first, second), 1_700_000_000_000, propensities=(0.5, 0.25)
                )
                for n in range(2)
            ]
        )
        opened.add_events([{"event_id": "e", "user": "u1", "item": first, "type": "click", "rid": "r1"}])
    value = run("replay", path, "--model", model, "--json").json["off_policy"]
    assert (value["lists"], value["users"], value["shown"]["value"]) == (2, 2, 0.5)
    assert value["matches"] >= 2
    assert value["ips"]["value"] == pytest.approx(1)
    answer = run("replay", path, "--model", model)
    assert "Clicks per list, from 2 drawn lists of 2 users:" in answer.out
    assert f"{model}, IPS" in answer.out


def test_without_drawn_lists_there_are_no_estimates(run: Run, store: Path, model: Path):
    answer = run("replay", store, "--model", model)
    assert answer.out.splitlines()[-1].startswith("No list was drawn, so nothing tells")
    assert run("replay", store, "--model", model, "--json").json["off_policy"]["ips"]["value"] is None
