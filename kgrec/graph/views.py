"""The graph for other libraries.

Enters: `GraphTables`. Leaves: frames; graphs of networkx, rdflib and PyG. Nothing is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kgrec.graph.ntriples import ntriples
from kgrec.graph.tables import GraphTables

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd
    import rdflib
    from torch_geometric.data import HeteroData


def neighbors(graph: GraphTables, entity: int) -> pd.DataFrame:
    """Edges of one entity, outgoing edges first, sorted by relation, type and key."""
    import pandas as pd

    heads, tails = graph.triples["head"].to_numpy(), graph.triples["tail"].to_numpy()
    out, into = np.flatnonzero(heads == entity), np.flatnonzero(tails == entity)
    others = graph.entities.take(np.concatenate([tails[out], heads[into]]))
    rows = graph.triples.take(np.concatenate([out, into]))
    frame = pd.DataFrame(
        {
            "relation": graph.relations["name"].take(rows["relation"]).to_pylist(),
            "direction": ["out"] * len(out) + ["in"] * len(into),
            "type": others["type"].to_pylist(),
            "key": others["key"].to_pylist(),
            "label": others["label"].to_pylist(),
            "weight": rows["weight"].to_numpy(),
        }
    )
    order = ["direction", "relation", "type", "key"]
    return frame.sort_values(order, ascending=[False, True, True, True]).reset_index(drop=True)


def to_networkx(graph: GraphTables) -> nx.MultiDiGraph:
    """Nodes are (type, key) with `label` and `iri`; edges have the relation as key, and `weight`."""
    import networkx as nx

    view = nx.MultiDiGraph()
    columns = (graph.entities[name].to_pylist() for name in ("type", "key", "label", "iri"))
    named = []
    for type_, key, label, iri in zip(*columns, strict=True):
        named.append((type_, key))
        view.add_node((type_, key), label=label, iri=iri)
    relations = graph.relations["name"].to_pylist()
    for head, relation, tail, weight in _rows(graph):
        view.add_edge(named[head], named[tail], key=relations[relation], weight=weight)
    return view


def to_rdflib(graph: GraphTables) -> rdflib.Graph:
    """The statements of :func:`kgrec.graph.ntriples.ntriples`."""
    import rdflib

    view = rdflib.Graph()
    for prefix, namespace in graph.mapping.all_prefixes.items():
        view.bind(prefix, namespace)
    for lines in ntriples(graph):
        view.parse(data=lines.decode(), format="nt")
    return view


def to_hetero_data(graph: GraphTables) -> HeteroData:
    """One node store per type, with `key`; one edge store per (type, relation, type), with `edge_index` and `edge_weight`."""
    import torch
    from torch_geometric.data import HeteroData

    data = HeteroData()
    types = np.asarray(graph.entities["type"].cast("string").to_pylist(), dtype=object)
    local = np.zeros(len(types), dtype=np.int64)
    for type_ in sorted(set(types)):
        rows = np.flatnonzero(types == type_)
        local[rows] = np.arange(len(rows))
        data[type_].num_nodes = len(rows)
        data[type_].key = graph.entities["key"].take(rows).to_pylist()
        data[type_].entity = torch.from_numpy(rows)
    for ends, rows in _by_ends(graph, types):
        part = graph.triples.take(rows)
        index = np.stack([local[part["head"].to_numpy()], local[part["tail"].to_numpy()]])
        data[ends].edge_index = torch.from_numpy(index)
        data[ends].edge_weight = torch.from_numpy(part["weight"].to_numpy().copy())
    return data


def _by_ends(graph: GraphTables, types: np.ndarray) -> list[tuple[tuple[str, str, str], np.ndarray]]:
    """Rows of the triples by (type of head, relation, type of tail)."""
    names, codes = np.unique(types.astype(str), return_inverse=True)
    head, tail = codes[graph.triples["head"].to_numpy()], codes[graph.triples["tail"].to_numpy()]
    joint = np.stack([head, graph.triples["relation"].to_numpy(), tail])
    kinds, kind = np.unique(joint, axis=1, return_inverse=True)
    relations = graph.relations["name"].to_pylist()
    ends = [(str(names[h]), relations[r], str(names[t])) for h, r, t in kinds.T]
    return [(ends[i], np.flatnonzero(kind.ravel() == i)) for i in range(len(ends))]


def _rows(graph: GraphTables) -> zip[tuple[int, int, int, float]]:
    return zip(
        *(graph.triples[name].to_pylist() for name in ("head", "relation", "tail", "weight")), strict=True
    )
