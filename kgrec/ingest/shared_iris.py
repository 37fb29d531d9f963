"""IRIs that several rows share.

Enters: pairs of equal nodes, and which nodes are rows of tables. Leaves: the pairs to merge, and `SharedIris`. Rows with
different keys are never merged, because their table distinguishes them; statements about an IRI that they share are copied to
each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_matrix

from kgrec.ingest import cells
from kgrec.ingest.statements import Edges, Statements, Values

#: largest number of rows that may share an IRI: statements about an IRI with more rows are not copied, which bounds memory
MOST = 100


@dataclass(frozen=True)
class Group:
    """Rows that share nodes; two rows that name each other directly share no node."""

    nodes: np.ndarray
    rows: np.ndarray

    @property
    def spreads(self) -> bool:
        """Whether statements about the nodes are copied to the rows."""
        return len(self.nodes) > 0 and len(self.rows) <= MOST


def components(pairs: np.ndarray, size: int) -> np.ndarray:
    """Connected component of each of `size` nodes; shape (size,), int."""
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), dtype=np.int8)
    links = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    return np.asarray(connected_components(links, directed=False)[1])


def separated(pairs: np.ndarray, tabled: np.ndarray) -> tuple[np.ndarray, list[Group]]:
    """The pairs that merge no two rows, and the groups of rows that the other pairs would merge.

    Args:
        pairs: Equal nodes, shape (n, 2).
        tabled: Whether each node is a row, shape (nodes,).
    """
    rows = tabled[pairs].sum(axis=1)
    inner, claims = pairs[rows == 0], pairs[rows == 1]
    claims = np.where(tabled[claims[:, :1]], claims, claims[:, ::-1])  # row, node
    component = components(inner, len(tabled)).astype(np.int64)
    claimed = component[claims[:, 1]]
    owned = cells.distinct(claimed * len(tabled) + claims[:, 0])
    of, owner = owned // len(tabled), owned % len(tabled)
    contested = of[1:][of[1:] == of[:-1]]
    merging = np.concatenate([inner, claims[~np.isin(claimed, contested)]])
    nodes = np.flatnonzero(np.isin(component, contested))
    groups = [
        Group(nodes[component[nodes] == number], owner[of == number]) for number in cells.distinct(contested)
    ]
    both = pairs[(rows == 2) & (pairs[:, 0] != pairs[:, 1])]
    return merging, groups + [Group(both[:0, 0], cells.distinct(pair)) for pair in both]


@dataclass(frozen=True)
class SharedIris:
    """The rows that share each node, as concatenated lists."""

    #: number of rows that share each node, and the start of their list in `rows`; shape (nodes,), int64
    counts: np.ndarray
    begins: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, groups: Sequence[Group], size: int) -> SharedIris:
        """The lists of the groups, for `size` nodes."""
        counts, begins, begin = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64), 0
        for group in groups:
            counts[group.nodes], begins[group.nodes] = len(group.rows), begin
            begin += len(group.rows)
        nothing = np.empty(0, dtype=np.int64)
        return cls(counts, begins, np.concatenate([nothing, *(group.rows for group in groups)]))

    def spread(self, statements: Statements) -> Statements:
        """The statements, with each statement about a shared node copied to all rows that share it."""
        return replace(
            statements,
            edges=[self._edges(part) for part in statements.edges],
            labels=[self._values(part) for part in statements.labels],
            texts=[self._values(part) for part in statements.texts],
            numbers=[self._values(part) for part in statements.numbers],
        )

    def _copies(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Index into `nodes` and node of each copy; None if no node is shared."""
        shared = self.counts[nodes]
        if not shared.any():
            return None
        counts = np.maximum(shared, 1)
        at = np.repeat(np.arange(len(nodes)), counts)
        within = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts)
        found = nodes[at]
        some = shared[at] > 0
        found[some] = self.rows[self.begins[found[some]] + within[some]]
        return at, found

    def _edges(self, part: Edges) -> Edges:
        spread = self._copies(part.heads)
        if spread is not None:
            at, heads = spread
            part = replace(_taken(part, at), heads=heads)
        spread = self._copies(part.tails)
        if spread is not None:
            at, tails = spread
            part = replace(_taken(part, at), tails=tails)
        return part

    def _values(self, part: Values) -> Values:
        spread = self._copies(part.nodes)
        if spread is None:
            return part
        at, found = spread
        langs, ranks = (
            each[at] if isinstance(each, np.ndarray) else each for each in (part.langs, part.ranks)
        )
        return replace(part, nodes=found, values=part.values.take(pa.array(at)), langs=langs, ranks=ranks)


def _taken(part: Edges, at: np.ndarray) -> Edges:
    weights, lines = (column[at] if column is not None else None for column in (part.weights, part.lines))
    return replace(part, heads=part.heads[at], tails=part.tails[at], weights=weights, lines=lines)
