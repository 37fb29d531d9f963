"""Edges as a sparse matrix, and the neighbourhood of some nodes as a graph.

Enters: `GraphTables`. Leaves: a `csr_matrix`, or a smaller graph of the same class. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix

from kgrec.arguments import options
from kgrec.arguments.ids import as_ids
from kgrec.errors import ConfigError, UnknownId, did_you_mean
from kgrec.graph.interactions import Interactions
from kgrec.graph.tables import GraphT, GraphTables
from kgrec.graph.vocabulary import Vocabulary

Direction = Literal["out", "in", "both"]


def csr(graph: GraphTables, relation: str | None, direction: Direction) -> csr_matrix:
    """Weights of the edges from row to column; see `KnowledgeGraph.csr`."""
    if options.text("direction", direction, "'out'") not in ("out", "in", "both"):
        raise ConfigError(f"'{direction}' is not a direction of edges.", "Give out, in or both.")
    triples = graph.triples
    if relation is not None:
        options.text("relation", relation)
        names = graph.relations["name"].to_pylist()
        if relation not in names:
            raise UnknownId(f"There is no relation '{relation}' in the graph.", did_you_mean(relation, names))
        # sorted by relation
        ids = triples["relation"].to_numpy()
        first, end = np.searchsorted(ids, [names.index(relation), names.index(relation) + 1])
        triples = triples.slice(first, end - first)
    heads, tails, weights = (triples[name].to_numpy() for name in ("head", "tail", "weight"))
    shape = (len(graph), len(graph))
    out = csr_matrix((weights, (heads, tails)), shape=shape)
    if direction == "out":
        return out
    into = csr_matrix((weights, (tails, heads)), shape=shape)
    return into if direction == "in" else csr_matrix(out + into)


def subgraph(graph: GraphT, nodes: Sequence[str] | np.ndarray, hops: int) -> GraphT:
    """The nodes within `hops` edges of some nodes; see `KnowledgeGraph.subgraph`."""
    options.whole_number("hops", hops, least=0)
    kept = _reached(graph, _entities(graph, nodes), hops)
    place = np.full(len(graph), -1, dtype=np.int32)
    place[kept] = np.arange(len(kept))
    entities = graph.entities.take(pa.array(kept)).combine_chunks()
    relations, triples = _edges(graph, place)
    only = None if graph.only_items is None else place[graph.only_items]
    smaller = replace(
        graph,
        entities=entities.set_column(0, "id", pa.array(np.arange(len(kept), dtype=np.int32))),
        relations=relations,
        triples=triples,
        text=_rows(graph.text, place),
        numbers=_rows(graph.numbers, place),
        vectors=_rows(graph.vectors, place),
        aliases=_rows(graph.aliases, place),
        only_items=None if only is None else only[only >= 0],
    )
    return replace(smaller, interactions=_interactions(graph, smaller, place))


def _entities(graph: GraphTables, nodes: Sequence[str] | np.ndarray) -> np.ndarray:
    if isinstance(nodes, list | tuple) and nodes and all(type(node) is int for node in nodes):
        nodes = np.array(nodes)
    if getattr(getattr(nodes, "dtype", None), "kind", "") in ("i", "u"):
        nodes = np.atleast_1d(np.asarray(nodes))
        outside = (nodes < 0) | (nodes >= len(graph))
        if outside.any():
            raise UnknownId(
                f"There are {len(graph):,} entities, and {nodes[outside][0]} is not the id of one.",
                "Ids count from 0.",
            )
        return np.unique(nodes)
    names = as_ids(nodes, "nodes")
    found = graph.ids(names)
    for at in np.flatnonzero(found < 0)[:1]:
        raise UnknownId(
            f"There is no node '{names[at]}' in the graph.",
            f"Nodes are named type/key. {did_you_mean(names[at], graph.names.sorted_labels)}",
        )
    return np.unique(found)


def _reached(graph: GraphTables, start: np.ndarray, hops: int) -> np.ndarray:
    """Sorted ids of the entities at most `hops` edges away, in either direction."""
    heads, tails = graph.triples["head"].to_numpy(), graph.triples["tail"].to_numpy()
    reached = np.zeros(len(graph), dtype=bool)
    reached[start] = True
    for _ in range(hops):
        near = np.concatenate([tails[reached[heads]], heads[reached[tails]]])
        if reached[near].all():
            break
        reached[near] = True
    return np.flatnonzero(reached)


def _edges(graph: GraphTables, place: np.ndarray) -> tuple[pa.Table, pa.Table]:
    """The triples between kept nodes, in their original order, and the relations that they have."""
    heads, relations, tails = (graph.triples[name].to_numpy() for name in ("head", "relation", "tail"))
    rows = np.flatnonzero((place[heads] >= 0) & (place[tails] >= 0))
    used, renumbered = np.unique(relations[rows], return_inverse=True)
    table = graph.relations.take(pa.array(used)).combine_chunks()
    table = table.set_column(0, "id", pa.array(np.arange(len(used), dtype=np.int32)))
    weights = graph.triples["weight"].to_numpy()[rows]
    columns = [place[heads[rows]], renumbered.astype(np.int32), place[tails[rows]], weights]
    return table, pa.Table.from_arrays([pa.array(c) for c in columns], schema=graph.triples.schema)


def _rows(table: pa.Table, place: np.ndarray) -> pa.Table:
    ids = place[table["id"].to_numpy()]
    kept = table.filter(pa.array(ids >= 0)).combine_chunks()
    return kept.set_column(0, table.schema.field("id"), pa.array(ids[ids >= 0], pa.int32()))


def _interactions(graph: GraphTables, smaller: GraphTables, place: np.ndarray) -> Interactions:
    """The interactions with kept items, and their users."""
    code = np.full(len(smaller), -1, dtype=np.int32)
    code[smaller.item_entities] = np.arange(len(smaller.item_entities))
    kept = place[graph.item_entities]
    items = np.append(code, -1).astype(np.int32)[kept][graph.interactions.item]
    log = graph.interactions.rows(items >= 0)
    users, user = np.unique(log.user, return_inverse=True)
    return replace(
        log,
        users=Vocabulary(pc.take(graph.interactions.users.labels, pa.array(users))),
        items=smaller.item_ids,
        user=user.astype(np.int32),
        item=items[items >= 0].astype(np.int32),
    )
