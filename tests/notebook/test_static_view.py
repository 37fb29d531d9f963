"""The tables that need no script."""

from __future__ import annotations

from html import escape

import kgrec
from kgrec.notebook.list_view import ListView
from kgrec.notebook.node_view import NodeView
from kgrec.notebook.static import StaticView, html_of

#: the label of f2
SCRIPT = "<script>alert(1)</script>"


def test_a_list_has_scores_reasons_history_and_paths(rec: kgrec.Recommender):
    view = ListView.of(rec, "u2", 2)
    html = html_of(view)
    for one in view.data["items"]:
        cells = (one["rank"], escape(one["label"]), f"{one['score']:.3f}", escape(one["reason"]))
        assert "".join(f"<td>{cell}</td>" for cell in cells) in html
        assert f"<pre>{escape(rec.explain('u2', one['item']).text())}</pre>" in html
    assert "History: the newest 3 of 3 items" in html
    assert "<td>Paris Waltz</td><td>no</td><td>1</td>" in html


def test_markup_in_labels_is_text(rec: kgrec.Recommender, graph: kgrec.KnowledgeGraph):
    for html in (
        html_of(ListView.of(rec, "u1", 3)),
        html_of(ListView.of(rec, "u2", 3)),
        html_of(NodeView(graph, "f2")),
        html_of(NodeView(graph, "person/Ada")),
    ):
        assert SCRIPT not in html
        assert escape(SCRIPT) in html
    assert "<b>" not in html_of(NodeView(graph, "f4"))


def test_a_node_has_values_and_neighbours(graph: kgrec.KnowledgeGraph):
    html = StaticView(NodeView(graph, "person/Ada"))._repr_html_()
    assert "<h3>Ada</h3>" in html
    assert "Neighbours: the first 2 of 2" in html
    assert "<tr><td>directed_by of</td><td>film</td><td>Alien Dawn</td><td>1</td></tr>" in html
