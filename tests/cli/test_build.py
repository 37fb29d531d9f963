"""`kgrec build` and `inspect`."""

from __future__ import annotations

import json
from pathlib import Path

from kgrec.graph.knowledge_graph import KnowledgeGraph

from .conftest import Run

STATS = """\
nodes: film 6, genre 4, person 4
edges: directed_by 6, genres 9
items: 6
isolated items: 0
items without text: 0
interactions: 15
users: 6
"""
MORE = """\
edges between types: film directed_by person 6, film genres genre 9
text: plot 6
numbers: none
vectors: none
degree: min 1, 25% 2, median 2, 75% 3, 95% 3, 99% 3, max 3, mean 2.14
item degree: min 2, 25% 2, median 2, 75% 3, 95% 3, 99% 3, max 3, mean 2.5
connected components: count 2, largest 7, single nodes 0
duplicate labels: 0
relations that touch one item: 0
"""
REPORT = """\
file              rows         used
films.csv            6            6
log.csv             15           15
"""


def test_build_reports_on_every_file(run: Run, catalogue: Path, tmp_path: Path):
    output = tmp_path / "graph"
    answer = run("build", catalogue / "kgrec.yaml", "-o", output)
    next_step = f"\nWrote {output}. Next: kgrec train {output} -o model/\n"
    assert (answer.code, answer.out, answer.err) == (0, f"{REPORT}\n{STATS}{next_step}", "")
    assert len(KnowledgeGraph.load(output).item_ids) == 6


def test_build_as_json(run: Run, catalogue: Path, tmp_path: Path):
    said = run("build", catalogue / "kgrec.yaml", "-o", tmp_path / "graph", "--json").json
    assert said["graph"] == str(tmp_path / "graph")
    assert said["stats"]["nodes"] == {"film": 6, "genre": 4, "person": 4}
    assert said["report"]["files"]["log.csv"]["used"] == 15
    assert said["report"] == json.loads((tmp_path / "graph" / "report.json").read_text())


def test_build_quietly(run: Run, catalogue: Path, tmp_path: Path):
    answer = run("build", catalogue / "kgrec.yaml", "-o", tmp_path / "graph", "--quiet")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_build_replaces_an_older_graph(run: Run, catalogue: Path, tmp_path: Path):
    output = tmp_path / "graph"
    assert run("build", catalogue / "kgrec.yaml", "-o", output).code == 0
    with (catalogue / "films.csv").open("a") as file:
        file.write("f7,Last,,Comedy,Di\n")
    assert run("build", catalogue / "kgrec.yaml", "-o", output).code == 0
    assert "f7" in KnowledgeGraph.load(output).item_ids.tolist()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["catalogue", "graph", "graph.kept"]


