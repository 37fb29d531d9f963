"""Remote contexts of JSON-LD: the known ones are read, others are refused, and nothing is fetched."""

from __future__ import annotations

import io
import json

import pytest
from test_rdf import MAPPING, built, triples_of

from kgrec.errors import SourceError
from kgrec.ingest.jsonld_contexts import KnownContexts

SCHEMA = """\
version: 1
rdf:
  - file: FILE
    types: {film: schema:Movie}
    items: [film]
    blank_nodes: merge_equal
    predicates: {"schema:name": label, "*": ref}
"""
VOCAB = {"@vocab": "http://schema.org/"}


def film(context: object) -> str:
    return json.dumps(
        {
            "@context": context,
            "@type": "Movie",
            "@id": "http://ex.org/a",
            "name": "One",
            "url": "http://ex.org/page",
            "director": {"@type": "Person", "name": "Ada"},
        }
    )


@pytest.mark.parametrize(
    "context",
    [
        "https://schema.org",
        "http://schema.org",
        "https://schema.org/",
        "http://www.schema.org/",
        "//schema.org",
        "schema.org",
        "https://schema.org/docs/jsonldcontext.jsonld",
        ["https://schema.org"],
        ["https://schema.org", {"ex": "http://ex.org/"}],
        [{"ex": "http://ex.org/"}, "http://schema.org/"],
        {"@import": "https://schema.org/", "ex": "http://ex.org/"},
    ],
    ids=str,
)
def test_schema_org_is_known_in_every_form(tmp_path, context):
    graph = built(tmp_path, "a.jsonld", film(context), SCHEMA)
    assert graph.item_ids.tolist() == ["http://ex.org/a"]
    assert sorted(graph.entities["label"].to_pylist()) == ["", "", "Ada", "One"]
    # the address is a node, as in schema.org's own context
    assert ("http://ex.org/a", "schema:url", "http://ex.org/page") in triples_of(graph)
    assert {name for _, name, _ in triples_of(graph)} == {"rdf:type", "schema:director", "schema:url"}


def test_id_and_type_need_no_sign(tmp_path):
    text = '{"@context": "https://schema.org", "type": "Movie", "id": "http://ex.org/a", "name": "One"}'
    assert built(tmp_path, "a.jsonld", text, SCHEMA).item_ids.tolist() == ["http://ex.org/a"]


def test_every_object_of_a_list_may_have_a_context(tmp_path):
    films = [film("https://schema.org").replace("ex.org/a", f"ex.org/{i}") for i in range(2000)]
    graph = built(tmp_path, "a.jsonld", "[" + ",\n".join(films) + "]", SCHEMA)
    assert len(graph.item_ids) == 2000


def test_contexts_within_terms_are_known_too(tmp_path):
    context = {"ex": "http://ex.org/", "part": {"@id": "ex:knows", "@context": "https://schema.org"}}
    text = json.dumps({"@context": context, "@id": "ex:a", "part": {"@id": "ex:b", "name": "Part"}})
    mapping = SCHEMA.replace("schema:Movie", "'http://ex.org/a*'")
    assert built(tmp_path, "a.jsonld", text, mapping).entities["label"].to_pylist() == ["", "Part"]


@pytest.mark.parametrize(
    "context",
    [
        '"https://w3id.org/ro/crate/1.1/context"',
        '[{"a": "http://ex.org/"},\n"https://w3id.org/ro/crate/1.1/context"]',
        '{"@import": "https://w3id.org/ro/crate/1.1/context"}',
        '{"a": {"@id": "http://ex.org/", "@context": "https://w3id.org/ro/crate/1.1/context"}}',
    ],
)
def test_an_unknown_context_is_named_with_its_line(tmp_path, context):
    with pytest.raises(SourceError) as caught:
        built(tmp_path, "a.jsonld", f'[{{"@context": {{}}}},\n{{"@context": {context}, "a": 1}}]')
    assert caught.value.problem == (
        "a.jsonld:2: the JSON-LD context 'https://w3id.org/ro/crate/1.1/context' is not known, and nothing is fetched."
    )
    assert '`"@context": {...}`' in caught.value.remedy


def test_text_about_contexts_is_no_context(tmp_path):
    text = json.dumps({"@context": VOCAB, "@id": "http://ex.org/a", "name": '"@context": "http://x.org"'})
    mapping = SCHEMA.replace("schema:Movie", "'http://ex.org/*'")
    assert built(tmp_path, "a.jsonld", text, mapping).entities["label"].to_pylist() == [
        '"@context": "http://x.org"'
    ]


def test_lines_of_errors_are_those_of_the_file(tmp_path):
    text = '{"@context": [\n"https://schema.org",\n{}\n],\n"name": nope}'
    with pytest.raises(SourceError, match=r"^a.jsonld:5: "):
        built(tmp_path, "a.jsonld", text, SCHEMA)


class Slow:
    """A stream that gives some bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        self.stream, self.size = io.BytesIO(data), size

    def read(self, size: int = -1) -> bytes:
        return self.stream.read(min(size, self.size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 11, 64])
@pytest.mark.parametrize("read", [1, 5, 1000])
def test_a_context_may_be_split_between_reads(size, read):
    text = '[{"@context"\n :  ["https://schema.org", {"é": "http://ex.org/\\u00e9"}], "a": "é"}, {"@context": "http://schema.org/"}]'
    stream, found = KnownContexts(Slow(text.encode(), size), "a"), b""
    while piece := stream.read(read):
        assert len(piece) <= read
        found += piece
    values = json.loads(found)
    assert values[0]["@context"][0]["@vocab"] == values[1]["@context"]["@vocab"] == "http://schema.org/"
    assert values[0]["@context"][1] == {"é": "http://ex.org/é"} and values[0]["a"] == "é"


def test_json_without_a_context_is_no_rdf(tmp_path):
    with pytest.raises(SourceError) as caught:
        built(tmp_path, "a.jsonld", '{"id": "x", "title": "One"}', MAPPING)
    assert caught.value.problem == (
        "a.jsonld has no triples: without a context, the keys of JSON mean nothing."
    )
