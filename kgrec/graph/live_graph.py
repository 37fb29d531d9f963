"""A graph that grows: a base, and pending additions, which are merged when the whole graph is needed.

Enters: a graph, and additions from `kgrec.graph.build.read_addition`. Leaves: the part of the graph that an addition touches, and
the whole graph. Nothing is written.

The cost of adding new items depends on the addition: its nodes are looked up in the base by type and key, and joined with only those
entities. The whole graph is made on first use, with all additions at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.graph.interactions import Interactions
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.tables import GraphTables, items_of
from kgrec.ingest.mapping.schema import Mapping


@dataclass(frozen=True, eq=False)
class LiveGraph:
    """Calling it returns the whole graph. It is immutable: `with_addition` returns a new one."""

    base: Callable[[], KnowledgeGraph]
    #: all additions as one graph with ids of its own; None if there are none
    pending: KnowledgeGraph | None = None
    #: id in the whole graph of each entity of `pending`; int64
    places: np.ndarray | None = None

    @classmethod
    def of(cls, graph: Callable[[], KnowledgeGraph]) -> LiveGraph:
        """A live graph whose base is `graph`; or `graph` itself if it is live."""
        return graph if isinstance(graph, LiveGraph) else cls(graph)

    def __call__(self) -> KnowledgeGraph:
        """The whole graph."""
        return self._whole

    @cached_property
    def _whole(self) -> KnowledgeGraph:
        if self.pending is None:
            return self.base()
        whole, ids = self.base().extended(self.pending)
        assert self.places is not None and np.array_equal(ids, self.places), (
            "ids that were given out stay valid"
        )
        return whole

    @property
    def n_pending(self) -> int:
        """Number of entities in pending additions."""
        return 0 if self.pending is None else len(self.pending)

    @property
    def mapping(self) -> Mapping:
        """The mapping that the graph was built with."""
        return self.base().mapping

    @property
    def item_types(self) -> tuple[str, ...]:
        """Types of the items."""
        return self.base().item_types

    def ids(self, names: Sequence[str]) -> np.ndarray:
        """Entity of each type/key, -1 where unknown, names of merged nodes included; shape (len(names),), int64."""
        types, _, keys = zip(*(name.partition("/") for name in names), strict=True) if names else ((), (), ())
        asked = pa.table({"type": pa.array(types, pa.string()), "key": pa.array(keys, pa.string())})
        found = _by_name(self.base(), asked)
        if self.pending is not None and self.places is not None:
            places = np.append(self.places, -1)[self.pending.ids(names)]
            found = np.where(found < 0, places, found)
        return found

    def around(self, addition: GraphTables, hops: int = 1) -> tuple[KnowledgeGraph, np.ndarray]:
        """The entities that an addition may name, with labels and, past the first hop, the edges that lead on from them.

        Values and edges of these entities are left out, because features of new items do not use them.

        Args:
            addition: Names entities by type and key, or by IRI.
            hops: Longest path, in edges, from an item to a neighbour.

        Returns:
            A graph with ids of its own, and the id of each of its entities in the whole graph, int64.
        """
        base = self.base()
        part, ids = _part(base, _touched(base, addition), hops)
        if self.pending is None or self.places is None:
            return part, ids
        joined, at = part.extended(self.pending)
        ids = np.concatenate([ids, np.full(len(joined) - len(ids), -1, np.int64)])
        ids[at] = self.places
        return joined, ids

    def with_addition(self, addition: KnowledgeGraph, known: np.ndarray) -> tuple[LiveGraph, np.ndarray]:
        """Return the live graph with an addition, whose items are all new.

        Args:
            addition: New items and their values and edges.
            known: Id in the whole graph of each of its entities, -1 for new ones; int64.

        Returns:
            The larger graph, and the id of each entity of the addition in it, int64.
        """
        n_whole = len(self.base())
        if self.places is not None:
            n_whole = max(n_whole, 1 + int(self.places.max(initial=-1)))
        if self.pending is None or self.places is None:
            places = known.copy()
            places[known < 0] = n_whole + np.arange(np.count_nonzero(known < 0))
            return LiveGraph(self.base, addition, places), places
        joined, at = self.pending.extended(addition)
        of_known = np.full(len(joined), -1, np.int64)
        of_known[at] = known
        places = np.concatenate([self.places, of_known[len(self.pending) :]])
        fresh = np.flatnonzero(places < 0)
        places[fresh] = n_whole + np.arange(len(fresh))
        joined = replace(
            joined,
            only_items=_union(self.pending.only_items, at, addition.only_items),
            tabled=_union(self.pending.tabled, at, addition.tabled),
        )
        return LiveGraph(self.base, joined, places), places[at]


def _union(first: np.ndarray | None, at: np.ndarray, second: np.ndarray | None) -> np.ndarray:
    """Two lists of entities as one, sorted; `at` renumbers the second list."""
    none = np.zeros(0, np.int64)
    return np.union1d(none if first is None else first, at[none if second is None else second])


def _touched(base: GraphTables, addition: GraphTables) -> np.ndarray:
    """Ids in the base of entities that share a name or an IRI with the addition; increasing."""
    owners = {"entities": np.arange(len(base)), "aliases": base.aliases["id"].to_numpy()}
    found = [_named_entities(base, addition.entities)[0]]
    found.append(owners["aliases"][_named(base.aliases, addition.entities)[0]])
    if _has_other_iris(base.mapping):
        iris = pc.cast(addition.entities["iri"], pa.string()).combine_chunks()
        for name in owners:
            hits = pc.is_in(pc.cast(getattr(base, name)["iri"], pa.string()), value_set=iris)
            found.append(owners[name][np.flatnonzero(hits.to_numpy())])
    return np.unique(np.concatenate(found)).astype(np.int64)


def _has_other_iris(mapping: Mapping) -> bool:
    """Whether IRIs may carry more information than type and key; if all entities are rows of tables, they do not."""
    roles = (role for table in mapping.nodes.values() for role in table.columns.values())
    return bool(mapping.rdf) or any(role.role == "same_as" for role in roles)


def _by_name(base: GraphTables, asked: pa.Table) -> np.ndarray:
    """Id in the base of each type and key, also of merged nodes; -1 where there is none or several; shape (len(asked),), int64."""
    aliases: dict[tuple[str, str], set[int]] = {}
    rows, names = _named(base.aliases, asked)
    for name, owner in zip(names, base.aliases["id"].to_numpy()[rows].tolist(), strict=True):
        aliases.setdefault(name, set()).add(owner)
    ids = {name: min(owners) for name, owners in aliases.items() if len(owners) == 1}
    rows, names = _named_entities(base, asked)
    ids |= dict(zip(names, rows.tolist(), strict=True))
    return np.array([ids.get(name, -1) for name in _names(asked)], np.int64)


def _named_entities(base: GraphTables, asked: pa.Table) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Rows of the entities of the base whose type and key occur in a short table, and these types and keys."""
    if base.sorted_names is None:
        return _named(base.entities, asked)
    found = {name: base.sorted_names.row(*name) for name in _names(asked)}
    there = [name for name, row in found.items() if row >= 0]
    return np.array([found[name] for name in there], np.int64), there