def test_build_follows_a_link_to_the_folder(run: Run, catalogue: Path, tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert run("build", catalogue / "kgrec.yaml", "-o", tmp_path / "link").code == 0
    assert (tmp_path / "link").is_symlink()
    assert len(KnowledgeGraph.load(tmp_path / "real")) == 14


def test_files_outside_of_the_folder_are_read_when_that_is_allowed(run: Run, catalogue: Path, tmp_path: Path):
    mapping = tmp_path / "elsewhere" / "kgrec.yaml"
    mapping.parent.mkdir()
    text = (catalogue / "kgrec.yaml").read_text()
    for name in ("films.csv", "log.csv"):
        text = text.replace(f"file: {name}", f"file: ../catalogue/{name}")
    mapping.write_text(text)
    assert "--allow-outside" in run("build", mapping, "-o", tmp_path / "graph").error[2]
    assert run("build", mapping, "-o", tmp_path / "graph", "--allow-outside").code == 0


def test_inspect_shows_statistics(run: Run, graph: Path):
    answer = run("inspect", graph)
    assert (answer.code, answer.out) == (0, STATS + MORE)
    assert run("inspect", graph, "--quiet").out == STATS + MORE
    said = run("inspect", graph, "--json").json
    assert said["stats"]["edges"] == {"directed_by": 6, "genres": 9}
    assert said["report"]["files"]["films.csv"]["rows"] == 6


def test_inspect_shows_a_node(run: Run, graph: Path):
    assert run("inspect", graph, "--node", "film/f1").out == (
        "film/f1  Alien Dawn\n"
        "<https://example.org/film/f1>\n"
        "plot: a crew meets a creature in space\n"
        "  -directed_by-> person/Ada  Ada\n"
        "  -genres-> genre/Horror  Horror\n"
        "  -genres-> genre/Science fiction  Science fiction\n"
    )
    assert run("inspect", graph, "--node", "person/Ada").out == (
        "person/Ada  Ada\n"
        "<https://example.org/person/Ada>\n"
        "  <-directed_by- film/f1  Alien Dawn\n"
        "  <-directed_by- film/f2  Star Drift\n"
    )
    said = run("inspect", graph, "--node", "person/Ada", "--json").json
    assert (said["type"], said["key"], said["text"]) == ("person", "Ada", [])
    assert [edge["key"] for edge in said["neighbors"]] == ["f1", "f2"]


def test_inspect_shows_numbers_dates_and_other_names_of_a_node(run: Run, catalogue: Path, tmp_path: Path):
    mapping = (catalogue / "kgrec.yaml").read_text()
    columns = "      year: number\n      seen: date\n      page: same_as\ninteractions"
    (catalogue / "kgrec.yaml").write_text(mapping.replace("interactions", columns, 1))
    lines = (catalogue / "films.csv").read_text().splitlines()
    more = [",year,seen,page", ",1979.5,2001-02-03T04:05:06,http://ex.org/alien", *[",2000,2001-02-03,"] * 5]
    (catalogue / "films.csv").write_text("\n".join(a + b for a, b in zip(lines, more, strict=True)))
    assert run("build", catalogue / "kgrec.yaml", "-o", tmp_path / "graph").code == 0
    shown = run("inspect", tmp_path / "graph", "--node", "film/f1").out.splitlines()
    assert shown[:6] == [
        "film/f1  Alien Dawn",
        "<http://ex.org/alien>",
        "also resource/http://ex.org/alien  <http://ex.org/alien>",
        "plot: a crew meets a creature in space",
        "seen: 2001-02-03T04:05:06Z",
        "year: 1979.5",
    ]
    assert run("inspect", tmp_path / "graph", "--node", "film/f2").out.splitlines()[3:5] == [
        "seen: 2001-02-03",
        "year: 2000",
    ]
    said = run("inspect", tmp_path / "graph", "--node", "film/f1", "--json").json
    assert [number["predicate"] for number in said["numbers"]] == ["seen", "year"]
    assert said["aliases"][0]["key"] == "http://ex.org/alien"


SHAPES = """\
@prefix sh: <http://www.w3.org/ns/shacl#> .
[] a sh:NodeShape ; sh:targetClass <https://example.org/type/film> ;
  sh:property [ sh:path <https://example.org/relation/genres> ; sh:maxCount MANY ; sh:message "too many" ] .
"""


def test_inspect_validates_a_graph_with_shapes(run: Run, graph: Path, tmp_path: Path):
    (tmp_path / "shapes.ttl").write_text(SHAPES.replace("MANY", "2"))
    answer = run("inspect", graph, "--shapes", tmp_path / "shapes.ttl")
    assert (answer.code, answer.out) == (0, "violations: 0, warnings: 0, infos: 0\n")
    (tmp_path / "shapes.ttl").write_text(SHAPES.replace("MANY", "1"))
    answer = run("inspect", graph, "--shapes", tmp_path / "shapes.ttl")
    lines = answer.out.splitlines()
    assert answer.code == 2 and lines[-1] == "violations: 3, warnings: 0, infos: 0"
    assert lines[0] == (
        "violation: https://example.org/film/f1: https://example.org/relation/genres: too many"
    )
    machine = run("inspect", graph, "--shapes", tmp_path / "shapes.ttl", "--json")
    assert machine.code == 2 and len(json.loads(machine.out)["findings"]) == 3
