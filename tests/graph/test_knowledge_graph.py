import random
import subprocess
import sys
from dataclasses import replace
from urllib.parse import unquote

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kgrec.errors import ConfigError, CorruptArtifact, MappingError, SourceError, TooManyBadRows, UnknownId
from kgrec.graph.knowledge_graph import KnowledgeGraph, Vocabulary, build_graph, read_addition
from kgrec.ingest.statements import node_iri, parse_iri

MAPPING = """\
version: 1
prefixes: {ex: http://ex.org/}
nodes:
  movie:
    item: true
    file: movies.csv
    key: id
    columns:
      title: label
      plot: {as: text, lang: en}
      runtime: number
      released: {as: date, format: "%d/%m/%Y"}
      rated: category
      genres: {as: node, type: genre, split: "|"}
      studio: {as: ref, to: studio, edge: made_by}
      sequels: {as: ref, to: movie, edge: sequel, split: "|"}
      wikidata: same_as
      poster: vector
      notes: ignore
  studio: {file: studios.csv, key: id, columns: {name: label}}
edges:
  acted_in: {file: cast.csv, from: {person: actor}, to: {movie: movie}, weight: billing}
rdf:
  - {file: more.nt, predicates: {ex:about: ref, ex:name: label}}
interactions: {file: log.csv, user: u, item: i, value: r, time: t, positive: ">= 4"}
errors: {stop_above: 0.9}
"""
HEAD = "id,title,plot,runtime,released,rated,genres,studio,sequels,wikidata,poster,notes"
FILES = {
    "movies.csv": [
        HEAD,
        '01,One,A plot,90,02/01/1970,PG,Drama|War,s1,2,http://ex.org/Q1,"[1, 0.5]",x',
        '2,Two,,,,PG,"[""Drama"", ""Art|House""]",s9,,,,y',
        "a/b c,Three,,,,,,,,,,",
    ],
    "studios.csv": ["id,name", "s1,Studio"],
    "cast.csv": ["actor,movie,billing", "Ann,01,2", "Ann,77,1", "Bob,2,"],
    "more.nt": [
        "<http://ex.org/Q1> <http://ex.org/about> <http://ex.org/topic> .",
        "<https://example.org/movie/a%2Fb%20c> <http://ex.org/about> <http://ex.org/topic> .",
        "<https://example.org/movie/gone> <http://ex.org/about> <http://ex.org/topic> .",
        '<http://ex.org/topic> <http://ex.org/name> "Topic" .',
    ],
    "log.csv": ["u,i,r,t", "u2,01,5,10", "u1,2,3,30", "u1,01,4,20", "u1,2,5,40", "u3,99,5,1", ",01,5,1"],
}


def write(folder, files=FILES, mapping=MAPPING):
    folder.mkdir(exist_ok=True)
    for name, lines in files.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "kgrec.yaml").write_text(mapping, encoding="utf-8")
    return folder / "kgrec.yaml"


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return build_graph(write(tmp_path_factory.mktemp("graph")))


def changed(name, **lines):
    """FILES with lines of one file replaced or added by number: changed("a.csv", _1="...")."""
    content = list(FILES[name])
    for number, line in lines.items():
        content[int(number[1:]) :][:1] = []
        content = [*content[: int(number[1:])], line, *content[int(number[1:]) + 1 :]]
    return {**FILES, name: content}


def test_entities_are_sorted_with_labels_and_iris(graph):
    columns = [graph.entities[name].to_pylist() for name in ("type", "key", "label", "iri")]
    base = "https://example.org/"
    assert list(zip(*columns, strict=True)) == [
        ("genre", "Art|House", "Art|House", base + "genre/Art%7CHouse"),
        ("genre", "Drama", "Drama", base + "genre/Drama"),
        ("genre", "War", "War", base + "genre/War"),
        ("movie", "01", "One", "http://ex.org/Q1"),
        ("movie", "2", "Two", base + "movie/2"),
        ("movie", "a/b c", "Three", base + "movie/a%2Fb%20c"),
        ("person", "Ann", "Ann", base + "person/Ann"),
        ("person", "Bob", "Bob", base + "person/Bob"),
        ("rated", "PG", "PG", base + "rated/PG"),
        ("resource", "http://ex.org/topic", "Topic", "http://ex.org/topic"),
        ("studio", "s1", "Studio", base + "studio/s1"),
    ]
    assert graph.entities["id"].to_pylist() == list(range(11))


