"""A node with its neighbours as plain values."""

from __future__ import annotations

import json

import pytest

import kgrec
from kgrec.notebook import node_view
from kgrec.notebook.node_view import NodeView


def test_a_node_has_its_values_and_neighbours(graph: kgrec.KnowledgeGraph):
    detail = NodeView(graph, "film/f1").detail("film/f1")
    node = detail["node"]
    assert (node["type"], node["key"], node["label"], node["item"]) == ("film", "f1", "Alien Dawn", "f1")
    assert node["values"] == {"plot": "a crew meets a creature in space"}
    ends = [(one["relation"], one["direction"], one["key"], one["item"]) for one in detail["neighbours"]]
    assert ends == [
        ("directed_by", "out", "Ada", None),
        ("genres", "out", "Horror", None),
        ("genres", "out", "Science fiction", None),
    ]
    assert detail["total"] == 3
    json.dumps(detail, allow_nan=False)


def test_an_item_is_found_by_its_id(graph: kgrec.KnowledgeGraph):
    assert NodeView(graph, "f1").first == "film/f1"


def test_items_among_the_neighbours_are_named(graph: kgrec.KnowledgeGraph):
    detail = NodeView(graph, "person/Ada").detail("person/Ada")
    assert [(one["direction"], one["item"]) for one in detail["neighbours"]] == [("in", "f1"), ("in", "f2")]
    assert detail["node"]["item"] is None


def test_neighbours_and_texts_are_bounded(graph: kgrec.KnowledgeGraph, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(node_view, "MAX_NEIGHBORS", 1)
    monkeypatch.setattr(node_view, "_MAX_TEXT", 6)
    detail = NodeView(graph, "f1").detail("film/f1")
    assert (len(detail["neighbours"]), detail["total"]) == (1, 3)
    assert detail["node"]["values"] == {"plot": "a crew"}


def test_an_unknown_node_is_refused(graph: kgrec.KnowledgeGraph):
    with pytest.raises(kgrec.UnknownId, match="no node 'film/f99'") as caught:
        _ = NodeView(graph, "film/f99").first
    assert "film/f" in caught.value.remedy
