"""The nodes of a type that entities are linked to, such as the genres of films.

Enters: `GraphTables`, entities, the name of a type or a relation. Leaves: a sparse matrix. Nothing is written.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix

from kgrec.errors import UnknownId, did_you_mean
from kgrec.graph.tables import GraphTables


def linked_nodes(graph: GraphTables, entities: np.ndarray, name: str) -> tuple[csr_matrix, np.ndarray]:
    """The nodes of a type that each entity has an edge with, in either direction; or, for a relation, that it has an edge to.

    Args:
        graph: Contains the entities.
        entities: Their ids; shape (n,).
        name: A type of nodes, such as "genre"; or a relation, such as "directed_by". A type has precedence.

    Returns:
        Shape (n, n_nodes), float32, ones; and the ids of the nodes, increasing, int64. For a type, each of its nodes has a column.

    Raises:
        UnknownId: The graph has neither.
    """
    heads, tails = (graph.triples[end].to_numpy() for end in ("head", "tail"))
    types = pc.unique(pc.cast(graph.entities["type"], pa.string())).to_pylist()
    relations = graph.relations["name"].to_pylist()
    if name in types:
        is_node = pc.equal(pc.cast(graph.entities["type"], pa.string()), name).to_numpy()
        nodes = np.flatnonzero(is_node)
        near = np.concatenate([heads[is_node[tails]], tails[is_node[heads]]])
        far = np.concatenate([tails[is_node[tails]], heads[is_node[heads]]])
    elif name in relations:
        of_relation = graph.triples["relation"].to_numpy() == relations.index(name)
        near, far = heads[of_relation], tails[of_relation]
        nodes = np.unique(far).astype(np.int64)
    else:
        raise UnknownId(
            f"There is no node of type '{name}' in the graph.",
            did_you_mean(name, sorted({*types, *relations})),
        )
    links = csr_matrix(
        (np.ones(len(near), np.float32), (near, np.searchsorted(nodes, far))), (len(graph), len(nodes))
    )[entities]
    links.data[:] = 1  # parallel edges are one link
    return csr_matrix(links), nodes
