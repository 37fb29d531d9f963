"""Edges as a matrix, and the part of a graph around some nodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from movie_graph import named_edges, table_rows, write

from kgrec.errors import ConfigError, UnknownId
from kgrec.graph.build import build_graph
from kgrec.graph.knowledge_graph import KnowledgeGraph


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    return build_graph(write(tmp_path_factory.mktemp("graph")))


def test_csr(graph: KnowledgeGraph):
    pg = graph.find("rated", "PG")
    matrix = graph.csr("rated")
    assert matrix.shape == (11, 11) and matrix.dtype == np.float32
    assert sorted(zip(*matrix.nonzero(), strict=True)) == [(3, pg), (4, pg)]
    assert (graph.csr("rated", "in") != matrix.T).nnz == 0
    both = graph.csr(direction="both")
    assert both.sum() == 2 * graph.triples["weight"].to_numpy().sum() == 26
    assert (both != both.T).nnz == 0 and both[6, 3] == both[3, 6] == 2.0
    with pytest.raises(UnknownId, match="There is no relation 'rate' in the graph"):
        graph.csr("rate")
    with pytest.raises(ConfigError, match="'up' is not a direction"):
        graph.csr(direction="up")


def test_a_subgraph_has_what_is_near(graph: KnowledgeGraph):
    alone = graph.subgraph(["movie/01"], hops=0)
    assert alone.entities.to_pylist() == [{**graph.entities.slice(3, 1).to_pylist()[0], "id": 0}]
    assert len(alone.triples) == len(alone.relations) == 0
    assert alone.text.to_pylist() == [{"id": 0, "predicate": "plot", "lang": "en", "text": "A plot"}]
    assert alone.aliases["id"].to_pylist() == [0] and alone.numbers["id"].to_pylist() == [0, 0]
    near = graph.subgraph(["resource/http://ex.org/topic"])
    assert near.names.tolist() == ["movie/01", "movie/a/b c", "resource/http://ex.org/topic"]
    assert near.relations.to_pylist() == [{"id": 0, "name": "ex:about", "iri": "http://ex.org/about"}]
    assert table_rows(near, "triples") == [(0, 0, 2, 1.0), (1, 0, 2, 1.0)]
    log = near.interactions
    assert log.items.tolist() == near.item_ids.tolist() == ["01", "a/b c"]
    assert [(log.users[u], log.items[i]) for u, i in zip(log.user, log.item, strict=True)] == [
        ("u1", "01"),
        ("u2", "01"),
    ]
    one = graph.subgraph(["movie/2"], hops=0).interactions
    assert one.users.tolist() == ["u1"] and one.user.tolist() == [0] and one.value.tolist() == [5.0]
    assert not len(graph.subgraph(["person/Ann"], hops=0).interactions)


def test_a_subgraph_of_everything_is_the_graph(graph: KnowledgeGraph, tmp_path: Path):
    whole = graph.subgraph(np.arange(len(graph)), hops=0)
    for name in ("entities", "relations", "triples", "text", "numbers", "vectors", "aliases"):
        assert getattr(whole, name).equals(getattr(graph, name)), name
    assert whole.interactions.to_arrow().equals(graph.interactions.to_arrow())
    assert graph.subgraph(["person/Bob"], hops=9).triples.equals(graph.triples)
    graph.subgraph(["movie/2"]).save(tmp_path / "part")
    assert KnowledgeGraph.load(tmp_path / "part").validate() == []


def test_a_subgraph_of_unknown_nodes_is_refused(graph: KnowledgeGraph):
    with pytest.raises(UnknownId, match="There is no node 'movie/3' in the graph"):
        graph.subgraph(["movie/01", "movie/3"])
    with pytest.raises(UnknownId, match="There are 11 entities, and 11 is not the id of one"):
        graph.subgraph(np.array([11]))
    with pytest.raises(ConfigError, match=r"nodes\[0\] is True"):
        graph.subgraph(np.ones(11, bool))


def test_entity_ids_may_be_a_list(graph: KnowledgeGraph):
    assert graph.subgraph([0, 3]).names == graph.subgraph(np.array([0, 3], np.int32)).names


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(0, 10), min_size=1), st.integers(0, 3))
def test_any_subgraph_is_sound(graph: KnowledgeGraph, nodes: set[int], hops: int):
    part = graph.subgraph(np.array(sorted(nodes)), hops)
    assert [f for f in part.validate() if f.severity == "violation"] == []
    names = set(part.names.tolist())
    assert {graph.names[node] for node in nodes} <= names
    assert set(named_edges(part)) == {e for e in named_edges(graph) if e[0] in names and e[2] in names}
