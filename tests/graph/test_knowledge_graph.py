"""The graph with its methods, and its folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from movie_graph import write

from kgrec.errors import CorruptArtifact, UnknownId
from kgrec.graph.build import build_graph
from kgrec.graph.knowledge_graph import KnowledgeGraph


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    return build_graph(write(tmp_path_factory.mktemp("graph")))


def test_save_and_load(graph: KnowledgeGraph, tmp_path: Path):
    graph.save(tmp_path / "graph")
    again = KnowledgeGraph.load(tmp_path / "graph")
    for name in ("entities", "relations", "triples", "text", "numbers", "vectors", "aliases"):
        assert getattr(again, name).equals(getattr(graph, name)), name
    for name in ("users", "items"):
        assert getattr(again.interactions, name) == getattr(graph.interactions, name)
    for name in ("user", "item", "positive", "count", "value", "time"):
        np.testing.assert_array_equal(getattr(again.interactions, name), getattr(graph.interactions, name))
    assert again.mapping == graph.mapping or again.mapping.to_dict() == graph.mapping.to_dict()
    assert again.report == graph.report and again.item_types == ("movie",)
    (tmp_path / "graph" / "triples.parquet").write_bytes(b"PAR1")
    with pytest.raises(CorruptArtifact):
        KnowledgeGraph.load(tmp_path / "graph")


def test_find_and_neighbors(graph: KnowledgeGraph):
    assert graph.find("movie", "01") == 3
    assert graph.find("resource", "http://ex.org/Q1") == 3
    with pytest.raises(UnknownId) as caught:
        graph.find("movie", "02")
    assert str(caught.value).startswith(
        "There is no movie '02' in the graph.\n  Did you mean 'movie/2', 'movie/01'"
    )
    frame = graph.neighbors("movie", "2")
    assert frame.to_dict("list") == {
        "relation": ["genres", "genres", "rated", "acted_in", "sequel"],
        "direction": ["out", "out", "out", "in", "in"],
        "type": ["genre", "genre", "rated", "person", "movie"],
        "key": ["Art|House", "Drama", "PG", "Bob", "01"],
        "label": ["Art|House", "Drama", "PG", "Bob", "One"],
        "weight": [1.0] * 5,
    }


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_views(graph: KnowledgeGraph):
    nx = graph.to_networkx()
    assert nx.number_of_nodes() == 11 and nx.number_of_edges() == 12
    assert nx[("movie", "01")][("movie", "2")] == {"sequel": {"weight": 1.0}}
    rdf = graph.to_rdflib()
    assert (
        *map(str, next(iter(rdf.query("SELECT ?o { <http://ex.org/Q1> <http://ex.org/about> ?o }")))),
    ) == ("http://ex.org/topic",)
    data = graph.to_hetero_data()
    assert data["movie", "sequel", "movie"].edge_index.tolist() == [[0], [1]]
    assert data["person", "acted_in", "movie"].edge_weight.tolist() == [2.0, 1.0]
    assert data["movie"].key == ["01", "2", "a/b c"]


def test_import_is_light():
    code = (
        "import sys, kgrec.graph.build; "
        "print({'torch', 'faiss', 'rdflib', 'networkx', 'torch_geometric', 'scipy.sparse.csgraph'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
