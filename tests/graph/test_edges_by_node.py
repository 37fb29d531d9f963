"""Edges by node, and paths."""

from __future__ import annotations

from pathlib import Path

import pytest

import kgrec
from kgrec.graph.edges_by_node import EdgesByNode


@pytest.fixture(scope="module")
def edges(shared_catalogue: Path) -> EdgesByNode:
    return EdgesByNode.of(kgrec.build_graph(shared_catalogue / "kgrec.yaml"))


def entity(edges: EdgesByNode, name: str) -> int:
    return int(edges.graph.ids([name])[0])


def named(edges: EdgesByNode, entities: list[int]) -> list[str]:
    return [edges.graph.names[one] for one in entities]


def paths(edges: EdgesByNode, start: str, end: str, hops: int, k: int = 50) -> list[list[str]]:
    found = edges.paths(entity(edges, start), entity(edges, end), hops, k)
    return [named(edges, [edge.other for edge in path]) for path in found]


def test_neighbours_of_a_node(edges: EdgesByNode):
    found, total = edges.neighbors(entity(edges, "person/Ada"))
    assert ([(edge.direction, edge.weight) for edge in found], total) == ([("in", 1.0), ("in", 1.0)], 2)
    assert named(edges, [edge.other for edge in found]) == ["film/f1", "film/f2"]
    assert edges.neighbors(entity(edges, "person/Ada"), direction="out") == ([], 0)
    some, total = edges.neighbors(entity(edges, "film/f1"), start=1, limit=1)
    assert (len(some), total) == (1, 3)
    assert edges.degrees[entity(edges, "genre/Romance")] == 3


def test_the_shortest_paths_come_first_and_through_the_rarest_nodes(edges: EdgesByNode):
    assert paths(edges, "film/f1", "film/f2", 2) == [
        ["person/Ada", "film/f2"],
        ["genre/Science fiction", "film/f2"],
    ]
    longer = paths(edges, "film/f4", "film/f6", 4)
    assert longer[:2] == [["genre/Comedy", "film/f6"], ["genre/Romance", "film/f6"]]
    assert ["person/Cy", "film/f5", "genre/Romance", "film/f6"] in longer
    assert all(len(path) in (2, 4) and len(set(path)) == len(path) for path in longer)


def test_there_is_no_path(edges: EdgesByNode):
    assert paths(edges, "film/f1", "film/f4", 4) == []
    assert paths(edges, "film/f1", "film/f3", 1) == []
    assert paths(edges, "film/f1", "film/f1", 3) == []


def test_at_most_k_paths(edges: EdgesByNode):
    assert paths(edges, "film/f1", "film/f2", 2, k=1) == [["person/Ada", "film/f2"]]
