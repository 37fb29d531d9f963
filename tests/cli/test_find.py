"""`kgrec find`, and items that are given by their label."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.recommend.recommender import Recommender

from .conftest import Run


@pytest.fixture(params=["graph", "model"])
def folder(request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(request.param))


def test_items_and_other_nodes_are_found(run: Run, folder: Path):
    assert run("find", "alien", folder).out == "film  f1  Alien Dawn  (item)\n"
    assert run("find", "ROMANCE", folder).out == "genre  Romance  Romance\n"
    assert run("find", "ro", folder).out.splitlines() == [
        "film   f5       Rome Summer  (item)",
        "genre  Romance  Romance",
        "genre  Horror   Horror",
    ]
    assert run("find", "ro", folder, "--items").out == "film  f5  Rome Summer  (item)\n"
    assert run("find", "ro", folder, "--type", "genre", "-k", 1).out == "genre  Romance  Romance\n"
    assert run("find", "alein dwan", folder).out == "film  f1  Alien Dawn  (item, similar, 0.80)\n"
    assert run("find", "qqqq", folder).out == "No name is similar to 'qqqq'.\n"
    assert run("find", "f2", folder, "--json").json == {
        "found": [
            {
                "type": "film",
                "id": "f2",
                "key": "f2",
                "label": "Star Drift",
                "item": True,
                "match": "id",
                "score": 1.0,
                "removed": False,
            }
        ]
    }


def test_removed_and_added_items_are_found(run: Run, model: Path, shared_catalogue: Path, tmp_path: Path):
    own = shutil.copytree(model, tmp_path / "model")
    run("remove", own, "--item", "alien DAWN")
    run("add", own, shared_catalogue / "new")
    assert run("find", "alien", own).out == "film  f1  Alien Dawn  (item, removed)\n"
    assert run("find", "moon", own).out == "film  n1  Moon Base  (item)\n"
    rec = Recommender.load(own)
    assert rec.find_items("alien").to_dict("records") == [
        {"item_id": "f1", "label": "Alien Dawn", "match": "prefix", "score": 1.0, "removed": True}
    ]
    assert rec.find_items("moon base")["match"].tolist() == ["label"]


def test_nodes_of_a_graph_are_found(graph: Path):
    found = KnowledgeGraph.load(graph).find_nodes("science", type="genre")
    assert found.to_dict("records") == [
        {
            "type": "genre",
            "id": "Science fiction",
            "key": "Science fiction",
            "label": "Science fiction",
            "item": False,
            "match": "prefix",
            "score": 1.0,
        }
    ]


def test_items_are_given_by_their_label(run: Run, model: Path):
    by_id = run("similar", model, "--item", "f1", "-k", 1)
    by_label = run("similar", model, "--item", "ALIEN dawn", "-k", 1)
    assert by_label.out == f"'ALIEN dawn' is item f1 (Alien Dawn).\n{by_id.out}"
    assert (
        run("similar", model, "-i", "Alien Dawn", "--json").json
        == run("similar", model, "-i", "f1", "--json").json
    )
    liked = ["recommend", model, "--json", "-k", 2, "--like"]
    assert (
        run(*liked, "Star Drift", "--dislike", "Rome Summer").json
        == run(*liked, "f2", "--dislike", "f5").json
    )
    explained = run("explain", model, "--like", "Star Drift", "--item", "Red Planet", "--json").json
    assert explained == run("explain", model, "--like", "f2", "--item", "f3", "--json").json


def test_labels_and_ids_are_suggested(run: Run, model: Path):
    assert run("similar", model, "-i", "Alein Dawn").error == (
        2,
        "There is no item 'Alein Dawn' in the model.",
        "Did you mean 'f1' (Alien Dawn)?",
    )
    assert run("explain", model, "-u", "u1", "-i", "Rome").error[2] == "Did you mean 'f5' (Rome Summer)?"
    assert run("recommend", model, "--like", "0xyz").error[2] == (
        "There are 6, such as 'f1' (Alien Dawn), 'f2' (Star Drift) and 'f3' (Red Planet). Search with kgrec find."
    )
    skipped = run("similar", model, "-i", "0xyz", "-i", "Star Drift", "--skip-unknown", "--json").json
    assert skipped["skipped"] == {"items": ["0xyz"]} and skipped["results"][0]["item_id"] == "f2"


def test_a_label_of_several_items_is_refused(run: Run, model: Path, shared_catalogue: Path, tmp_path: Path):
    own = shutil.copytree(model, tmp_path / "model")
    films = (shared_catalogue / "new" / "films.csv").read_text().replace("Moon Base", "Alien dawn")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "films.csv").write_text(films)
    run("add", own, tmp_path / "new")
    assert run("similar", own, "-i", "alien dawn").error == (
        2,
        "'alien dawn' is the label of 2 items: 'f1' (Alien Dawn) and 'n1' (Alien dawn).",
        "Give the id.",
    )
    # the spelling decides
    assert run("similar", own, "-i", "Alien dawn", "-k", 1).out.startswith(
        "'Alien dawn' is item n1 (Alien dawn).\n"
    )


def test_nodes_are_inspected_by_their_label(run: Run, graph: Path):
    by_id = run("inspect", graph, "--node", "film/f1").out
    for name in ("Alien Dawn", "alien dawn", "film/Alien Dawn", "f1"):
        assert run("inspect", graph, "--node", name).out == by_id, name


def test_a_model_is_shown(run: Run, model: Path, shared_catalogue: Path, tmp_path: Path):
    own = shutil.copytree(model, tmp_path / "model")
    run("add", own, shared_catalogue / "new")
    run("remove", own, "--item", "f2")
    shown = run("inspect", own).out.splitlines()
    assert shown[:7] == [
        "items: 8, 6 known to training",
        "without interactions at training: 0",
        "added since: 2: n1 (Moon Base), n2 (Spring Love)",
        "removed: 1: f2 (Star Drift)",
        "users: 6",
        "interactions: 15, 14 of them positive",
        "dimension: 256",
    ]
    assert "settings: text.model none, train.epochs 2, train.threads 1" in shown
    assert any(line.startswith("weights of the scores: embedding ") for line in shown)
    assert any(line.startswith("validation: k ") and "ndcg" in line for line in shown)
    values = run("inspect", own, "--json").json
    assert values["items"]["removed"] == {"count": 1, "first": [{"item_id": "f2", "label": "Star Drift"}]}
    assert values["size"] == sum(
        file.stat().st_size for file in own.rglob("*") if file.is_file() and file != own / "manifest.json"
    )
    assert run("inspect", own, "--node", "film/n1").out.startswith("film/n1  Moon Base\n")
