"""Known items that a change of other items reaches, for they are linked to them or to what has changed further away.

Enters: a `Model`, and its graph before and after. Leaves: rows, vectors and features of these items. Nothing is written.

Their texts and what their users taught stay, and the encoder is linear: so their vectors move by what their
neighbours give now, less what they gave before, and no text is encoded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kgrec.features import ItemFeatures
from kgrec.graph import KnowledgeGraph
from kgrec.links import hops_of
from kgrec.model import Model


@dataclass(frozen=True)
class Reached:
    """Known items whose neighbours changed, though no row spoke of them."""

    #: in the model; shape (n,), int64
    rows: np.ndarray
    #: before normalisation; shape (n, dim), float32
    vectors: np.ndarray
    #: their neighbours now; the dense part is zero
    features: ItemFeatures


def reached(
    model: Model, after: KnowledgeGraph, entities: np.ndarray, embed: Callable[[ItemFeatures], np.ndarray]
) -> Reached:
    """The items of a model, but for those with ids `entities`, whose neighbours in `after` are others than in its graph.

    Args:
        model: Stays as it is.
        after: The graph with the change; what is in the model's has the same id there.
        entities: Of the items that rows spoke of.
        embed: Vectors of items from features, before normalisation.
    """
    before, schema = model.graph(), model.parameters().schema()
    near = _near(before, after, max(map(hops_of, schema.relations), default=1))
    rows = np.flatnonzero(np.isin(model.entities, np.setdiff1d(near, entities)))
    was, now = (schema.features(graph, model.entities[rows]) for graph in (before, after))
    moved = (embed(now) - embed(was)) if len(rows) else np.zeros((0, model.vectors.shape[1]), np.float32)
    some = np.flatnonzero(moved.any(axis=1))
    rows = rows[some]
    return Reached(rows, model.vectors[rows] * model.lengths[rows, None] + moved[some], now.take(some))


def _near(before: KnowledgeGraph, after: KnowledgeGraph, hops: int) -> np.ndarray:
    """Ids of what is an end of a changed edge between items, or leads to a changed edge between others within some hops."""
    head, tail, changed = _changes(before, after)
    is_item = np.zeros(len(after), bool)
    is_item[after.item_entities] = True
    between = changed & is_item[head] & is_item[tail]
    near = [head[between], tail[between]]
    if hops > 1:
        onward = ~is_item[head] & ~is_item[tail]
        leads = np.zeros(len(after), bool)
        leads[head[changed & onward]] = True
        for _ in range(2, hops):
            leads[head[onward & leads[tail]]] = True
        near += [head[is_item[head] & leads[tail]], tail[is_item[tail] & leads[head]]]
    return np.unique(np.concatenate(near))


def _changes(before: KnowledgeGraph, after: KnowledgeGraph) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heads and tails of the edges of both graphs, and whether only one of them has it, with this weight."""
    names = {name: code for code, name in enumerate(after.relations["name"].to_pylist())}
    columns = []
    for graph in (before, after):
        code = np.array([names.setdefault(name, len(names)) for name in graph.relations["name"].to_pylist()])
        head, relation, tail, weight = (
            graph.triples[name].to_numpy() for name in ("head", "relation", "tail", "weight")
        )
        columns.append((head, code[relation] if len(relation) else relation, tail, weight))
    head, relation, tail, weight = (np.concatenate(pair) for pair in zip(*columns, strict=True))
    order = np.lexsort((weight, tail, relation, head))
    same = np.ones(max(len(order) - 1, 0), bool)
    for part in (head, relation, tail, weight):
        same &= part[order][1:] == part[order][:-1]
    twice = np.zeros(len(order), bool)
    twice[order[1:]] |= same
    twice[order[:-1]] |= same
    return head, tail, ~twice
