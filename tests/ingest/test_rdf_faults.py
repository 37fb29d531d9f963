"""Errors of RDF in our words: file, line, and a way out that fits."""

from __future__ import annotations

import gzip

import pytest
from test_rdf import JSONLD, NT, TTL, XML, built

from kgrec.errors import SourceError
from kgrec.ingest.rdf_sniff import rdf_by_content

ROOT = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:ex="http://ex.org/">\n'
PREFIX = "@prefix ex: <http://ex.org/> .\n"
SKIPS = "or convert the file to N-Triples, in which bad lines are counted and skipped"


def xml(line: str) -> str:
    return f'{ROOT}<ex:Film rdf:about="http://ex.org/a">\n{line}</ex:Film>\n</rdf:RDF>'


FAULTS = [
    (
        "a.nt",
        "# about\nid,title\n1,One\n",
        '2: no line is N-Triples, the first is "id,title".',
        "tables are read",
    ),
    (
        "a.nq",
        "ex:a ex:b ex:c .\n",
        '1: no line is N-Quads, the first is "ex:a ex:b ex:c .".',
        "right `format:`",
    ),
    ("a.nt", '<http://a/b> <http://a/c> "é" .\n'.encode("latin-1"), "1: not encoded in utf-8.", "iconv"),
    ("a.rdf", xml("<ex:title>a\0b</ex:title>"), "3: there is a NUL byte.", "get it again"),
    (
        "a.rdf",
        xml("<ex:title>a</ex:titel>"),
        "3: '</ex:titel>' occurs where '</ex:title>' must close",
        "Close",
    ),
    (
        "a.rdf",
        xml("<ex:title>a & b</ex:title>"),
        "3: an '&' is not part of an entity.",
        "Write &amp; instead.",
    ),
    (
        "a.rdf",
        xml("<ex:title>&nbsp;</ex:title>"),
        "3: the entity '&nbsp;' is not declared.",
        "XML knows only",
    ),
    ("a.rdf", xml('<ex:by rdf:resource="http://a b"/>'), "3: an IRI has the character ' '", "Write %20"),
    ("a.rdf", xml('<f:by rdf:resource="http://a"/>'), "3: the prefix 'f:' is not declared.", "xmlns:f="),
    (
        "a.rdf",
        xml('<ex:a rdf:resource="a:b" rdf:resource="a:c"/>'),
        "3: an element has the same attribute",
        "Remove",
    ),
    ("a.rdf", xml("<ex:title>Café</ex:title>").encode("latin-1"), "3: not encoded in utf-8.", "iconv"),
    ("a.rdf", xml("<ex:title>a</ex:title>")[:-10], "4: it ends before its elements are closed.", "download"),
    ("a.rdf", f"{ROOT}<ex:Film rdf:about='http://ex.org/a'>\n", "3: it ends before its elements", "download"),
    (
        "a.rdf",
        "id,title\n1,One\n",
        "1: there is text outside the elements",
        "Check that the file is RDF/XML",
    ),
    (
        "a.ttl",
        PREFIX + 'ex:a ex:b "abc .\n\nex:c ex:d 1 .',
        "2: it ends within a statement",
        "a quote or a bracket",
    ),
    ("a.ttl", PREFIX + "ex:a ex:b ex:c", "2: it ends within a statement", "Complete it"),
    (
        "a.ttl",
        PREFIX + "\nx:a ex:b ex:c .",
        "3: the prefix 'x:' is not declared.",
        "@prefix x: <http://...> .",
    ),
    (
        "a.ttl",
        PREFIX + "ex:a ex:b <http://a b> .",
        "2: an IRI has the character ' '",
        "Write %20 instead",
    ),
    (
        "a.ttl",
        PREFIX + "ex:a ex:b <http://a%zz> .",
        "2: an IRI has a '%' without two",
        "Write %25 instead",
    ),
    (
        "a.ttl",
        PREFIX + 'ex:a ex:b "a\\qb" .',
        "2: a string has the escape '\\q'",
        "Write two backslashes for one backslash.",
    ),
    (
        "a.ttl",
        PREFIX + "ex:a ex:b ex:c\nex:d ex:e ex:f .",
        "3: a statement does not end in '.'",
        "End it with ' .'",
    ),
    ("a.ttl", PREFIX + "ex:a\0 ex:b 1 .", "2: there is a NUL byte.", "get it again"),
    ("a.ttl", "\0" * 100, "1: there is a NUL byte.", "get it again"),
    ("a.ttl", (PREFIX + 'ex:a ex:b "é" .').encode("latin-1"), "2: not encoded in utf-8.", "iconv"),
    ("a.ttl", "id,title\n1,One\n", '1: this is not valid Turtle: "id,title".', SKIPS),
    ("a.jsonld", JSONLD.replace("}}", "},}"), "2: a comma precedes a closing bracket.", "Remove the comma."),
    ("a.jsonld", JSONLD.replace("One", "a\0b"), "1: there is a NUL byte.", "get it again"),
    ("a.jsonld", JSONLD + "\n\n" + JSONLD, "4: a second JSON value begins", "into one array"),
    ("a.jsonld", "not json", '1: this is not valid JSON-LD: "not json".', SKIPS),
    ("a.jsonld", JSONLD[:-2], "2: this is not valid JSON-LD: ", SKIPS),
]


