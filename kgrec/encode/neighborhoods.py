"""Neighborhoods of items: weighted paths from an item to other entities, one hop long or more.

Enters: a KnowledgeGraph and some of its items. Leaves: `Neighborhoods`. Nothing is written.

Beyond the first hop, paths follow edges only from head to tail, and only between entities that are not items. Against the edge
direction a few hub nodes lead everywhere, and item-to-item similarity is learned from the interactions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kgrec.graph.knowledge_graph import KnowledgeGraph

#: prefix of a relation that is followed from its tail to its head
INVERSE = "^"
#: separator between the relations of a multi-hop path
HOP = " / "


@dataclass(frozen=True)
class Neighborhoods:
    """Paths from given items, one row per path; `item` is a position in the given array, not an entity id.

    A link between two items is undirected and counts for both. A new item can only name existing items, so keeping the direction
    would separate new items from known ones. An item with such links is also a neighbour of itself, which brings it close to the
    items that name it.
    """

    names: list[str]
    item: np.ndarray
    relation: np.ndarray
    entity: np.ndarray
    weight: np.ndarray
    #: whether `entity` is the item itself
    own: np.ndarray

    def arrays(self) -> tuple[np.ndarray, ...]:
        """All arrays, without the names; each of shape (n_paths,)."""
        return self.item, self.relation, self.entity, self.weight, self.own

    def select(self, chosen: np.ndarray) -> Neighborhoods:
        """A subset of the paths, by mask or positions."""
        return Neighborhoods(self.names, *(part[chosen] for part in self.arrays()))


def neighborhoods_of(graph: KnowledgeGraph, items: np.ndarray, hops: int = 1) -> Neighborhoods:
    """The neighborhoods of the distinct items with entity ids `items`.

    Args:
        graph: holds the items.
        items: shape (n,), int64.
        hops: largest number of edges per path. The weight of a path is the product of its edge weights.
    """
    is_item = np.zeros(len(graph.entities), bool)
    is_item[graph.item_entities] = True
    found = _first_hop(graph, items, is_item)
    last, edges = found.select(~is_item[found.entity]), _ForwardEdges.of(graph, is_item)
    for _ in range(1, hops):
        last = edges.follow(last)
        found = _joined(found, last)
    return found


def _first_hop(graph: KnowledgeGraph, items: np.ndarray, is_item: np.ndarray) -> Neighborhoods:
    row = np.full(len(graph.entities), -1, np.int64)
    row[items] = np.arange(len(items))
    names = graph.relations["name"].to_pylist()
    head, relation, tail, weight = _columns(graph)
    between_items = is_item[head] & is_item[tail]
    edges = []
    # Each edge is read twice: from its head, and from its tail under the number of the inverse relation.
    for near, far, shift in ((head, tail, 0), (tail, head, len(names))):
        # An edge of weight zero is not a neighbour, and a self-loop of an item is not a link between items.
        some = (row[near] >= 0) & (weight != 0) & (near != far)
        # Links between items keep one number in both directions: they are undirected.
        named = np.where(between_items[some], relation[some], relation[some] + shift).astype(np.int64)
        edges.append((row[near[some]], named, far[some].astype(np.int64), weight[some], between_items[some]))
    item, named, entity, weight, between_items = (np.concatenate(part) for part in zip(*edges, strict=True))
    kept = _strongest(item, named, entity, np.abs(weight))
    # One self-neighbour of weight 1 per item and item-to-item relation, after all edges.
    own_item, own_relation = distinct_pairs(item[between_items], named[between_items])
    return Neighborhoods(
        [*names, *(INVERSE + name for name in names)],
        np.concatenate([item[kept], own_item]),
        np.concatenate([named[kept], own_relation]),
        np.concatenate([entity[kept], items[own_item]]),
        np.concatenate([weight[kept], np.ones(len(own_item), weight.dtype)]),
        np.concatenate([np.zeros(len(kept), bool), np.ones(len(own_item), bool)]),
    )


@dataclass(frozen=True)
class _ForwardEdges:
    """The edges that can extend a path, sorted by head."""

    names: list[str]
    head: np.ndarray
    relation: np.ndarray
    tail: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, graph: KnowledgeGraph, is_item: np.ndarray) -> _ForwardEdges:
        head, relation, tail, weight = _columns(graph)
        some = np.flatnonzero(~is_item[head] & ~is_item[tail] & (head != tail) & (weight != 0))
        some = some[np.argsort(head[some], kind="stable")]
        names = graph.relations["name"].to_pylist()
        return cls(
            names, head[some], relation[some].astype(np.int64), tail[some].astype(np.int64), weight[some]
        )

    def follow(self, paths: Neighborhoods) -> Neighborhoods:
        """The paths, extended by one hop in all possible ways."""
        # Edges of one head are a run of rows. Path p is repeated once per edge of its run; `edge` counts from the start of
        # that run: np.arange counts through all runs, so the total length of the earlier ones is subtracted.
        first, end = (np.searchsorted(self.head, paths.entity, side) for side in ("left", "right"))
        count = end - first
        path = np.repeat(np.arange(len(count)), count)
        edge = np.arange(len(path)) + np.repeat(first - (np.cumsum(count) - count), count)
        # A pair of relations becomes one number, and each distinct number becomes a relation.
        pair, named = np.unique(
            paths.relation[path] * len(self.names) + self.relation[edge], return_inverse=True
        )
        before, after = np.divmod(pair, max(1, len(self.names)))
        # In double precision, because a product of weights leaves the range of float32 sooner than its factors.
        weight = paths.weight[path].astype(np.float64) * self.weight[edge]
        item, entity = paths.item[path], self.tail[edge]
        kept = _strongest(item, named, entity, np.abs(weight))
        names = [paths.names[b] + HOP + self.names[a] for b, a in zip(before, after, strict=True)]
        return Neighborhoods(
            names, item[kept], named[kept], entity[kept], weight[kept], np.zeros(len(kept), bool)
        )


def _columns(graph: KnowledgeGraph) -> list[np.ndarray]:
    return [graph.triples[name].to_numpy() for name in ("head", "relation", "tail", "weight")]


def hops_of(relation: str) -> int:
    """Number of edges in a path with this relation."""
    return relation.count(HOP) + 1


def _joined(left: Neighborhoods, right: Neighborhoods) -> Neighborhoods:
    """The paths of both; their relations must have different names."""
    shifted = replace(right, relation=right.relation + len(left.names))
    parts = (np.concatenate(pair) for pair in zip(left.arrays(), shifted.arrays(), strict=True))
    return Neighborhoods([*left.names, *right.names], *parts)


def distinct_pairs(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct pairs of two arrays of numbers from 0, sorted."""
    size = int(right.max(initial=0)) + 1
    return np.divmod(np.unique(left * size + right), size)


def _strongest(item: np.ndarray, relation: np.ndarray, entity: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Positions, increasing, of the heaviest path among those with the same item, relation and entity."""
    # The last key of lexsort is the first to sort by; within a group the heaviest path comes first.
    order = np.lexsort((-weight, entity, relation, item))
    parts = (item[order], relation[order], entity[order])
    first = np.ones(len(order), bool)
    first[1:] = np.logical_or.reduce([part[1:] != part[:-1] for part in parts])
    return np.sort(order[first])
