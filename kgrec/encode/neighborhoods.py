"""The edges of items: what an item is linked to, one hop away or more.

Enters: a KnowledgeGraph and some of its items. Leaves: `Neighborhoods`. Nothing is written.

Beyond the first hop edges are followed from head to tail, between nodes that are no items. Backwards a few nodes lead
to all others, and what items have in common with items is for the interactions to teach.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kgrec.graph.knowledge_graph import KnowledgeGraph

#: Marks a relation that is followed from its tail to its head.
INVERSE = "^"
#: Stands between the relations of a path of several hops.
HOP = " / "


@dataclass(frozen=True)
class Neighborhoods:
    """Edges that touch given items, seen from the item; `item` is a row of the given array.

    A link between two items is one, whichever of them names the other, and counts for both: what a new item can name
    is what is there already, so a direction would tell new from known items and little else. An item with such
    links is a neighbour of itself, so that it is near to those that name it.
    """

    names: list[str]
    item: np.ndarray
    relation: np.ndarray
    entity: np.ndarray
    weight: np.ndarray
    #: whether `entity` is the item itself
    own: np.ndarray

    def arrays(self) -> tuple[np.ndarray, ...]:
        """All but the names; each of shape (n_links,)."""
        return self.item, self.relation, self.entity, self.weight, self.own

    def where(self, chosen: np.ndarray) -> Neighborhoods:
        """Some of the links, by a mask or positions."""
        return Neighborhoods(self.names, *(part[chosen] for part in self.arrays()))


def neighborhoods_of(graph: KnowledgeGraph, items: np.ndarray, hops: int = 1) -> Neighborhoods:
    """The links of the items with entity ids `items`, which differ.

    Args:
        graph: holds the items.
        items: shape (n,), int64.
        hops: edges of a path at most. A link's weight is the product of the weights along its path.
    """
    is_item = np.zeros(len(graph.entities), bool)
    is_item[graph.item_entities] = True
    links = _near(graph, items, is_item)
    further, onward = links.where(~is_item[links.entity]), _Onward.of(graph, is_item)
    for _ in range(1, hops):
        further = onward.follow(further)
        links = _joined(links, further)
    return links


def _near(graph: KnowledgeGraph, items: np.ndarray, is_item: np.ndarray) -> Neighborhoods:
    """The first hop."""
    row = np.full(len(graph.entities), -1, np.int64)
    row[items] = np.arange(len(items))
    names = graph.relations["name"].to_pylist()
    head, relation, tail, weight = _columns(graph)
    between = is_item[head] & is_item[tail]
    edges = []
    for near, far, shift in ((head, tail, 0), (tail, head, len(names))):
        # An edge of weight zero is none, nor is one from an item to itself a link.
        some = (row[near] >= 0) & (weight != 0) & (near != far)
        named = np.where(between[some], relation[some], relation[some] + shift).astype(np.int64)
        edges.append((row[near[some]], named, far[some].astype(np.int64), weight[some], between[some]))
    item, named, entity, weight, between = (np.concatenate(part) for part in zip(*edges, strict=True))
    kept = _strongest(item, named, entity, np.abs(weight))
    linked = distinct_pairs(item[between], named[between])
    return Neighborhoods(
        [*names, *(INVERSE + name for name in names)],
        np.concatenate([item[kept], linked[0]]),
        np.concatenate([named[kept], linked[1]]),
        np.concatenate([entity[kept], items[linked[0]]]),
        np.concatenate([weight[kept], np.ones(len(linked[0]), weight.dtype)]),
        np.concatenate([np.zeros(len(kept), bool), np.ones(len(linked[0]), bool)]),
    )


@dataclass(frozen=True)
class _Onward:
    """The edges that a path may go on by, sorted by their head."""

    names: list[str]
    head: np.ndarray
    relation: np.ndarray
    tail: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, graph: KnowledgeGraph, is_item: np.ndarray) -> _Onward:
        head, relation, tail, weight = _columns(graph)
        some = np.flatnonzero(~is_item[head] & ~is_item[tail] & (head != tail) & (weight != 0))
        some = some[np.argsort(head[some], kind="stable")]
        names = graph.relations["name"].to_pylist()
        return cls(
            names, head[some], relation[some].astype(np.int64), tail[some].astype(np.int64), weight[some]
        )

    def follow(self, links: Neighborhoods) -> Neighborhoods:
        """One hop further."""
        first, end = (np.searchsorted(self.head, links.entity, side) for side in ("left", "right"))
        count = end - first
        link = np.repeat(np.arange(len(count)), count)
        edge = np.arange(len(link)) + np.repeat(first - (np.cumsum(count) - count), count)
        path, named = np.unique(
            links.relation[link] * len(self.names) + self.relation[edge], return_inverse=True
        )
        before, after = np.divmod(path, max(1, len(self.names)))
        # In double precision: a product of weights leaves the range of float32 sooner than they do.
        weight = links.weight[link].astype(np.float64) * self.weight[edge]
        item, entity = links.item[link], self.tail[edge]
        kept = _strongest(item, named, entity, np.abs(weight))
        names = [links.names[b] + HOP + self.names[a] for b, a in zip(before, after, strict=True)]
        return Neighborhoods(
            names, item[kept], named[kept], entity[kept], weight[kept], np.zeros(len(kept), bool)
        )


def _columns(graph: KnowledgeGraph) -> list[np.ndarray]:
    return [graph.triples[name].to_numpy() for name in ("head", "relation", "tail", "weight")]


def hops_of(relation: str) -> int:
    """How many edges a path of this relation has."""
    return relation.count(HOP) + 1


def _joined(links: Neighborhoods, more: Neighborhoods) -> Neighborhoods:
    """The links of both, whose relations have different names."""
    shifted = replace(more, relation=more.relation + len(links.names))
    parts = (np.concatenate(pair) for pair in zip(links.arrays(), shifted.arrays(), strict=True))
    return Neighborhoods([*links.names, *more.names], *parts)


def distinct_pairs(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct pairs of two arrays of numbers from 0, sorted."""
    size = int(right.max(initial=0)) + 1
    return np.divmod(np.unique(left * size + right), size)


def _strongest(item: np.ndarray, relation: np.ndarray, entity: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Positions of the edges that are left when of several alike only the heaviest is kept, in order."""
    order = np.lexsort((-weight, entity, relation, item))
    parts = (item[order], relation[order], entity[order])
    first = np.ones(len(order), bool)
    first[1:] = np.logical_or.reduce([part[1:] != part[:-1] for part in parts])
    return np.sort(order[first])
