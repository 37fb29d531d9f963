"""Files for other tools: what is written is read back, by kgrec, by rdflib, by networkx and by pandas."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rdflib
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from movie_graph import write

import kg_data
from kgrec.errors import ArtifactError, ConfigError
from kgrec.graph.build import build_graph, graph_of
from kgrec.graph.interactions import Interactions
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.ntriples import iso_date, mapping_back, ntriples
from kgrec.ingest.build_report import Report
from kgrec.ingest.mapping.schema import Mapping

BASE = "https://example.org/"


def statements(graph: KnowledgeGraph) -> list[str]:
    return b"".join(ntriples(graph)).decode("utf-8").split("\n")[:-1]


def built_again(graph: KnowledgeGraph, folder: Path) -> KnowledgeGraph:
    """Through N-Triples and a mapping of `rdf:` alone."""
    folder.mkdir()
    graph.export(folder / "graph.nt")
    mapping = yaml.safe_dump(mapping_back(graph, "graph.nt"), sort_keys=False)
    (folder / "kgrec.yaml").write_text(mapping, encoding="utf-8")
    again = build_graph(folder / "kgrec.yaml")
    assert not again.report.unmapped and not again.report.missing
    return again


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    return build_graph(write(tmp_path_factory.mktemp("graph")))


def test_every_statement_is_written_once(graph: KnowledgeGraph):
    lines = statements(graph)
    assert len(set(lines)) == len(lines)
    of_film = [line.partition("> ")[2] for line in lines if line.startswith("<http://ex.org/Q1> ")]
    assert of_film == [
        f"<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <{BASE}type/movie> .",
        '<http://www.w3.org/2000/01/rdf-schema#label> "One" .',
        f"<http://www.w3.org/2002/07/owl#sameAs> <{BASE}movie/01> .",
        "<http://ex.org/about> <http://ex.org/topic> .",
        f"<{BASE}relation/genres> <{BASE}genre/Drama> .",
        f"<{BASE}relation/genres> <{BASE}genre/War> .",
        f"<{BASE}relation/made_by> <{BASE}studio/s1> .",
        f"<{BASE}relation/rated> <{BASE}rated/PG> .",
        f"<{BASE}relation/sequel> <{BASE}movie/2> .",
        f'<{BASE}relation/plot> "A plot"@en .',
        f'<{BASE}relation/released> "1970-01-02"^^<http://www.w3.org/2001/XMLSchema#date> .',
        f'<{BASE}relation/runtime> "90"^^<http://www.w3.org/2001/XMLSchema#integer> .',
    ]
    assert b"".join(ntriples(graph, chunk=2)) == b"".join(ntriples(graph))


@pytest.mark.parametrize("name", ["hand", "small", "movies"])
def test_ntriples_come_back_the_same(
    graph: KnowledgeGraph, shared_catalogue: Path, tmp_path: Path, name: str
):
    sources = {"small": shared_catalogue, "movies": kg_data.movies()}
    first = graph if name == "hand" else build_graph(sources[name] / "kgrec.yaml")
    again = built_again(first, tmp_path / "again")
    assert sorted(statements(again)) == sorted(statements(first))
    for column in ("type", "iri", "label"):
        assert sorted(again.entities[column].to_pylist()) == sorted(first.entities[column].to_pylist())
    assert len(again.item_ids) == len(first.item_ids)


NT = r"""
_:b1 <http://ex.org/knows> <http://ex.org/%C3%A9t%20%C3%A9> .
_:b1 <http://ex.org/knows> <http://ex.org/été/東京> .
_:b1 <http://ex.org/name> "blank \"one\"\\\t\n\r\u0008 \U0001F600"@en-GB .
<http://ex.org/été/東京> <http://ex.org/name> "Tōkyō" .
<http://ex.org/été/東京> <http://ex.org/name> "東京"@ja .
<http://ex.org/été/東京> <http://ex.org/note> "same"@en .
<http://ex.org/été/東京> <http://ex.org/note> "same" .
<http://ex.org/été/東京> <urn:size:n> "13.5"^^<http://www.w3.org/2001/XMLSchema#decimal> .
<http://ex.org/%C3%A9t%20%C3%A9> <urn:size:n> "-1e-7"^^<http://www.w3.org/2001/XMLSchema#double> .
<http://ex.org/%C3%A9t%20%C3%A9> <http://ex.org/born> "1969-07-20T20:17:40.5Z"^^<http://www.w3.org/2001/XMLSchema#dateTime> .
<http://ex.org/%C3%A9t%20%C3%A9> <http://ex.org/year> "0044"^^<http://www.w3.org/2001/XMLSchema#gYear> .
<http://ex.org/x> <http://www.w3.org/2002/07/owl#sameAs> <http://ex.org/y> .
<http://ex.org/x> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://ex.org/Film> .
<http://ex.org/y> <http://ex.org/note> "of both" .
<http://ex.org/y> <http://www.w3.org/2000/01/rdf-schema#label> "x" .
<http://ex.org/y> <http://www.w3.org/2000/01/rdf-schema#label> "y"@en .
<https://example.org/film/a%2fb> <http://ex.org/knows> <http://ex.org/x> .
"""
RDF = """\
version: 1
rdf:
  - file: in.nt
    types: {film: "http://ex.org/Film"}
    items: [film]
    predicates:
      "http://ex.org/name": label
      rdfs:label: label
      "http://ex.org/note": text
      "urn:size:n": number
      "http://ex.org/born": date
      "http://ex.org/year": date
      "*": ref
