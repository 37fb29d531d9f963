"""Edges by node, for walks: neighbours in pages, and paths between two nodes.

Enters: `GraphTables`. Leaves: `EdgesByNode`, and its results. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from kgrec.graph.tables import GraphTables

Direction = Literal["out", "in"]
#: largest number of edges that one search for paths examines
_MOST_EDGES = 20_000_000
#: largest number of steps of the enumeration of paths
_MOST_STEPS = 100_000
#: largest number of edges of one node that the enumeration follows, those to the rarest nodes first
_MOST_BRANCHES = 2_000


class Edge(NamedTuple):
    """An edge, seen from one of its ends."""

    relation: int
    #: "out" if the edge leaves this end
    direction: Direction
    #: the entity at the other end
    other: int
    weight: float


@dataclass(frozen=True)
class EdgesByNode:
    """The edges of each node, outgoing ones first."""

    #: offsets into `other` per entity; shape (n_entities + 1,), int64
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
        """Number of edges per entity; shape (n_entities,), int64."""
        return np.diff(self.indptr)

    def neighbors(
        self,
        entity: int,
        relation: int | None = None,
        direction: Direction | None = None,
        start: int = 0,
        limit: int | None = None,
    ) -> tuple[list[Edge], int]:
        """Edges of an entity, outgoing edges first, sorted by relation and other end; and their total number.

        Args:
            entity: Its id.
            relation: Only edges of this relation.
            direction: Only outgoing, or only incoming edges.
            start: Number of edges to skip.
            limit: Largest number of edges to return.
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
        """At most `k` paths without cycles, shortest first; among equally short ones, paths through rarer nodes first.

        Args:
            start: Entity where the paths begin.
            end: Another entity.
            max_hops: Number of edges of the longest path.
            k: Largest number of paths.
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
        """Number of edges from each entity to `source`, -1 if above `most`, or if too many edges were examined; int16."""
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
                break  # nodes further away are not on any path that is short enough
        return distance

    def _walks(
        self, start: int, end: int, length: int, away: np.ndarray, steps: list[int]
    ) -> Iterator[list[int]]:
        """Rows of the edges of walks of this length from `start` to `end` that visit no node twice."""
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
        """Edges to nodes that are near enough to the end; edges to rarer nodes last, so that they are taken first."""
        rows = np.arange(self.indptr[node], self.indptr[node + 1])
        other = self.other[rows]
        near = (away[other] >= 0) & (away[other] <= left)
        near &= (other != end) if left else (other == end)
        rows = rows[near]
        order = np.argsort(self.degrees[self.other[rows]], kind="stable")[:_MOST_BRANCHES]
        chosen: list[int] = rows[order[::-1]].tolist()
        return chosen


def _ranges(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The numbers of several ranges, concatenated."""
    lengths = ends - starts
    offsets = np.repeat(ends - np.cumsum(lengths), lengths)
    return np.asarray(np.arange(lengths.sum()) + offsets)
