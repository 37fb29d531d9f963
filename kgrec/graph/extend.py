"""Joining a graph with an addition: new rows as a graph of their own, read by `kgrec.graph.build.read_addition`.

Enters: two `GraphTables`. Leaves: a larger graph in which known entities keep their ids. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.graph.interactions import Interactions
from kgrec.graph.tables import GraphT, GraphTables
from kgrec.graph.vocabulary import named
from kgrec.ingest.deduplicate import TRIPLE_SCHEMA, unique_rows, unique_triples
from kgrec.ingest.statements import RESOURCE, node_iri

_TRIPLE = ("head", "relation", "tail")
#: table -> its column with the described entity
#: represents the label among names of relations and predicates
LABEL = ""
_SUBJECT = {"triples": "head", "text": "id", "numbers": "id", "vectors": "id"}


def extended(graph: GraphT, addition: GraphTables) -> tuple[GraphT, np.ndarray]:
    """The graph with the addition; see `KnowledgeGraph.extended`."""
    ids, new = matched(graph, addition)
    addition = _renamed(graph, addition, new)
    entities = _entities(graph, addition, ids, new)
    relations, relation_ids = _relations(graph, addition)
    sizes = (len(relations), len(entities))
    larger = replace(
        graph,
        entities=entities,
        relations=relations,
        triples=_triples(graph.triples, addition.triples, ids, relation_ids, sizes),
        text=_joined(graph.text, _moved(addition.text, ids), unique_rows),
        numbers=_joined(graph.numbers, _moved(addition.numbers, ids), unique_rows),
        vectors=_joined(graph.vectors, _moved(addition.vectors, ids), _one_vector_each),
        aliases=_joined(graph.aliases, _moved(addition.aliases, ids), unique_rows),
        inputs={**graph.inputs, **{f"added/{sha[:12]}/{name}": sha for name, sha in addition.inputs.items()}},
    )
    return replace(larger, interactions=_renumbered(graph, larger)), ids


def without(addition: GraphT, entities: np.ndarray) -> GraphT:
    """The addition without the values, edges and names of some entities; the entities themselves stay."""
    kept = {
        name: table.filter(pa.array(~np.isin(table[subject].to_numpy(), entities)))
        for name, subject in {**_SUBJECT, "aliases": "id"}.items()
        for table in [getattr(addition, name)]
    }
    return replace(addition, entities=_unlabelled(addition.entities, entities), **kept)


def outdated(graph: GraphT, addition: GraphTables, ids: np.ndarray, rows: np.ndarray) -> GraphT:
    """The graph without the values of some entities that the addition replaces.

    A row of a node table replaces all of the table's columns in the addition's mapping; empty cells replace values too. Edge tables and
    RDF replace only the relations and predicates that the addition has for the entity. Other values stay, and so do edges that enter
    the entity.

    Args:
        graph: Contains the entities.
        addition: New values of these entities.
        ids: Id in `graph` of each entity of the addition; shape (len(addition),), int64.
        rows: Entities of the addition whose values replace old ones; int64.
    """
    row = np.full(len(graph), -1, dtype=np.int64)
    row[ids[rows]] = rows
    columns = _columns(addition, rows)
    kept = {}
    for name, subject in _SUBJECT.items():
        table, added = getattr(graph, name), getattr(addition, name)
        at = np.flatnonzero(row[table[subject].to_numpy()] >= 0)
        some = table.take(pa.array(at))
        known = zip(row[some[subject].to_numpy()].tolist(), _predicates(graph, some), strict=True)
        said = set(zip(added[subject].to_pylist(), _predicates(addition, added), strict=True))
        anew = [(one, what) in said or what in columns.get(one, ()) for one, what in known]
        kept[name] = table.filter(
            pa.array(np.isin(np.arange(len(table)), at[np.array(anew, dtype=bool)], invert=True))
        )
    has_label = np.isin(rows, np.flatnonzero(~_equal(addition.entities["label"], "")))
    labelled = [row for row, names in columns.items() if LABEL in names]
    relabelled = ids[rows[has_label | np.isin(rows, labelled)]]
    return replace(graph, entities=_unlabelled(graph.entities, relabelled), **kept)


def differing(one: GraphTables, other: GraphTables, entities: np.ndarray) -> np.ndarray:
    """Whether entities differ in labels, values or edges between two graphs with the same ids; shape (len(entities),), bool."""
    changed = [
        one.entities["label"].take(entities).to_numpy() != other.entities["label"].take(entities).to_numpy()
    ]
    for name, subject in _SUBJECT.items():
        facts = [_facts(graph, name, subject, entities) for graph in (one, other)]
        both = pa.concat_tables(facts)
        counts = both.group_by(both.column_names).aggregate([([], "count_all")])
        alone = counts.filter(pc.equal(counts["count_all"], 1))[subject].to_numpy()
        changed.append(np.isin(entities, alone))
    return np.asarray(np.logical_or.reduce(changed))


def _facts(graph: GraphTables, name: str, subject: str, entities: np.ndarray) -> pa.Table:
    """Rows of one table about some entities, with comparable types."""
    table = getattr(graph, name)
    some = table.filter(pa.array(np.isin(table[subject].to_numpy(), entities)))
    columns = {column: some[column] for column in some.column_names}
    if "predicate" in columns:
        columns["predicate"] = pc.cast(columns["predicate"], pa.string())
    if "vector" in columns:
        columns["vector"] = pa.array(map(str, columns["vector"].to_pylist()), pa.string())
    return pa.table(columns)


def _columns(addition: GraphTables, rows: np.ndarray) -> dict[int, set[str]]:
    """Names of predicates and relations of the table's columns, for each of the rows that come from a node table."""
    tabled = rows if addition.tabled is None else np.intersect1d(rows, addition.tabled)
    types = addition.entities["type"].take(pa.array(tabled)).to_pylist()
    named = {
        type_: {
            LABEL if role.role == "label" else getattr(role, "edge", None) or name
            for name, role in table.columns.items()
        }
        for type_, table in addition.mapping.nodes.items()
    }
    return {row: named[type_] for row, type_ in zip(tabled.tolist(), types, strict=True) if type_ in named}


