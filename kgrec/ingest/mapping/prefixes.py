"""Prefixed names in a mapping, expanded to IRIs.

Enters: a `Document`. Leaves: its values, with predicates and classes as IRIs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kgrec.errors import MappingError, did_you_mean
from kgrec.ingest.mapping.located_yaml import Document, YamlPath

PREFIXES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "schema": "http://schema.org/",
    "dcterms": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "dbo": "http://dbpedia.org/ontology/",
    "dbr": "http://dbpedia.org/resource/",
    "wd": "http://www.wikidata.org/entity/",
    "wdt": "http://www.wikidata.org/prop/direct/",
    "p": "http://www.wikidata.org/prop/",
    "ps": "http://www.wikidata.org/prop/statement/",
    "pq": "http://www.wikidata.org/prop/qualifier/",
}
IRI_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\x00-\x20\s<>\"{}|\\^`]*")
_SCHEMES = ("urn", "tag", "info", "mailto")


def place_of(document: Document, where: YamlPath) -> str:
    """File, line and path of a value, for an error message."""
    line = f":{document.line(where)}" if document.lines else ""
    return f"{document.name}{line}: {'.'.join(map(str, where)) or 'the mapping'}"


def expanded(document: Document) -> object:
    """The values of the document, with prefixed names of predicates and classes expanded."""
    values = document.content
    if not isinstance(values, dict) or not isinstance(values.get("rdf"), list):
        return values
    own = values.get("prefixes")
    names = _Prefixes({**PREFIXES, **own} if isinstance(own, dict) else PREFIXES, document)
    return {**values, "rdf": [names.source(s, ("rdf", i)) for i, s in enumerate(values["rdf"])]}


@dataclass(frozen=True)
class _Prefixes:
    known: dict[str, str]
    document: Document

    def source(self, source: object, where: YamlPath) -> object:
        if not isinstance(source, dict):
            return source
        source = dict(source)
        if isinstance(predicates := source.get("predicates"), dict):
            at = (*where, "predicates")
            source["predicates"] = {self.iri(name, (*at, name)): role for name, role in predicates.items()}
        if isinstance(types := source.get("types"), dict):
            at = (*where, "types")
            source["types"] = {name: self.iris(classes, (*at, name)) for name, classes in types.items()}
        if "type_predicates" in source:
            source["type_predicates"] = self.iris(source["type_predicates"], (*where, "type_predicates"))
        return source

    def iris(self, names: object, where: YamlPath) -> object:
        names = [names] if isinstance(names, str) else names
        return [self.iri(name, where) for name in names] if isinstance(names, list | tuple) else names

    def iri(self, name: object, where: YamlPath) -> str:
        text = str(name).removeprefix("<").removesuffix(">")
        prefix, colon, local = text.partition(":")
        if text == "*" or (IRI_PATTERN.fullmatch(text) and (local.startswith("//") or prefix in _SCHEMES)):
            return text
        if colon and prefix in self.known:
            iri = self.known[prefix] + local
            self.document.lines.setdefault((*where[:-1], iri), self.document.line(where))
            return iri
        problem = f"{place_of(self.document, where)}: '{name}' has an unknown prefix."
        raise MappingError(problem, did_you_mean(prefix, sorted(self.known)))
