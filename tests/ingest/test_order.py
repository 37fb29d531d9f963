"""The order of lines, of statements and of rows leaves no trace in graph/."""

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kgrec.graph.build import build_graph

MAPPING = """\
version: 1
prefixes: {e: "http://e.org/"}
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns:
      title: label
      genres: {as: node, type: genre, split: "|"}
      year: number
      same: {as: same_as, split: " "}
      vector: vector
edges: {acted_in: {file: cast.csv, from: {actor: actor}, to: {film: film}, weight: weight}}
rdf:
  - file: ["*.ttl", "b.nt"]
    types: {show: e:Show, actor: [e:Actor, "e:actor/*"]}
    items: [show]
    exact_match: merge
    predicates:
      e:name: {as: label, lang: [en, ""]}
      e:says: {as: text, lang: [de, en]}
      e:note: text
      e:number: number
      e:genre: {as: node, type: genre, split: "|"}
      e:who: {as: node, type: actor, split: ","}
      e:link: {as: ref, edge: "e:knows", split: ","}
      "*": ref
  - {file: c.nt, types: {actor: e:Show}, predicates: {e:name: {as: label, lang: [de]}, e:knows: ref}}
interactions: {file: log.csv, user: u, item: i, value: v, time: t}
errors: {unmatched: 1, stop_above: 1}
"""
A, SAME = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>", "<http://www.w3.org/2002/07/owl#sameAs>"
EXACT = "<http://www.w3.org/2004/02/skos/core#exactMatch>"


def e(local):
    return f"<http://e.org/{local}>"


#: statements that N-Triples and Turtle write alike
STATEMENTS = [
    f'{e("x1")} {e("name")} "Eins"@de , "One"@en , "Uno"@es , "Solo"@en , "Bare" .',
    f"{e('x1')} {e('knows')} {e('actor/1')} , {e('x2')} .",
    f'{e("x1")} {e("link")} "http://e.org/actor/2, http://e.org/x1" .',
    f"{e('x2')} {SAME} {e('x3')} .",
    f"{e('x3')} {SAME} {e('x4')} .",
    f"{e('x4')} {A} {e('Show')} , {e('Actor')} .",
    f'{e("x4")} {e("name")} "Four" .',
    f'{e("x3")} {e("name")} "Three"@en .',
    f'{e("x3")} {e("number")} "-0" , "0" , "2.5" , "nothing" .',
    f'{e("x2")} {e("says")} "Hallo"@de-AT , "Hello"@en , "Hello" , "Salut"@fr .',
    f'{e("x2")} {e("note")} "a \\"quoted\\" note" .',
    f"<https://example.org/film/b> {EXACT} {e('x2')} .",
    f"<https://example.org/film/a> {e('knows')} <https://example.org/film/b> .",
    f'{e("x5")} {e("genre")} "War|Drama" , "[\\"War\\"]" .',
    f"{e('x5')} {A} {e('Show')} .",
    f"<https://example.org/genre/War> {SAME} <https://example.org/genre/Drama> .",
    f'{e("x5")} {e("who")} "Ann, http://e.org/actor/1" .',
    f"{e('actor/1')} {e('knows')} {e('x5')} .",
    f"_:n {e('knows')} {e('x1')} .",
    f'_:n {e("name")} "node" .',
    f"{e('x5')} {e('knows')} _:n .",
]
#: what only Turtle has
NESTED = [
    f'{e("x5")} {e("knows")} [ {e("name")} "n" ; {e("knows")} [ {e("knows")} {e("x1")} ] , [] ] .',
    f"{e('x5')} {e('knows')} [ {e('knows')} [ {e('knows')} {e('x2')} ] ] , [ {e('knows')} [] ] .",
    f"{e('x5')} {e('order')} ( {e('x1')} [] {e('x1')} ) .",
]
TABLES = {
    "films.csv": [
        "id,title,genres,year,same,vector",
        'a,One,War|New,1999,http://e.org/x1,"[1, 2]"',
        'b,Two,Drama,-0,http://e.org/x1 http://e.org/x9,"[0, 2]"',
        "c,Three,,0,,",
        "c,Three,,0,,",
        "http://e.org/actor/2,Odd,,,https://example.org/film/d,",
        'd,Four,,,,"[1, 0]"',
    ],
    "cast.csv": ["actor,film,weight", "Ann,a,2", "Ann,a,1", "http://e.org/actor/1,a,", "Bo,gone,1"],
    "log.csv": ["u,i,v,t", "1,a,5,10", "1,b,4,10", "2,c,1,5", "2,c,2,5", "3,d,-0,1", "3,d,0,1"],
}


