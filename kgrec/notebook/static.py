"""A view as HTML that needs neither scripts nor a kernel: tables, and explanations as text.

Enters: a view. Leaves: HTML in which all data is escaped. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from kgrec.notebook.list_view import ListView
from kgrec.notebook.node_view import NodeView


@dataclass(frozen=True)
class StaticView:
    """What `show` returns without anywidget."""

    view: ListView | NodeView

    def __post_init__(self) -> None:
        # an unknown name is reported by `show`, not when the notebook displays its result
        _ = self.view.first

    def _repr_html_(self) -> str:
        return html_of(self.view)


def html_of(view: ListView | NodeView) -> str:
    """The list with scores, reasons and explanations, and the history; or the node with its neighbours."""
    parts = _list(view) if isinstance(view, ListView) else _node(view)
    return f'<div class="kgrec-static">{"".join(parts)}</div>'


def _list(view: ListView) -> Iterable[str]:
    data = view.data
    yield f"<h3>{escape(view.user)}</h3>"
    rows = [
        (one["rank"], one["label"] or one["item"], f"{one['score']:.3f}", one["reason"])
        for one in data["items"]
    ]
    yield _table("Recommended", ("rank", "item", "score", "reason"), rows)
    seen = [
        (one["label"] or one["item"], "yes" if one["liked"] else "no", one["count"], one["time"] or "")
        for one in data["history"]
    ]
    title = f"History: the newest {len(seen):,} of {data['history_length']:,} items"
    yield _table(title, ("item", "liked", "count", "time"), seen)
    for item, why in view.listed.items():
        title = escape(f"Why {why.label or item}?")
        yield f"<details><summary>{title}</summary><pre>{escape(why.text())}</pre></details>"


def _node(view: NodeView) -> Iterable[str]:
    detail = view.detail(view.first)
    node, near = detail["node"], detail["neighbours"]
    yield f"<h3>{escape(node['label'] or node['key'])}</h3>"
    facts = {"type": node["type"], "key": node["key"], "iri": node["iri"], **node["values"]}
    rows = [(name, f"{one:.12g}" if isinstance(one, float) else one) for name, one in facts.items()]
    yield _table("Values", ("name", "value"), [row for row in rows if row[1] != ""])
    edges = [
        (
            f"{one['relation']} of" if one["direction"] == "in" else one["relation"],
            one["type"],
            one["label"] or one["key"],
            f"{one['weight']:g}",
        )
        for one in near
    ]
    title = f"Neighbours: the first {len(near):,} of {detail['total']:,}"
    yield _table(title, ("relation", "type", "node", "weight"), edges)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    cells = ("".join(f"<td>{escape(str(value))}</td>" for value in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<table><caption>{escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