@pytest.mark.parametrize(("name", "content", "problem", "remedy"), FAULTS)
def test_a_fault_is_named_with_file_line_and_a_way_out(tmp_path, name, content, problem, remedy):
    with pytest.raises(SourceError) as caught:
        built(tmp_path, name, content)
    assert caught.value.problem.startswith(f"{name}:{problem}")
    assert remedy in caught.value.remedy


FORMATS = {
    "turtle": TTL,
    "rdfxml": XML,
    "jsonld": JSONLD,
    "nquads": NT.replace(" .\n", " <http://ex.org/g> .\n"),
}
WRONG = [
    (suffix, content)
    for suffix, own in ((".ttl", "turtle"), (".rdf", "rdfxml"), (".jsonld", "jsonld"), (".nt", ""))
    for content in FORMATS
    if content != own
]


@pytest.mark.parametrize(("suffix", "content"), WRONG)
def test_another_format_than_that_of_the_suffix_is_named(tmp_path, suffix, content):
    with pytest.raises(SourceError) as caught:
        built(tmp_path, f"a{suffix}", FORMATS[content])
    assert caught.value.problem.startswith(f"a{suffix} is ")
    assert f"Write `format: {content}` beside `file:`" in caught.value.remedy
    built(tmp_path, f"a{suffix}", FORMATS[content], **{"file: FILE": f"file: FILE\n    format: {content}"})


@pytest.mark.parametrize("suffix", [".ttl", ".rdf", ".nt", ".jsonld"])
def test_a_page_in_place_of_data_is_named(tmp_path, suffix):
    with pytest.raises(SourceError) as caught:
        built(tmp_path, f"a{suffix}", "<!DOCTYPE html>\n<html><body>Not found</body></html>")
    assert caught.value.problem.startswith(f"a{suffix} is an HTML page, not ")
    assert "Download the data itself" in caught.value.remedy


def test_xml_without_rdf_is_named(tmp_path):
    with pytest.raises(SourceError) as caught:
        built(tmp_path, "a.xml", '<?xml version="1.0"?>\n<catalog><book id="1"/></catalog>')
    assert caught.value.problem == "a.xml is XML without RDF, not RDF/XML."


@pytest.mark.parametrize("name", ["a.ttl", "a.nt", "a.jsonld"])
def test_utf_16_is_named(tmp_path, name):
    text = {"a.ttl": TTL, "a.nt": NT, "a.jsonld": JSONLD}[name]
    with pytest.raises(SourceError, match=rf"{name} is encoded in UTF-16"):
        built(tmp_path, name, text.encode("utf-16"))


@pytest.mark.parametrize(
    ("name", "text"), [("a.ttl", TTL), ("a.nt", NT), ("a.jsonld", JSONLD), ("a.rdf", XML[22:])]
)
def test_the_mark_of_utf_8_is_no_content(tmp_path, name, text):
    graph = built(tmp_path, name, b"\xef\xbb\xbf" + text.encode())
    assert graph.entities["label"].to_pylist() == ["One", ""]
    assert graph.report.files[name].dropped == {}


def test_a_truncated_archive_is_no_fault_of_the_parser(tmp_path):
    with pytest.raises(SourceError, match=r"a.ttl.gz cannot be read"):
        built(tmp_path, "a.ttl.gz", gzip.compress(TTL.encode() * 100)[:60])


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (NT, "ntriples"),
        ("# about\n" + NT, "ntriples"),
        ('<http://a/b> <http://a/c> "a > b" .\n', "ntriples"),
        ('<http://a/b> <http://a/c> "d"@en <http://a/g> .\n', "nquads"),
        ("PREFIX ex: <http://ex.org/>\nex:a ex:b ex:c .", "turtle"),
        ("<rdf:RDF>", "rdfxml"),
        ("<a><b/></a>", "xml"),
        ('<?xml version="1.0"?><html>', "html"),
        ('[{"@id": "a"}]', "jsonld"),
        ('{"a": 1}', None),
        ("a,b\n1,2\n", None),
    ],
)
def test_formats_are_known_by_their_first_bytes(head, kind):
    assert rdf_by_content(head.encode()) == kind
