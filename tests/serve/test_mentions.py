"""Nodes and items that a text names."""

from __future__ import annotations

from pathlib import Path

import pytest

import kgrec
from kgrec.serve.mentions import Mentions


@pytest.fixture(scope="module")
def mentions(shared_catalogue: Path) -> Mentions:
    return Mentions(kgrec.build_graph(shared_catalogue / "kgrec.yaml"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a SCIENCE-FICTION film by Ada", [("Science fiction", True), ("Ada", True)]),
        ("romance, no comedy", [("Romance", True), ("Comedy", False)]),
        ("something without any horror", [("Horror", False)]),
        ("Paris Waltz", []),
        ("like Paris Waltz", [("Paris Waltz", True)]),
        ("not like Paris Waltz", [("Paris Waltz", False)]),
        ("I hated Rome Summer", [("Rome Summer", False)]),
        ("", []),
        ("nothing of the kind", []),
    ],
)
def test_what_a_text_names(mentions: Mentions, text: str, found: list[tuple[str, bool]]):
    labels = mentions.graph.entities["label"]
    assert [(labels[one.entity].as_py(), one.wanted) for one in mentions.found(text)] == found
