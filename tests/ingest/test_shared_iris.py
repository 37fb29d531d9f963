"""Rows that name the same IRI stay apart, and what is said of it counts for each."""

import json

import numpy as np
import pandas as pd
import pytest
from test_rdf import triples_of

from kgrec.errors import SourceError, UnknownId
from kgrec.graph.build import build_graph, read_addition
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.ingest.shared_iris import MOST, Group, separated

MAPPING = """\
version: 1
prefixes: {e: "http://e.org/"}
nodes:
  film: {item: true, file: films.csv, key: id, columns: {title: label, wiki: {as: same_as, split: " "}}}
  studio: {file: studios.csv, key: id, columns: {wiki: same_as}}
rdf:
  - file: facts.nt
    types: {show: e:Show}
    items: [show]
    predicates: {e:name: label, e:plot: {as: text, lang: [en, ""]}, e:year: number, "*": ref}
errors: {stop_above: 1}
"""
Q1, Q2, Q3, Q4, P, X = (f"http://e.org/{name}" for name in ("Q1", "Q2", "Q3", "Q4", "P", "X"))
FILMS = ["a,A,http://e.org/Q1", "b,B,http://e.org/Q1 http://e.org/Q3", "c,C,http://e.org/Q4"]
FACTS = [
    f"<{Q1}> <http://e.org/by> <{P}> .",
    f"<{Q1}> <http://www.w3.org/2002/07/owl#sameAs> <{Q2}> .",
    f'<{Q1}> <http://e.org/plot> "A plot"@en .',
    f'<{Q1}> <http://e.org/plot> "Ein Plot"@de .',
    f'<{Q2}> <http://e.org/name> "Page" .',
    f'<{Q2}> <http://e.org/year> "1999" .',
    f"<{X}> <http://e.org/about> <{Q2}> .",
    f"<{Q3}> <http://e.org/by> <{X}> .",
    f"<{Q4}> <http://e.org/by> <{P}> .",
]


def built(folder, films=FILMS, facts=FACTS, studios=(), policy=None):
    folder.mkdir(exist_ok=True)
    for name, lines in {"films.csv": ["id,title,wiki", *films], "studios.csv": ["id,wiki", *studios]}.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    (folder / "facts.nt").write_text("\n".join(facts) + "\n")
    text = (
        MAPPING.replace("stop_above: 1", f"stop_above: 1, shared_identity: {policy}") if policy else MAPPING
    )
    (folder / "kgrec.yaml").write_text(text)
    return build_graph(folder / "kgrec.yaml")


def texts_of(graph):
    names = graph.names.tolist()
    return [(names[row["id"]], row["text"]) for row in graph.text.to_pylist()]


def test_what_is_said_of_a_shared_iri_counts_for_each_row(tmp_path):
    graph = built(tmp_path)
    columns = (graph.entities[name].to_pylist() for name in ("type", "key", "label", "iri"))
    assert list(zip(*columns, strict=True)) == [
        ("film", "a", "A", "https://example.org/film/a"),
        ("film", "b", "B", Q3),
        ("film", "c", "C", Q4),
        ("resource", P, "", P),
        ("resource", X, "", X),
    ]
    assert triples_of(graph) == {
        ("a", "e:by", P),
        ("b", "e:by", P),
        ("b", "e:by", X),
        ("c", "e:by", P),
        (X, "e:about", "a"),
        (X, "e:about", "b"),
    }
    assert len(graph.triples) == 6
    assert texts_of(graph) == [
        ("film/a", "Page"),
        ("film/a", "A plot"),
        ("film/b", "Page"),
        ("film/b", "A plot"),
    ]
    assert graph.numbers.to_pylist() == [{"id": i, "predicate": "e:year", "value": 1999.0} for i in (0, 1)]
    assert graph.item_ids.tolist() == ["a", "b", "c"]
    assert [found for found in graph.validate() if found.severity == "violation"] == []


