"""Nodes of the sources merged into entities.

Enters: the nodes of `Statements`, their types, and pairs of equal nodes. Leaves: `EntityResolution`: the entities in
order, with type, key and IRI, and the names of the nodes that were merged into them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.ingest import cells
from kgrec.ingest.build_report import Report
from kgrec.ingest.mapping.schema import Mapping
from kgrec.ingest.shared_iris import Group, components, separated
from kgrec.ingest.statements import RESOURCE, Statements, node_iri, quoted

ALIAS_SCHEMA = pa.schema(
    [("id", pa.int32()), ("type", pa.string()), ("key", pa.string()), ("iri", pa.string())]
)


class EntityResolution:
    """Merges provisional nodes, and gives each entity a type, a key and an IRI."""

    def __init__(self, statements: Statements, mapping: Mapping) -> None:
        self.nodes, self.mapping = statements.nodes, mapping
        self._type_iris(statements)
        self.type_codes = np.array(self.nodes.type_codes, dtype=np.int64)
        self.tabled = np.array(self.nodes.row_hashes, dtype=np.uint64) != 0
        self.root = np.arange(len(self.nodes), dtype=np.int64)
        self.exists = np.array(self.nodes.exists, dtype=bool)
        #: root -> all nodes merged into it, if there are others
        self.members: dict[int, list[int]] = {}
        #: rows that share IRIs and are not merged
        self.groups: list[Group] = []
        pairs = np.concatenate([np.empty((0, 2), dtype=np.int64), *statements.same, *self._typed_twins()])
        if len(pairs) and mapping.errors.shared_identity != "merge":
            pairs, groups = separated(pairs, self.tabled)
            self.groups = sorted(groups, key=self._shown)
            self._refuse_shared()
        if len(pairs):
            self._merge(pairs)
        for group in self.spread:
            self.exists[group.nodes] = False

    @property
    def spread(self) -> list[Group]:
        """The groups whose rows all get the statements about their shared nodes."""
        return [group for group in self.groups if group.spreads]

    def _type_iris(self, statements: Statements) -> None:
        """Set the types of IRIs; `from_rdf` marks those that RDF sources make items."""
        codes = np.array(self.nodes.type_codes, dtype=np.int32)
        self.is_iri = codes == -1
        self.from_rdf = np.zeros(len(self.nodes), dtype=bool)
        by_rdf = {name for source in self.mapping.rdf for name in source.items}
        for name, found in self._types_found(statements):
            nodes = np.concatenate(found)
            nodes = nodes[self.is_iri[nodes]]
            codes[nodes] = self._code(name)
            self.from_rdf[nodes] = name in by_rdf
        codes[codes == -1] = self._code(RESOURCE)
        self.nodes.type_codes[:] = array("i", codes.tobytes())

    def _types_found(self, statements: Statements) -> Iterator[tuple[str, list[np.ndarray]]]:
        """Types with lists of their nodes; the last type of a node counts.

        Precedence: the class before the beginning of the IRI, a long beginning before a short one, an earlier type of the mapping
        before a later one.
        """
        prefixes = [pair for source in self.mapping.rdf for pair in source.beginnings.items()]
        prefixes.sort(key=lambda pair: -len(pair[0]))
        for pair in reversed(prefixes):
            if pair in statements.beginning:
                yield pair[1], statements.beginning[pair]
        for name in reversed([name for source in self.mapping.rdf for name in source.types]):
            if name in statements.typed:
                yield name, statements.typed[name]

    def _code(self, name: str) -> int:
        return self.nodes.code(name)

    def _typed_twins(self) -> Iterable[np.ndarray]:
        """Pairs of an IRI and a node of the same type that has this IRI as its key."""
        for code in np.unique(self.type_codes[self.is_iri]):
            numbers = np.flatnonzero(self.is_iri & (self.type_codes == code))
            keys = [self.nodes.keys[number] for number in numbers.tolist()]
            twins = self.nodes.find(self.nodes.types[code], keys)
            found = (twins >= 0) & (twins != numbers)
            yield np.stack([numbers[found], twins[found]], axis=1)

    def _merge(self, pairs: np.ndarray) -> None:
        component = components(pairs, len(self.nodes))
        involved = cells.distinct(pairs)
        order = involved[np.argsort(component[involved], kind="stable")]
        starts = np.flatnonzero(np.diff(component[order], prepend=-1))
        for members in np.split(order, starts[1:]):
            root = min(members.tolist(), key=self._precedence)
            self.members[root] = members.tolist()
            self.root[members] = root
            self.exists[root] = self.exists[members].any()

    def _precedence(self, node: int) -> tuple[bool, bool, str, str]:
        type_ = self.nodes.types[self.type_codes[node]]
        return (not self.tabled[node], type_ == RESOURCE, type_, self.nodes.keys[node])

    def sorted_roots(self) -> np.ndarray:
        """The nodes that become entities, sorted by type and key."""
        self._demote_strays()
        roots = np.flatnonzero(self.exists & (self.root == np.arange(len(self.root))))
        types = pa.array(self.nodes.types, pa.string()).take(pa.array(self.type_codes[roots]))
        keys = pa.array([self.nodes.keys[root] for root in roots], pa.large_string())
        table = pa.table({"type": types, "key": keys})
        order = pc.sort_indices(table, sort_keys=[("type", "ascending"), ("key", "ascending")])
        return np.asarray(roots[order.to_numpy()], dtype=np.int64)

    def _demote_strays(self) -> None:
        """Make IRIs resources if rdf:type gives them an item type whose items come from a table only; they are not items."""
        only_tables = [name for name, table in self.mapping.nodes.items() if table.item]
        codes = [self._code(name) for name in only_tables]
        stray = self.is_iri & ~self.from_rdf & np.isin(self.type_codes, codes)
        self.type_codes[stray] = self._code(RESOURCE)

    def table(self, order: np.ndarray, labels: pa.Array) -> pa.Table:
        """The entities."""
        keys = pa.array(map(self.nodes.keys.__getitem__, order.tolist()), pa.large_string())
        types = pa.array(self.nodes.types, pa.string()).take(pa.array(self.type_codes[order]))
        return pa.table(
            {
                "id": pa.array(np.arange(len(order), dtype=np.int32)),
                "type": types.dictionary_encode(),
                "key": keys.cast(pa.string()),
                "iri": self._iris(order, keys),
                "label": labels,
            }
        )

    def _iris(self, order: np.ndarray, keys: pa.Array) -> pa.Array:
        """IRI of each entity: the smallest that a source has for it, or otherwise type and key below the base."""
        begin = pa.array([node_iri(self.mapping.base, type_, "") for type_ in self.nodes.types], keys.type)
        named = np.flatnonzero(np.isin(order, np.array(list(self.members), dtype=np.int64)))
        members = [[m for m in self.members[root] if self.is_iri[m]] for root in order[named].tolist()]
        own = self.is_iri[order]
        below = pc.binary_join_element_wise(
            begin.take(pa.array(self.type_codes[order])), _quoted(keys, ~own), pa.scalar("", keys.type)
        )
        iris = pc.if_else(pa.array(own), keys, below)
        given = {
            at: min(self.nodes.keys[m] for m in some) for at, some in zip(named, members, strict=True) if some
        }
        mask = pa.array(np.isin(np.arange(len(order)), list(given)))
        return pc.replace_with_mask(iris, mask, pa.array(given.values(), keys.type)).cast(pa.string())

    def _refuse_shared(self) -> None:
        if self.groups and self.mapping.errors.shared_identity == "fail":
            raise SourceError(
                f"Several rows share an IRI: {self._shown(self.groups[0])}.",
                "Correct the rows, or set `errors: {shared_identity: apart}`.",
            )

    def _shown(self, group: Group) -> str:
        """Rows and the IRI that they share: `movie/a, movie/b: http://ex.org/Q1`."""
        rows = self._rows_of(group)
        more = f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
        iris = min((self._own_iri(node) for node in group.nodes.tolist()), default="each other")
        return f"{', '.join(rows[:3])}{more}: {iris}"

    def _rows_of(self, group: Group) -> list[str]:
        return sorted("/".join(self._named(row)) for row in group.rows.tolist())

    def aliases(self, entity_of: np.ndarray, report: Report, owners: np.ndarray) -> pa.Table:
        """The names of merged nodes and the other keys of nodes; the report counts merged names, and lists the items among them.

        Args:
            entity_of: Entity of each node, -1 if it is not in the graph; shape (len(nodes),), int64.
            report: Counts for the whole build.
            owners: As returned by `Statements.owners`.
        """
        report.shared.add(len(self.groups), map(self._shown, self.groups))
        found: list[tuple[int, str, str, str]] = []
        for root in sorted(self.members, key=lambda node: int(entity_of[node])):
            if entity_of[root] < 0:
                continue
            # a node with the same name as its root is not an alias, for example an IRI that is the key of a row
            others = [node for node in self.members[root] if self._named(node) != self._named(root)]
            names = sorted((*self._named(node), self._own_iri(node)) for node in others)
            found.extend((int(entity_of[root]), *name) for name in names)
            items = sorted("/".join(self._named(node)) for node in others if self._is_item(node))
            report.merged += len(others)
            kept = "/".join(self._named(root))
            report.merged_items.add(len(items), (f"{item} into {kept}" for item in items))
        found.extend(self._names_of_several(entity_of, report))
        keys = np.flatnonzero((owners != np.arange(len(owners))) & (entity_of[owners] >= 0)).tolist()
        found.extend((int(entity_of[owners[key]]), *self._named(key), self._own_iri(key)) for key in keys)
        columns = list(zip(*sorted(found), strict=True)) or [(), (), (), ()]
        arrays = [pa.array(c, f.type) for c, f in zip(columns, ALIAS_SCHEMA, strict=True)]
        return pa.Table.from_arrays(arrays, schema=ALIAS_SCHEMA)

    def _names_of_several(self, entity_of: np.ndarray, report: Report) -> Iterator[tuple[int, str, str, str]]:
        """Names of the nodes that several rows share, once per row."""
        for group in self.spread:
            nodes = [node for node in group.nodes.tolist() if not self._is_named_as_row(node)]
            items = sorted("/".join(self._named(node)) for node in nodes if self._is_item(node))
            rows = " and ".join(self._rows_of(group))
            report.merged_items.add(len(items), (f"{item} into {rows}" for item in items))
            for row in group.rows.tolist():
                for node in nodes:
                    yield int(entity_of[row]), *self._named(node), self._own_iri(node)

    def _is_named_as_row(self, node: int) -> bool:
        type_, key = self._named(node)
        found = int(self.nodes.find(type_, [key])[0])
        return found >= 0 and bool(self.tabled[found])

    def _own_iri(self, node: int) -> str:
        type_, key = self._named(node)
        return key if self.is_iri[node] else node_iri(self.mapping.base, type_, key)

    def _named(self, node: int) -> tuple[str, str]:
        return self.nodes.types[self.type_codes[node]], self.nodes.keys[node]

    def _is_item(self, node: int) -> bool:
        from_source = bool(self.tabled[node] or self.from_rdf[node])
        return from_source and self._named(node)[0] in self.mapping.item_types


def _quoted(keys: pa.Array, wanted: np.ndarray) -> pa.Array:
    """The keys, percent-encoded where `wanted` is True; most need no encoding."""
    rest = wanted & ~cells.mask(pc.ascii_is_alnum(keys))
    coded = [quoted(key) for key in keys.filter(pa.array(rest)).to_pylist()]
    return pc.replace_with_mask(keys, pa.array(rest), pa.array(coded, keys.type))
