"""Types of nodes, and which nodes are one."""

import pytest
from test_rdf import triples_of

from kgrec.errors import MappingError
from kgrec.graph.build import build_graph
from kgrec.ingest.mapping.schema import load_mapping

SHOP = """\
version: 1
prefixes: {s: "http://s.org/"}
rdf:
  - file: a.nt
    types: TYPES
    items: [film]
    predicates: {s:by: ref, s:name: label, "*": ignore}
"""
LINES = """\
<http://s.org/film#1> <http://s.org/by> <http://s.org/person/9> .
<http://s.org/film#1> <http://s.org/name> "One" .
<http://s.org/film#2> <http://s.org/color> "red" .
<http://s.org/film#short3> <http://s.org/name> "Three" .
<http://s.org/film#4> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://s.org/Poster> .
<http://s.org/film#4> <http://s.org/name> "Four" .
<http://s.org/person/9> <http://s.org/by> <http://t.org/film#5> .
_:film <http://s.org/name> "blank" .
"""


def written(folder, types, lines=LINES, mapping=SHOP):
    (folder / "a.nt").write_text(lines)
    (folder / "kgrec.yaml").write_text(mapping.replace("TYPES", types))
    return folder / "kgrec.yaml"


def names_of(graph):
    return graph.names.tolist()


def test_the_beginning_of_an_iri_gives_the_type(tmp_path):
    types = '{person: ["http://s.org/person/*", s:Person], film: "s:film#*", poster: s:Poster}'
    graph = build_graph(written(tmp_path, types))
    # film#2 is not there: no triple about it is used; the class of film#4 prevails; t.org is another place
    assert names_of(graph) == [
        "film/http://s.org/film#1",
        "film/http://s.org/film#short3",
        "person/http://s.org/person/9",
        "poster/http://s.org/film#4",
        "resource/http://t.org/film#5",
        "resource/https://example.org/.well-known/genid/a.nt/film",
    ]
    assert graph.item_ids.tolist() == ["http://s.org/film#1", "http://s.org/film#short3"]
    assert triples_of(graph) == {
        ("http://s.org/film#1", "s:by", "http://s.org/person/9"),
        ("http://s.org/person/9", "s:by", "http://t.org/film#5"),
    }


def test_of_several_beginnings_the_longest_prevails(tmp_path):
    types = '{short: "s:film#short*", film: "s:film*", thing: ["s:*", "s:film*"]}'
    graph = build_graph(written(tmp_path, types))
    assert names_of(graph)[:4] == [
        "film/http://s.org/film#1",
        "film/http://s.org/film#4",
        "resource/http://t.org/film#5",
        "resource/https://example.org/.well-known/genid/a.nt/film",
    ]
    assert names_of(graph)[4:] == ["short/http://s.org/film#short3", "thing/http://s.org/person/9"]


def test_a_beginning_counts_in_its_own_source_only(tmp_path):
    (tmp_path / "b.nt").write_text('<http://s.org/film#6> <http://s.org/name> "Six" .\n')
    more = SHOP + "  - {file: b.nt, predicates: {s:name: label}}\n"
    graph = build_graph(written(tmp_path, '{film: "s:film#*"}', mapping=more))
    assert "resource/http://s.org/film#6" in names_of(graph)


def test_a_beginning_meets_the_table_of_its_type(tmp_path):
    """A row whose key is the IRI is one with it; other IRIs of that type are knowledge, since the table brings the items."""
    (tmp_path / "films.csv").write_text("id\nhttp://s.org/film#1\n")
    mapping = SHOP.replace("    items: [film]\n", "")
    mapping += "nodes: {film: {item: true, file: films.csv, key: id}}\n"
    graph = build_graph(written(tmp_path, '{film: "s:film#*"}', mapping=mapping))
    assert graph.item_ids.tolist() == ["http://s.org/film#1"]
    assert "resource/http://s.org/film#4" in names_of(graph)
    assert graph.entities["label"].to_pylist()[0] == "One"


@pytest.mark.parametrize("pattern", ["*", "s:*film", "s:fi*lm*", "http://s.org/**"])
def test_a_star_stands_last_or_is_refused(tmp_path, pattern):
    with pytest.raises(MappingError) as caught:
        load_mapping(written(tmp_path, f'{{film: [s:Film, "{pattern}"]}}'))
    shown = pattern.replace("s:", "http://s.org/")
    assert str(caught.value) == (
        f"kgrec.yaml:5: rdf.0.types.film: '{shown}': a star must be the last character, after the beginning of an IRI.\n"
        "  See the reference of kgrec.yaml for valid values."
    )
