"""New rows for a known graph.

Enters: files or frames laid out as in the mapping. Leaves: a graph of their own, and the known graph with it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.graph import KnowledgeGraph, graph_of
from kgrec.ingest.assemble import assemble, unique_rows, unique_triples
from kgrec.ingest.read import Reading, begin, read_files, read_frames
from kgrec.ingest.sources import Source, find_files
from kgrec.ingest.statements import RESOURCE
from kgrec.interactions import Interactions
from kgrec.mapping import Mapping, TableFormat

#: share of the rows of an addition that may be bad, if the mapping does not allow more
_STOP_ABOVE = 0.5


def read_addition(
    mapping: Mapping,
    folder: Path | None = None,
    frames: dict[str, Any] | None = None,
    *,
    known: KnowledgeGraph,
) -> KnowledgeGraph:
    """New rows as a graph of their own; see `kgrec.graph.read_addition`."""
    if folder is None and not frames:
        raise SourceError(
            "There is nothing to add: no folder, no frames.", "Give a folder with files, or frames by type."
        )
    # Of few rows, one bad one is a large share: it is reported, and the others are added.
    tolerant = mapping.errors.model_copy(update={"stop_above": max(_STOP_ABOVE, mapping.errors.stop_above)})
    reading = begin(mapping.model_copy(update={"errors": tolerant}))
    if folder is not None:
        _check_any(mapping, Path(folder))
        read_files(reading, partial(_present, Path(folder)))
    read_frames(reading, frames or {})
    _mark_known(reading, known)
    assembled = assemble(reading.statements, mapping, reading.report)
    brought = np.concatenate(reading.brought) if reading.brought else np.empty(0, dtype=np.int64)
    graph = graph_of(assembled, known.interactions, mapping, reading.report, reading.inputs)
    graph = replace(graph, only_items=np.unique(assembled.entity_of[brought]))
    return replace(graph, interactions=Interactions.none(graph.item_ids))


def extended(graph: KnowledgeGraph, addition: KnowledgeGraph) -> tuple[KnowledgeGraph, np.ndarray]:
    """The graph with the addition; see `KnowledgeGraph.extended`."""
    ids, new = _matched(graph, addition)
    entities = _entities(graph, addition, ids, new)
    relations, relation_ids = _relations(graph, addition)
    larger = replace(
        graph,
        entities=entities,
        relations=relations,
        triples=_triples(graph.triples, addition.triples, ids, relation_ids),
        text=unique_rows(pa.concat_tables([graph.text, _moved(addition.text, ids)])),
        numbers=unique_rows(pa.concat_tables([graph.numbers, _moved(addition.numbers, ids)])),
        vectors=_vectors(graph.vectors, _moved(addition.vectors, ids)),
        aliases=unique_rows(pa.concat_tables([graph.aliases, _moved(addition.aliases, ids)])),
        inputs={**graph.inputs, **{f"added/{sha[:12]}/{name}": sha for name, sha in addition.inputs.items()}},
    )
    return replace(larger, interactions=_renumbered(graph, larger)), ids


def without(addition: KnowledgeGraph, entities: np.ndarray) -> KnowledgeGraph:
    """The addition less all that it says about some entities, which themselves stay."""
    tables = {"triples": "head", "text": "id", "numbers": "id", "vectors": "id"}
    kept = {
        name: table.filter(pa.array(~np.isin(table[subject].to_numpy(), entities)))
        for name, subject in tables.items()
        for table in [getattr(addition, name)]
    }
    return replace(addition, **kept)


# reading


def _check_any(mapping: Mapping, folder: Path) -> None:
    """Refuse a folder that has none of the mapping's files."""
    tables: list[TableFormat] = [*mapping.nodes.values(), *mapping.edges.values()]
    names = [name for table in tables for name in table.file]
    names += [name for source in mapping.rdf for name in source.file]
    if not any(_present(folder, (name,)) for name in names):
        raise SourceError(
            f"{folder} has no file to add.", f"Files are looked for by the names: {', '.join(names)}."
        )


def _present(folder: Path, names: tuple[str, ...]) -> list[Source]:
    found = []
    for name in names:
        try:
            found.extend(find_files(folder, [name], allow_outside=False))
        except SourceError:
            # absent files are simply not read; one that leads out of the folder is refused
            if (folder / name).exists():
                raise
    return found


def _mark_known(reading: Reading, known: KnowledgeGraph) -> None:
    """References may be to what the known graph has."""
    nodes = reading.statements.nodes
    pending = np.flatnonzero(np.frombuffer(nodes.exists, dtype=np.uint8) == 0)
    codes = [nodes.type_codes[node] for node in pending]
    names = [
        f"{nodes.types[c]}/{nodes.keys[n]}" if c >= 0 else "" for c, n in zip(codes, pending, strict=True)
    ]
    referred = _referred(reading)
    there = (known.ids(names) >= 0) & np.isin(pending, referred)
    nodes.mark(pending[there])