def test_every_edge_is_there_once_and_sorted(graph):
    names, keys = graph.relations["name"].to_pylist(), graph.entities["key"].to_pylist()
    assert names == ["acted_in", "ex:about", "genres", "made_by", "rated", "sequel"]
    rows = [tuple(row.values()) for row in graph.triples.to_pylist()]
    assert rows == sorted(rows, key=lambda row: (row[1], row[0], row[2]))
    assert [(keys[h], names[r], keys[t], w) for h, r, t, w in rows] == [
        ("Ann", "acted_in", "01", 2.0),
        ("Bob", "acted_in", "2", 1.0),
        ("01", "ex:about", "http://ex.org/topic", 1.0),
        ("a/b c", "ex:about", "http://ex.org/topic", 1.0),
        ("01", "genres", "Drama", 1.0),
        ("01", "genres", "War", 1.0),
        ("2", "genres", "Art|House", 1.0),
        ("2", "genres", "Drama", 1.0),
        ("01", "made_by", "s1", 1.0),
        ("01", "rated", "PG", 1.0),
        ("2", "rated", "PG", 1.0),
        ("01", "sequel", "2", 1.0),
    ]


def test_text_numbers_and_vectors(graph):
    assert graph.text.to_pylist() == [{"id": 3, "predicate": "plot", "lang": "en", "text": "A plot"}]
    assert graph.numbers.to_pylist() == [
        {"id": 3, "predicate": "released", "value": 86400.0},
        {"id": 3, "predicate": "runtime", "value": 90.0},
    ]
    assert graph.vectors.to_pylist() == [{"id": 3, "predicate": "poster", "vector": [1.0, 0.5]}]


def test_missing_references_and_unknown_items_are_reported_with_places(graph):
    missing = {name: places.first for name, places in graph.report.missing.items()}
    assert missing == {
        "made_by -> studio": ['movies.csv:3: "s9"'],
        "acted_in -> movie": ['cast.csv:3: "77"'],
        "ex:about -> movie": ['more.nt: "gone"'],
    }
    assert graph.report.unknown_items.first == ['log.csv:6: "99"']
    assert graph.report.files["log.csv"].dropped["has an empty user or item"].first == ["log.csv:7"]
    assert graph.report.repeated_pairs == 1
    assert "INTERACTIONS THAT NAME AN UNKNOWN ITEM: 1" in str(graph.report)


def test_interactions_are_sorted_and_keep_the_last_of_a_pair(graph):
    log = graph.interactions
    assert log.users.tolist() == ["u1", "u2"]
    assert log.items == graph.item_ids and log.items.tolist() == ["01", "2", "a/b c"]
    assert log.user.tolist() == [0, 0, 1] and log.item.tolist() == [0, 1, 0]
    assert log.value.tolist() == [4.0, 5.0, 5.0] and log.time.tolist() == [20, 40, 10]
    assert log.positive.tolist() == [True, True, True]


def test_the_order_of_rows_leaves_no_trace(tmp_path):
    written = []
    for seed in range(3):
        files = {name: list(lines) for name, lines in FILES.items()}
        for name, lines in files.items():
            head = 0 if name.endswith(".nt") else 1
            rest = lines[head:]
            random.Random(seed).shuffle(rest)
            files[name] = lines[:head] + rest
        build_graph(write(tmp_path / str(seed), files)).save(tmp_path / f"graph{seed}")
        folder = tmp_path / f"graph{seed}"
        written.append({path.name: path.read_bytes() for path in folder.glob("*.parquet")})
    assert len(written[0]) == 8
    assert written[0] == written[1] == written[2]


