"""The knowledge graph.

Enters: a mapping and its sources. Leaves: a `KnowledgeGraph`, whole and sorted. Writes and reads graph/.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from kgrec.errors import CorruptArtifact, UnknownId, did_you_mean
from kgrec.graph.interactions import Interactions
from kgrec.graph.vocabulary import Vocabulary, named
from kgrec.ingest.assemble import Assembled, assemble
from kgrec.ingest.build_report import Report
from kgrec.ingest.mapping.schema import Mapping, load_mapping
from kgrec.ingest.reader import SourceProgress, begin, read_files, read_interactions
from kgrec.ingest.sources import find_files
from kgrec.storage import artifacts, files
from kgrec.storage.migrations import migrated_interactions

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd
    import rdflib
    from scipy.sparse import csr_matrix
    from torch_geometric.data import HeteroData

    from kgrec.graph.validate import Finding

__all__ = ["KnowledgeGraph", "Vocabulary", "build_graph", "read_addition"]

_TABLES = ("entities", "relations", "triples", "text", "numbers", "vectors", "aliases")


@dataclass(frozen=True)
class KnowledgeGraph:
    """Entities, what connects and describes them, and who took which."""

    #: id int32 (the row number), type dictionary<string>, key, iri, label ("" if none); as built: sorted by type and key
    entities: pa.Table
    #: id int32, name, iri
    relations: pa.Table
    #: head int32, relation int32, tail int32, weight float32; sorted by relation, head, tail; each once
    triples: pa.Table
    #: id int32, predicate, lang, text; the label is not repeated here
    text: pa.Table
    #: id int32, predicate, value float64; dates are seconds since 1970 in UTC
    numbers: pa.Table
    #: id int32, predicate, vector list<float32>
    vectors: pa.Table
    #: id int32, type, key, iri: names of nodes that were merged into an entity
    aliases: pa.Table
    #: may be empty
    interactions: Interactions
    item_types: tuple[str, ...]
    mapping: Mapping
    report: Report
    #: name of each source -> SHA-256
    inputs: dict[str, str] = field(default_factory=dict)
    #: entity ids of the only items, where not all entities of the item types are meant: in an addition
    only_items: np.ndarray | None = None
    #: entity ids of what rows of tables brought: in an addition
    tabled: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.entities)

    def __repr__(self) -> str:
        counts = f"{len(self):,} entities, {len(self.triples):,} triples, {len(self.item_ids):,} items"
        return f"KnowledgeGraph({counts}, {len(self.interactions):,} interactions)"

    @cached_property
    def item_ids(self) -> Vocabulary:
        """The users' own names of the items, sorted: the key, or type/key where two item types share the key."""
        return self._items[0]

    @cached_property
    def item_entities(self) -> np.ndarray:
        """Entity ids of the items, in the order of `item_ids`; int32."""
        return self._items[1]

    def item_codes(self, names: Sequence[str] | pa.Array) -> np.ndarray:
        """Place of each item in `item_ids`, -1 where unknown; an item that was merged into another answers to its old name.

        Shape (len(names),), int64.
        """
        codes = self.item_ids.ids(names)
        for at in np.flatnonzero(codes < 0) if self.item_aliases else ():
            codes[at] = self.item_aliases.get(str(names[int(at)]), -1)
        return codes

    def find(self, type: str, key: str) -> int:
        """Id of the entity with this type and key.

        Raises:
            UnknownId: It is not in the graph.
        """
        found = self.ids([f"{type}/{key}"])[0]
        if found < 0:
            raise UnknownId(f"There is no {type} '{key}' in the graph.", self._meant(f"{type}/{key}"))
        return int(found)

    def _meant(self, name: str) -> str:
        known = zip(named(self.aliases).to_pylist(), self.aliases["id"].to_pylist(), strict=True)
        several = [self.names[id_] for alias, id_ in known if alias == name]
        return f"{' and '.join(several)} share it." if several else did_you_mean(name, sorted(self.names))

    def ids(self, names: Sequence[str]) -> np.ndarray:
        """Entity of each type/key, -1 where unknown, names of merged nodes included; shape (len(names),), int64."""
        found = self.names.ids(names)
        for at in np.flatnonzero(found < 0) if self._aliases else ():
            found[at] = self._aliases.get(names[int(at)], -1)
        return found

    @cached_property
    def names(self) -> Vocabulary:
        """type/key of every entity, in the order of their ids."""
        return Vocabulary(named(self.entities))

    def neighbors(self, type: str, key: str) -> pd.DataFrame:
        """Edges of one entity: relation, direction ("out" or "in"), and type, key, label and weight of the other end.

        Raises:
            UnknownId: It is not in the graph.
        """
        from kgrec.graph.views import neighbors

        return neighbors(self, self.find(type, key))

    def stats(self) -> dict[str, Any]:
        """Counts by type, relation and predicate, quantiles of degrees, and what is likely to be a mistake."""
        from kgrec.graph.stats import stats

        return stats(self)

    def validate(self, shapes: str | Path | None = None) -> list[Finding]:
        """What is wrong with the graph, or worth a look, also by a file of SHACL shapes; violations first.

        Raises:
            ConfigError: There are shapes, and pyshacl (`kgrec[shacl]`) is not installed.
            SourceError: The shapes cannot be read.
        """
        from kgrec.graph.validate import validate

        return validate(self, shapes)

    def csr(self, relation: str | None = None, direction: Literal["out", "in", "both"] = "out") -> csr_matrix:
        """Edges as a sparse matrix: the weight from row to column, several between the same two added up.

        Args:
            relation: Its name; None: all relations.
            direction: "out" has heads in rows, "in" tails, "both" is the sum of the two, which is symmetric.

        Returns:
            float32, shape (len(self), len(self)).

        Raises:
            UnknownId: There is no such relation.
        """
        from kgrec.graph.subgraph import csr

        return csr(self, relation, direction)

    def subgraph(self, nodes: Sequence[str] | np.ndarray, hops: int = 1) -> KnowledgeGraph:
        """What lies at most `hops` edges from some nodes, with all edges, values and interactions in between.

        Args:
            nodes: Names, type/key, or entity ids.
            hops: Edges are followed in either direction; 0 keeps the nodes alone.

        Returns:
            A graph with ids of its own, in the same order, less relations and users that have nothing left.

        Raises:
            UnknownId: A node is not in the graph.
        """
        from kgrec.graph.subgraph import subgraph

        return subgraph(self, nodes, hops)

    def to_networkx(self) -> nx.MultiDiGraph:
        """The graph for networkx: nodes are (type, key)."""
        from kgrec.graph.views import to_networkx

        return to_networkx(self)

    def to_rdflib(self) -> rdflib.Graph:
        """The graph for rdflib."""
        from kgrec.graph.views import to_rdflib

        return to_rdflib(self)

    def to_hetero_data(self) -> HeteroData:
        """The graph for PyG."""
        from kgrec.graph.views import to_hetero_data

        return to_hetero_data(self)

    def extended(self, addition: KnowledgeGraph) -> tuple[KnowledgeGraph, np.ndarray]:
        """A larger graph: this one with what `addition` brings.

        Entities known by type and key, or by IRI, keep their ids; others are appended.

        Returns:
            The larger graph, and the id there of each entity of the addition, shape (len(addition),), int64.
        """
        from kgrec.graph.extend import extended

        return extended(self, addition)

    def export(self, path: str | Path, format: str | None = None) -> list[str]:
        """Write the graph for another tool, and remark on what is left out; see `kgrec.graph.export.export`."""
        from kgrec.graph.export import export

        return export(self, path, format)

    def save(self, folder: str | Path) -> None:
        """Write graph/, whole or not at all.

        Raises:
            ArtifactError: The folder cannot be written.
        """
        config = {"mapping": self.mapping.to_dict(), "item_types": list(self.item_types)}
        with artifacts.writing(Path(folder), kind="graph", inputs=self.inputs, config=config) as place:
            for name in _TABLES:
                files.write_table(getattr(self, name), place / f"{name}.parquet")
            files.write_table(self.interactions.to_arrow(), place / "interactions.parquet")
            files.write_json(self.report.to_dict(), place / "report.json")

    @classmethod
    def load(cls, folder: str | Path) -> KnowledgeGraph:
        """Read graph/.

        Raises:
            ArtifactError: It is not there, of another version, or corrupt.
        """
        return artifacts.reading(Path(folder), "graph", cls._load)

    @classmethod
    def _load(cls, folder: Path, manifest: artifacts.Manifest) -> KnowledgeGraph:
        tables = {name: files.read_table(folder / f"{name}.parquet") for name in _TABLES}
        log = files.read_table(folder / "interactions.parquet")
        log = migrated_interactions(log, manifest.format_version)
        report = Report.from_dict(files.read_json(folder / "report.json"))
        mapping = Mapping.from_dict(manifest.config["mapping"], folder)
        types = tuple(manifest.config["item_types"])
        item_ids = _items_of(tables["entities"], types, None)[0]
        graph = cls(
            **tables,
            interactions=Interactions.from_arrow(log, item_ids),
            item_types=types,
            mapping=mapping,
            report=report,
            inputs=manifest.inputs,
        )
        _check(graph, folder)
        return graph

    @cached_property
    def _aliases(self) -> dict[str, int]:
        """Names of merged nodes; one that several entities share is the name of none."""
        ids: dict[str, set[int]] = {}
        for name, id_ in zip(named(self.aliases).to_pylist(), self.aliases["id"].to_pylist(), strict=True):
            ids.setdefault(name, set()).add(id_)
        return {name: min(some) for name, some in ids.items() if len(some) == 1}

    @cached_property
    def item_aliases(self) -> dict[str, int]:
        """Other names of items -> place in `item_ids`: type/key, and the key where it means one item only."""
        code_of = dict(zip(self.item_entities.tolist(), range(len(self.item_entities)), strict=True))
        named = {name: code_of[id_] for name, id_ in self._aliases.items() if id_ in code_of}
        keys: dict[str, set[int]] = {}
        for name, code in named.items():
            keys.setdefault(name.partition("/")[2], set()).add(code)
        return {key: min(codes) for key, codes in keys.items() if len(codes) == 1} | named

    @cached_property
    def _items(self) -> tuple[Vocabulary, np.ndarray]:
        return _items_of(self.entities, self.item_types, self.only_items)