def _predicates(graph: GraphTables, table: pa.Table) -> list[str]:
    """Relation or predicate of each row of one of the graph's tables."""
    if "relation" in table.column_names:
        return list(graph.relations["name"].take(table["relation"]).to_pylist())
    return list(table["predicate"].to_pylist())


def _unlabelled(entities: pa.Table, ids: np.ndarray) -> pa.Table:
    """The entities with the labels of some removed."""
    blank = pa.array(np.isin(np.arange(len(entities)), ids))
    labels = pc.if_else(blank, "", pc.cast(entities["label"], pa.string()))
    return entities.set_column(entities.column_names.index("label"), "label", labels)


# joining: the graph is long and the addition short, so no Python loop goes through the rows of the graph


def matched(graph: GraphTables, addition: GraphTables) -> tuple[np.ndarray, np.ndarray]:
    """Id in the larger graph of each entity of the addition, shape (len(addition),), and which of them are new there; int64."""
    names, iris = addition.names.labels, addition.entities["iri"]
    entities, others = np.arange(len(graph)), graph.aliases["id"].to_numpy()
    ids = _owners(names, graph.names.labels, entities)
    ids = np.where(ids < 0, _owners(names, named(graph.aliases), others), ids)
    apart = graph.mapping.errors.shared_identity != "merge"
    for found in (
        _owners(iris, graph.entities["iri"], entities),
        _owners(iris, graph.aliases["iri"], others),
    ):
        both_rows = apart & _are_rows(graph, found) & _brought(addition)
        ids = np.where((ids < 0) & ~both_rows, found, ids)
    new = np.flatnonzero(ids < 0)
    ids[new] = len(graph) + np.arange(len(new))
    return ids, new


def _brought(addition: GraphTables) -> np.ndarray:
    """Whether each entity of the addition has a row in its node tables."""
    rows = addition.tabled if addition.tabled is not None else np.empty(0, dtype=np.int64)
    return np.isin(np.arange(len(addition)), rows)