def test_rows_that_share_an_iri_are_reported_and_know_its_names(tmp_path):
    graph = built(tmp_path)
    assert graph.report.shared.first == [f"film/a, film/b: {Q1}"]
    assert (graph.report.shared.count, graph.report.merged, graph.report.merged_items.count) == (1, 2, 0)
    assert f"kept apart, although they share an IRI: 1 (first: film/a, film/b: {Q1})" in str(graph.report)
    assert [tuple(row.values()) for row in graph.aliases.to_pylist()] == [
        (0, "resource", Q1, Q1),
        (0, "resource", Q2, Q2),
        (1, "resource", Q1, Q1),
        (1, "resource", Q2, Q2),
        (1, "resource", Q3, Q3),
        (2, "resource", Q4, Q4),
    ]
    assert graph.find("resource", Q3) == 1
    assert graph.item_codes([Q1, Q3, "a"]).tolist() == [-1, 1, 0]
    with pytest.raises(UnknownId) as caught:
        graph.find("resource", Q1)
    assert str(caught.value) == (f"There is no resource '{Q1}' in the graph.\n  film/a and film/b share it.")


def test_rows_can_be_merged_as_said(tmp_path):
    graph = built(tmp_path, policy="merge")
    assert graph.item_ids.tolist() == ["a", "c"]
    assert graph.report.merged_items.first == ["film/b into film/a"]
    assert graph.report.shared.count == 0
    assert triples_of(graph) == {("a", "e:by", P), ("a", "e:by", X), ("c", "e:by", P), (X, "e:about", "a")}


def test_rows_that_share_an_iri_can_stop_the_build(tmp_path):
    with pytest.raises(SourceError) as caught:
        built(tmp_path, policy="fail")
    assert str(caught.value) == (
        f"Several rows share an IRI: film/a, film/b: {Q1}.\n"
        "  Correct the rows, or set `errors: {shared_identity: apart}`."
    )
    assert built(tmp_path, films=FILMS[1:], policy="fail").item_ids.tolist() == ["b", "c"]


def test_a_link_in_rdf_joins_no_rows_either(tmp_path):
    """Of rows that name each other nothing is copied: each says what it says."""
    links = [f"<{Q1}> <http://www.w3.org/2002/07/owl#sameAs> <https://example.org/film/c> ."]
    links += [
        "<https://example.org/film/a> <http://www.w3.org/2002/07/owl#sameAs> <https://example.org/film/c> ."
    ]
    graph = built(tmp_path, films=[FILMS[0], "c,C,"], facts=[*FACTS[:1], *links])
    assert triples_of(graph) == {("a", "e:by", P), ("c", "e:by", P)}
    assert graph.report.shared.first == ["film/a, film/c: each other", f"film/a, film/c: {Q1}"]


def test_rows_of_two_tables_stay_apart_too(tmp_path):
    graph = built(tmp_path, films=FILMS[:1], studios=[f"s,{Q1}"])
    assert triples_of(graph) >= {("a", "e:by", P), ("s", "e:by", P), (X, "e:about", "s")}


def test_an_iri_that_is_the_key_of_one_row_and_named_by_another(tmp_path):
    facts = [*FACTS[:1], f"<{Q1}> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://e.org/Show> ."]
    mapping = MAPPING.replace("film: {item: true, file: films.csv", "show: {item: true, file: films.csv")
    (tmp_path / "films.csv").write_text(f"id,title,wiki\n{Q1},One,\nb,B,{Q1}\n")
    (tmp_path / "studios.csv").write_text("id,wiki\n")
    (tmp_path / "facts.nt").write_text("\n".join(facts))
    (tmp_path / "kgrec.yaml").write_text(mapping)
    graph = build_graph(tmp_path / "kgrec.yaml")
    assert graph.item_ids.tolist() == ["b", Q1]
    assert triples_of(graph) == {("b", "e:by", P), (Q1, "e:by", P)}
    assert graph.report.shared.count == 1 and len(graph.aliases) == 0
    assert [found for found in graph.validate() if found.severity == "violation"] == []


def test_items_from_rdf_alone_are_merged_and_named(tmp_path):
    kinds = [
        f"<{q}> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://e.org/Show> ." for q in (Q1, Q2)
    ]
    graph = built(tmp_path, films=FILMS[2:], facts=FACTS + kinds)
    assert graph.item_ids.tolist() == ["c", Q1]
    assert graph.report.merged_items.first == [f"show/{Q2} into show/{Q1}"]
    shared = built(tmp_path, facts=FACTS + kinds)
    assert shared.item_ids.tolist() == ["a", "b", "c"]
    assert shared.report.merged_items.first == [f"show/{q} into film/a and film/b" for q in (Q1, Q2)]