def lines(statements):
    """N-Triples: one object per line."""
    for statement in statements:
        subject, predicate, objects = statement.removesuffix(" .").split(" ", 2)
        yield from (f"{subject} {predicate} {object_} ." for object_ in objects.split(" , "))


FILES = {
    "a.ttl": [*STATEMENTS[:9], *NESTED, *STATEMENTS[:2]],
    "d.ttl": [*STATEMENTS[5:], NESTED[0]],
    "b.nt": list(lines(STATEMENTS[::2] + STATEMENTS[:3])),
    "c.nt": list(lines(STATEMENTS[1::2])),
    **TABLES,
}


def tables_of(folder: Path, files, seed, policy="apart"):
    """The files of graph/, built of shuffled files."""
    order = random.Random(seed)
    for name, content in files.items():
        head, rest = (content[:1], content[1:]) if name.endswith(".csv") else ([], content)
        rest = order.sample(rest, len(rest)) if seed else rest
        (folder / name).write_text("\n".join([*head, *rest]) + "\n", encoding="utf-8")
    mapping = MAPPING.replace("stop_above: 1", f"stop_above: 1, shared_identity: {policy}")
    (folder / "kgrec.yaml").write_text(mapping, encoding="utf-8")
    graph = build_graph(folder / "kgrec.yaml")
    graph.save(folder / "graph")
    return graph, {path.name: path.read_bytes() for path in (folder / "graph").glob("*.parquet")}


@pytest.fixture(scope="module", params=["apart", "merge"])
def in_order(tmp_path_factory, request):
    return *tables_of(tmp_path_factory.mktemp("order"), FILES, 0, request.param), request.param


def test_much_is_merged_or_shared_and_named_anew(in_order):
    """Else the shuffling would show little."""
    graph, tables, policy = in_order
    assert len(tables) == 8
    if policy == "merge":
        assert graph.report.merged >= 8 and graph.report.merged_items.count >= 2
    else:
        assert graph.report.merged >= 5 and graph.report.shared.count >= 1
        assert len(set(graph.aliases["iri"].to_pylist())) < len(graph.aliases)
    assert sum("genid" in key for key in graph.entities["key"].to_pylist()) >= 8
    assert set(graph.text["lang"].to_pylist()) >= {"", "en", "de-at"}
    assert [found for found in graph.validate() if found.severity == "violation"] == []


@pytest.mark.parametrize("seed", range(1, 9))
def test_rdf_and_tables_in_any_order_give_the_same_files(in_order, tmp_path, seed):
    assert tables_of(tmp_path, FILES, seed, in_order[2])[1] == in_order[1]


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.sampled_from(STATEMENTS + NESTED), min_size=1),
    st.lists(st.sampled_from(STATEMENTS), min_size=1),
    st.lists(st.sampled_from(STATEMENTS), min_size=1),
    st.sets(st.sampled_from(TABLES["films.csv"][1:]), min_size=1),
    st.integers(1, 1000),
    st.sampled_from(["apart", "merge"]),
)
def test_any_statements_in_any_order_give_the_same_files(turtle, first, second, films, seed, policy):
    header = TABLES["films.csv"][0]
    files = {
        **FILES,
        "a.ttl": turtle,
        "b.nt": list(lines(first)),
        "c.nt": list(lines(second)),
        "films.csv": [header, *sorted(films)],
    }
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        assert tables_of(Path(one), files, 0, policy)[1] == tables_of(Path(other), files, seed, policy)[1]