def _are_rows(graph: GraphTables, ids: np.ndarray) -> np.ndarray:
    """Whether known entities have a row in a node table, which is true for all entities of a type with a table; False for -1."""
    types = graph.entities["type"].take(pa.array(ids, mask=ids < 0))
    tables = pa.array(list(graph.mapping.nodes), pa.string())
    return np.asarray(pc.is_in(pc.cast(types, pa.string()), value_set=tables).to_numpy(), dtype=bool)


def _renamed(graph: GraphTables, addition: GraphT, new: np.ndarray) -> GraphT:
    """The addition, in which new rows with the IRI of a known entity get an IRI made of type and key."""
    taken = new[_owners(addition.entities["iri"], graph.entities["iri"], np.arange(len(graph)))[new] >= 0]
    if not len(taken):
        return addition
    iris = addition.entities["iri"].to_pylist()
    for row in taken.tolist():
        type_, _, key = addition.names[row].partition("/")
        iris[row] = node_iri(graph.mapping.base, type_, key)
    at = addition.entities.column_names.index("iri")
    return replace(addition, entities=addition.entities.set_column(at, "iri", pa.array(iris, pa.string())))


def _owners(wanted: pa.Array, among: pa.Array, owners: np.ndarray) -> np.ndarray:
    """Owner of each wanted string, -1 if it is absent from `among` or has several owners; shape (len(wanted),), int64."""
    wanted = pc.cast(wanted, pa.large_string())
    distinct = pc.unique(wanted)
    # the short column is hashed, not the long one
    hits = pc.index_in(pc.cast(among, pa.large_string()), value_set=distinct)
    hits = pc.fill_null(hits, -1).to_numpy().astype(np.int64)
    rows = np.flatnonzero(hits >= 0)
    pairs = np.unique(np.stack([hits[rows], owners[rows]]), axis=1)
    hit, times = np.unique(pairs[0], return_counts=True)
    owner = np.full(len(distinct), -1, dtype=np.int64)
    owner[pairs[0]] = pairs[1]
    owner[hit[times > 1]] = -1
    return np.asarray(owner[pc.index_in(wanted, value_set=distinct).to_numpy()], dtype=np.int64)


def _entities(graph: GraphTables, addition: GraphTables, ids: np.ndarray, new: np.ndarray) -> pa.Table:
    """Entities of both; a resource that has a row in the addition takes type and key from that row."""
    only = addition.only_items if addition.only_items is not None else np.empty(0, dtype=np.int64)
    known = np.flatnonzero(ids < len(graph))
    was_resource = _equal(graph.entities["type"], RESOURCE)[ids[known]]
    becomes = known[was_resource & np.isin(known, only)]
    unlabelled = _equal(graph.entities["label"], "")[ids[known]]
    labels = known[unlabelled & ~_equal(addition.entities["label"], "")[known]]
    taken = {"type": becomes, "key": becomes, "label": labels, "iri": becomes[:0]}
    columns = {}
    for name in ("type", "key", "iri", "label"):
        targets, first = np.unique(ids[taken[name]], return_index=True)
        rows = np.arange(len(graph), dtype=np.int64)
        rows[targets] = len(graph) + taken[name][first]
        rows = np.concatenate([rows, len(graph) + new])
        both = [pc.cast(side.entities[name], pa.string()) for side in (graph, addition)]
        columns[name] = pa.chunked_array([c for side in both for c in side.chunks], pa.string()).take(
            pa.array(rows)
        )
    columns["type"] = columns["type"].dictionary_encode()
    arrays = {name: column.unify_dictionaries().combine_chunks() for name, column in columns.items()}
    return pa.table({"id": pa.array(np.arange(len(graph) + len(new), dtype=np.int32)), **arrays})


def _equal(column: pa.ChunkedArray, value: str) -> np.ndarray:
    return np.asarray(pc.equal(pc.cast(column, pa.string()), value).to_numpy(), dtype=bool)


