"""A view as a widget for Jupyter and other front ends that anywidget supports.

Enters: a view. Leaves: a widget: the front end sets `chosen`, Python answers in `detail`. Nothing is written.
Needs anywidget (`kgrec[notebook]`).
"""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from kgrec.errors import KgrecError
from kgrec.notebook.list_view import ListView
from kgrec.notebook.node_view import NodeView
from kgrec.notebook.script import script
from kgrec.notebook.static import html_of


class Widget(anywidget.AnyWidget):
    """What `show` returns with anywidget."""

    _esm = script()

    #: the list and the history; for a node, only the kind of view
    data = traitlets.Dict().tag(sync=True)
    #: the explained item, or type/key of the shown node
    chosen = traitlets.Unicode().tag(sync=True)
    #: the explanation, the node with its neighbours, or the `error` and its `remedy`
    detail = traitlets.Dict().tag(sync=True)

    def __init__(self, view: ListView | NodeView) -> None:
        self._view = view
        super().__init__(data=view.data, chosen=view.first, detail=view.detail(view.first))
        self.observe(self._answer, "chosen")

    def _answer(self, change: Any) -> None:
        try:
            self.detail = self._view.detail(change["new"])
        except KgrecError as error:
            self.detail = {"error": error.problem, "remedy": error.remedy}

    def _repr_html_(self) -> str:
        return html_of(self._view)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The widget, and HTML for front ends without widgets, such as a stored notebook on a web page."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, "text/html": self._repr_html_()}, metadata
