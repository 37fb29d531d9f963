"""The traits of the widget, without a front end."""

from __future__ import annotations

import pytest

import kgrec

pytest.importorskip("anywidget")


def test_another_item_is_explained_when_it_is_chosen(rec: kgrec.Recommender):
    widget = kgrec.show(rec, "u1", 3)
    first, second = (one["item"] for one in widget.data["items"][:2])
    assert (widget.chosen, widget.detail["item"]) == (first, first)
    seen: list[str] = []
    widget.observe(lambda change: seen.append(change["new"]["item"]), "detail")
    widget.chosen = second
    assert seen == [second]
    assert widget.detail["score"] == rec.explain("u1", second).score


def test_another_node_is_shown_when_it_is_chosen(graph: kgrec.KnowledgeGraph):
    widget = kgrec.show(graph, "f1")
    assert (widget.data, widget.chosen) == ({"kind": "node"}, "film/f1")
    widget.chosen = "person/Ada"
    assert widget.detail["node"]["key"] == "Ada"


def test_a_name_that_is_unknown_is_an_answer(rec: kgrec.Recommender):
    widget = kgrec.show(rec, "u1")
    widget.chosen = "f99"
    assert set(widget.detail) == {"error", "remedy"}
    widget.chosen = "f4"
    assert widget.detail["item"] == "f4"


def test_front_ends_without_widgets_have_tables(rec: kgrec.Recommender):
    data, _ = kgrec.show(rec, "u1")._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "Recommended" in data["text/html"]


def test_only_traits_of_the_view_are_sent(rec: kgrec.Recommender):
    own = set(kgrec.show(rec, "u1").get_state()) & {"data", "chosen", "detail", "_esm", "_css"}
    assert own == {"data", "chosen", "detail", "_esm"}
