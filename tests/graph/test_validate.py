"""Findings about a graph."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from movie_graph import SHAPES, write

from kgrec.errors import ConfigError, SourceError
from kgrec.graph.build import build_graph
from kgrec.graph.knowledge_graph import KnowledgeGraph


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    return build_graph(write(tmp_path_factory.mktemp("graph")))


def test_a_sound_graph_has_no_findings(graph: KnowledgeGraph):
    assert graph.validate() == []


@pytest.mark.parametrize(
    ("table", "column", "values", "finding"),
    [
        (
            "entities",
            "id",
            list(range(10, -1, -1)),
            "violation: entities: 10 ids are not the numbers of their rows",
        ),
        ("entities", "key", ["x"] * 11, "violation: entities: 5 entities repeat the type and key of another"),
        ("entities", "iri", ["a b"] * 11, "violation: entities: 11 IRIs are invalid"),
        ("entities", "label", [""] * 11, "warning: entities: 11 entities have no label"),
        ("entities", "label", [None] * 11, "violation: entities: 11 cells are null"),
        ("relations", "name", ["r"] * 6, "violation: relations: 5 relations repeat the name of another"),
        ("triples", "tail", [99] * 12, "violation: triples: 12 tails do not exist"),
        ("triples", "relation", [*[0] * 11, 1], "warning: relations: 4 relations have no triples"),
        (
            "triples",
            "relation",
            list(range(5, -1, -1)) * 2,
            "violation: triples: 10 triples are not sorted",
        ),
        ("triples", "weight", [float("nan")] * 12, "violation: triples: 12 weights are not finite"),
        ("numbers", "value", [1.0, float("inf")], "violation: numbers: 1 numbers are not finite"),
        ("text", "id", [-1], "violation: text: 1 entities do not exist"),
        ("aliases", "key", ["2"], "violation: aliases: 1 names belong to an entity"),
    ],
)
def test_what_is_wrong_is_found(
    graph: KnowledgeGraph, table: str, column: str, values: list[object], finding: str
):
    old = getattr(graph, table)
    new = (
        pa.array(values, pa.string()) if column == "type" else pa.array(values, old.schema.field(column).type)
    )
    if table == "aliases":
        old = old.set_column(1, "type", pa.array(["movie"]))
    broken = replace(graph, **{table: old.set_column(old.column_names.index(column), column, new)})
    assert finding in [str(found) for found in broken.validate()]


def test_shapes(graph: KnowledgeGraph, tmp_path: Path):
    (tmp_path / "shapes.ttl").write_text(SHAPES)
    long, unrated = graph.validate(tmp_path / "shapes.ttl")
    assert str(long) == (
        "violation: http://ex.org/Q1: https://example.org/relation/runtime: too long "
        '(the value is "90"^^<http://www.w3.org/2001/XMLSchema#integer>)'
    )
    assert (unrated.severity, unrated.where) == ("warning", "https://example.org/movie/a%2Fb%20c")
    assert graph.validate(tmp_path / "shapes.ttl") == [long, unrated]
    (tmp_path / "bad.ttl").write_text("this is no Turtle")
    with pytest.raises(SourceError, match="is not valid RDF"):
        graph.validate(tmp_path / "bad.ttl")
    with pytest.raises(SourceError, match="cannot be read"):
        graph.validate(tmp_path / "none.ttl")


def test_shapes_without_pyshacl(graph: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyshacl", None)
    with pytest.raises(ConfigError) as caught:
        graph.validate("shapes.ttl")
    assert str(caught.value) == (
        "SHACL shapes need the package pyshacl, which is not installed.\n  pip install 'kgrec[shacl]'"
    )