def test_triples_between_shared_iris_lead_from_each_row_to_each(tmp_path):
    films = [f"a,A,{Q1}", f"b,B,{Q1}", f"c,C,{Q3}", f"d,D,{Q3}"]
    graph = built(tmp_path, films, [f"<{Q1}> <http://e.org/next> <{Q3}> ."])
    assert triples_of(graph) == {(head, "e:next", tail) for head in "ab" for tail in "cd"}


@pytest.mark.parametrize("rows", [MOST, MOST + 1])
def test_an_iri_that_very_many_rows_name_is_left_alone(tmp_path, rows):
    graph = built(tmp_path, [f"f{i},F,{Q1}" for i in range(rows)], FACTS[:1])
    assert len(graph.item_ids) == rows and graph.report.shared.count == 1
    assert graph.report.shared.first == [f"film/f0, film/f1, film/f10 and {rows - 3} more: {Q1}"]
    assert len(graph.triples) == (MOST if rows == MOST else 1)


def test_saved_exported_and_built_again(tmp_path):
    graph = built(tmp_path)
    graph.save(tmp_path / "graph")
    again = KnowledgeGraph.load(tmp_path / "graph")
    assert again.report == graph.report and again.aliases.equals(graph.aliases)
    older = json.loads((tmp_path / "graph" / "report.json").read_text())
    del older["shared"]
    assert type(graph.report).from_dict(older).shared.count == 0
    remarks = graph.export(tmp_path / "g.nt")
    assert remarks == ["RDF cannot carry 2 names that several entities share."]
    assert f"sameAs> <{Q1}>" not in (tmp_path / "g.nt").read_text()


def frame(*rows):
    return {"film": pd.DataFrame(list(rows), columns=["id", "title", "wiki"])}


def test_an_added_row_that_names_the_iri_of_a_known_one_is_new(tmp_path):
    graph = built(tmp_path)
    rows = frame(("d", "D", Q4), ("e", "E", Q1), ("f", "F", P), ("g", "G", "http://e.org/n"), ("c", "C", Q4))
    addition = read_addition(graph.mapping, frames=rows, known=graph)
    larger, _ = graph.extended(addition)
    assert larger.item_ids.tolist() == ["a", "b", "c", "d", "e", "f", "g"]
    # the resource P is taken over, as ever
    assert larger.find("film", "f") == graph.find("resource", P)
    iris = dict(zip(larger.names.tolist(), larger.entities["iri"].to_pylist(), strict=True))
    assert iris["film/d"] == "https://example.org/film/d" and iris["film/c"] == Q4
    assert [found for found in larger.validate() if found.severity == "violation"] == []
    assert len(larger.extended(addition)[0]) == len(larger)


def test_added_rows_that_share_an_iri_share_what_is_added_of_it(tmp_path):
    graph = built(tmp_path)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "films.csv").write_text("id,title,wiki\nd,D,http://e.org/n\ne,E,http://e.org/n\n")
    (tmp_path / "new" / "facts.nt").write_text(f"<http://e.org/n> <http://e.org/by> <{P}> .\n")
    larger, _ = graph.extended(read_addition(graph.mapping, tmp_path / "new", known=graph))
    assert triples_of(larger) - triples_of(graph) == {("d", "e:by", P), ("e", "e:by", P)}


def test_pairs_that_would_merge_rows_are_separated():
    # 0, 1, 2 are rows; 3 and 4 one thing, which 0 and 1 claim; 5 is claimed by 1 alone, 6 and 7 by no row
    pairs = np.array([[0, 3], [4, 1], [3, 4], [1, 5], [6, 7], [2, 0], [0, 3], [2, 2]])
    merging, groups = separated(pairs, np.arange(8) < 3)
    assert {tuple(sorted(pair)) for pair in merging.tolist()} == {(3, 4), (1, 5), (6, 7)}
    assert [(group.nodes.tolist(), group.rows.tolist()) for group in groups] == [
        ([3, 4], [0, 1]),
        ([], [0, 2]),
    ]
    assert [group.spreads for group in groups] == [True, False]
    assert not Group(np.array([3]), np.arange(MOST + 1)).spreads
