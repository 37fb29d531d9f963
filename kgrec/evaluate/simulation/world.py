"""The items of a simulation: content from the graph, and properties that only the simulation knows.

Enters: a graph, names of node types. Leaves: `World`. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from kgrec.errors import ConfigError
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.memberships import linked_nodes

#: cells of items by nodes, and of items by viewers
MOST_CELLS = 50_000_000


@dataclass(frozen=True)
class World:
    """Items, and the graph that a model reads."""

    graph: KnowledgeGraph
    #: unit rows: the nodes of each item, rare ones with more weight; shape (n_items, n_nodes), float32
    features: np.ndarray
    #: nodes of each item in equal parts, rows sum to 1 or 0; shape (n_items, n_nodes), float32
    shares: np.ndarray
    #: node type that lists are calibrated by
    calibrate_by: str
    #: providers of each item; shape (n_items, n_providers)
    providers: sp.csr_matrix
    provider_names: tuple[str, ...]
    #: standard normal; shape (n_items,), float32
    quality: np.ndarray
    #: round in which each item appears, 0: before the first; shape (n_items,), int64
    release: np.ndarray

    def __len__(self) -> int:
        return len(self.features)


def world_of(graph: KnowledgeGraph, by: Sequence[str], provider: str) -> World:
    """The items of a graph; `drawn` gives them qualities and rounds.

    Args:
        graph: Contains the items.
        by: Node types or relations that define tastes, at least one.
        provider: Node type or relation.

    Raises:
        UnknownId: The graph has no such type.
        ConfigError: The graph is too large, or no item has such a node.
    """
    links = [linked_nodes(graph, graph.item_entities, name)[0] for name in by]
    nodes = sp.hstack(links, format="csr")
    if nodes.shape[0] * nodes.shape[1] > MOST_CELLS:
        raise ConfigError(
            f"{nodes.shape[0]:,} items with {nodes.shape[1]:,} nodes of {', '.join(by)} are too many for a simulation.",
            "Name types with fewer nodes, or take a part of the catalogue.",
        )
    dense = nodes.toarray()
    counts = dense.sum(axis=0)
    if not counts.any():
        raise ConfigError(
            f"No item has an edge with a node of {', '.join(by)}.", "Name another type of nodes."
        )
    weighted = dense * np.log((1 + len(dense)) / np.maximum(counts, 1)).astype(np.float32)
    groups, rows = linked_nodes(graph, graph.item_entities, provider)
    labels = graph.entities["label"].take(rows).to_pylist()
    keys = graph.entities["key"].take(rows).to_pylist()
    return World(
        graph,
        _divided(weighted, np.linalg.norm(weighted, axis=1)),
        _divided(dense, dense.sum(axis=1)),
        by[0],
        groups,
        tuple(label or key for label, key in zip(labels, keys, strict=True)),
        np.zeros(len(dense), np.float32),
        np.zeros(len(dense), np.int64),
    )


def drawn(world: World, new_share: float, rounds: int, rng: np.random.Generator) -> World:
    """The same items with random qualities, and a share of them appearing in rounds 1 to `rounds`."""
    n = len(world)
    new = rng.permutation(n)[: round(new_share * n)]
    release = np.zeros(n, np.int64)
    release[new] = 1 + np.arange(len(new)) * rounds // max(len(new), 1)
    return replace(world, quality=rng.standard_normal(n).astype(np.float32), release=release)


def _divided(rows: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Rows divided by a number each; a row of zeros stays."""
    return np.asarray(rows / np.where(by > 0, by, 1)[:, None], np.float32)
