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

#: largest number of items per list
MAX_ITEMS = 50


def show(source: Recommender | KnowledgeGraph, name: str, k: int = 10) -> Widget | StaticView:
    """A user's list, history and the graph between them; or a node of a graph with its neighbours.

    Make this the last expression of a notebook cell. With anywidget installed (`kgrec[notebook]`), a click on an item or a node shows it;
    without anywidget or a running kernel, the view consists of tables. A list and its explanations use the model at the time of this call.

    Args:
        source: A fitted recommender, or a graph.
        name: A known user, or a node as type/key; for an item, its id is enough.
        k: Items in the list, at most 50.

    Returns:
        A view that the notebook displays.

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
