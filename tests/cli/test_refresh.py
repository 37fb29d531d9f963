"""`kgrec refresh`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kgrec.recommend.recommender import Recommender
from kgrec.serve.store.store import Store
from kgrec.train import refresh as refresh_module
from kgrec.train.newest_slice import Comparison

from .conftest import QUICK, Run

NEW = "user,film,stars\nu7,f4,5\nu7,f6,5\nu1,f5,4\nu2,x1,5\n"


@pytest.fixture(scope="module")
def shared_model(run: Run, shared_catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("refresh")
    assert run("build", shared_catalogue / "kgrec.yaml", "-o", place / "graph").code == 0
    assert run("train", place / "graph", "-o", place / "model", *QUICK).code == 0
    return place / "model"


@pytest.fixture
def new(tmp_path: Path) -> Path:
    (tmp_path / "new.csv").write_text(NEW)
    return tmp_path / "new.csv"


def test_refresh_writes_another_model_and_says_how_it_compares(
    run: Run, shared_model: Path, new: Path, tmp_path: Path
):
    written = tmp_path / "model-next"
    answer = run("refresh", shared_model, "--interactions", new, "-o", written)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert (
        "Learned from 3 new interactions of 2 users; 0 new items, 0 items with interactions for the first time."
        in lines
    )
    assert any(line.startswith("On the newest interactions of 1 user: NDCG@20 ") for line in lines)
    assert lines[-1] == f"Wrote {written}."
    assert any("x1" in line for line in lines), "the unknown item is reported"
    entry = json.loads((written / "manifest.json").read_text())["config"]["lineage"][0]
    assert entry["parent"] == json.loads((shared_model / "manifest.json").read_text())["seal"]
    assert entry["interactions"] == 3 and entry["ndcg"]["users"] == 1
    assert "u7" in Recommender.load(written).model.users.tolist()
    assert "refreshes since the full training: 1" in run("inspect", written).out
    assert "u7" not in Recommender.load(shared_model).model.users.tolist()


def test_items_and_json(run: Run, shared_model: Path, shared_catalogue: Path, new: Path, tmp_path: Path):
    words = ["--interactions", new, "--items", shared_catalogue / "new", "--replay", "1"]
    told = run("refresh", shared_model, *words, "-o", tmp_path / "next", "--json").json
    assert told["model"] == str(tmp_path / "next") and told["accepted"] is True
    assert (told["new_items"], told["replay"]) == (2, 1.0)
    assert told["reports"]["interactions"]["files"][str(new)]["used"] == 3


def test_a_folder_is_replaced_and_can_be_rolled_back(run: Run, shared_model: Path, new: Path, tmp_path: Path):
    run("refresh", shared_model, "--interactions", new, "-o", tmp_path / "model", "--force")
    (tmp_path / "more.csv").write_text("user,film,stars\nu8,f1,5\nu8,f2,4\n")
    assert run("refresh", tmp_path / "model", "--interactions", tmp_path / "more.csv", "--force").code == 0
    assert "u8" in Recommender.load(tmp_path / "model").model.users.tolist()
    assert run("rollback", tmp_path / "model").code == 0
    assert "u8" not in Recommender.load(tmp_path / "model").model.users.tolist()


def test_a_model_that_ranks_worse_is_not_written(
    run: Run, shared_model: Path, new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    worse = Comparison(20, 9, 0.5, 0.4, -0.2, -0.1, 0.01)
    monkeypatch.setattr(refresh_module, "compared", lambda *_, **__: worse)
    words = ["refresh", shared_model, "--interactions", new, "-o", tmp_path / "next"]
    answer = run(*words)
    assert answer.code == 4 and not (tmp_path / "next").exists()
    assert answer.out.splitlines()[-1].startswith(
        "The refreshed model ranks significantly worse than its parent, so the parent is kept."
    )
    told = run(*words, "--json")
    assert told.code == 4 and json.loads(told.out)["accepted"] is False
    assert json.loads(told.out)["model"] == str(shared_model)
    forced = run(*words, "--force")
    assert forced.code == 0 and (tmp_path / "next").exists()
    assert "It ranks significantly worse than its parent, and was written because of --force." in forced.out


def test_the_store_of_a_server_is_learned(run: Run, shared_model: Path, tmp_path: Path):
    events = [{"event_id": f"e{item}", "user": "u7", "item": item, "type": "click"} for item in ("f4", "f6")]
    with Store.open(tmp_path / "feedback.sqlite") as store:
        assert store.add_events(events).accepted == 2
    words = ["refresh", shared_model, "--from-store", tmp_path / "feedback.sqlite", "-o", tmp_path / "next"]
    assert run(*words, "--json").json["interactions"] == 2
    assert Recommender.load(tmp_path / "next").model.inputs["feedback"] == "2"


def test_nothing_to_learn_from(run: Run, shared_model: Path, tmp_path: Path):
    code, problem, remedy = run("refresh", shared_model).error
    assert (code, problem) == (2, "It is not clear what to learn from.")
    assert remedy == "Give --interactions, --items, or --from-store."
    (tmp_path / "old.csv").write_text("user,film,stars\nu1,f1,5\n")
    code, problem, _ = run("refresh", shared_model, "--interactions", tmp_path / "old.csv").error
    assert (code, problem) == (
        2,
        "No interaction and no item is new to the model, so there is nothing to learn.",
    )
