"""Counts and quantiles of a graph.

Enters: `GraphTables`. Leaves: counts, quantiles and first examples, as values for JSON. Nothing is written.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_matrix

from kgrec.graph.tables import GraphTables

_FIRST = 5
_QUANTILES = {"min": 0.0, "25%": 0.25, "median": 0.5, "75%": 0.75, "95%": 0.95, "99%": 0.99, "max": 1.0}


def stats(graph: GraphTables) -> dict[str, Any]:
    """Counts, and likely mistakes.

    In addition to plain counts: `edges between types`; `text`, `numbers` and `vectors` by predicate; quantiles of `degree` and
    of `item degree` (edges in either direction); `connected components`; `duplicate labels` within a type; and
    `relations that touch one item`, which connect no two items.
    """
    heads, relations, tails = (graph.triples[name].to_numpy() for name in ("head", "relation", "tail"))
    degree = np.bincount(heads, minlength=len(graph)) + np.bincount(tails, minlength=len(graph))
    items = graph.item_entities
    described = pc.not_equal(graph.entities["label"], "").to_numpy().copy()
    described[graph.text["id"].to_numpy()] = True
    edges = np.bincount(relations, minlength=len(graph.relations))
    return {
        "nodes": _counts(graph.entities["type"]),
        "edges": dict(zip(graph.relations["name"].to_pylist(), edges.tolist(), strict=True)),
        "items": len(items),
        "isolated items": int((degree[items] == 0).sum()),
        "items without text": int((~described[items]).sum()),
        "interactions": len(graph.interactions),
        "users": len(graph.interactions.users),
        "edges between types": _between_types(graph, heads, relations, tails),
        "text": _counts(graph.text["predicate"]),
        "numbers": _counts(graph.numbers["predicate"]),
        "vectors": _counts(graph.vectors["predicate"]),
        "degree": _quantiles(degree),
        "item degree": _quantiles(degree[items]),
        "connected components": _components(heads, tails, len(graph)),
        "duplicate labels": _duplicates(graph.entities),
        "relations that touch one item": _on_one_item(graph, heads, relations, tails),
    }


#: keys of `stats` that a build prints
BRIEF = ("nodes", "edges", "items", "isolated items", "items without text", "interactions", "users")


def _counts(values: pa.ChunkedArray) -> dict[str, int]:
    counted = pc.value_counts(values.cast(pa.string())).to_pylist()
    pairs = sorted((str(pair["values"]), int(pair["counts"])) for pair in counted)
    return dict(pairs)


def _between_types(
    graph: GraphTables, heads: np.ndarray, relations: np.ndarray, tails: np.ndarray
) -> dict[str, int]:
    codes = pc.cast(graph.entities["type"], pa.string()).combine_chunks().dictionary_encode()
    types, code = codes.dictionary.to_pylist(), codes.indices.to_numpy().astype(np.int64)
    size, names = max(len(types), 1), graph.relations["name"].to_pylist()
    kinds, counts = np.unique((code[heads] * len(names) + relations) * size + code[tails], return_counts=True)
    found = {}
    for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True):
        (head, relation), tail = divmod(kind // size, max(len(names), 1)), kind % size
        found[f"{types[head]} {names[relation]} {types[tail]}"] = count
    return dict(sorted(found.items()))


def _quantiles(degree: np.ndarray) -> dict[str, float]:
    if not len(degree):
        return {}
    found = np.quantile(degree, list(_QUANTILES.values()), method="inverted_cdf").tolist()
    return {**dict(zip(_QUANTILES, map(int, found), strict=True)), "mean": round(float(degree.mean()), 2)}


def _components(heads: np.ndarray, tails: np.ndarray, size: int) -> dict[str, int]:
    """Number of components, of nodes in the largest component, and of nodes without an edge."""
    from scipy.sparse.csgraph import connected_components

    if not size:
        return {"count": 0, "largest": 0, "single nodes": 0}
    links = coo_matrix((np.ones(len(heads), dtype=np.int8), (heads, tails)), shape=(size, size))
    count, component = connected_components(links, directed=False)
    sizes = np.bincount(component)
    return {"count": int(count), "largest": int(sizes.max()), "single nodes": int((sizes == 1).sum())}


def _duplicates(entities: pa.Table) -> dict[str, Any]:
    """Labels that several nodes of one type share."""
    labelled = entities.select(["type", "label"]).filter(pc.not_equal(entities["label"], ""))
    labelled = labelled.set_column(0, "type", pc.cast(labelled["type"], pa.string()))
    groups = labelled.group_by(["type", "label"], use_threads=False).aggregate([([], "count_all")])
    groups = groups.filter(pc.greater(groups["count_all"], 1))
    groups = groups.sort_by([("count_all", "descending"), ("type", "ascending"), ("label", "ascending")])
    return {"count": len(groups), "first": [_shared(row) for row in groups.slice(0, _FIRST).to_pylist()]}


def _shared(row: dict[str, Any]) -> str:
    return f"{row['type']} '{row['label']}' {row['count_all']}"


def _on_one_item(
    graph: GraphTables, heads: np.ndarray, relations: np.ndarray, tails: np.ndarray
) -> dict[str, Any]:
    is_item = np.zeros(len(graph), dtype=bool)
    is_item[graph.item_entities] = True
    size = len(graph.relations)
    # for each relation, the smallest and the largest item that it touches
    low, high = np.full(size, len(graph), dtype=np.int64), np.full(size, -1, dtype=np.int64)
    for ends in (heads, tails):
        rows = np.flatnonzero(is_item[ends])
        np.minimum.at(low, relations[rows], ends[rows])
        np.maximum.at(high, relations[rows], ends[rows])
    names = [graph.relations["name"][int(row)].as_py() for row in np.flatnonzero(low == high)]
    return {"count": len(names), "first": names[:_FIRST]}
