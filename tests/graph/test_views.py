"""The graph as other libraries have it: each edge and each weight of a graph made by hand, there and back."""

from __future__ import annotations

import numpy as np
import pytest
import rdflib
from movie_graph import write

from kgrec.graph.build import build_graph
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.ntriples import ntriples


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    return build_graph(write(tmp_path_factory.mktemp("graph")))


def named_edges(graph: KnowledgeGraph) -> list[tuple[str, str, str, float]]:
    names, relations = graph.names.tolist(), graph.relations["name"].to_pylist()
    rows = (row.values() for row in graph.triples.to_pylist())
    return sorted((names[h], relations[r], names[t], w) for h, r, t, w in rows)


def test_networkx_gives_nodes_and_edges_back(graph: KnowledgeGraph):
    view = graph.to_networkx()
    assert view.nodes[("movie", "01")] == {"label": "One", "iri": "http://ex.org/Q1"}
    assert ["/".join(node) for node in view] == graph.names.tolist()
    back = [("/".join(h), r, "/".join(t), w) for h, t, r, w in view.edges(keys=True, data="weight")]
    assert sorted(back) == named_edges(graph)
    assert view[("person", "Ann")][("movie", "01")]["acted_in"]["weight"] == 2.0


def test_rdflib_has_the_statements(graph: KnowledgeGraph):
    view = graph.to_rdflib()
    assert len(view) == b"".join(ntriples(graph)).count(b"\n")
    film, own = rdflib.URIRef("http://ex.org/Q1"), rdflib.Namespace("https://example.org/relation/")
    assert view.value(film, own.runtime).toPython() == 90
    assert view.value(film, own.released).toPython().isoformat() == "1970-01-02"
    assert view.value(film, own.plot) == rdflib.Literal("A plot", lang="en")
    assert set(view.objects(film, rdflib.OWL.sameAs)) == {rdflib.URIRef("https://example.org/movie/01")}
    found = view.query("SELECT ?o { ?s ex:about ?o ; rdfs:label 'One' }")
    assert [str(row.o) for row in found] == ["http://ex.org/topic"]


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_pyg_gives_nodes_and_edges_back(graph: KnowledgeGraph):
    data = graph.to_hetero_data()
    keys = {type_: data[type_].key for type_ in data.node_types}
    assert keys["movie"] == ["01", "2", "a/b c"] and data["movie"].entity.tolist() == [3, 4, 5]
    back = []
    for head, relation, tail in data.edge_types:
        store = data[head, relation, tail]
        assert store.edge_index.dtype.is_signed and len(store.edge_weight) == store.edge_index.shape[1]
        for h, t, weight in zip(*store.edge_index.tolist(), store.edge_weight.tolist(), strict=True):
            back.append((f"{head}/{keys[head][h]}", relation, f"{tail}/{keys[tail][t]}", weight))
    assert sorted(back) == named_edges(graph)
    data.validate()
    assert np.array_equal(
        np.sort(np.concatenate([s.entity.numpy() for s in data.node_stores])), np.arange(11)
    )