def build_graph(
    mapping: str | Path | Mapping, *, allow_outside: bool = False, progress: SourceProgress | None = None
) -> KnowledgeGraph:
    """Build the graph that a mapping describes.

    Args:
        mapping: kgrec.yaml, or what `load_mapping` made of it.
        allow_outside: Whether files outside of the mapping's folder may be read.
        progress: Called with the name of each source, how many are done, and how many there are.

    Raises:
        MappingError: The mapping cannot be understood.
        SourceError: A source cannot be read.
        TooManyBadRows: A source has more bad rows than the mapping allows.

    Example:
        >>> graph = build_graph("kgrec.yaml")  # doctest: +SKIP
    """
    mapping = mapping if isinstance(mapping, Mapping) else load_mapping(mapping)
    find = partial(find_files, mapping.folder, allow_outside=allow_outside)
    reading = begin(mapping)
    read_files(reading, find, progress)
    assembled = assemble(reading.statements, mapping, reading.report)
    reading.statements.edges.clear()
    item_ids = _items_of(assembled.entities, mapping.item_types, None)[0]
    graph = graph_of(assembled, Interactions.none(item_ids), mapping, reading.report, reading.inputs)
    log = read_interactions(reading, find, graph.item_codes)
    interactions = Interactions.from_log(log, graph.item_ids, mapping.interactions)
    reading.report.repeated_pairs = sum(map(len, log.user)) - len(interactions)
    return replace(graph, interactions=interactions)


