"""The data of one item in the graph: its type, and values by relation and predicate.

Enters: a model and a row. Leaves: plain values. Nothing is written.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from kgrec.graph.ntriples import iso_date
from kgrec.graph.tables import GraphTables
from kgrec.model.model import Model

_DAY = 86_400


def item_columns(model: Model, row: int) -> tuple[str, dict[str, Any]]:
    """The type of an item, and its values: lists of neighbour labels by relation, numbers, dates, and texts."""
    graph, entity = model.graph(), int(model.items.entities[row])
    return str(graph.entities["type"][entity].as_py()), entity_values(graph, entity)


def entity_values(graph: GraphTables, entity: int) -> dict[str, Any]:
    """Values of an entity by the name of relation or predicate."""
    values: dict[str, Any] = {}
    edges = graph.triples.take(pa.array(np.flatnonzero(graph.triples["head"].to_numpy() == entity)))
    tails = graph.entities.take(edges["tail"])
    relations = graph.relations["name"].take(edges["relation"]).to_pylist()
    for relation, label, key in zip(
        relations, tails["label"].to_pylist(), tails["key"].to_pylist(), strict=True
    ):
        values.setdefault(relation, []).append(label or key)
    dates = set(graph.mapping.date_predicates)
    for one in _of(graph.numbers, entity):
        value = one["value"]
        values[one["predicate"]] = iso_date(value, value % _DAY == 0) if one["predicate"] in dates else value
    for one in _of(graph.text, entity):
        values.setdefault(one["predicate"], one["text"])
    return values


def _of(table: pa.Table, entity: int) -> list[dict[str, Any]]:
    rows = np.flatnonzero(table["id"].to_numpy() == entity)
    found: list[dict[str, Any]] = table.take(pa.array(rows)).to_pylist()
    return found
