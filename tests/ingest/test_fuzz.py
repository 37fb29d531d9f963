"""Whatever is in a mapping or a file, a build ends in a sound graph, or in a KgrecError.

KGREC_FUZZ=10000 tries so many inputs of each kind instead of a few.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import re
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kgrec.errors import KgrecError, MappingError
from kgrec.graph.build import build_graph
from kgrec.ingest.draft import draft_mapping
from kgrec.ingest.mapping.roles import ROLES

TRIED = int(os.environ.get("KGREC_FUZZ", "25"))
bounded = settings(
    max_examples=TRIED,
    deadline=None,
    derandomize=TRIED == 25,
    database=None,
    suppress_health_check=list(HealthCheck),
)

TABLES = """\
version: 1
nodes:
  film:
    item: true
    file: FILE
    key: id
    columns:
      title: label
      plot: {as: text, lang: en}
      year: number
      on: date
      genres: {as: node, type: genre, split: "|"}
      kind: category
      next: {as: ref, to: film}
      same: same_as
      vector: vector
      kind.n: category
      "*": ignore
interactions: {file: log.csv, user: user, item: film, value: stars, time: at, positive: ">= 4"}
errors: {unmatched: 1, stop_above: 1}
"""
RDF = """\
version: 1
prefixes: {ex: http://ex.org/}
rdf:
  - file: FILE
    types: {film: ex:Film}
    items: [film]
    exact_match: merge
    predicates:
      ex:title: {as: label, lang: [en, ""]}
      ex:plot: text
      ex:year: number
      ex:on: date
      ex:genres: {as: node, type: genre, split: "|"}
      "*": ref
errors: {unmatched: 1, stop_above: 1}
"""
ROWS = {
    "id": ["a", "007"],
    "title": ["One", "Zw\u00f6lf"],
    "plot": ["a plot, with\nbreaks", ""],
    "year": ["1999", "2e3"],
    "on": ["1970-01-02", "1970"],
    "genres": ["Drama|War", '["War"]'],
    "kind": ["x", "x"],
    "next": ["007", "a"],
    "same": ["http://ex.org/1", "urn:x"],
    "vector": ["[1, 2.5]", "[0, -1]"],
}


def separated(separator, columns=ROWS):
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in rows]
    return "\n".join(separator.join(row) for row in quoted).encode() + b"\n"


def as_parquet(**changes):
    sink = io.BytesIO()
    pq.write_table(pa.table(ROWS | changes), sink)
    return sink.getvalue()


def zipped(content):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", content)
    return sink.getvalue()


#: one column of each kind that Parquet has
TYPED = {
    "int": pa.array([1, None], pa.int16()),
    "float": [0.5, float("inf")],
    "bool": [True, None],
    "date": pa.array([0, None], pa.date32()),
    "time": pa.array([0, None], pa.timestamp("us", "UTC")),
    "decimal": pa.array([1, None], pa.int8()).cast(pa.decimal128(10, 2)),
    "null": pa.nulls(2),
    "bytes": [b"\xff", b"a"],
    "dictionary": pa.array(["x", None]).dictionary_encode(),
    "texts": [["a", None], None],
    "vectors": pa.array([[1.0, float("nan")], None], pa.list_(pa.float32(), 2)),
    "dates": pa.array([[0], []], pa.list_(pa.date32())),
    "lists of bytes": [[b"\xff"], []],
    "lists of lists": [[["a"]], None],
    "struct": [{"en": "One"}, None],
    "structs": [[{"en": "One"}], None],
    "map": pa.array([[("en", "One")], None], pa.map_(pa.string(), pa.string())),
}


STATEMENTS = """\
<http://ex.org/a> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://ex.org/Film> .
<http://ex.org/a> <http://ex.org/title> "One\\n\\"\\u00e9"@en .
<http://ex.org/a> <http://ex.org/year> "1999"^^<http://www.w3.org/2001/XMLSchema#integer> .
<http://ex.org/a> <http://ex.org/genres> "Drama|War" .
<http://ex.org/a> <http://ex.org/knows> _:b .
_:b <http://www.w3.org/2002/07/owl#sameAs> <http://ex.org/c> .
"""
TURTLE = """\
@prefix ex: <http://ex.org/> . @base <http://ex.org/> .
<a> a ex:Film ; ex:title "One"@en, '''Zw\u00f6lf'''@de-AT ; ex:year 1999, "soon" ; ex:on "1970"^^ex:g ;
  ex:genres "Drama|War" ; ex:knows [ ex:knows (1 2.5 [] true) ] ; ex:says <<( ex:a ex:b "c" )>> .
"""
XML = """<?xml version="1.0"?><!DOCTYPE rdf:RDF [<!ENTITY a "One">]>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:ex="http://ex.org/" xml:base="http://ex.org/">
<ex:Film rdf:about="a" ex:plot="p"><ex:title xml:lang="en">&a;</ex:title><ex:knows rdf:parseType="Resource">
<ex:year>1999</ex:year></ex:knows><ex:list rdf:parseType="Collection"><ex:Film rdf:nodeID="n"/></ex:list></ex:Film></rdf:RDF>"""
LONG = {name: column * 150 for name, column in ROWS.items()}
LONG["id"] = [f"f{i}" for i in range(300)]
JSONLD = """{"@context": {"ex": "http://ex.org/", "title": {"@id": "ex:title", "@language": "en"}}, "@id": "ex:a",
"@type": "ex:Film", "title": "One", "ex:year": 1999, "ex:knows": [{"@id": "_:b", "ex:genres": "Drama"}, {"@list": [1, null]}]}"""
FILES = {
    "a.csv": separated(","),
    "a.tsv": separated("\t"),
    # longer than what the header is read with
    "long.csv": separated(",", LONG),
    "a.csv.gz": gzip.compress(separated(","), mtime=0),
    "a.jsonl": b'{"id": "a", "title": "One", "genres": ["Drama", "War"], "vector": [1, 2], "year": 1999}\n{"id": 7}\n',
    "python.jsonl": b"{'id': 'a', 'title': 'One', 'genres': ['Drama', None], 'kind': {'n': 1}, 'ok': True}\n{'id': 7}\n",
    "a.json": b'{"n": 1, "rows": [\n{"id": "a", "title": "One", "kind": {"n": ["x"]}},\n{"id": 7, "genres": [{"n": "War"}]}]}',
    "a.csv.xz": lzma.compress(separated(",")),
    "a.csv.bz2": bz2.compress(separated(",")),
    "a.csv.zip": zipped(separated(",")),
    "a.parquet": as_parquet(),
    "typed.parquet": as_parquet(
        year=TYPED["int"],
        on=TYPED["date"],
        genres=TYPED["texts"],
        kind=TYPED["dictionary"],
        vector=TYPED["vectors"],
    ),
    "a.nt": STATEMENTS.encode(),
    "a.nq": STATEMENTS.replace(" .\n", " <http://ex.org/g> .\n").encode(),
    "a.nt.gz": gzip.compress(STATEMENTS.encode(), mtime=0),
    "a.ttl": TURTLE.encode(),
    "a.trig": TURTLE.encode() + b"ex:g { ex:a ex:knows ex:b . }",
    "a.rdf": XML.encode(),
    "a.jsonld": JSONLD.encode(),
}
#: how a table may be said to be written
FORMS = [
    "",
    "",
    "",
    "    encoding: latin-1\n",
    "    encoding: utf-16\n",
    '    quote: ""\n',
    '    escape: "\\\\"\n',
    "    encoding: shift_jis\n",
    '    delimiter: "|"\n',
    '    nulls: [a, "1999", "[", War, ","]\n',
]
#: bytes that mean something in one of the formats
TELLING = [
    b'"',
    b"'",
    b"\\",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"\xc3",
    b"<",
    b">",
    b"<<(",
    b")>>",
    b"[",
    b"]",
    b"{",
    b"}",
]
TELLING += [
    b"(",
    b")",
    b"_:b",
    b"@",
    b"^^",
    b"|",
    b",",
    b"\t",
    b" ",
    b".",
    b";",
    b":",
    b"\\u0000",
    b'["\\uD800"]',
    b"\\uD800",
    b"&",
]
TELLING += [
    b"1e999",
    b"-9" * 20,
    b"99999-12-31",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"http://ex.org/a",
    b"ar--rtl",
]


@st.composite
def mutated(draw, valid):
    """Some of `valid` cut out, doubled, overwritten or put elsewhere, a few times."""
    data = bytearray(valid)
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.sampled_from([0, 0, 1, 2, 8, 100, 1 << 20])))
        new = draw(
            st.one_of(st.sampled_from(TELLING), st.binary(max_size=4), st.just(bytes(data[at:end]) * 2))
        )
        data[at:end] = new
    return bytes(data)


def tried(mapping, name, content):
    """Build it; any error but KgrecError is the test's."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / name).write_bytes(content)
        (folder / "log.csv").write_text("user,film,stars,at\nu,a,5,10\nu,007,1,1970-01-01\n")
        (folder / "kgrec.yaml").write_text(mapping.replace("FILE", name))
        try:
            graph = build_graph(folder / "kgrec.yaml")
        except KgrecError as error:
            assert str(error).count("\n") == 1, str(error)
            return
        # that vectors are not of one length is for the user to mend
        found = [str(f) for f in graph.validate() if f.severity == "violation" and f.where != "vectors"]
        assert not found
        json.dumps(graph.report.to_dict(), ensure_ascii=False).encode()


@pytest.mark.parametrize("name", FILES)
def test_any_file_gives_a_graph_or_an_error_in_two_lines(name):
    is_table = re.search(r"\.(csv|tsv|jsonl?|parquet)\b", name)

    @bounded
    @given(mutated(FILES[name]), st.sampled_from(FORMS if is_table else [""]))
    def check(content, form):
        tried(TABLES.replace("    key: id\n", f"    key: id\n{form}") if is_table else RDF, name, content)

    check()


@pytest.mark.parametrize("kind", TYPED)
def test_a_column_of_any_type_in_any_role(kind, tmp_path):
    """And as key, and in the log."""
    pq.write_table(pa.table({**ROWS, "any": TYPED[kind]}), tmp_path / "a.parquet")
    pq.write_table(
        pa.table({"user": ["u", "v"], "film": ["a", "007"], "any": TYPED[kind]}), tmp_path / "l.parquet"
    )
    mapping = TABLES.replace("FILE", "a.parquet").replace('      "*"', '      any: ROLE\n      "*"')
    log = "{file: l.parquet, user: user, item: film, value: any, time: any}"
    swapped = [
        mapping.replace("key: id", "key: any").replace("any: ROLE", "any: ignore"),
        *(
            re.sub("interactions: .*", f"interactions: {log}", mapping).replace(old, new)
            for old, new in (("ROLE", "ignore"), ("user: user", "user: any"), ("item: film", "item: any"))
        ),
    ]
    for text in [*(mapping.replace("ROLE", role) for role in ROLES if role != "ref"), *swapped]:
        (tmp_path / "kgrec.yaml").write_text(text.replace("ROLE", "{as: ref, to: film}"))
        (tmp_path / "log.csv").write_text("user,film,stars,at\n")
        try:
            build_graph(tmp_path / "kgrec.yaml")
        except KgrecError as error:
            assert str(error).count("\n") == 1, str(error)


def drafted(names, content):
    """Draft a mapping and build it; any error but KgrecError is the test's, and so is a mapping that is none."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / names[0]).write_bytes(content)
        (folder / "log.csv").write_text("user,film,stars,at\nu,a,5,10\nu,007,1,20\nv,a,4,30\n")
        try:
            (folder / "kgrec.yaml").write_text(draft_mapping([folder / name for name in names]).yaml, "utf-8")
            build_graph(folder / "kgrec.yaml")
        except MappingError:
            raise
        except KgrecError as error:
            assert str(error).count("\n") == 1, str(error)


WITH_LOG = [(name, "log.csv") for name in [*FILES, "a.dat", "a.txt"]]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("names", [*WITH_LOG, ("a.csv",), ("a.ttl",)], ids=" ".join)
def test_any_file_gives_a_draft_that_is_a_mapping_or_an_error_in_two_lines(names):
    valid = {"a.dat": FILES["a.tsv"].partition(b"\n")[2] * 2, "a.txt": FILES["a.nt"]}

    @bounded
    @given(mutated((FILES | valid)[names[0]]))
    def check(content):
        drafted(names, content)

    check()


PARTS = [
    "version",
    "nodes",
    "rdf",
    "film",
    "1",
    "a.csv",
    "null",
    "[",
    "]",
    "{",
    "}",
    ":",
    "*",
    "&x",
    "*x",
    "- ",
    "\n  ",
    "|",
]
PARTS += [
    "'",
    "label",
    "{as: ref}",
    "{as: node, split: ''}",
    "!!python/object:os.system",
    "2001-01-01",
    "1e400",
    "\t",
    "#",
]


@pytest.mark.parametrize(
    "valid", [TABLES.replace("FILE", "a.csv"), RDF.replace("FILE", "a.ttl")], ids=["tables", "rdf"]
)
def test_any_mapping_gives_a_graph_or_an_error_in_two_lines(valid):
    words = re.split(r"(\W+)", valid)

    @bounded
    @given(
        st.lists(
            st.tuples(
                st.integers(0, len(words) - 1),
                st.one_of(st.sampled_from(PARTS), st.sampled_from(words), st.text(max_size=3)),
            ),
            min_size=1,
            max_size=4,
        )
    )
    def check(changes):
        changed = list(words)
        for at, word in changes:
            changed[at] = word
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "a.csv").write_bytes(FILES["a.csv"])
            (folder / "a.ttl").write_bytes(FILES["a.ttl"])
            (folder / "log.csv").write_text("user,film,stars,at\nu,a,5,10\n")
            (folder / "kgrec.yaml").write_bytes("".join(changed).encode(errors="replace"))
            with suppress(KgrecError):
                build_graph(folder / "kgrec.yaml")

    check()
