import gzip
import re

import pyoxigraph as ox
import pytest

from kgrec.errors import MappingError, SourceError, TooManyBadRows
from kgrec.graph.build import build_graph

MAPPING = """\
version: 1
prefixes: {ex: http://ex.org/}
rdf:
  - file: FILE
    types: {film: ex:Film}
    items: [film]
    predicates:
      ex:title: {as: label, lang: [en, ""]}
      ex:plot: text
      ex:year: number
      ex:on: date
      ex:genres: {as: node, type: genre, split: "|"}
      ex:by: {as: ref, edge: directed_by}
      ex:knows: ref
errors: {stop_above: 0.5}
"""
TURTLE = """\
@prefix ex: <http://ex.org/> .
ex:a a ex:Film ; ex:title "Un"@fr, "One"@en, "Eins"@de ; ex:plot "A plot."@en ; ex:year 1999 ; ex:on "1970-01-02" ;
  ex:genres "Drama|War" ; ex:by ex:p ; ex:budget 3 .
ex:b a ex:Film ; ex:title "Two" ; ex:year "soon" ; ex:by "nobody" .
ex:p ex:knows [ ex:knows ex:p ] .
"""


def built(folder, name, content, mapping=MAPPING, **changes):
    for old, new in changes.items():
        assert old in mapping
        mapping = mapping.replace(old, new)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "kgrec.yaml").write_text(mapping.replace("FILE", name))
    return build_graph(folder / "kgrec.yaml")


def triples_of(graph):
    names, keys = graph.relations["name"].to_pylist(), graph.entities["key"].to_pylist()
    rows = graph.triples.to_pylist()
    return {(keys[row["head"]], names[row["relation"]], keys[row["tail"]]) for row in rows}


def test_every_role_of_a_predicate(tmp_path):
    graph = built(tmp_path, "a.ttl", TURTLE)
    blank = "https://example.org/.well-known/genid/a.ttl/b0"
    assert list(zip(*(graph.entities[c].to_pylist() for c in ("type", "key", "label")), strict=True)) == [
        ("film", "http://ex.org/a", "One"),
        ("film", "http://ex.org/b", "Two"),
        ("genre", "Drama", "Drama"),
        ("genre", "War", "War"),
        ("resource", "http://ex.org/p", ""),
        ("resource", blank, ""),
    ]
    assert triples_of(graph) == {
        ("http://ex.org/a", "directed_by", "http://ex.org/p"),
        ("http://ex.org/a", "ex:genres", "Drama"),
        ("http://ex.org/a", "ex:genres", "War"),
        ("http://ex.org/p", "ex:knows", blank),
        (blank, "ex:knows", "http://ex.org/p"),
    }
    assert graph.text.to_pylist() == [{"id": 0, "predicate": "ex:plot", "lang": "en", "text": "A plot."}]
    assert graph.numbers.to_pylist() == [
        {"id": 0, "predicate": "ex:on", "value": 86400.0},
        {"id": 0, "predicate": "ex:year", "value": 1999.0},
    ]
    assert graph.item_ids.tolist() == ["http://ex.org/a", "http://ex.org/b"]
    assert graph.report.unmapped == {
        "ex:budget": 1,
        "ex:by (literals)": 1,
    }
    assert graph.report.languages == {"de": 1, "fr": 1}
    assert graph.report.files["a.ttl"].failed["ex:year"].first == ['a.ttl: http://ex.org/b: "soon"']