def test_save_and_load(graph, tmp_path):
    graph.save(tmp_path / "graph")
    again = KnowledgeGraph.load(tmp_path / "graph")
    for name in ("entities", "relations", "triples", "text", "numbers", "vectors", "aliases"):
        assert getattr(again, name).equals(getattr(graph, name)), name
    for name in ("users", "items"):
        assert getattr(again.interactions, name) == getattr(graph.interactions, name)
    for name in ("user", "item", "positive", "value", "time"):
        np.testing.assert_array_equal(getattr(again.interactions, name), getattr(graph.interactions, name))
    assert again.mapping == graph.mapping or again.mapping.to_dict() == graph.mapping.to_dict()
    assert again.report == graph.report and again.item_types == ("movie",)
    (tmp_path / "graph" / "triples.parquet").write_bytes(b"PAR1")
    with pytest.raises(CorruptArtifact):
        KnowledgeGraph.load(tmp_path / "graph")


def test_find_and_neighbors(graph):
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


def test_stats(graph):
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


def test_stats_name_what_is_likely_to_be_a_mistake(tmp_path):
    rows = [f"{i},{'Same' if i % 2 else 'Other'}{i // 4},,,,,,,,,," for i in range(24)]
    graph = build_graph(write(tmp_path, {**FILES, "movies.csv": [HEAD, *rows, "x,,,,,,,,,,,"]}))
    stats = graph.stats()
    assert stats["duplicate labels"] == {"count": 12, "first": [f"movie 'Other{i}' 2" for i in range(5)]}
    assert stats["items without text"] == 1
    assert stats["isolated items"] == 24  # all but 2, in which Bob acted
    # 2 with Bob, Q1 with topic; alone are the isolated items, Ann and s1
    assert stats["connected components"] == {"count": 28, "largest": 2, "single nodes": 26}


def test_csr(graph):
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
    with pytest.raises(ConfigError, match="'up' is no direction"):
        graph.csr(direction="up")


def test_a_subgraph_has_what_is_near(graph):
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


def test_a_subgraph_of_everything_is_the_graph(graph, tmp_path):
    whole = graph.subgraph(np.arange(len(graph)), hops=0)
    for name in ("entities", "relations", "triples", "text", "numbers", "vectors", "aliases"):
        assert getattr(whole, name).equals(getattr(graph, name)), name
    assert whole.interactions.to_arrow().equals(graph.interactions.to_arrow())
    assert graph.subgraph(["person/Bob"], hops=9).triples.equals(graph.triples)
    graph.subgraph(["movie/2"]).save(tmp_path / "part")
    assert KnowledgeGraph.load(tmp_path / "part").validate() == []


def test_a_subgraph_of_unknown_nodes_is_refused(graph):
    with pytest.raises(UnknownId, match="There is no node 'movie/3' in the graph"):
        graph.subgraph(["movie/01", "movie/3"])
    with pytest.raises(UnknownId, match="There are 11 entities"):
        graph.subgraph(np.array([11]))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(0, 10), min_size=1), st.integers(0, 3))
def test_any_subgraph_is_sound(graph, nodes, hops):
    part = graph.subgraph(np.array(sorted(nodes)), hops)
    assert [f for f in part.validate() if f.severity == "violation"] == []
    names = set(part.names.tolist())
    assert {graph.names[node] for node in nodes} <= names
    assert set(named_edges(part)) == {e for e in named_edges(graph) if e[0] in names and e[2] in names}


def named_edges(graph):
    names = graph.names.tolist()
    return [(names[h], r, names[t]) for h, r, t in edges(graph, range(len(graph)))]


def test_a_sound_graph_has_no_findings(graph):
    assert graph.validate() == []