"""


def test_all_kinds_of_terms_come_back_the_same(tmp_path: Path):
    (tmp_path / "in.nt").write_text(NT, encoding="utf-8")
    (tmp_path / "kgrec.yaml").write_text(RDF, encoding="utf-8")
    first = build_graph(tmp_path / "kgrec.yaml")
    assert len(first.text) == 5 and len(first.numbers) == 4
    lines = statements(first)
    for piece in (
        r'"blank \"one\"\\' + "\t" + r"\n\r" + '\b \U0001f600"',
        '"same"@en .',
        '"same" .',
        '<http://ex.org/name> "東京"@ja .',
        '<http://www.w3.org/2004/02/skos/core#altLabel> "y"@en .',
        '"13.5"^^<http://www.w3.org/2001/XMLSchema#double>',
        '<urn:size:n> "-1e-07"',
        '"1969-07-20T20:17:40.500000Z"^^<http://www.w3.org/2001/XMLSchema#dateTime>',
        '"0044-01-01"^^<http://www.w3.org/2001/XMLSchema#date>',
        "<http://ex.org/été/東京>",
        "<http://ex.org/%C3%A9t%20%C3%A9>",
        "<https://example.org/film/a%2Fb>",
        "<http://ex.org/x> <http://www.w3.org/2002/07/owl#sameAs> <http://ex.org/y> .",
    ):
        assert any(piece in line for line in lines), piece
    again = built_again(first, tmp_path / "again")
    assert sorted(statements(again)) == sorted(lines)


@settings(max_examples=40)
@given(st.lists(st.text(), min_size=1, max_size=4))
def test_any_text_is_escaped(texts: list[str]):
    graph = tiny(labels=texts)
    read = rdflib.Graph().parse(data=b"".join(ntriples(graph)).decode(), format="nt")
    found = {str(text) for text in read.objects(predicate=rdflib.RDFS.label)}
    assert found == {text for text in texts if text}


def tiny(labels: list[str], iris: list[str] | None = None) -> KnowledgeGraph:
    """Items 0, 1, ... in a chain, with weight 2."""
    keys = [str(i) for i in range(len(labels))]
    mapping = Mapping.from_dict(
        {"version": 1, "nodes": {"thing": {"item": True, "file": "t.csv", "key": "id"}}}
    )
    empty = bare(mapping)
    entities = {
        "id": pa.array(range(len(keys)), pa.int32()),
        "type": pa.array(["thing"] * len(keys), pa.string()).dictionary_encode(),
        "key": pa.array(keys, pa.string()),
        "iri": pa.array(iris or [f"{BASE}thing/{key}" for key in keys], pa.string()),
        "label": pa.array(labels, pa.string()),
    }
    chain = np.arange(len(keys) - 1)
    triples = {"head": chain, "relation": chain * 0, "tail": chain + 1, "weight": chain * 0 + 2.0}
    return replace(
        empty,
        entities=pa.table(entities),
        relations=pa.table(
            {"id": pa.array([0], pa.int32()), "name": ["next"], "iri": [f"{BASE}relation/next"]}
        ),
        triples=pa.table(triples).cast(empty.triples.schema),
    )


def bare(mapping: Mapping) -> KnowledgeGraph:
    """A graph with nothing in it."""
    from kgrec.ingest.assemble import assemble
    from kgrec.ingest.statements import Nodes, Statements

    nothing = assemble(Statements(Nodes(mapping.base)), mapping, Report())
    graph = graph_of(nothing, None, mapping, Report(), {})  # type: ignore[arg-type]
    return replace(graph, interactions=Interactions.none(graph.item_ids))


def test_an_iri_that_is_none_is_encoded():
    lines = statements(tiny(["a"], ["http://ex.org/a b<c>"]))
    assert lines[0].startswith("<http://ex.org/a%20b%3Cc%3E> ")


def test_turtle_says_what_ntriples_say(graph: KnowledgeGraph, tmp_path: Path):
    graph.export(tmp_path / "graph.ttl")
    text = (tmp_path / "graph.ttl").read_text(encoding="utf-8")
    assert (
        "@prefix ex: <http://ex.org/> ." in text and "@prefix genre: <https://example.org/genre/> ." in text
    )
    assert "@prefix dbo:" not in text
    assert "relation:genres genre:Drama" in text
    prefixes = [line for line in text.splitlines() if line.startswith("@prefix")]
    assert prefixes == sorted(prefixes)
    turtle = rdflib.Graph().parse(tmp_path / "graph.ttl")
    assert set(turtle) == set(rdflib.Graph().parse(data="\n".join(statements(graph)), format="nt"))


def test_graphml_is_read_by_networkx(graph: KnowledgeGraph, tmp_path: Path):
    remarks = graph.export(tmp_path / "graph.graphml")
    assert remarks == ["GraphML as written here cannot carry 1 texts, 2 numbers, 1 vectors, 3 interactions."]
    read = nx.read_graphml(tmp_path / "graph.graphml", node_type=int)
    assert read.nodes[3] == {
        "type": "movie",
        "key": "01",
        "label": "One",
        "iri": "http://ex.org/Q1",
        "item": True,
    }
    names = graph.relations["name"].to_pylist()
    assert sorted((h, d["relation"], t, d["weight"]) for h, t, d in read.edges(data=True)) == sorted(
        (row["head"], names[row["relation"]], row["tail"], row["weight"]) for row in graph.triples.to_pylist()
    )


def test_characters_that_xml_cannot_hold_are_replaced(tmp_path: Path):
    remarks = tiny(["a\x00b", "fine"]).export(tmp_path / "graph.graphml")
    assert remarks == ["1 texts have characters that XML does not allow; these characters are replaced."]
    assert nx.read_graphml(tmp_path / "graph.graphml").nodes["0"]["label"] == "a\ufffdb"


def test_parquet_has_a_row_a_triple(graph: KnowledgeGraph, tmp_path: Path):
    graph.export(tmp_path / "graph.parquet")
    rows = pq.read_table(tmp_path / "graph.parquet").to_pylist()
    assert len(rows) == 12 and [*rows[0].items()] == [
        ("head_type", "person"),
        ("head_key", "Ann"),
        ("relation", "acted_in"),
        ("tail_type", "movie"),
        ("tail_key", "01"),
        ("weight", 2.0),
    ]


def test_recbole_reads_what_is_written(graph: KnowledgeGraph, tmp_path: Path):
    remarks = graph.export(tmp_path / "films", "recbole")
    assert remarks == ["RecBole's files cannot carry 1 weights other than 1, 1 vectors."]
    # as RecBole itself reads them
    read = {
        suffix: pd.read_csv(
            tmp_path / "films" / f"films.{suffix}", delimiter="\t", engine="python", dtype=str
        )
        for suffix in ("inter", "item", "kg", "link")
    }
    assert read["inter"].to_dict("split")["data"] == [
        ["u1", "01", "4", "20"],
        ["u1", "2", "5", "40"],
        ["u2", "01", "5", "10"],
    ]
    assert list(read["inter"]) == ["user_id:token", "item_id:token", "rating:float", "timestamp:float"]
    assert read["item"].fillna("").to_dict("list") == {
        "item_id:token": ["01", "2", "a/b c"],
        "title:token_seq": ["One", "Two", "Three"],
        "plot:token_seq": ["A plot", "", ""],
        "released:float": ["86400", "", ""],
        "runtime:float": ["90", "", ""],
    }
    assert read["kg"].values.tolist()[0] == ["person/Ann", "acted_in", "movie/01"]
    assert len(read["kg"]) == 12
    assert read["link"].values.tolist() == [["01", "movie/01"], ["2", "movie/2"], ["a/b c", "movie/a/b c"]]


def test_recbole_has_no_quotes(tmp_path: Path):
    remarks = tiny(['"Quoted"\tand\nlong', "plain"]).export(tmp_path / "set", "recbole")
    assert remarks[-1] == "1 names and texts have tabs, line breaks or quotation marks; these are replaced."
    assert (tmp_path / "set" / "set.item").read_text().splitlines()[1] == "0\t'Quoted' and long"


def test_an_export_is_whole_or_not_at_all(graph: KnowledgeGraph, tmp_path: Path):
    (tmp_path / "graph.nt").write_text("old")
    broken = replace(graph, text=graph.text.set_column(0, "id", pa.array([99], pa.int32())))
    with pytest.raises((IndexError, pa.ArrowException)):
        replace(broken, triples=graph.triples.set_column(2, "tail", pa.array([99] * 12, pa.int32()))).export(
            tmp_path / "graph.nt"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["graph.nt"]
    assert (tmp_path / "graph.nt").read_text() == "old"
    graph.export(tmp_path / "graph.nt")
    assert (tmp_path / "graph.nt").read_text(encoding="utf-8").count("\n") == len(statements(graph))
    for _ in range(2):  # a folder of a dataset is replaced
        graph.export(tmp_path / "set", "recbole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph.nt", "set"]
    (tmp_path / "set" / "own.txt").touch()
    with pytest.raises(ArtifactError, match="is not a folder of RecBole's files"):
        graph.export(tmp_path / "set", "recbole")


def test_what_cannot_be_written_is_refused(graph: KnowledgeGraph, tmp_path: Path):
    with pytest.raises(ConfigError, match="'rdf' is not an export format"):
        graph.export(tmp_path / "a", "rdf")
    with pytest.raises(ConfigError, match="has no suffix that says its format"):
        graph.export(tmp_path / "a.txt")
    with pytest.raises(ArtifactError, match="there is no such folder"):
        graph.export(tmp_path / "b" / "a.nt")
    with pytest.raises(ArtifactError, match="is a folder"):
        graph.export(tmp_path, "nt")


@pytest.mark.parametrize(
    ("seconds", "day", "text"),
    [
        (0, True, "1970-01-01"),
        (-86400, True, "1969-12-31"),
        (1.25, False, "1970-01-01T00:00:01.250000Z"),
        (-62135596800, False, "0001-01-01T00:00:00Z"),
    ],
)
def test_dates_are_written_as_iso(seconds: float, day: bool, text: str):
    assert iso_date(seconds, day) == text
