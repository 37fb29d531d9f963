"""`kgrec init`: a draft that builds as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kgrec.graph.knowledge_graph import KnowledgeGraph

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
# Reasons of recommendations: write them in your own words and language.
say:
  liked: "Because you liked {items}"
  users: "users with the same taste like it"
  text: "its description is similar"
  shared:
    genres: "the same genre ({nodes})"
    director: "the same director ({nodes})"
"""


def test_a_draft_of_the_catalogue(run: Run, catalogue: Path, tmp_path: Path):
    output = catalogue / "draft.yaml"
    answer = run("init", catalogue / "films.csv", catalogue / "log.csv", "-o", output)
    assert (answer.code, output.read_text()) == (0, DRAFT)
    assert (
        "log.csv: film: item, since 100% of its values are keys of films.csv (id)" in answer.out.splitlines()
    )
    assert answer.out.endswith(f"\nWrote {output}. Check it, then run: kgrec build {output} -o graph/\n")
    graph, model = tmp_path / "graph", tmp_path / "model"
    built = run("build", output, "-o", graph, "--json").json["stats"]
    assert (built["items"], built["users"], built["interactions"]) == (6, 6, 15)
    assert run("train", graph, "-o", model, *QUICK).code == 0
    assert run("recommend", model, "-u", "u1").code == 0


def test_a_draft_as_json_and_quietly(run: Run, catalogue: Path):
    output = catalogue / "draft.yaml"
    said = run("init", catalogue / "films.csv", "-o", output, "--json").json
    assert said["mapping"] == str(output)
    assert said["reasons"][0].startswith("films.csv: id: key, since ")
    answer = run("init", catalogue / "films.csv", "-o", output, "--quiet", "--force")
    assert (answer.code, answer.out) == (0, "")


@pytest.mark.usefixtures("catalogue")
def test_a_draft_names_files_relative_to_its_folder(
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
    assert answer.out.endswith("then run: kgrec build maps/kgrec.yaml -o graph/ --allow-outside\n")
    assert run("build", "maps/kgrec.yaml", "-o", "other", "--allow-outside").code == 0


def test_a_copy_of_the_interactions_is_left_out(run: Run, catalogue: Path):
    (catalogue / "more.csv").write_text((catalogue / "log.csv").read_text())
    answer = run("init", *(catalogue / name for name in ("films.csv", "log.csv", "more.csv", "kgrec.yaml")))
    assert answer.code == 2
    names = [catalogue / name for name in ("films.csv", "log.csv", "more.csv")]
    answer = run("init", *names, "-o", catalogue / "draft.yaml")
    assert "more.csv: *: left out, since 100% of its rows are in log.csv" in answer.out


TURTLE = """@prefix e: <http://ex.org/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
e:f1 a e:Film ; rdfs:label "Alien Dawn"@en ; e:by e:ada . e:f2 a e:Film ; rdfs:label "Star Drift"@en ; e:by e:ada .
e:ada rdfs:label "Ada"@en .
"""


def test_rdf_and_files_without_a_header(run: Run, tmp_path: Path):
    (tmp_path / "films.ttl").write_text(TURTLE)
    (tmp_path / "u.data").write_text(
        "".join(f"u{i // 2}\thttp://ex.org/f{1 + i % 2}\t{i % 5 + 1}\n" for i in range(9))
    )
    output = tmp_path / "kgrec.yaml"
    answer = run("init", tmp_path / "films.ttl", tmp_path / "u.data", "-o", output)
    assert answer.code == 0, answer.err
    said = answer.out.splitlines()
    assert (
        "films.ttl: film: items, since its keys are in the interactions: 100% of the values of item there"
        in said
    )
    assert "films.ttl: e:by: ref, since it leads to nodes" in said
    assert (
        "u.data: item: item, since 100% of its values are keys of the type film, of which it has 100%" in said
    )
    built = run("build", output, "-o", tmp_path / "graph", "--json").json
    assert (built["stats"]["items"], built["stats"]["interactions"]) == (2, 9)
    assert built["report"]["files"]["u.data"]["dropped"] == {}


def test_what_cannot_be_drafted_is_an_error_in_two_lines(run: Run, tmp_path: Path):
    (tmp_path / "a.ttl").write_text("<http://ex.org/f#1> <http://ex.org/by> <http://ex.org/p#2> .")
    (tmp_path / "ratings.dat").write_text("1::2::5::978300760\n1::3::4::978300761\n")
    (tmp_path / "cut.csv.gz").write_bytes(b"\x1f\x8b\x08\x00cut")
    output = tmp_path / "kgrec.yaml"
    for name, problem in {
        "a.ttl": "a.ttl has no classes (rdf:type)",
        "ratings.dat": "ratings.dat:1: columns are separated by '::'",
        "cut.csv.gz": "cut.csv.gz cannot be read: ",
    }.items():
        code, said, _ = run("init", tmp_path / name, "-o", output).error
        assert code == 2 and problem in said
    assert not output.exists()


MAKERS, TOOLS = "id,name\n1,Ann\n2,Bob\n", "id,title\n7,One\n8,Two\n"
QUESTION = "Which table has the items to recommend?"


def test_what_is_doubtful_is_shown_first_and_marked(run: Run, tmp_path: Path):
    (tmp_path / "makers.csv").write_text(MAKERS)
    (tmp_path / "tools.csv").write_text(TOOLS)
    output = tmp_path / "kgrec.yaml"
    answer = run("init", tmp_path / "makers.csv", tmp_path / "tools.csv", "-o", output)
    assert answer.out.startswith(
        f"CHECK 1: {QUESTION} Taken: tools.csv, since it has the most information about its rows. "
    )
    assert f"Wrote {output}. Check the 2 lines marked CHECK, and the rest, then run: " in answer.out
    assert output.read_text().startswith(f"# CHECK 1: {QUESTION} Taken: tools.csv, ")
    said = run(
        "init", tmp_path / "makers.csv", tmp_path / "tools.csv", "-o", output, "--force", "--json"
    ).json
    assert said["doubts"][0] == {
        "text": QUESTION,
        "answers": ["tools.csv", "makers.csv"],
        "reason": "it has the most information about its rows",
    }


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(
    ("options", "typed", "item"),
    [([], "9\n2\n", "makers.csv"), ([], "\n", "tools.csv"), (["--yes"], "", "tools.csv")],
)
def test_what_is_doubtful_is_asked_on_a_terminal(tmp_path: Path, options: list[str], typed: str, item: str):
    (tmp_path / "makers.csv").write_text(MAKERS)
    (tmp_path / "tools.csv").write_text(TOOLS)
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "kgrec", "init", "makers.csv", "tools.csv", *options]
    with subprocess.Popen(command, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.write(ours, typed.encode())
        assert process.wait(timeout=120) == 0
    shown = os.read(ours, 1 << 16).decode().replace("\r\n", "\n")
    os.close(ours)
    os.close(theirs)
    nodes = yaml.safe_load((tmp_path / "kgrec.yaml").read_text())["nodes"]
    assert [table["file"] for table in nodes.values() if table.get("item")] == [item]
    assert ("Number [1]: " in shown) == (not options) and ("CHECK 2" in shown) == bool(options)
    assert ("Enter a number from 1 to 2." in shown) == typed.startswith("9")
