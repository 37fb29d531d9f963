"""The RDF format, detected from a file's first bytes.

Enters: some bytes. Leaves: a format of the mapping, `html` or `xml` for pages and XML without RDF, or None.
"""

from __future__ import annotations

import codecs
import re

_NTRIPLES = re.compile(rb"^(<[^<>\s]+>|_:\S+)\s+<[^<>\s]+>\s+\S.*\.\s*$")
_NQUADS = re.compile(rb"""(>|"(@[A-Za-z0-9-]+)?|_:\S+)\s+(<[^<>\s]+>|_:\S+)\s*\.\s*$""")
_TURTLE = re.compile(rb"^\s*(@prefix|@base|PREFIX|BASE)\s+\S*\s*<", re.MULTILINE)
_HTML = re.compile(rb"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+)?html\b", re.IGNORECASE | re.DOTALL)
#: a declaration, the root of RDF/XML, an element with an attribute, or a closed element; <a> <b> are IRIs of Turtle
_XML = re.compile(
    rb"<(\?xml|!--|!DOCTYPE|[\w.-]+:RDF\b|[A-Za-z_][\w.:-]*\s+[\w:.-]+\s*=|[A-Za-z_][\w.:-]*>[\s\S]*</)"
)
_RDF_XML = re.compile(rb"<[\w.-]+:RDF\b|22-rdf-syntax-ns#")
_JSON_LD = re.compile(rb'"@(context|id|type|graph|value)"\s*:')
_HEAD = 10_000

NAMES = {
    "turtle": "Turtle",
    "ntriples": "N-Triples",
    "nquads": "N-Quads",
    "trig": "TriG",
    "rdfxml": "RDF/XML",
    "jsonld": "JSON-LD",
    "html": "an HTML page",
    "xml": "XML without RDF",
}
#: names of formats that are not RDF
NO_RDF = ("html", "xml")
#: format -> formats that its parser also reads
_INCLUDES = {"turtle": ("ntriples",), "trig": ("turtle", "ntriples"), "nquads": ("ntriples",)}


def rdf_by_content(head: bytes) -> str | None:
    """The format of a file that begins with `head`; None if it is unclear."""
    text = head[:_HEAD].removeprefix(codecs.BOM_UTF8).lstrip()
    if _HTML.match(text):
        return "html"
    if text[:1] in (b"{", b"[") and _JSON_LD.search(text):
        return "jsonld"
    if _TURTLE.search(text):
        return "turtle"
    first = next((line for line in text.splitlines() if line.strip() and line[:1] != b"#"), b"")
    if _NTRIPLES.match(first):
        return "nquads" if _NQUADS.search(_without_subject_and_predicate(first)) else "ntriples"
    if _XML.match(text):
        return "rdfxml" if _RDF_XML.search(text) else "xml"
    return None


def is_another(found: str | None, kind: str) -> bool:
    """Whether content in the format `found` cannot be read as `kind`."""
    return found is not None and found != kind and found not in _INCLUDES.get(kind, ())


def _without_subject_and_predicate(line: bytes) -> bytes:
    return line.split(None, 2)[2]
