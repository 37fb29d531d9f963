"""Queries in a process that can be ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import kgrec
from kgrec.errors import ConfigError
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.serve.sparql.process import SparqlProcess, TooSlowError

ALL = "SELECT * { ?s ?p ?o }"


@pytest.fixture(scope="module")
def graph(shared_catalogue: Path) -> KnowledgeGraph:
    return kgrec.build_graph(shared_catalogue / "kgrec.yaml")


@pytest.fixture(scope="module")
def process() -> Iterator[SparqlProcess]:
    made = SparqlProcess(seconds=20, rows=5)
    yield made
    made.close()


def test_rows_of_an_answer_are_bounded(process: SparqlProcess, graph: KnowledgeGraph):
    answer = process.query(graph, 7, ALL)
    assert answer.results is not None and len(answer.results["results"]["bindings"]) == 5
    assert (answer.form, answer.truncated, answer.revision) == ("SELECT", True, 7)


def test_terms(process: SparqlProcess, graph: KnowledgeGraph):
    query = 'SELECT ?a ?b ?c ?d { VALUES (?a ?b ?c) { (<http://x/y> "t"@en 5) } }'
    answer = process.query(graph, 0, query)
    assert answer.results == {
        "head": {"vars": ["a", "b", "c", "d"]},
        "results": {
            "bindings": [
                {
                    "a": {"type": "uri", "value": "http://x/y"},
                    "b": {"type": "literal", "value": "t", "xml:lang": "en"},
                    "c": {
                        "type": "literal",
                        "value": "5",
                        "datatype": "http://www.w3.org/2001/XMLSchema#integer",
                    },
                }
            ]
        },
    }


def test_a_query_that_cannot_be_parsed(process: SparqlProcess, graph: KnowledgeGraph):
    with pytest.raises(ConfigError, match="cannot be answered"):
        process.query(graph, 0, "SELECT * { ?s ")


def test_a_slow_query_is_ended_and_the_next_one_is_answered(graph: KnowledgeGraph):
    made = SparqlProcess(seconds=20)
    try:
        assert made.query(graph, 0, "ASK { ?s ?p ?o }").results == {"head": {}, "boolean": True}
        made._seconds = 0.05
        slow = " . ".join(f"?a{n} ?b{n} ?c{n}" for n in range(9))
        with pytest.raises(TooSlowError, match=r"longer than 0.05 seconds"):
            made.query(graph, 0, f"SELECT (COUNT(*) AS ?n) {{ {slow} }}")
        made._seconds = 20
        assert made.query(graph, 0, "ASK { ?s ?p ?o }").results == {"head": {}, "boolean": True}
    finally:
        made.close()


def test_the_index_follows_the_graph_after_a_minute(graph: KnowledgeGraph):
    now = [0.0]
    made = SparqlProcess(seconds=60, clock=lambda: now[0])
    try:
        count = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"
        first = made.query(graph, 1, count)
        part = graph.subgraph(["film/f1"])
        assert made.query(part, 2, count) == first
        now[0] = 61.0
        second = made.query(part, 2, count)
        assert second.revision == 2 and second.results != first.results
    finally:
        made.close()


def test_a_graph_that_is_too_large_is_refused(graph: KnowledgeGraph):
    with pytest.raises(ConfigError, match="SPARQL is offered only for graphs of at most 3"):
        SparqlProcess(most=3).query(graph, 0, ALL)