def _relations(graph: GraphTables, addition: GraphTables) -> tuple[pa.Table, np.ndarray]:
    """Relations of both, where known ones keep their ids, and the new id of each relation of the addition."""
    added = dict(zip(*(addition.relations[name].to_pylist() for name in ("name", "iri")), strict=True))
    joint = dict(zip(*(graph.relations[name].to_pylist() for name in ("name", "iri")), strict=True))
    joint |= {name: iri for name, iri in added.items() if name not in joint}
    order = {name: number for number, name in enumerate(joint)}
    table = pa.table(
        {
            "id": pa.array(np.arange(len(order), dtype=np.int32)),
            "name": pa.array(list(joint), pa.string()),
            "iri": pa.array(list(joint.values()), pa.string()),
        }
    )
    return table, np.array([order[name] for name in added], dtype=np.int64)


def _triples(
    known: pa.Table, added: pa.Table, ids: np.ndarray, relation_ids: np.ndarray, sizes: tuple[int, int]
) -> pa.Table:
    """Triples of both, sorted; `sizes` are the numbers of relations and entities of the larger graph."""
    if not len(added):
        return known
    ends = (ids[added["head"].to_numpy()], relation_ids[added["relation"].to_numpy()])
    added = unique_triples(*ends, ids[added["tail"].to_numpy()], added["weight"].to_numpy())
    if sizes[0] * sizes[1] ** 2 >= 2**63:  # too large for one number per triple
        both = pa.concat_tables([known, added])
        return unique_triples(*(both[name].to_numpy() for name in TRIPLE_SCHEMA.names))
    keys, new_keys = _numbered(known, sizes[1]), _numbered(added, sizes[1])
    at = np.searchsorted(keys, new_keys)
    there = np.append(keys, -1)[at] == new_keys
    weights = known["weight"].to_numpy().copy()
    weights[at[there]] = np.maximum(weights[at[there]], added["weight"].to_numpy()[there])
    fresh, at = added.filter(pa.array(~there)), at[~there]
    columns = {name: known[name].to_numpy() for name in TRIPLE_SCHEMA.names} | {"weight": weights}
    arrays = [pa.array(np.insert(column, at, fresh[name].to_numpy())) for name, column in columns.items()]
    return pa.Table.from_arrays(arrays, schema=TRIPLE_SCHEMA)


def _numbered(triples: pa.Table, entities: int) -> np.ndarray:
    """One number per triple, increasing in the order of triples; int64."""
    heads, relations, tails = (triples[name].to_numpy().astype(np.int64) for name in _TRIPLE)
    return np.asarray((relations * entities + heads) * entities + tails)


def _moved(table: pa.Table, ids: np.ndarray) -> pa.Table:
    """The table with ids of the larger graph."""
    moved = pa.array(ids[table["id"].to_numpy()].astype(np.int32))
    return table.set_column(0, "id", moved)


def _joined(known: pa.Table, added: pa.Table, unique: Callable[[pa.Table], pa.Table]) -> pa.Table:
    """Rows of both, sorted by id; `unique` sorts and deduplicates the rows of entities in `added`."""
    if not len(added):
        return known
    touched = np.isin(known["id"].to_numpy(), added["id"].to_numpy())
    merged = unique(pa.concat_tables([added, known.filter(pa.array(touched))]))
    both = pa.concat_tables([known.filter(pa.array(~touched)), merged.cast(known.schema)])
    ids = both["id"].to_numpy()
    if (np.diff(ids) < 0).any():
        both = both.take(pa.array(np.argsort(ids, kind="stable")))
    return both.combine_chunks()


def _one_vector_each(table: pa.Table) -> pa.Table:
    """The first vector of each entity and predicate."""
    predicates = pc.cast(table["predicate"], pa.string()).combine_chunks().dictionary_encode()
    kinds = max(len(predicates.dictionary), 1)
    codes = table["id"].to_numpy().astype(np.int64) * kinds + predicates.indices.to_numpy()
    _, first = np.unique(codes, return_index=True)
    return table.take(pa.array(first)).sort_by([("id", "ascending"), ("predicate", "ascending")])


def _renumbered(graph: GraphTables, larger: GraphTables) -> Interactions:
    """The interactions with the item rows of the larger graph."""
    place = np.full(len(larger), -1, dtype=np.int32)
    place[larger.item_entities] = np.arange(len(larger.item_entities))
    codes = place[graph.item_entities]
    return replace(graph.interactions, items=larger.item_ids, item=codes[graph.interactions.item])