def _referred(reading: Reading) -> np.ndarray:
    ends = [end for edges in reading.statements.edges for end in (edges.heads, edges.tails)]
    return np.unique(np.concatenate(ends)) if ends else np.empty(0, dtype=np.int64)


# joining


def _matched(graph: KnowledgeGraph, addition: KnowledgeGraph) -> tuple[np.ndarray, np.ndarray]:
    """Id in the larger graph of each of the addition's entities, and which of them are new there."""
    ids = graph.ids(addition.names.tolist())
    by_iri = pc.index_in(addition.entities["iri"], value_set=graph.entities["iri"].combine_chunks())
    by_iri = pc.fill_null(by_iri, -1).to_numpy().astype(np.int64)
    by_iri = np.where(by_iri < 0, _alias_ids(graph, addition), by_iri)
    ids = np.where(ids < 0, by_iri, ids)
    new = np.flatnonzero(ids < 0)
    ids[new] = len(graph) + np.arange(len(new))
    return ids, new


def _alias_ids(graph: KnowledgeGraph, addition: KnowledgeGraph) -> np.ndarray:
    at = pc.index_in(addition.entities["iri"], value_set=graph.aliases["iri"].combine_chunks())
    at = pc.fill_null(at, -1).to_numpy().astype(np.int64)
    owners = np.append(graph.aliases["id"].to_numpy(), -1)
    return np.asarray(owners[at], dtype=np.int64)


def _entities(graph: KnowledgeGraph, addition: KnowledgeGraph, ids: np.ndarray, new: np.ndarray) -> pa.Table:
    """Entities of both; a resource that the addition has a row for takes its type and key from there."""
    columns = {name: graph.entities[name].to_pylist() for name in ("type", "key", "iri", "label")}
    added = {name: addition.entities[name].to_pylist() for name in columns}
    only = addition.only_items if addition.only_items is not None else np.empty(0, dtype=np.int64)
    for row in np.flatnonzero(ids < len(graph)):
        target = int(ids[row])
        columns["label"][target] = columns["label"][target] or added["label"][row]
        if columns["type"][target] == RESOURCE and row in only:
            columns["type"][target], columns["key"][target] = added["type"][row], added["key"][row]
    for name, values in columns.items():
        values.extend(added[name][row] for row in new)
    arrays: dict[str, pa.Array] = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    arrays["type"] = arrays["type"].dictionary_encode()
    return pa.table({"id": pa.array(np.arange(len(columns["key"]), dtype=np.int32)), **arrays})


def _relations(graph: KnowledgeGraph, addition: KnowledgeGraph) -> tuple[pa.Table, np.ndarray]:
    """Relations of both, known ones with their ids, and the new id of each of the addition's."""
    names = graph.relations["name"].to_pylist()
    added = addition.relations["name"].to_pylist()
    fresh = [row for row, name in enumerate(added) if name not in set(names)]
    order = {name: number for number, name in enumerate([*names, *(added[row] for row in fresh)])}
    iris = [
        *graph.relations["iri"].to_pylist(),
        *(addition.relations["iri"].to_pylist()[row] for row in fresh),
    ]
    table = pa.table(
        {
            "id": pa.array(np.arange(len(order), dtype=np.int32)),
            "name": pa.array(list(order), pa.string()),
            "iri": pa.array(iris, pa.string()),
        }
    )
    return table, np.array([order[name] for name in added], dtype=np.int64)


def _triples(known: pa.Table, added: pa.Table, ids: np.ndarray, relation_ids: np.ndarray) -> pa.Table:
    moved = {
        "head": ids[added["head"].to_numpy()],
        "relation": relation_ids[added["relation"].to_numpy()] if len(added) else np.empty(0, dtype=np.int64),
        "tail": ids[added["tail"].to_numpy()],
        "weight": added["weight"].to_numpy(),
    }
    return unique_triples(
        *(np.concatenate([known[name].to_numpy(), values]) for name, values in moved.items())
    )


def _moved(table: pa.Table, ids: np.ndarray) -> pa.Table:
    """The table with the larger graph's ids."""
    moved = pa.array(ids[table["id"].to_numpy()].astype(np.int32))
    return table.set_column(0, "id", moved)


def _vectors(known: pa.Table, added: pa.Table) -> pa.Table:
    """Vectors of both; of two for one entity and predicate, the added one."""
    table = pa.concat_tables([added, known])
    names = pc.binary_join_element_wise(pc.cast(table["id"], pa.string()), table["predicate"], " ")
    _, first = np.unique(np.asarray(names.to_pylist(), dtype=object), return_index=True)
    return table.take(pa.array(first)).sort_by([("id", "ascending"), ("predicate", "ascending")])


def _renumbered(graph: KnowledgeGraph, larger: KnowledgeGraph) -> Interactions:
    """The interactions, by the items' places in the larger graph."""
    place = np.full(len(larger), -1, dtype=np.int32)
    place[larger.item_entities] = np.arange(len(larger.item_entities))
    codes = place[graph.item_entities]
    return replace(graph.interactions, items=larger.item_ids, item=codes[graph.interactions.item])
