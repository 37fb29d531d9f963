"""Names and values for conditions on items: the names that items have in a graph, and the values of a name.

Enters: `GraphTables`. Leaves: names and values for users who write a condition; see :mod:`kgrec.graph.where`. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.graph.tables import GraphTables

Kind = Literal["relation", "number", "date", "text", "label", "type"]
#: how a name of each kind is compared
OPERATORS: dict[Kind, tuple[str, ...]] = {
    "relation": ("=", "!=", "~", "in"),
    "number": ("=", "!=", "<", "<=", ">", ">=", "in"),
    "date": ("=", "!=", "<", "<=", ">", ">=", "in"),
    "text": ("~", "=", "!=", "in"),
    "label": ("~", "=", "!=", "in"),
    "type": ("=", "!=", "in"),
}


@dataclass(frozen=True)
class ConditionName:
    """A name that conditions on items can begin with."""

    name: str
    kind: Kind


def condition_names(graph: GraphTables) -> list[ConditionName]:
    """Names that at least one item has, by kind and in alphabetical order; `^name` is a relation that leads to items.

    Types of neighbours, which are names too, are left out, because a relation leads to them.
    """
    heads, tails, relations = (graph.triples[part].to_numpy() for part in ("head", "tail", "relation"))
    of_item = np.zeros(len(graph), bool)
    of_item[graph.item_entities] = True
    names = np.array(graph.relations["name"].to_pylist(), dtype=object)
    out, back = (names[np.unique(relations[of_item[ends]])].tolist() for ends in (heads, tails))
    measured = _predicates(graph.numbers, of_item)
    dates = measured.intersection(graph.mapping.date_predicates)
    found: list[tuple[Kind, list[str]]] = [
        ("relation", [*sorted(out), *sorted(f"^{name}" for name in back)]),
        ("number", sorted(measured - dates)),
        ("date", sorted(dates)),
        ("text", sorted(_predicates(graph.text, of_item))),
        ("label", ["label"]),
        ("type", ["type"]),
    ]
    return [ConditionName(name, kind) for kind, some in found for name in some]


def condition_values(graph: GraphTables, name: str, text: str, k: int) -> list[str]:
    """Values that a name can be compared with: labels of neighbours through a relation, or types of items; empty for other names.

    Args:
        graph: Contains the items.
        name: A name, as in `condition_names`.
        text: Text that the values must contain, ignoring case.
        k: Largest number of values; values that most items have come first.
    """
    far = _neighbours(graph, name)
    if name == "type" and not len(far):
        values = pc.cast(graph.entities["type"], pa.string()).take(pa.array(graph.item_entities))
    else:
        nodes = graph.entities.take(pa.array(far))
        labels, keys = (pc.cast(nodes[column], pa.string()) for column in ("label", "key"))
        values = pc.if_else(pc.equal(labels, ""), keys, labels)
    if text:
        values = values.filter(pc.match_substring(values, text, ignore_case=True))
    counted = sorted(values.value_counts().to_pylist(), key=lambda one: (-one["counts"], one["values"]))
    return [str(one["values"]) for one in counted[:k]]


def _neighbours(graph: GraphTables, name: str) -> np.ndarray:
    """The other end of each edge of an item through a relation; for `^name`, of the edges that lead to the item."""
    bare = name.removeprefix("^")
    names = graph.relations["name"].to_pylist()
    if bare not in names:
        return np.zeros(0, np.int64)
    near, far = ("head", "tail") if bare == name else ("tail", "head")
    mine = graph.triples["relation"].to_numpy() == names.index(bare)
    mine &= np.isin(graph.triples[near].to_numpy(), graph.item_entities)
    return np.asarray(graph.triples[far].to_numpy()[mine])


def _predicates(table: pa.Table, of_item: np.ndarray) -> set[str]:
    rows = table.filter(pa.array(of_item[table["id"].to_numpy()]))
    return {str(name) for name in pc.unique(rows["predicate"]).to_pylist()}
