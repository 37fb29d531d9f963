"""Nodes and their IRIs."""

from __future__ import annotations

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from kgrec.ingest.statements import node_iri, parse_iri


@given(st.from_regex(r"\A\w[\w.\-]*\Z"), st.text(min_size=1))
def test_iris_of_nodes_give_type_and_key_back(type_, key):
    iri = node_iri("https://example.org/", type_, key)
    assert iri.isascii() and " " not in iri
    assert parse_iri("https://example.org/", iri) == (type_, key)
    assert unquote(iri).endswith(key)