XML = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:ex="http://ex.org/">
<ex:Film rdf:about="http://ex.org/a"><ex:title>One</ex:title><ex:knows rdf:resource="http://ex.org/p"/></ex:Film>
</rdf:RDF>"""
NT = """<http://ex.org/a> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://ex.org/Film> .
<http://ex.org/a> <http://ex.org/title> "One" .
<http://ex.org/a> <http://ex.org/knows> <http://ex.org/p> .
"""
JSONLD = """{"@id": "http://ex.org/a", "@type": "http://ex.org/Film", "http://ex.org/title": "One",
"http://ex.org/knows": {"@id": "http://ex.org/p"}}"""
TTL = "@prefix ex: <http://ex.org/> . ex:a a ex:Film ; ex:title 'One' ; ex:knows ex:p ."
FORMATS = {
    "a.nt": NT,
    "a.nq": NT,
    "a.ttl": TTL,
    "a.trig": TTL.replace("ex:a a", "GRAPH ex:g { ex:a a") + " }",
    "a.rdf": XML,
    "a.jsonld": JSONLD,
    "a.nt.gz": gzip.compress(NT.encode()),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_the_same(tmp_path, name):
    graph = built(tmp_path, name, FORMATS[name])
    assert graph.entities["label"].to_pylist() == ["One", ""]
    assert triples_of(graph) == {("http://ex.org/a", "ex:knows", "http://ex.org/p")}
    assert graph.report.files[name].rows == 3


def test_malformed_lines_of_ntriples_are_counted_and_passed_over(tmp_path):
    graph = built(tmp_path, "a.nt", NT + "<http://ex.org/a> <http://ex.org/kn ows> <b> .\n" + NT)
    assert graph.report.files["a.nt"].dropped["is malformed"].first == ["a.nt:4"]
    assert graph.report.files["a.nt"].rows == 7 and len(graph.triples) == 1


def test_malformed_lines_are_named_far_into_a_file_too(tmp_path):
    """Lines are read in blocks of a megabyte; \\r\\n ends one line, not two."""
    good = NT.splitlines()[1] + "\r\n"
    lines = [good] * 60_000
    lines[20_000:20_001] = [
        "# a remark\n",
        "\n",
        "nonsense\n",
        "<http://ex.org/a> <http://ex.org/knows> <x\n",
    ]
    lines[50_000] = "more nonsense\n"
    dropped = built(tmp_path, "a.nt", "".join(lines)[:-2]).report.files["a.nt"].dropped["is malformed"]
    assert dropped.first == ["a.nt:20003", "a.nt:20004", "a.nt:50001"]
    assert len("".join(lines)) > 2 << 20


def test_a_line_without_end_is_refused(tmp_path):
    with pytest.raises(SourceError) as caught:
        built(tmp_path, "a.nt", NT + "x" * (66 << 20))
    assert str(caught.value) == "a.nt has a line of more than 64 MB.\n  Check that the file is N-Triples."


def test_terms_may_hold_any_character_that_they_may(tmp_path):
    odd = "!$&'()*+,;=:@/?%41~\u00e9\u20ac\U0001f600"
    text = 'a!b \\"c\\" \\\\ \\t!\\n. <<( @en ^^<x> .'
    lines = [
        f"<http://ex.org/s{odd}> <http://ex.org/knows> <http://ex.org/o{odd}> .",
        f'<http://ex.org/s{odd}> <http://ex.org/plot> "{text}"@en .',
        f'<http://ex.org/s{odd}> <http://ex.org/plot> "{text}!"^^<http://ex.org/t!> .',
        f'<http://ex.org/s{odd}> <http://ex.org/title> "" .',
    ]
    graph = built(
        tmp_path,
        "a.nt",
        "\n".join(lines),
        **{"items: [film]": "items: [film, s]", "types: {": 'types: {s: "ex:s*", '},
    )
    assert triples_of(graph) == {(f"http://ex.org/s{odd}", "ex:knows", f"http://ex.org/o{odd}")}
    said = 'a!b "c" \\ \t!\n. <<( @en ^^<x> .'
    assert graph.text["text"].to_pylist() == [f"{said}!", said]
    assert graph.text["lang"].to_pylist() == ["", "en"]


def test_too_many_malformed_lines_stop_the_build(tmp_path):
    with pytest.raises(TooManyBadRows) as caught:
        built(tmp_path, "a.nt", NT + "nonsense\n", **{"stop_above: 0.5": "stop_above: 0.1"})
    assert str(caught.value) == (
        "a.nt: 1 of 4 rows are bad; 1 of them: is malformed, first at a.nt:4.\n"
        "  Correct the file, or raise `errors: stop_above` (0.1 of the rows)."
    )


def test_a_malformed_turtle_file_is_an_error_with_its_line(tmp_path):
    with pytest.raises(SourceError, match=r"^a.ttl:2: "):
        built(tmp_path, "a.ttl", "<http://e/a> <http://e/b> <http://e/c> .\n<http://e/a> <http://e/b c> .\n")


def test_an_unknown_suffix_lists_the_formats(tmp_path):
    with pytest.raises(
        SourceError, match=r"a.xyz: the suffix does not show the RDF format.\n.*turtle, ntriples"
    ):
        built(tmp_path, "a.xyz", NT)


def laughs(declarations):
    xml = XML.replace("One", "&a;")
    return xml.replace("<rdf:RDF", f"<!DOCTYPE rdf:RDF [{declarations}]>\n<rdf:RDF", 1)


@pytest.mark.parametrize(
    "declarations",
    [
        '<!ENTITY a "x"><!ENTITY b "&a;&a;">',
        f'<!ENTITY a "{"x" * 300}">',
        '<!ENTITY a SYSTEM "file:///etc/hostname">',
        '<!ENTITY % p "x">',
        " " * 70_000 + '<!ENTITY a "&b;">',
        " " * (65_536 - 60) + '<!ENTITY a "&b;">',
    ],
    ids=["nested", "long", "external", "parameter", "late", "across reads"],
)
def test_entities_that_could_grow_are_refused(tmp_path, declarations):
    with pytest.raises(SourceError, match=r"a.rdf declares an XML entity that is not a plain short text"):
        built(tmp_path, "a.rdf", laughs(declarations))


def test_short_entities_for_namespaces_are_read(tmp_path):
    assert built(tmp_path, "a.rdf", laughs('<!ENTITY a "One">')).entities["label"].to_pylist() == ["One", ""]


def test_anonymous_nodes_have_the_same_names_in_any_order(tmp_path):
    lines = ["ex:a ex:knows [ ex:knows ex:p ] .", "ex:a ex:knows [ ex:knows ex:q ] .", "ex:q ex:knows [] ."]
    names = []
    for order in (lines, lines[::-1]):
        content = "@prefix ex: <http://ex.org/> .\nex:a a ex:Film .\n" + "\n".join(order)
        names.append(triples_of(built(tmp_path, "a.ttl", content)))
    assert names[0] == names[1] and len(names[0]) == 5


@pytest.mark.parametrize(
    "role", ['{as: node, type: genre, split: "|"}', "{as: node, type: genre}", "category"]
)
def test_a_literal_that_is_a_json_array_is_split_as_such(tmp_path, role):
    content = TURTLE.replace('"Drama|War"', '"[\\"Drama\\", \\"War\\"]", "Art"')
    graph = built(tmp_path, "a.ttl", content, **{'{as: node, type: genre, split: "|"}': role})
    assert {tail for _, name, tail in triples_of(graph) if name == "ex:genres"} == {"Drama", "War", "Art"}


def test_blank_nodes_can_be_dropped(tmp_path):
    graph = built(tmp_path, "a.ttl", TURTLE, **{"    predicates": "    blank_nodes: drop\n    predicates"})
    assert "resource" not in [key for key in graph.entities["key"].to_pylist() if "genid" in key]
    assert graph.report.files["a.ttl"].dropped["has a blank node, which the mapping drops"].count == 2


STRINGS = """\
@prefix ex: <http://ex.org/> .
ex:a a ex:Film ; ex:knows "http://ex.org/p" , "urn:x:1, http://ex.org/q" , "Note: a text" , "" , ex:r ;
  ex:genres "[\\"Drama\\", \\"War\\"]" ; ex:says "http://ex.org/p" ; ex:seen "http://ex.org/p, nobody", "nobody" .
