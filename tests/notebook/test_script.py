"""The script of the widget: whole, and at work in a browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import kgrec
import kgrec.notebook
from kgrec.notebook.list_view import ListView
from kgrec.notebook.node_view import NodeView
from kgrec.notebook.script import script

#: the label of f2
SCRIPT = "<script>alert(1)</script>"

_START = """async ([script, traits]) => {
  const before = Object.keys(window);
  const widget = (await import(URL.createObjectURL(new Blob([script], {type: "text/javascript"})))).default;
  const added = Object.keys(window).filter((name) => !before.includes(name));
  const listeners = new Map();
  window.model = {
    sent: [],
    get: (name) => traits[name],
    set: (name, value) => { traits[name] = value; window.model.sent.push(value); },
    save_changes: () => {},
    on: (event, listener) => listeners.set(event, listener),
    off: (event) => listeners.delete(event),
    answer: (detail) => { traits.detail = detail; listeners.get("change:detail")(); },
    listeners,
  };
  const place = document.createElement("div");
  window.end = widget.render({ model: window.model, el: place });
  document.body.append(place);
  return added;
}"""


def test_the_script_loads_nothing():
    text = script()
    assert not re.search(r"^\s*(import|export (?!default))", text, re.MULTILINE)
    assert text.count("export default") == 1
    assert "static/vendor" not in text


def test_the_style_is_for_a_shadow_root():
    style = re.search(r'^const css = (".*");$', script(), re.MULTILINE)
    assert style is not None
    assert ":root" not in style[1] and "prefers-color-scheme" not in style[1]
    assert ":host(.dark) {" in style[1]


def test_the_widget_parses_no_markup():
    text = (Path(kgrec.notebook.__file__).parent / "widget.js").read_text(encoding="utf-8")
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert way not in text, way


@pytest.fixture
def page(chromium: Any) -> Any:
    """An empty page; at the end it must have had no error."""
    context = chromium.new_context(viewport={"width": 1000, "height": 1400})
    page, errors = context.new_page(), []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_content("<!doctype html><body data-jp-theme-light='true'></body>")
    yield page
    context.close()
    assert errors == []


def _started(page: Any, view: ListView | NodeView) -> None:
    traits = {"data": view.data, "chosen": view.first, "detail": view.detail(view.first)}
    assert page.evaluate(_START, [script(), traits]) == []


def test_a_list_asks_for_the_explanation_of_a_clicked_item(page: Any, rec: kgrec.Recommender):
    from playwright.sync_api import expect

    view = ListView.of(rec, "u1", 3)
    _started(page, view)
    first, second = view.data["items"][:2]
    expect(page.get_by_role("heading", name=f"Why {first['label']}?")).to_be_visible()
    expect(page.get_by_role("button", name=SCRIPT)).to_be_visible()  # of the history, as text
    expect(page.locator(".canvas canvas").first).to_be_visible()
    page.get_by_role("button", name=second["label"], exact=True).click()
    assert page.evaluate("window.model.sent") == [second["item"]]
    page.evaluate("(detail) => window.model.answer(detail)", view.detail(second["item"]))
    expect(page.get_by_role("heading", name=f"Why {second['label']}?")).to_be_visible()
    page.evaluate("(detail) => window.model.answer(detail)", {"error": "It is gone.", "remedy": "Ask again."})
    expect(page.get_by_role("alert")).to_have_text("It is gone.Ask again.")


def test_a_node_asks_for_a_clicked_neighbour_and_goes_back(page: Any, graph: kgrec.KnowledgeGraph):
    from playwright.sync_api import expect

    view = NodeView(graph, "f2")
    _started(page, view)
    expect(page.get_by_role("heading", name=SCRIPT)).to_be_visible()
    page.get_by_role("button", name="Ada").click()
    page.evaluate("(detail) => window.model.answer(detail)", view.detail("person/Ada"))
    expect(page.get_by_role("heading", name="Ada")).to_be_visible()
    page.get_by_role("button", name="Back").click()
    assert page.evaluate("window.model.sent") == ["person/Ada", "film/f2"]


def test_the_colours_follow_the_notebook(page: Any, rec: kgrec.Recommender):
    _started(page, ListView.of(rec, "u1", 1))
    colour = "getComputedStyle(document.querySelector('.kgrec')).backgroundColor"
    page.wait_for_function(f"{colour} === 'rgb(255, 255, 255)'")
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    page.wait_for_function(f"{colour} === 'rgb(20, 24, 30)'")
    page.evaluate("window.end()")
    assert page.evaluate("window.model.listeners.size") == 0