@pytest.mark.parametrize(
    ("table", "column", "values", "finding"),
    [
        (
            "entities",
            "id",
            list(range(10, -1, -1)),
            "violation: entities: 10 ids are not the number of their row",
        ),
        ("entities", "key", ["x"] * 11, "violation: entities: 5 entities have the type and key of another"),
        ("entities", "iri", ["a b"] * 11, "violation: entities: 11 IRIs are no IRIs"),
        ("entities", "label", [""] * 11, "warning: entities: 11 entities have no label"),
        ("entities", "label", [None] * 11, "violation: entities: 11 cells are null"),
        ("relations", "name", ["r"] * 6, "violation: relations: 5 relations have the name of another"),
        ("triples", "tail", [99] * 12, "violation: triples: 12 tails are not there"),
        ("triples", "relation", [*[0] * 11, 1], "warning: relations: 4 relations have no triple"),
        (
            "triples",
            "relation",
            list(range(5, -1, -1)) * 2,
            "violation: triples: 10 triples are not in order",
        ),
        ("triples", "weight", [float("nan")] * 12, "violation: triples: 12 weights are not finite"),
        ("numbers", "value", [1.0, float("inf")], "violation: numbers: 1 numbers are not finite"),
        ("text", "id", [-1], "violation: text: 1 entities are not there"),
        ("aliases", "key", ["2"], "violation: aliases: 1 names are those of an entity"),
    ],
)
def test_what_is_wrong_is_found(graph, table, column, values, finding):
    old = getattr(graph, table)
    new = (
        pa.array(values, pa.string()) if column == "type" else pa.array(values, old.schema.field(column).type)
    )
    if table == "aliases":
        old = old.set_column(1, "type", pa.array(["movie"]))
    broken = replace(graph, **{table: old.set_column(old.column_names.index(column), column, new)})
    assert finding in [str(found) for found in broken.validate()]


SHAPES = """\
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix r: <https://example.org/relation/> .
[] a sh:NodeShape ; sh:targetClass <https://example.org/type/movie> ;
  sh:property [ sh:path r:runtime ; sh:datatype xsd:integer ; sh:maxInclusive 80 ; sh:message "too long" ] ;
  sh:property [ sh:path r:rated ; sh:minCount 1 ; sh:severity sh:Warning ] .
"""


def test_shapes(graph, tmp_path):
    (tmp_path / "shapes.ttl").write_text(SHAPES)
    long, unrated = graph.validate(tmp_path / "shapes.ttl")
    assert str(long) == (
        "violation: http://ex.org/Q1: https://example.org/relation/runtime: too long "
        '(it is "90"^^<http://www.w3.org/2001/XMLSchema#integer>)'
    )
    assert (unrated.severity, unrated.where) == ("warning", "https://example.org/movie/a%2Fb%20c")
    assert graph.validate(tmp_path / "shapes.ttl") == [long, unrated]
    (tmp_path / "bad.ttl").write_text("this is no Turtle")
    with pytest.raises(SourceError, match="is no RDF"):
        graph.validate(tmp_path / "bad.ttl")
    with pytest.raises(SourceError, match="cannot be read"):
        graph.validate(tmp_path / "none.ttl")