"""


def test_links_written_as_strings_are_links_where_the_predicate_is_named(tmp_path):
    roles = 'ex:seen: {as: ref, edge: saw, split: ","}\n      "*": ref'
    graph = built(tmp_path, "a.ttl", STRINGS, **{"ex:knows: ref": f"ex:knows: ref\n      {roles}"})
    film = "http://ex.org/a"
    assert triples_of(graph) == {
        (film, "ex:genres", "Drama"),
        (film, "ex:genres", "War"),
        (film, "ex:knows", "http://ex.org/p"),
        (film, "ex:knows", "http://ex.org/r"),
        (film, "saw", "http://ex.org/p"),
    }
    # a literal of which a part is no IRI counts as left out, and as used for the rest
    left = {"ex:knows (literals)": 3, "ex:says (literals)": 1, "ex:seen (literals)": 2}
    assert graph.report.unmapped == left
    assert graph.report.files["a.ttl"].used == 5


def test_lists_of_links_are_split_and_their_nodes_typed(tmp_path):
    changes = {
        "ex:knows: ref": 'ex:knows: {as: ref, split: ","}',
        "types: {": 'types: {name: "urn:x:*", person: "ex:*", ',
    }
    graph = built(tmp_path, "a.ttl", STRINGS, **changes)
    assert [name for name in graph.names.tolist() if not name.startswith("genre/")] == [
        "film/http://ex.org/a",
        "name/urn:x:1",
        "person/http://ex.org/p",
        "person/http://ex.org/q",
        "person/http://ex.org/r",
    ]


def test_a_unit_may_follow_a_number(tmp_path):
    lines = 'ex:a a ex:Film ; ex:year "75 min", "80", "90min", "min", "1 h" .'
    changes = {"ex:year: number": "ex:year: {as: number, unit: min}", "stop_above: 0.5": "stop_above: 1"}
    graph = built(tmp_path, "a.ttl", f"@prefix ex: <http://ex.org/> .\n{lines}", **changes)
    assert graph.numbers["value"].to_pylist() == [60, 75, 80, 90]
    # "min" alone is no number
    assert graph.report.files["a.ttl"].failed["ex:year"].count == 1


BRANDS = """@prefix ex: <http://ex.org/> .
ex:a a ex:Film ; ex:title "One" ; ex:knows [ ex:title "Acme" ; ex:knows [ ex:title "Rome" ] ] .
ex:b a ex:Film ; ex:title "Two" ; ex:knows [ ex:knows [ ex:title "Rome" ] ; ex:title "Acme" ] .
ex:c a ex:Film ; ex:title "Three" ; ex:knows [ ex:title "Acme" ; ex:knows [ ex:title "Oslo" ] ] .
"""
MERGED = {"    predicates": "    blank_nodes: merge_equal\n    predicates"}


def known_by(graph, key):
    return {tail for head, name, tail in triples_of(graph) if head.endswith(key) and name == "ex:knows"}


@pytest.mark.parametrize("name", ["a.ttl", "a.nt"])
def test_equal_blank_nodes_become_one(tmp_path, name):
    content = BRANDS
    if name == "a.nt":
        lines = [f"{triple} ." for triple in ox.parse(BRANDS.encode(), format=ox.RdfFormat.TURTLE)]
        content = "\n".join(lines) + "\n"
    graph = built(tmp_path, name, content, **MERGED)
    # Acme of Rome, Acme of Oslo, Rome, Oslo
    assert graph.stats()["nodes"] == {"film": 3, "resource": 4}
    assert known_by(graph, "/a") == known_by(graph, "/b") != known_by(graph, "/c")
    assert sorted(graph.entities["label"].to_pylist()) == [
        "Acme",
        "Acme",
        "One",
        "Oslo",
        "Rome",
        "Three",
        "Two",
    ]
    apart = built(tmp_path, name, content)
    assert apart.stats()["nodes"] == {"film": 3, "resource": 6}


def test_equal_blank_nodes_of_several_files_become_one(tmp_path):
    mapping = MAPPING.replace("    predicates", "    blank_nodes: merge_equal\n    predicates")
    first, second = BRANDS.split("ex:b a", 1)
    (tmp_path / "one.ttl").write_text(first)
    graph = built(
        tmp_path,
        "two.ttl",
        "@prefix ex: <http://ex.org/> .\nex:b a" + second,
        mapping.replace("FILE", '"*.ttl"'),
    )
    assert graph.stats()["nodes"] == {"film": 3, "resource": 4}
    assert known_by(graph, "/a") == known_by(graph, "/b")


def test_blank_nodes_about_which_nothing_is_known_are_not_equal(tmp_path):
    nothing = "ex:a a ex:Film ; ex:knows [], [ ex:knows [] ], [ ex:knows [] ] ."
    circle = "ex:b a ex:Film ; ex:knows _:c . _:c ex:knows _:d . _:d ex:knows _:c ."
    graph = built(tmp_path, "a.ttl", f"@prefix ex: <http://ex.org/> .\n{nothing}\n{circle}", **MERGED)
    assert graph.stats()["nodes"] == {"film": 2, "resource": 7}


def test_a_language_or_a_kind_of_object_tells_blank_nodes_apart(tmp_path):
    lines = "ex:a a ex:Film ; ex:knows [ ex:title 'A' ], [ ex:title 'A'@en ], [ ex:says <http://ex.org/x> ], [ ex:says 'http://ex.org/x' ] ."
    graph = built(tmp_path, "a.ttl", f"@prefix ex: <http://ex.org/> .\n{lines}", **MERGED)
    assert graph.stats()["nodes"] == {"film": 1, "resource": 4}


WIKIDATA = """<http://www.wikidata.org/entity/Q1> <http://www.wikidata.org/prop/direct/P31> <http://www.wikidata.org/entity/Q11424> .
<http://www.wikidata.org/entity/Q1> <http://www.w3.org/2000/01/rdf-schema#label> "One"@en .
<http://www.wikidata.org/entity/Q1> <http://www.wikidata.org/prop/direct/P57> <http://www.wikidata.org/entity/Q2> .
<http://www.wikidata.org/entity/Q2> <http://www.wikidata.org/prop/direct/P31> <http://www.wikidata.org/entity/Q5> .
<http://www.wikidata.org/entity/Q2> <http://www.w3.org/2000/01/rdf-schema#label> "Ada"@en .
<http://www.wikidata.org/entity/Q3> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://www.wikidata.org/entity/Q11424> .
"""
BY_P31 = """version: 1
rdf:
  - file: FILE
    types: {film: wd:Q11424, person: wd:Q5}
    type_predicates: [wdt:P31]
    items: [film]
    predicates: {"rdfs:label": label, "wdt:P57": ref}
