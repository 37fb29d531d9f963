"""The knowledge graph with all its methods.

Enters: tables, or the folder graph/. Leaves: `KnowledgeGraph`. Writes and reads graph/.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from scipy.sparse import csr_matrix

from kgrec.arguments import options
from kgrec.errors import CorruptArtifact
from kgrec.graph import export, extend, name_search, stats, subgraph, validate, views
from kgrec.graph.interactions import Interactions
from kgrec.graph.tables import TABLES, GraphTables, items_of
from kgrec.ingest.build_report import Report
from kgrec.ingest.mapping.schema import Mapping
from kgrec.storage import artifacts, files
from kgrec.storage.migrations import migrated_interactions

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd
    import rdflib
    from torch_geometric.data import HeteroData


@dataclass(frozen=True, repr=False)
class KnowledgeGraph(GraphTables):
    """Entities, their edges, texts, numbers and vectors, and the users' interactions with items."""

    def neighbors(self, type: str, key: str) -> pd.DataFrame:
        """Edges of one entity: relation, direction ("out" or "in"), and type, key, label and weight of the other end.

        Raises:
            UnknownId: The entity is not in the graph.
        """
        return views.neighbors(self, self.find(type, key))

    def find_nodes(
        self, text: str, k: int = 10, *, type: str | None = None, items_only: bool = False
    ) -> pd.DataFrame:
        """Nodes by name, items first: ids and labels that equal the text, begin with it, have its words, contain it, or are similar.

        Case, accents and punctuation are ignored. Similar names are searched only if nothing else matches.

        Args:
            text: Text to search for.
            k: Largest number of nodes to return.
            type: Only nodes of this type.
            items_only: Only items.

        Returns:
            A frame with type, id (for an item its public id, otherwise the key), key, label, item (whether it is an item), match and score.

        Raises:
            UnknownId: No such type exists.
        """
        text, k = options.text("text", text, "space"), options.whole_number("k", k)
        only = options.flag("items_only", items_only)
        return name_search.find_nodes(
            self, text, k, None if type is None else options.text("type", type), only
        )

    def stats(self) -> dict[str, Any]:
        """Counts by type, relation and predicate, quantiles of degrees, and likely mistakes."""
        return stats.stats(self)

    def validate(self, shapes: str | Path | None = None) -> list[validate.Finding]:
        """Violations, warnings and remarks, in this order; also checks SHACL shapes from a file.

        Raises:
            ConfigError: Shapes are given, but pyshacl (`kgrec[shacl]`) is not installed.
            SourceError: The shapes cannot be read.
        """
        return validate.validate(self, shapes)

    def csr(self, relation: str | None = None, direction: Literal["out", "in", "both"] = "out") -> csr_matrix:
        """Edges as a sparse matrix of weights; weights of parallel edges are added.

        Args:
            relation: Name of the relation; None: all relations.
            direction: "out" has heads in rows, "in" has tails in rows, "both" is the sum of the two, which is symmetric.

        Returns:
            float32, shape (len(self), len(self)).

        Raises:
            UnknownId: No such relation exists.
        """
        return subgraph.csr(self, relation, direction)

    def subgraph(self, nodes: Sequence[str] | np.ndarray, hops: int = 1) -> Self:
        """The nodes within `hops` edges of the given nodes, with the edges, values and interactions among them.

        Args:
            nodes: Names, type/key, or entity ids.
            hops: Edges are followed in both directions; 0 keeps only the given nodes.

        Returns:
            A graph with new ids in the same order. Relations and users without remaining edges and interactions are dropped.

        Raises:
            UnknownId: A node is not in the graph.
        """
        return subgraph.subgraph(self, nodes, hops)

    def to_networkx(self) -> nx.MultiDiGraph:
        """The graph for networkx: nodes are (type, key)."""
        return views.to_networkx(self)

    def to_rdflib(self) -> rdflib.Graph:
        """The graph for rdflib."""
        return views.to_rdflib(self)

    def to_hetero_data(self) -> HeteroData:
        """The graph for PyG."""
        return views.to_hetero_data(self)

    def extended(self, addition: GraphTables) -> tuple[Self, np.ndarray]:
        """Join an addition to this graph.

        Entities known by type and key, or by IRI, keep their ids; new ones are appended.

        Returns:
            The larger graph, and the id there of each entity of the addition, shape (len(addition),), int64.
        """
        options.instance("addition", addition, GraphTables, "Give a graph, such as Fold.later.")
        return extend.extended(self, addition)

    def export(self, path: str | Path, format: str | None = None) -> list[str]:
        """Write the graph for another tool; returns remarks on what the format cannot represent, see `kgrec.graph.export`."""
        return export.export(self, path, format)

    def save(self, folder: str | Path, *, keep: int = 0) -> None:
        """Write graph/, whole or not at all.

        Args:
            folder: The folder to write.
            keep: Number of earlier versions of the folder to keep beside it, for `kgrec rollback`.

        Raises:
            ArtifactError: The folder cannot be written.
        """
        folder, keep = options.path("folder", folder), options.whole_number("keep", keep, 0)
        config = {"mapping": self.mapping.to_dict(), "item_types": list(self.item_types)}
        with artifacts.writing(folder, kind="graph", inputs=self.inputs, config=config, keep=keep) as place:
            for name in TABLES:
                files.write_table(getattr(self, name), place / f"{name}.parquet")
            files.write_table(self.interactions.to_arrow(), place / "interactions.parquet")
            files.write_json(self.report.to_dict(), place / "report.json")

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read graph/.

        Raises:
            ArtifactError: The folder is absent, of another version, or corrupt.
        """
        return artifacts.reading(options.path("folder", folder), "graph", cls._load)

    @classmethod
    def _load(cls, folder: Path, manifest: artifacts.Manifest) -> Self:
        tables = {name: files.read_table(folder / f"{name}.parquet") for name in TABLES}
        log = files.read_table(folder / "interactions.parquet")
        log = migrated_interactions(log, manifest.format_version)
        types = tuple(manifest.config["item_types"])
        graph = cls(
            **tables,
            interactions=Interactions.from_arrow(log, items_of(tables["entities"], types)[0]),
            item_types=types,
            mapping=Mapping.from_dict(manifest.config["mapping"], folder),
            report=Report.from_dict(files.read_json(folder / "report.json")),
            inputs=manifest.inputs,
        )
        _check(graph, folder)
        return graph


def stored_mapping(folder: Path) -> Mapping:
    """The mapping of a graph folder, without its tables.

    Raises:
        ArtifactError: The folder is absent, or of another version.
    """
    return Mapping.from_dict(artifacts.current(folder, "graph").config["mapping"], folder)


def _check(graph: GraphTables, folder: Path) -> None:
    """Raise CorruptArtifact for tables with ids that do not exist."""
    sizes = {"head": len(graph), "relation": len(graph.relations), "tail": len(graph), "id": len(graph)}
    for name in ("triples", "text", "numbers", "vectors", "aliases"):
        table = getattr(graph, name)
        for column in sizes.keys() & set(table.column_names):
            _check_range(table[column].to_numpy(), sizes[column], folder / f"{name}.parquet", column)
    _check_range(graph.interactions.item, len(graph.item_ids), folder / "interactions.parquet", "item_id")


def _check_range(values: np.ndarray, size: int, path: Path, column: str) -> None:
    if len(values) and (values.min() < 0 or values.max() >= size):
        raise CorruptArtifact(f"{path}: '{column}' has ids that do not exist.", "Build the graph again.")