def test_shapes_without_pyshacl(graph, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyshacl", None)
    with pytest.raises(ConfigError) as caught:
        graph.validate("shapes.ttl")
    assert str(caught.value) == (
        "SHACL shapes need the package pyshacl, which is not installed.\n  pip install 'kgrec[shacl]'"
    )


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_views(graph):
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


@pytest.mark.parametrize(
    ("name", "line", "content", "error", "problem", "remedy"),
    [
        (
            "movies.csv",
            0,
            HEAD.replace("title", "titel"),
            SourceError,
            "movies.csv has no column 'title'.",
            "'titel'",
        ),
        (
            "movies.csv",
            0,
            HEAD.replace("notes", "remarks"),
            MappingError,
            "movies.csv: the column 'remarks' is not named under nodes.movie.columns.",
            "There is 'notes'.",
        ),
        ("studios.csv", 0, "key,name", SourceError, "studios.csv has no column 'id'.", "'key'"),
    ],
)
def test_columns_must_fit_the_mapping(tmp_path, name, line, content, error, problem, remedy):
    with pytest.raises(error) as caught:
        build_graph(write(tmp_path, changed(name, **{f"_{line}": content})))
    assert caught.value.problem == problem
    assert remedy.split("?")[0] in caught.value.remedy


HEADERLESS = """\
version: 1
nodes:
  film:
    item: true
    file: u.item
    format: csv
    delimiter: "|"
    header: [id, title, kind]
    key: id
    columns: {title: label, kind: category}
interactions: {file: u.data, format: tsv, header: [user, film, stars], user: user, item: film, value: stars}
errors: {stop_above: 1}
"""


def test_files_without_a_header_are_reported_by_their_lines(tmp_path):
    files = {
        "u.item": ["1|One|x", "2|Two", "|Three|y", "1|One|x"],
        "u.data": ["ann\t1\t5", "ann\t9\t4", "bob\t1\tfive"],
    }
    graph = build_graph(write(tmp_path, files, HEADERLESS))
    items, log = graph.report.files["u.item"], graph.report.files["u.data"]
    assert {reason: places.first for reason, places in items.dropped.items()} == {
        "cannot be split into columns": ["u.item:2"],
        "has an empty key": ["u.item:3"],
        "identical to an earlier row": ["u.item:4"],
    }
    assert (items.rows, items.used, log.rows, log.used) == (4, 1, 3, 2)
    assert graph.report.unknown_items.first == ['u.data:2: "9"']
    assert log.failed["stars"].first == ['u.data:3: "five"']
    with pytest.raises(SourceError, match=r"u.item has no column 'name'"):
        build_graph(write(tmp_path, files, HEADERLESS.replace("title: label", "name: label")))


def test_a_file_of_which_all_rows_are_broken_stops_the_build(tmp_path):
    files = {"u.item": ["1|One", "2|Two"], "u.data": ["ann\t1\t5"]}
    with pytest.raises(TooManyBadRows, match=r"u.item: 2 of 2 rows are bad.*first at u.item:1"):
        build_graph(write(tmp_path, files, HEADERLESS.replace("stop_above: 1", "stop_above: 0.5")))


def test_repeated_keys_are_told_apart(tmp_path):
    files = {**FILES, "studios.csv": ["id,name", "s1,Studio", "s1,Studio", "s1,Other", "s2,B", ",C"]}
    report = build_graph(write(tmp_path, files)).report.files["studios.csv"]
    assert (report.rows, report.used) == (5, 2)
    assert {reason: (places.count, places.first) for reason, places in report.dropped.items()} == {
        "has an empty key": (1, ["studios.csv:6"]),
        "identical to an earlier row": (1, ["studios.csv:3"]),
        "has the key of an earlier row": (1, ["studios.csv:4"]),
    }


def test_bad_values_are_counted_or_stop_the_build(tmp_path):
    files = changed("movies.csv", _1="01,One,,long,31-12-99,,,,,nowhere|http://a b,[x],")
    failed = build_graph(write(tmp_path, files)).report.files["movies.csv"].failed
    assert {column: places.first for column, places in failed.items()} == {
        "runtime": ['movies.csv:2: "long"'],
        "released": ['movies.csv:2: "31-12-99"'],
        "wikidata": ['movies.csv:2: "nowhere|http://a b"'],
        "poster": ['movies.csv:2: "[x]"'],
    }
    files = changed("movies.csv", _1="01,One,,,31/12/99,,,,,,,")
    strict = MAPPING.replace("stop_above: 0.9", "bad_row: fail")
    with pytest.raises(SourceError) as caught:
        build_graph(write(tmp_path, files, strict))
    assert str(caught.value) == (
        'movies.csv:2: \'released\' is "31/12/99", which does not match "%d/%m/%Y".\n'
        "  Mend the row, or set `format:` of the column in kgrec.yaml."
    )
    with pytest.raises(TooManyBadRows, match=r"movies.csv: 1 of 3 rows are bad"):
        build_graph(write(tmp_path, files, MAPPING.replace("0.9", "0.1")))


def test_missing_references_can_stop_the_build(tmp_path):
    with pytest.raises(SourceError, match=r'^movies.csv:3: "s9" is no studio that any source has'):
        build_graph(write(tmp_path, mapping=MAPPING.replace("stop_above: 0.9", "missing_ref: fail")))


def test_items_that_are_one_are_merged_and_answer_to_both_names(tmp_path):
    files = changed("movies.csv", _2="2,Two,,,,,,,,http://ex.org/Q1,,")
    mapping = MAPPING.replace("stop_above: 0.9", "stop_above: 0.9, shared_identity: merge")
    graph = build_graph(write(tmp_path, files, mapping))
    assert graph.item_ids.tolist() == ["01", "a/b c"]
    assert graph.report.merged_items.first == ["movie/2 into movie/01"]
    assert graph.item_codes(["2", "movie/2", "01", "77"]).tolist() == [0, 0, 0, -1]
    assert graph.find("movie", "2") == graph.find("movie", "01")
    assert graph.text.to_pylist()[-1]["text"] == "Two"
    assert len(graph.interactions) == 2


def test_one_key_in_two_item_types_is_named_with_its_type(tmp_path):
    mapping = MAPPING.replace("studio: {file", "studio: {item: true, file")
    files = {**FILES, "studios.csv": ["id,name", "01,Studio"]}
    graph = build_graph(write(tmp_path, files, mapping))
    assert graph.item_ids.tolist() == ["2", "a/b c", "movie/01", "studio/01"]
    assert graph.report.unknown_items.count == 3


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "arrow"])
def test_an_addition_knows_the_graph(graph, make):
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


