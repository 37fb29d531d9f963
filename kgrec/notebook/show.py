"""Show a list or a node in a notebook.

Enters: a recommender and a user, or a graph and a node. Leaves: a widget with anywidget (`kgrec[notebook]`), otherwise HTML.
Nothing is written.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from kgrec.arguments import options
from kgrec.arguments.ids import as_id
from kgrec.errors import ConfigError
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.notebook.list_view import ListView
from kgrec.notebook.node_view import NodeView
from kgrec.notebook.static import StaticView
from kgrec.recommend.recommender import Recommender

if TYPE_CHECKING:
    from kgrec.notebook.widget import Widget

#: items of the longest list
MAX_ITEMS = 50


def show(source: Recommender | KnowledgeGraph, name: str, k: int = 10) -> Widget | StaticView:
    """A user's list, history and the graph between them; or a node of a graph with its neighbours.

    Put it last in a cell of a notebook. With anywidget installed (`kgrec[notebook]`), a click on an item or a node shows that one;
    without it, and where no kernel runs, the same is tables. A list and its explanations belong to the model at the time of this call.

    Args:
        source: A fitted recommender, or a graph.
        name: A known user, or a node as type/key; of an item its id is enough.
        k: Items of the list, at most 50.

    Returns:
        What a notebook displays.

    Raises:
        UnknownId: The user or the node is unknown.
        ConfigError: `source` is neither, or `k` is out of range.
    """
    name, k = as_id(name, "name"), options.whole_number("k", k, most=MAX_ITEMS)
    view = _view(source, name, k)
    if find_spec("anywidget") is None:
        return StaticView(view)
    from kgrec.notebook.widget import Widget

    return Widget(view)


def _view(source: Recommender | KnowledgeGraph, name: str, k: int) -> ListView | NodeView:
    if isinstance(source, Recommender):
        return ListView.of(source, name, k)
    if isinstance(source, KnowledgeGraph):
        return NodeView(source, name)
    raise ConfigError(f"source is {options.shown(source)}.", "Give a Recommender or a KnowledgeGraph.")
