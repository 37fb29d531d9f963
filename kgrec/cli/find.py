"""`kgrec find`: search items and other nodes by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli.console import Json, Quiet, console
from kgrec.cli.options import GraphOrModelFolder

if TYPE_CHECKING:
    from kgrec.graph.knowledge_graph import KnowledgeGraph


def find(
    text: Annotated[str, typer.Argument(help="Part of a name, or a similar name.")],
    folder: GraphOrModelFolder,
    type: Annotated[
        str | None, typer.Option("--type", help="Only nodes of this type, such as genre.")
    ] = None,
    items: Annotated[bool, typer.Option("--items", help="Only items.")] = False,
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="Largest number of nodes to show.")] = 20,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find items and other nodes by name, ignoring case and accents; show similar names if no name matches.

    Example: `kgrec find hobbit model/`
    """
    from kgrec.storage.artifacts import kind_of

    out = console(as_json, quiet)
    removed: set[str] = set()
    if kind_of(folder) == "model":
        from kgrec.recommend.recommender import Recommender

        model = Recommender.load(folder).model
        graph = model.graph()
        removed = {model.items.ids[row] for row in model.items.removed.tolist()}
    else:
        from kgrec.graph.knowledge_graph import KnowledgeGraph

        graph = KnowledgeGraph.load(folder)
    found = _nodes(graph, text, k, type, items)
    for node in found:
        node["removed"] = node["item"] and node["id"] in removed
    lines = (
        _table(found) or f"No name is similar to '{text}'{f' among nodes of type {type}' if type else ''}."
    )
    out.result({"found": found}, lines)


def _nodes(graph: KnowledgeGraph, text: str, k: int, type_: str | None, items: bool) -> list[dict[str, Any]]:
    frame = graph.find_nodes(text, k, type=type_, items_only=items)
    return [{str(name): value for name, value in node.items()} for node in frame.to_dict("records")]


def _table(found: list[dict[str, Any]]) -> str:
    """One line per node: its type, id, label, and kind of match."""
    rows = [(node["type"], node["id"], node["label"], _how(node)) for node in found]
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip()
        for row in rows
    )


def _how(node: dict[str, Any]) -> str:
    marks = [
        "item" if node["item"] else "",
        "removed" if node["removed"] else "",
        f"similar, {node['score']:.2f}" if node["match"] == "similar" else "",
    ]
    shown = ", ".join(filter(None, marks))
    return f"({shown})" if shown else ""
