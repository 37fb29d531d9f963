"""A node of a graph with its neighbours.

Enters: a graph and the name of a node. Leaves: plain values, for JSON. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kgrec.errors import UnknownId, did_you_mean
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.serve.item_values import entity_values

#: largest number of neighbours per node
MAX_NEIGHBORS = 100
#: largest number of characters per value
_MAX_TEXT = 500


@dataclass(frozen=True)
class NodeView:
    """A graph, and the node shown first."""

    graph: KnowledgeGraph
    name: str

    @property
    def data(self) -> dict[str, Any]:
        """The kind of view; all other values are in `detail`."""
        return {"kind": "node"}

    @property
    def first(self) -> str:
        """type/key of the node shown first.

        Raises:
            UnknownId: The graph has no such node.
        """
        return self.graph.names[self._entity(self.name)]

    def detail(self, name: str) -> dict[str, Any]:
        """A node with its values, its first edges (outgoing edges first), and the number of its edges.

        Raises:
            UnknownId: The graph has no such node.
        """
        entity = self._entity(name)
        row = {column: self.graph.entities[column][entity].as_py() or "" for column in _COLUMNS}
        edges = self.graph.neighbors(row["type"], row["key"])
        shown = edges.head(MAX_NEIGHBORS).to_dict("records")
        ends = self.graph.ids([f"{edge['type']}/{edge['key']}" for edge in shown]) if shown else np.zeros(0)
        return {
            "node": {**row, "item": self._item(entity), "degree": len(edges), "values": self._values(entity)},
            "neighbours": [
                {**edge, "label": edge["label"] or "", "item": self._item(end)}
                for edge, end in zip(shown, ends.tolist(), strict=True)
            ],
            "total": len(edges),
        }

    def _entity(self, name: str) -> int:
        """Id of a node by type/key, or by the id of an item."""
        found = int(self.graph.ids([name])[0])
        if found < 0 and (item := int(self.graph.item_codes([name])[0])) >= 0:
            found = int(self.graph.item_entities[item])
        if found < 0:
            near = did_you_mean(name, self.graph.names.sorted_labels)
            raise UnknownId(f"There is no node '{name}' in the graph.", f"Give type/key. {near}")
        return found

    def _item(self, entity: int) -> str | None:
        row = self.graph.row_of_item.get(entity)
        return None if row is None else self.graph.item_ids[row]

    def _values(self, entity: int) -> dict[str, Any]:
        """Numbers, dates and texts; neighbours are not values."""
        values = entity_values(self.graph, entity).items()
        return {
            name: value[:_MAX_TEXT] if isinstance(value, str) else value
            for name, value in values
            if not isinstance(value, list)
        }


_COLUMNS = ("type", "key", "label", "iri")
