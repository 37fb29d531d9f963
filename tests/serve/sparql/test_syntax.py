"""Which SPARQL texts are queries that stay in the process."""

from __future__ import annotations

import pytest

from kgrec.errors import ConfigError
from kgrec.serve.sparql.syntax import form_of


@pytest.mark.parametrize(
    ("query", "form"),
    [
        ("SELECT * { ?s ?p ?o }", "SELECT"),
        ("  # SERVICE\nask { ?s ?p ?o }", "ASK"),
        (
            "PREFIX a: <http://x/#>\nBASE <http://y/>\nprefix : <z>\nCONSTRUCT { ?s ?p ?o } { ?s ?p ?o }",
            "CONSTRUCT",
        ),
        ("SELECT ?service { ?service a:service \"SERVICE <x>\" , '''service''' }", "SELECT"),
        ("SELECT * { ?s <http://x/SERVICE> ?o }", "SELECT"),
    ],
)
def test_queries(query: str, form: str):
    assert form_of(query) == form


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("SELECT * { SERVICE <http://x/> { ?s ?p ?o } }", "queries another server"),
        ("SELECT * { service?x { ?s ?p ?o } }", "queries another server"),
        ("SELECT * { ?s ?p 'a' . SERVICE SILENT <http://x/> { } }", "queries another server"),
        ("DESCRIBE <http://x/>", "begins with DESCRIBE"),
        ("INSERT DATA { <a> <b> <c> }", "begins with INSERT"),
        ("PREFIX a: <b> DELETE WHERE { ?s ?p ?o }", "begins with DELETE"),
        ("LOAD <http://x/>", "begins with LOAD"),
        ("", "has no query"),
        ("<http://x/>", "has no query"),
    ],
)
def test_others_are_refused(query: str, problem: str):
    with pytest.raises(ConfigError, match=problem):
        form_of(query)
