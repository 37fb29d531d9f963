"""Edges by node, for walks: neighbours a page at a time, and paths between two nodes.

Enters: `GraphTables`. Leaves: `EdgesByNode`, and what it finds. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from kgrec.graph.tables import GraphTables

Direction = Literal["out", "in"]
#: edges that one search for paths looks at
_MOST_EDGES = 20_000_000
#: steps of the enumeration of paths
_MOST_STEPS = 100_000
#: edges of one node that the enumeration follows, those to the rarest nodes first
_MOST_BRANCHES = 2_000


class Edge(NamedTuple):
    """An edge as seen from one of its ends."""

    relation: int
    #: "out" where the edge leaves this end
    direction: Direction
    #: the entity at the other end
    other: int
    weight: float


@dataclass(frozen=True)
class EdgesByNode:
    """The edges of each node, outgoing ones first."""

    #: rows of `other` of each entity; shape (n_entities + 1,), int64
    indptr: np.ndarray
    #: entity at the other end; shape (2 * n_triples,), int32
    other: np.ndarray
    #: row of the triple; the same shape, int64
    triple: np.ndarray
    #: whether the edge leaves the node; the same shape, bool
    out: np.ndarray
    graph: GraphTables

    @classmethod
    def of(cls, graph: GraphTables) -> EdgesByNode:
        """The edges of a graph by node."""
        head, tail = (graph.triples[name].to_numpy() for name in ("head", "tail"))
        n = len(head)
        node = np.concatenate([head, tail])
        order = np.argsort(node, kind="stable")
        counts = np.bincount(node, minlength=len(graph))
        return cls(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            np.concatenate([tail, head])[order].astype(np.int32),
            order % max(n, 1),
            order < n,
            graph,
        )

    @property
    def degrees(self) -> np.ndarray:
        """Edges of each entity; shape (n_entities,), int64."""
        return np.diff(self.indptr)

    def neighbors(
        self,
        entity: int,
        relation: int | None = None,
        direction: Direction | None = None,
        start: int = 0,
        limit: int | None = None,
    ) -> tuple[list[Edge], int]:
        """Edges of an entity, outgoing ones first, in the order of relation and other end; and how many there are.

        Args:
            entity: Its id.
            relation: Only edges of this relation.
            direction: Only edges that leave, or enter.
            start: Edges to leave out.
            limit: At most so many.
        """
        rows = np.arange(self.indptr[entity], self.indptr[entity + 1])
        relations = self.graph.triples["relation"].to_numpy()[self.triple[rows]]
        kept = np.ones(len(rows), bool)
        if relation is not None:
            kept &= relations == relation
        if direction is not None:
            kept &= self.out[rows] == (direction == "out")
        rows, relations = rows[kept], relations[kept]
        rows = rows[np.lexsort((self.other[rows], relations, ~self.out[rows]))]
        chosen = rows[start : None if limit is None else start + limit]
        return [self._edge(row) for row in chosen.tolist()], len(rows)

    def paths(self, start: int, end: int, max_hops: int, k: int) -> list[list[Edge]]:
        """At most `k` paths without a circle, the shortest first, of equal ones those through rarer nodes.

        Args:
            start: Entity where the paths begin.
            end: Another entity.
            max_hops: Edges of the longest path.
            k: Paths.
        """
        away = self._distances(end, start, max_hops)
        if start == end or away[start] < 0:
            return []
        found: list[list[Edge]] = []
        steps = [_MOST_STEPS]
        for length in range(int(away[start]), max_hops + 1):
            for rows in self._walks(start, end, length, away, steps):
                found.append([self._edge(row) for row in rows])
                if len(found) == k:
                    return found
        return found

    def _edge(self, row: int) -> Edge:
        triple = int(self.triple[row])
        triples = self.graph.triples
        return Edge(
            triples["relation"][triple].as_py(),
            "out" if self.out[row] else "in",
            int(self.other[row]),
            triples["weight"][triple].as_py(),
        )

    def _distances(self, source: int, target: int, most: int) -> np.ndarray:
        """Edges from each entity to `source`, -1 where they are more than `most`, or where too many edges were seen; int16."""
        distance = np.full(len(self.indptr) - 1, -1, np.int16)
        distance[source] = 0
        frontier = np.array([source])
        seen = 0
        for hop in range(1, most + 1):
            starts, ends = self.indptr[frontier], self.indptr[frontier + 1]
            seen += int((ends - starts).sum())
            if seen > _MOST_EDGES or not len(frontier):
                break
            reached = np.unique(self.other[_ranges(starts, ends)])
            frontier = reached[distance[reached] < 0]
            distance[frontier] = hop
            if hop == most - 1 and distance[target] >= 0:
                break  # nodes further away are on no path that is short enough
        return distance

    def _walks(
        self, start: int, end: int, length: int, away: np.ndarray, steps: list[int]
    ) -> Iterator[list[int]]:
        """Rows of the edges of walks of this length from `start` to `end` that pass no node twice."""
        todo: list[tuple[int, list[int], list[int]]] = [(start, [start], [])]
        while todo and steps[0] > 0:
            steps[0] -= 1
            node, nodes, rows = todo.pop()
            left = length - len(rows)
            if left == 0:
                if node == end:
                    yield rows
                continue
            for row in self._branches(node, left - 1, away, end):
                other = int(self.other[row])
                if other not in nodes:
                    todo.append((other, [*nodes, other], [*rows, row]))

    def _branches(self, node: int, left: int, away: np.ndarray, end: int) -> list[int]:
        """Edges to nodes from which the end is near enough; those to rarer nodes last, so that they are taken first."""
        rows = np.arange(self.indptr[node], self.indptr[node + 1])
        other = self.other[rows]
        near = (away[other] >= 0) & (away[other] <= left)
        near &= (other != end) if left else (other == end)
        rows = rows[near]
        order = np.argsort(self.degrees[self.other[rows]], kind="stable")[:_MOST_BRANCHES]
        chosen: list[int] = rows[order[::-1]].tolist()
        return chosen


def _ranges(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The numbers of several ranges, one after the other."""
    lengths = ends - starts
    offsets = np.repeat(ends - np.cumsum(lengths), lengths)
    return np.asarray(np.arange(lengths.sum()) + offsets)