"""


def test_any_predicate_may_name_the_class(tmp_path):
    graph = built(tmp_path, "a.nt", WIKIDATA, BY_P31)
    assert graph.names.tolist() == [
        "film/http://www.wikidata.org/entity/Q1",
        "film/http://www.wikidata.org/entity/Q3",
        "person/http://www.wikidata.org/entity/Q2",
    ]
    assert triples_of(graph) == {
        ("http://www.wikidata.org/entity/Q1", "wdt:P57", "http://www.wikidata.org/entity/Q2")
    }
    one = built(tmp_path, "a.nt", WIKIDATA, BY_P31.replace("[wdt:P31]", "wdt:P31"))
    assert one.names.tolist() == graph.names.tolist()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[wdt:P31]", "[wdx:P31]", "'wdx:P31' has an unknown prefix"),
        (
            "{film: wd:Q11424, person: wd:Q5}",
            "{film: 'wd:*'}",
            "`type_predicates:` needs `types:` with the classes",
        ),
        ("{film: wd:Q11424", "{resource: wd:Q11424", "items of the type 'resource' cannot be told apart"),
    ],
)
def test_type_predicates_that_cannot_be_meant(tmp_path, old, new, problem):
    items = {"items: [film]": "items: [resource]"} if "resource" in new else {}
    with pytest.raises(MappingError, match=re.escape(problem)):
        built(tmp_path, "a.nt", WIKIDATA, BY_P31, **{old: new}, **items)


def test_an_iri_without_a_statement_is_no_item_though_it_begins_like_one(tmp_path):
    content = """@prefix r: <http://a.example/resource/> .
@prefix ex: <http://ex.org/> .
r:One ex:title "One" ; ex:by r:Ada ; ex:knows r:Two, <http://other.example/x> .
r:Two ex:title "Two" ; ex:by r:Ada .
"""
    changes = {"{film: ex:Film}": '{film: "http://a.example/resource/*"}'}
    graph = built(tmp_path, "a.ttl", content, **changes)
    assert graph.item_ids.tolist() == ["http://a.example/resource/One", "http://a.example/resource/Two"]
    assert graph.stats()["nodes"] == {"film": 2, "resource": 2}
    # a type that is not recommended needs no statement about its nodes
    both = {"{film: ex:Film}": '{film: "http://a.example/resource/T*", other: "http://a.example/resource/*"}'}
    assert built(tmp_path, "a.ttl", content, **both).stats()["nodes"] == {
        "film": 1,
        "other": 2,
        "resource": 1,
    }