def test_a_new_item_takes_the_place_of_the_resource_that_it_is(graph):
    columns = {name: [""] for name in HEAD.split(",")} | {"id": ["t"], "wikidata": ["http://ex.org/topic"]}
    addition = read_addition(graph.mapping, frames={"movie": pd.DataFrame(columns)}, known=graph)
    larger, _ = graph.extended(addition)
    assert len(larger) == len(graph)
    assert larger.find("movie", "t") == graph.find("resource", "http://ex.org/topic")
    assert "t" in larger.item_ids.tolist()


def test_an_addition_from_a_folder_reads_the_files_that_are_there(graph, tmp_path):
    (tmp_path / "movies.csv").write_text(f"{HEAD}\n9,Nine,,,,,,,,,,\n")
    assert read_addition(graph.mapping, tmp_path, known=graph).item_ids.tolist() == ["9"]
    with pytest.raises(SourceError) as caught:
        read_addition(graph.mapping, tmp_path / "none", known=graph)
    assert caught.value.remedy == (
        "Files are looked for by the names: movies.csv, studios.csv, cast.csv, more.nt."
    )
    with pytest.raises(SourceError, match="There is no node table 'film'"):
        read_addition(graph.mapping, frames={"film": pd.DataFrame({"id": ["1"]})}, known=graph)


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
def test_a_larger_graph_is_the_union(graph, rows):
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


def table_rows(graph, name):
    return [tuple(row.values()) for row in getattr(graph, name).to_pylist()]


def edges(graph, ids):
    names = graph.relations["name"].to_pylist()
    return [(int(ids[h]), names[r], int(ids[t])) for h, r, t, _ in table_rows(graph, "triples")]


def test_adding_nothing_changes_nothing(graph):
    frame = pd.DataFrame(columns=HEAD.split(","), dtype=str)
    addition = read_addition(graph.mapping, frames={"movie": frame}, known=graph)
    larger, ids = graph.extended(addition)
    assert len(ids) == 0
    for name in ("entities", "relations", "triples", "text", "numbers", "vectors", "aliases"):
        assert getattr(larger, name).equals(getattr(graph, name)), name


def test_an_added_edge_keeps_the_larger_weight_and_an_added_vector_wins(graph):
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


@given(st.lists(st.text()))
def test_a_vocabulary_gives_its_labels_back(labels):
    words = Vocabulary.of(labels)
    assert words.tolist() == sorted(set(labels), key=lambda label: label.encode("utf-8"))
    assert [words[i] for i in words.ids(labels)] == labels
    assert words.ids(pa.array(labels, pa.large_string())).tolist() == words.ids(labels).tolist()


def test_a_vocabulary_says_what_is_unknown_and_near():
    words = Vocabulary(["beta", "alpha"])
    assert words.ids(["alpha", "gamma"]).tolist() == [1, -1]
    assert words.nearest("alpa") == ["alpha"]
    with pytest.raises(ValueError, match="must be distinct"):
        Vocabulary(["a", "a"])


@given(st.from_regex(r"\A\w[\w.\-]*\Z"), st.text(min_size=1))
def test_iris_of_nodes_give_type_and_key_back(type_, key):
    iri = node_iri("https://example.org/", type_, key)
    assert iri.isascii() and " " not in iri
    assert parse_iri("https://example.org/", iri) == (type_, key)
    assert unquote(iri).endswith(key)


def test_import_is_light():
    code = (
        "import sys, kgrec.graph.knowledge_graph, kgrec.graph.interactions; "
        "print({'torch', 'faiss', 'rdflib', 'networkx', 'torch_geometric'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
