"""`kgrec export`."""

from __future__ import annotations

from pathlib import Path

import pytest

from kgrec.graph.knowledge_graph import KnowledgeGraph

from .conftest import Run

NOTE = "Note: RDF cannot carry 15 interactions.\n"


@pytest.mark.parametrize("format", ["nt", "ttl", "graphml", "parquet", "recbole"])
def test_each_format_is_written(run: Run, graph: Path, tmp_path: Path, format: str):
    output = tmp_path / "films"
    answer = run("export", graph, "--format", format, "-o", output)
    assert answer.code == 0 and answer.out.startswith(f"Wrote {output}, ")
    written = [output] if output.is_file() else list(output.iterdir())
    assert len(written) == (4 if format == "recbole" else 1) and all(path.stat().st_size for path in written)


def test_what_the_format_cannot_hold_is_reported_on_stderr(run: Run, graph: Path, tmp_path: Path):
    answer = run("export", graph, "-o", tmp_path / "graph.nt")
    size = (tmp_path / "graph.nt").stat().st_size
    assert (answer.out, answer.err) == (f"Wrote {tmp_path / 'graph.nt'}, {size:,} bytes.\n", NOTE)
    said = run("export", graph, "-o", tmp_path / "graph.nt", "--json").json
    assert said == {
        "output": str(tmp_path / "graph.nt"),
        "format": "nt",
        "bytes": size,
        "remarks": ["RDF cannot carry 15 interactions."],
    }
    silent = run("export", graph, "-o", tmp_path / "graph.nt", "-q")
    assert (silent.code, silent.out, silent.err) == (0, "", "")


@pytest.mark.parametrize("suffix", ["nt", "ttl"])
def test_a_mapping_builds_the_graph_again(run: Run, graph: Path, tmp_path: Path, suffix: str):
    file, mapping = tmp_path / f"graph.{suffix}", tmp_path / "kgrec.yaml"
    assert run("export", graph, "-o", file, "--mapping", mapping).code == 0
    assert run("build", mapping, "-o", tmp_path / "again").code == 0
    again, first = (KnowledgeGraph.load(folder) for folder in (tmp_path / "again", graph))
    assert again.entities.equals(first.entities) and again.triples.equals(first.triples)
    assert again.item_ids == first.item_ids
    taken = run("export", graph, "-o", file, "--mapping", mapping)
    assert taken.error[1] == f"{mapping} already exists."


def test_wrong_usage_is_refused(run: Run, graph: Path, tmp_path: Path):
    assert (
        run("export", graph, "-o", tmp_path / "a", "--format", "xls")
        .error[1]
        .startswith("'xls' is not an export format")
    )
    assert "has no suffix" in run("export", graph, "-o", tmp_path / "a").error[1]
    assert "no such folder" in run("export", graph, "-o", tmp_path / "b" / "a.nt").error[1]
    assert (
        "--mapping works with nt and ttl only"
        in run("export", graph, "-o", tmp_path / "a.parquet", "--mapping", "m").error[1]
    )
    elsewhere = run("export", graph, "-o", tmp_path / "a.nt", "--mapping", tmp_path / "c" / "k.yaml")
    assert "in different folders" in elsewhere.error[1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["nt", "ttl", "graphml"])
def test_a_graph_goes_to_a_pipe(kind: str, run: Run, graph: Path, tmp_path: Path):
    run("export", graph, "-o", tmp_path / f"graph.{kind}")
    answer = run("export", graph, "-o", "-", "--format", kind, "-q")
    assert (answer.out, answer.err) == ((tmp_path / f"graph.{kind}").read_text(), "")
    assert (
        run("export", graph, "-o", "-", "--format", "recbole").error[1] == "recbole is written into a folder."
    )