def _named(table: pa.Table, asked: pa.Table) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Rows of a long table whose type and key occur in a short one, and these types and keys."""
    keys = pa.array(asked["key"].to_pylist(), pa.string())
    # hash the few keys, not the long column
    rows = np.flatnonzero(pc.is_in(pc.cast(table["key"], pa.string()), value_set=keys).to_numpy())
    wanted, names = set(_names(asked)), _names(table.select(["type", "key"]).take(pa.array(rows)))
    there = [at for at, name in enumerate(names) if name in wanted]
    return rows[there], [names[at] for at in there]


def _names(table: pa.Table) -> list[tuple[str, str]]:
    """Type and key of each row."""
    return list(
        zip(*(pc.cast(table[name], pa.string()).to_pylist() for name in ("type", "key")), strict=True)
    )


def _part(base: KnowledgeGraph, touched: np.ndarray, hops: int) -> tuple[KnowledgeGraph, np.ndarray]:
    """Some entities of a graph with the edges that lead on from them within `hops` - 1 edges; and the ids of all of these entities."""
    chosen, edges = touched, np.zeros(0, np.int64)
    if hops > 1:
        head, tail = (base.triples[name].to_numpy() for name in ("head", "tail"))
        for _ in range(1, hops):
            reached = np.zeros(len(base), bool)
            reached[chosen] = True
            edges = np.flatnonzero(reached[head])
            chosen = np.union1d(chosen, tail[edges])
    row = np.full(int(chosen.max(initial=-1)) + 1, -1, np.int32)
    row[chosen] = np.arange(len(chosen), dtype=np.int32)
    entities = base.entities.take(pa.array(chosen))
    entities = entities.set_column(0, "id", pa.array(np.arange(len(chosen), dtype=np.int32)))
    triples = base.triples.take(pa.array(edges))
    for at, name in ((0, "head"), (2, "tail")):
        triples = triples.set_column(at, triples.schema.field(name), pa.array(row[triples[name].to_numpy()]))
    aliases = base.aliases.filter(pa.array(np.isin(base.aliases["id"].to_numpy(), chosen)))
    aliases = aliases.set_column(0, "id", pa.array(row[aliases["id"].to_numpy()]))
    tables = {"entities": entities, "triples": triples, "aliases": aliases}
    tables |= {name: getattr(base, name)[:0] for name in ("text", "numbers", "vectors")}
    items = items_of(entities, base.item_types)[0]
    return replace(base, **tables, interactions=Interactions.none(items), inputs={}), chosen.astype(np.int64)
