"""A graph joined with an addition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from movie_graph import HEAD, edges, table_rows, write

from kgrec.graph.build import build_graph, read_addition
from kgrec.graph.knowledge_graph import KnowledgeGraph


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    return build_graph(write(tmp_path_factory.mktemp("graph")))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "arrow"])
def test_an_addition_knows_the_graph(graph: KnowledgeGraph, make: Callable[[dict[str, list[str]]], object]):
    columns = {name: ["", ""] for name in HEAD.split(",")}
    columns |= {
        "id": ["9", "01"],
        "title": ["Nine", "One"],
        "genres": ["War|New", "New"],
        "sequels": ["01|zz", ""],
    }
    addition = read_addition(graph.mapping, frames={"movie": make(columns)}, known=graph)
    assert addition.item_ids.tolist() == ["01", "9"]
    assert addition.report.missing["sequel -> movie"].first == ['movie:1: "zz"']
    larger, ids = graph.extended(addition)
    assert larger.entities["key"].to_pylist() == [*graph.entities["key"].to_pylist(), "New", "9"]
    assert larger.entities["iri"].slice(0, 11).equals(graph.entities["iri"])
    assert [larger.entities["key"][int(i)].as_py() for i in ids] == addition.entities["key"].to_pylist()
    added = larger.triples.num_rows - graph.triples.num_rows
    assert added == 4  # 9 genres War, 9 genres New, 9 sequel 01, 01 genres New
    assert larger.item_ids.tolist() == ["01", "2", "9", "a/b c"]
    assert larger.interactions.items[int(larger.interactions.item[1])] == "2"


def test_a_new_item_takes_the_place_of_the_resource_that_it_is(graph: KnowledgeGraph):
    columns = {name: [""] for name in HEAD.split(",")} | {"id": ["t"], "wikidata": ["http://ex.org/topic"]}
    addition = read_addition(graph.mapping, frames={"movie": pd.DataFrame(columns)}, known=graph)
    larger, _ = graph.extended(addition)
    assert len(larger) == len(graph)
    assert larger.find("movie", "t") == graph.find("resource", "http://ex.org/topic")
    assert "t" in larger.item_ids.tolist()


_GENRES = st.lists(st.sampled_from(["War", "Drama", "New", "Odd/one"]), unique=True)


_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.sampled_from(["01", "2", "a/b c", "9", "10", "n ü"]),
            "title": st.sampled_from(["", "One", "Nine"]),
            "plot": st.sampled_from(["", "A plot", "Another"]),
            "runtime": st.sampled_from(["", "90", "91.5"]),
            "genres": _GENRES.map("|".join),
            "sequels": st.sampled_from(["", "01", "2|9"]),
            "wikidata": st.sampled_from(["", "http://ex.org/topic", "http://ex.org/Q1"]),
            "poster": st.sampled_from(["", "[1, 0.5]", "[2, 2]"]),
        }
    ),
    max_size=4,
    unique_by=lambda row: row["id"],
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ROWS)
def test_a_larger_graph_is_the_union(graph: KnowledgeGraph, rows: list[dict[str, str]]):
    frame = pd.DataFrame([dict.fromkeys(HEAD.split(","), "") | row for row in rows], columns=HEAD.split(","))
    addition = read_addition(graph.mapping, frames={"movie": frame}, known=graph)
    larger, ids = graph.extended(addition)
    assert larger.entities["id"].to_pylist() == list(range(len(larger)))
    assert larger.entities["iri"].to_pylist()[: len(graph)] == graph.entities["iri"].to_pylist()
    for name, keys in spoken(addition, ids).items():
        assert table_rows(larger, name) == sorted({*table_rows(graph, name), *keys}), name
    wanted = {(r, h, t) for h, r, t in edges(graph, range(len(graph)))}
    wanted |= {(r, h, t) for h, r, t in edges(addition, ids)}
    got = [(r, h, t) for h, r, t in edges(larger, range(len(larger)))]
    assert set(got) == wanted and len(got) == len(wanted)
    assert table_rows(larger, "triples") == sorted(
        table_rows(larger, "triples"), key=lambda t: (t[1], t[0], t[2])
    )
    again, same = larger.extended(addition)
    assert (same == ids).all()
    for name in ("entities", "relations", "triples", "text", "numbers", "vectors", "aliases"):
        assert getattr(again, name).equals(getattr(larger, name)), name


def spoken(addition, ids):
    """Text, numbers and aliases of an addition by the ids of the larger graph."""
    return {
        name: [(int(ids[row[0]]), *row[1:]) for row in table_rows(addition, name)]
        for name in ("text", "numbers", "aliases")
    }


def test_adding_nothing_changes_nothing(graph: KnowledgeGraph):
    frame = pd.DataFrame(columns=HEAD.split(","), dtype=str)
    addition = read_addition(graph.mapping, frames={"movie": frame}, known=graph)
    larger, ids = graph.extended(addition)
    assert len(ids) == 0
    for name in ("entities", "relations", "triples", "text", "numbers", "vectors", "aliases"):
        assert getattr(larger, name).equals(getattr(graph, name)), name


def test_an_added_edge_keeps_the_larger_weight_and_an_added_vector_wins(graph: KnowledgeGraph):
    table = pa.table({"head": [1], "relation": [0], "tail": [0], "weight": [9.0]}).cast(graph.triples.schema)
    entities = graph.entities.take([3, 6])  # movie 01, person Ann
    vector = pa.table({"id": [0], "predicate": ["poster"], "vector": [[3.0]]}).cast(graph.vectors.schema)
    relations = graph.relations.take([0])
    addition = replace(graph, entities=entities, relations=relations, triples=table, vectors=vector)
    addition = replace(addition, **{n: getattr(graph, n).slice(0, 0) for n in ("text", "numbers", "aliases")})
    larger, ids = graph.extended(addition)
    assert ids.tolist() == [3, 6] and len(larger.triples) == len(graph.triples)
    assert larger.triples["weight"].to_pylist() == [9.0, *graph.triples["weight"].to_pylist()[1:]]
    assert larger.vectors.to_pylist() == [{"id": 3, "predicate": "poster", "vector": [3.0]}]