def graph_of(
    assembled: Assembled,
    interactions: Interactions,
    mapping: Mapping,
    report: Report,
    inputs: dict[str, str],
    only_items: np.ndarray | None = None,
) -> KnowledgeGraph:
    """A graph of assembled tables."""
    tables = {name: getattr(assembled, name) for name in _TABLES}
    return KnowledgeGraph(
        **tables,
        interactions=interactions,
        item_types=mapping.item_types,
        mapping=mapping,
        report=report,
        inputs=inputs,
        only_items=only_items,
    )


def read_addition(
    mapping: Mapping,
    folder: Path | None = None,
    frames: dict[str, Any] | None = None,
    *,
    known: KnowledgeGraph,
) -> KnowledgeGraph:
    """New rows, laid out as in the mapping, as a graph of their own.

    Args:
        mapping: What the known graph was built with.
        folder: Holds files named as in the mapping; those that are absent are not read.
        frames: Or frames, by node type.
        known: References may be to its nodes, too.

    Returns:
        A graph whose items are the new and the changed ones only.

    Raises:
        SourceError: Neither a folder nor frames are given, or the folder has none of the files.
    """
    from kgrec.graph.extend import read_addition as read

    return read(mapping, folder, frames, known=known)


def _items_of(
    entities: pa.Table, item_types: tuple[str, ...], only: np.ndarray | None
) -> tuple[Vocabulary, np.ndarray]:
    """Names of the items, sorted, and their entity ids, int32."""
    import pyarrow.compute as pc

    is_item = pc.is_in(entities["type"].cast(pa.string()), value_set=pa.array(item_types, pa.string()))
    rows = np.flatnonzero(is_item.to_numpy())
    types = entities["type"].cast(pa.string()).take(pa.array(rows))
    keys = entities["key"].take(pa.array(rows)).combine_chunks().cast(pa.large_string())
    labels = keys
    if len(pc.unique(types)) > 1:
        counts = pc.value_counts(keys)
        twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
        full = named(pa.table({"type": types, "key": keys})).combine_chunks()
        labels = pc.if_else(pc.is_in(keys, value_set=twice), full, keys)
    if only is not None:
        kept = np.isin(rows, only)
        rows, labels = rows[kept], labels.filter(pa.array(kept))
    order = pc.sort_indices(labels)
    return Vocabulary(labels.take(order)), rows[order.to_numpy()].astype(np.int32)


def _check(graph: KnowledgeGraph, folder: Path) -> None:
    """Refuse ids that point nowhere."""
    sizes = {"head": len(graph), "relation": len(graph.relations), "tail": len(graph), "id": len(graph)}
    for name in ("triples", "text", "numbers", "vectors", "aliases"):
        table = getattr(graph, name)
        for column in sizes.keys() & set(table.column_names):
            _check_range(table[column].to_numpy(), sizes[column], folder / f"{name}.parquet", column)
    _check_range(graph.interactions.item, len(graph.item_ids), folder / "interactions.parquet", "item_id")


def _check_range(values: np.ndarray, size: int, path: Path, column: str) -> None:
    if len(values) and (values.min() < 0 or values.max() >= size):
        raise CorruptArtifact(f"{path}: '{column}' points to what is not there.", "Build the graph again.")
