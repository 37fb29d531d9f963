"""`kgrec init`: a draft that builds as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from kgrec.graph import KnowledgeGraph

from .conftest import QUICK, Run

DRAFT = """\
version: 1
base: https://example.org/
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns:
      title: label
      plot: text
      genres: {as: node, type: genre, edge: genres, split: "|"}
      director: category
interactions:
  file: log.csv
  user: user
  item: film
  value: stars
  positive: ">= 4"
"""


def test_a_draft_of_the_catalogue(run: Run, catalogue: Path, tmp_path: Path):
    output = catalogue / "draft.yaml"
    answer = run("init", catalogue / "films.csv", catalogue / "log.csv", "-o", output)
    assert (answer.code, output.read_text()) == (0, DRAFT)
    assert "log.csv: film: item, since its values are keys of the items" in answer.out.splitlines()
    assert answer.out.endswith(f"\nWrote {output}. Read it through, then: kgrec build {output} -o graph/\n")
    graph, model = tmp_path / "graph", tmp_path / "model"
    built = run("build", output, "-o", graph, "--json").json["stats"]
    assert (built["items"], built["users"], built["interactions"]) == (6, 6, 15)
    assert run("train", graph, "-o", model, *QUICK).code == 0
    assert run("recommend", model, "-u", "u1").code == 0


def test_a_draft_for_machines_and_in_silence(run: Run, catalogue: Path):
    output = catalogue / "draft.yaml"
    said = run("init", catalogue / "films.csv", "-o", output, "--json").json
    assert said["mapping"] == str(output)
    assert said["reasons"][0].startswith("films.csv: id: key, since ")
    answer = run("init", catalogue / "films.csv", "-o", output, "--quiet", "--force")
    assert (answer.code, answer.out) == (0, "")


@pytest.mark.usefixtures("catalogue")
def test_a_draft_names_files_as_seen_from_where_it_stands(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert run("init", "catalogue/films.csv", "catalogue/log.csv").code == 0
    assert "file: catalogue/films.csv" in Path("kgrec.yaml").read_text()
    assert run("build", "kgrec.yaml", "-o", "graph").code == 0
    assert len(KnowledgeGraph.load("graph").item_ids) == 6
    (tmp_path / "maps").mkdir()
    answer = run("init", "catalogue/films.csv", "-o", "maps/kgrec.yaml")
    assert 'file: "../catalogue/films.csv"' in Path("maps/kgrec.yaml").read_text()
    assert answer.out.endswith("then: kgrec build maps/kgrec.yaml -o graph/ --allow-outside\n")
    assert run("build", "maps/kgrec.yaml", "-o", "other", "--allow-outside").code == 0


def test_a_second_log_is_said_to_be_left_out(run: Run, catalogue: Path):
    (catalogue / "more.csv").write_text((catalogue / "log.csv").read_text())
    answer = run("init", *(catalogue / name for name in ("films.csv", "log.csv", "more.csv", "kgrec.yaml")))
    assert answer.code == 2
    names = [catalogue / name for name in ("films.csv", "log.csv", "more.csv")]
    answer = run("init", *names, "-o", catalogue / "draft.yaml")
    assert "more.csv: *: left out, since a mapping has one log, and log.csv is taken" in answer.out
