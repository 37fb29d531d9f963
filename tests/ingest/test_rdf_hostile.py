"""RDF that was made to do harm, or only looks so."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_rdf import NT, XML, built, triples_of

from kgrec.errors import SourceError
from kgrec.graph.build import build_graph

CHILD = """
import json, resource, sys, time
import kgrec.graph.build, pyarrow.csv, scipy.sparse.csgraph, rdflib
from kgrec.errors import KgrecError
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "linux" else 1024)
before, start, error = peak(), time.perf_counter(), ""
try:
    kgrec.graph.build.build_graph(sys.argv[1])
except KgrecError as raised:
    error = str(raised)
print(json.dumps([error, time.perf_counter() - start, (peak() - before) / 1024]))
"""


def in_child(folder: Path) -> tuple[str, float, float]:
    """The error of a build, its seconds, and the MB that it took besides what Python and its libraries take."""
    command = [sys.executable, "-c", CHILD, str(folder / "kgrec.yaml")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return tuple(json.loads(done.stdout))


def test_a_billion_laughs_are_refused_at_once(tmp_path):
    entities = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    xml = XML.replace("One", "&a9;").replace("<rdf:RDF", f"<!DOCTYPE rdf:RDF [{entities}]>\n<rdf:RDF", 1)
    with pytest.raises(SourceError):
        built(tmp_path, "a.rdf", xml)
    error, seconds, megabytes = in_child(tmp_path)
    assert error.startswith("a.rdf declares an XML entity that is not a plain short text.")
    assert seconds < 1 and megabytes < 200


DEEP = 50_000
NESTED = {
    "a.ttl": "<http://ex.org/a> <http://ex.org/b> " + "<<( <http://ex.org/a> <http://ex.org/b> " * DEEP,
    "a.nt": "<http://ex.org/a> <http://ex.org/b> " + "<<( <http://ex.org/a> <http://ex.org/b> " * DEEP,
    "a.rdf": XML.split("<ex:Film")[0] + "<ex:Film><ex:knows>" * DEEP,
    "a.jsonld": '{"http://ex.org/knows":' * 100_000,
}


@pytest.mark.parametrize("name", NESTED)
def test_what_is_nested_without_end_is_refused_at_once(tmp_path, name):
    begun = time.perf_counter()
    with pytest.raises(SourceError, match=r"nested more than 1,000 levels deep"):
        built(tmp_path, name, NESTED[name])
    assert time.perf_counter() - begun < 5


def test_text_that_looks_nested_is_read(tmp_path):
    lines = "".join(f'<http://ex.org/a> <http://ex.org/title> "<<< {i}" .\n' for i in range(2000))
    assert built(tmp_path, "a.nt", NT + lines).report.files["a.nt"].dropped == {}


def edges(pairs):
    return "".join(f"_:b{i} <http://ex.org/knows> _:b{j} .\n" for i, j in pairs)


ALIKE = {
    "complete": [(i, j) for i in range(40) for j in range(40) if i != j],
    "one long ring": [(i, (i + 1) % 3000) for i in range(3000)],
    "many rings": [(i, i - 2 if i % 3 == 2 else i + 1) for i in range(1500)],
    "long list": [(i, i + 1) for i in range(5000)],
}


@pytest.mark.parametrize("pairs", ALIKE.values(), ids=ALIKE)
def test_blank_nodes_that_look_alike_are_named_in_bounded_time(tmp_path, pairs):
    begun = time.perf_counter()
    graph = built(tmp_path, "a.ttl", NT + edges(pairs))
    assert len(graph.triples) == len(pairs) + 1
    assert time.perf_counter() - begun < 20


@pytest.mark.parametrize("pairs", [ALIKE["complete"], ALIKE["long list"][:50]], ids=["complete", "list"])
def test_blank_nodes_have_the_same_names_whatever_the_order(tmp_path, pairs):
    shuffled = random.Random(0).sample(pairs, len(pairs))
    # labels in the file mean nothing, either
    shuffled = [(977 - i, 977 - j) for i, j in shuffled]
    first, second = (triples_of(built(tmp_path, "a.ttl", NT + edges(some))) for some in (pairs, shuffled))
    assert first == second


def test_nothing_is_fetched(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        imports = f"{NT}<http://ex.org/o> <http://www.w3.org/2002/07/owl#imports> <{address}/o.ttl> .\n"
        assert len(built(tmp_path, "a.ttl", imports).triples) == 1
        remote = f'{{"@context": "{address}/context", "@id": "http://ex.org/a", "title": "x"}}'
        with pytest.raises(SourceError, match="is not known, and nothing is fetched"):
            built(tmp_path, "a.jsonld", remote)
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()


RELATIVE = '<a> a <http://ex.org/Film> ; <http://ex.org/title> "One" .'


def test_relative_iris_are_below_the_base_of_the_file_or_of_the_mapping(tmp_path):
    own = built(tmp_path, "a.ttl", "@base <http://ex.org/x/> .\n" + RELATIVE)
    assert own.entities["iri"].to_pylist() == ["http://ex.org/x/a"]
    mapped = built(tmp_path, "a.ttl", RELATIVE)
    assert mapped.entities["iri"].to_pylist() == ["https://example.org/a"]
    # N-Triples has no relative IRIs: such a line is malformed
    lines = built(tmp_path, "a.nt", NT + "<b> <http://ex.org/knows> <http://ex.org/p> .\n")
    assert lines.report.files["a.nt"].dropped["is malformed"].first == ["a.nt:4"]


@pytest.mark.parametrize("merge", [True, False])
def test_skos_exact_match_merges_when_asked(tmp_path, merge):
    lines = NT + "<http://ex.org/p> <http://www.w3.org/2004/02/skos/core#exactMatch> <http://ex.org/q> .\n"
    lines += "<http://ex.org/a> <http://ex.org/by> <http://ex.org/q> .\n"
    changes = {"    predicates": "    exact_match: merge\n    predicates"} if merge else {}
    graph = built(tmp_path, "a.nt", lines, **changes)
    assert graph.report.merged == int(merge)
    assert ("skos:exactMatch" in graph.report.unmapped) is not merge


def test_malformed_lines_of_nquads_are_counted_and_passed_over(tmp_path):
    quads = NT.replace(" .\n", " <http://ex.org/g> .\n")
    graph = built(tmp_path, "a.nq", quads + "no <quad>\n" + quads)
    assert graph.report.files["a.nq"].dropped["is malformed"].first == ["a.nq:4"]
    assert graph.report.files["a.nq"].rows == 7


MOVIES = """\
@prefix : <http://films.example/> .
:f1 a :Film ; :title "One" ; :actors "http://films.example/actor/1, http://films.example/actor/2" ; :year "1999" .
:f2 a :Film ; :title "Two" ; :actors "http://films.example/actor/2" .
"""


def test_links_written_as_strings_become_nodes(tmp_path):
    (tmp_path / "films.ttl").write_text(MOVIES)
    (tmp_path / "kgrec.yaml").write_text(
        """version: 1
prefixes: {f: http://films.example/}
rdf:
  - file: films.ttl
    types: {film: f:Film}
    items: [film]
    predicates:
      f:title: label
      f:year: number
      f:actors: {as: node, type: actor, edge: acted_by, split: ","}
"""
    )
    graph = build_graph(tmp_path / "kgrec.yaml")
    assert graph.stats()["nodes"] == {"actor": 2, "film": 2}
    assert len(triples_of(graph)) == 3
