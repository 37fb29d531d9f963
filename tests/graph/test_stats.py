"""Counts of a graph."""

from __future__ import annotations

from pathlib import Path

import pytest
from movie_graph import FILES, HEAD, write

from kgrec.graph.build import build_graph
from kgrec.graph.knowledge_graph import KnowledgeGraph


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    return build_graph(write(tmp_path_factory.mktemp("graph")))


def test_stats(graph: KnowledgeGraph):
    assert graph.stats() == {
        "nodes": {"genre": 3, "movie": 3, "person": 2, "rated": 1, "resource": 1, "studio": 1},
        "edges": {"acted_in": 2, "ex:about": 2, "genres": 4, "made_by": 1, "rated": 2, "sequel": 1},
        "items": 3,
        "isolated items": 0,
        "items without text": 0,
        "interactions": 3,
        "users": 2,
        "edges between types": {
            "movie ex:about resource": 2,
            "movie genres genre": 4,
            "movie made_by studio": 1,
            "movie rated rated": 2,
            "movie sequel movie": 1,
            "person acted_in movie": 2,
        },
        "text": {"plot": 1},
        "numbers": {"released": 1, "runtime": 1},
        "vectors": {"poster": 1},
        # Art|House 1, Drama 2, War 1, 01 7, 2 5, a/b c 1, Ann 1, Bob 1, PG 2, topic 2, s1 1
        "degree": {"min": 1, "25%": 1, "median": 1, "75%": 2, "95%": 7, "99%": 7, "max": 7, "mean": 2.18},
        "item degree": {
            "min": 1,
            "25%": 1,
            "median": 5,
            "75%": 7,
            "95%": 7,
            "99%": 7,
            "max": 7,
            "mean": 4.33,
        },
        "connected components": {"count": 1, "largest": 11, "single nodes": 0},
        "duplicate labels": {"count": 0, "first": []},
        "relations that touch one item": {"count": 1, "first": ["made_by"]},
    }


def test_stats_name_what_is_likely_to_be_a_mistake(tmp_path: Path):
    rows = [f"{i},{'Same' if i % 2 else 'Other'}{i // 4},,,,,,,,,," for i in range(24)]
    graph = build_graph(write(tmp_path, {**FILES, "movies.csv": [HEAD, *rows, "x,,,,,,,,,,,"]}))
    stats = graph.stats()
    assert stats["duplicate labels"] == {"count": 12, "first": [f"movie 'Other{i}' 2" for i in range(5)]}
    assert stats["items without text"] == 1
    assert stats["isolated items"] == 24  # all but 2, in which Bob acted
    # 2 with Bob, Q1 with topic; alone are the isolated items, Ann and s1
    assert stats["connected components"] == {"count": 28, "largest": 2, "single nodes": 26}
