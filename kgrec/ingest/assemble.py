"""From statements to the tables of a graph.

Enters: `Statements`. Leaves: `Assembled`: sorted tables of merged nodes, which do not depend on the order of rows in the
sources.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest.build_report import Report
from kgrec.ingest.deduplicate import in_order, ties, unique_rows, unique_triples
from kgrec.ingest.entity_resolution import EntityResolution
from kgrec.ingest.mapping.schema import Mapping
from kgrec.ingest.missing_nodes import report_missing
from kgrec.ingest.shared_iris import SharedIris
from kgrec.ingest.statements import LAST, Edges, Statements, Values

TEXT_SCHEMA = pa.schema(
    [("id", pa.int32()), ("predicate", pa.string()), ("lang", pa.string()), ("text", pa.large_string())]
)
NUMBER_SCHEMA = pa.schema([("id", pa.int32()), ("predicate", pa.string()), ("value", pa.float64())])
VECTOR_SCHEMA = pa.schema(
    [("id", pa.int32()), ("predicate", pa.string()), ("vector", pa.list_(pa.float32()))]
)


@dataclass(frozen=True)
class Assembled:
    """The tables of a graph, as in `GraphTables`, and the entity of each provisional node."""

    entities: pa.Table
    relations: pa.Table
    triples: pa.Table
    text: pa.Table
    numbers: pa.Table
    vectors: pa.Table
    #: provisional node -> entity, -1 if the node is not in the graph; shape (len(nodes),), int64
    entity_of: np.ndarray
    #: id, type, key, iri: names of nodes that were merged into an entity
    aliases: pa.Table
    #: entities that are items because of RDF sources; int64
    rdf_items: np.ndarray


def assemble(statements: Statements, mapping: Mapping, report: Report) -> Assembled:
    """Merge nodes, then sort and number entities, relations and values.

    Raises:
        SourceError: A reference has no node, and `errors.missing_ref` is `fail`; or rows share an IRI, and
            `errors.shared_identity` is `fail`.
    """
    owners = statements.owners()
    statements = _by_owners(statements, owners)
    resolution = EntityResolution(statements, mapping)
    if resolution.spread:
        statements = SharedIris.of(resolution.spread, len(statements.nodes)).spread(statements)
    order = resolution.sorted_roots()
    entity_of = np.full(len(statements.nodes), -1, dtype=np.int64)
    entity_of[order] = np.arange(len(order))
    entity_of = entity_of[resolution.root]
    labels, other_names = _labels(statements, entity_of, len(order))
    relations, triples = _triples(statements, resolution, entity_of, mapping, report)
    return Assembled(
        entities=resolution.table(order, labels),
        relations=relations,
        triples=triples,
        text=_text(statements, entity_of, other_names),
        numbers=_numbers(statements, entity_of),
        vectors=_vectors(statements, entity_of),
        entity_of=entity_of,
        aliases=resolution.aliases(entity_of, report, owners),
        rdf_items=np.unique(entity_of[: len(resolution.from_rdf)][resolution.from_rdf]),
    )


def _by_owners(statements: Statements, owners: np.ndarray) -> Statements:
    """The statements, with edges to other keys redirected to the owners of these keys."""
    if not len(statements.key_owner):
        return statements
    edges = [replace(part, heads=owners[part.heads], tails=owners[part.tails]) for part in statements.edges]
    return replace(statements, edges=edges)


def _triples(
    statements: Statements,
    resolution: EntityResolution,
    entity_of: np.ndarray,
    mapping: Mapping,
    report: Report,
) -> tuple[pa.Table, pa.Table]:
    names = sorted(name for name, (code, _) in statements.relations.items() if _used(statements, code))
    rank = np.full(len(statements.relations), -1, dtype=np.int32)
    rank[[statements.relations[name][0] for name in names]] = np.arange(len(names))
    columns = _columns(statements.edges, rank, entity_of.astype(np.int32))
    present = (columns[0] >= 0) & (columns[2] >= 0)
    if not present.all():
        report_missing(statements, resolution.type_codes, entity_of, mapping.errors, report)
        columns = [column[present] for column in columns]
    triples = unique_triples(*columns)
    iris = [statements.relations[name][1] for name in names]
    relations = pa.table(
        {
            "id": pa.array(np.arange(len(names), dtype=np.int32)),
            "name": pa.array(names, pa.string()),
            "iri": pa.array(iris, pa.string()),
        }
    )
    return relations, triples


def _used(statements: Statements, code: int) -> bool:
    return any(edges.relation == code and len(edges.heads) for edges in statements.edges)


def _columns(edges: list[Edges], rank: np.ndarray, entity_of: np.ndarray) -> list[np.ndarray]:
    """Head, relation, tail and weight of all edges."""
    nothing = np.empty(0, dtype=np.int64)
    heads, tails = (
        np.concatenate([nothing, *ends]) for ends in ([e.heads for e in edges], [e.tails for e in edges])
    )
    weights = np.ones(len(heads), dtype=np.float32)
    lengths = [len(part.heads) for part in edges]
    for part, end in zip(edges, np.cumsum(lengths).tolist(), strict=True):
        if part.weights is not None:
            weights[end - len(part.heads) : end] = part.weights
    relations = np.repeat(rank[[part.relation for part in edges]], lengths)
    return [entity_of[heads], relations, entity_of[tails], weights]


# labels, text, numbers, vectors


def _gathered(
    parts: list[Values], entity_of: np.ndarray, kind: pa.DataType
) -> tuple[dict[str, np.ndarray], pa.Array]:
    """Columns entity, predicate, lang, rank and source, and the values, of the rows whose node is in the graph."""
    columns: dict[str, list[np.ndarray]] = {
        name: [] for name in ("entity", "predicate", "lang", "rank", "source")
    }
    for part in parts:
        size = len(part.nodes)
        columns["entity"].append(entity_of[part.nodes])
        for name, value in zip(
            ("predicate", "lang", "rank", "source"),
            (part.predicate, part.langs, part.ranks, part.source),
            strict=True,
        ):
            columns[name].append(np.broadcast_to(np.asarray(value, dtype=np.int64), (size,)))
    joined = {name: np.concatenate(c) if c else np.empty(0, dtype=np.int64) for name, c in columns.items()}
    values = pa.chunked_array([part.values.cast(kind) for part in parts], kind)
    present = joined["entity"] >= 0
    if not present.all():
        joined = {name: c[present] for name, c in joined.items()}
        values = values.filter(pa.array(present))
    return joined, values.combine_chunks()


def _preferred(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Rows in the most preferred language among those of the same node, predicate and source."""
    if not columns["rank"].any():
        return np.arange(len(columns["rank"]))
    order = np.lexsort([columns[name] for name in ("rank", "source", "predicate", "entity")])
    group = np.zeros(len(order), dtype=bool)
    group[:1] = True
    for name in ("entity", "predicate", "source"):
        group[1:] |= np.diff(columns[name][order]) != 0
    best = columns["rank"][order][group][np.cumsum(group) - 1]
    return np.asarray(order[columns["rank"][order] == best], dtype=np.int64)


def _labels(statements: Statements, entity_of: np.ndarray, size: int) -> tuple[pa.Array, pa.Table]:
    """Label of each entity, and its other names as text."""
    columns, values = _gathered(statements.labels, entity_of, pa.large_string())
    rows = _preferred(columns)
    by_source = columns["entity"][rows] * (LAST + 1) + columns["source"][rows]
    rows = rows[in_order(by_source, pa.table({"value": values.take(pa.array(rows))}))]
    first = np.diff(columns["entity"][rows], prepend=-1) != 0
    chosen = np.full(size, -1, dtype=np.int64)
    chosen[columns["entity"][rows[first]]] = rows[first]
    labels = pc.fill_null(values.take(pa.array(chosen, mask=chosen < 0)), "").cast(pa.string())
    rest = _text_table(statements, columns, values, rows[~first])
    repeated = pc.equal(rest["text"], labels.take(rest["id"]).cast(pa.large_string()))
    return labels, rest.filter(pc.invert(repeated))


def _text(statements: Statements, entity_of: np.ndarray, other_names: pa.Table) -> pa.Table:
    columns, values = _gathered(statements.texts, entity_of, pa.large_string())
    table = _text_table(statements, columns, values, _preferred(columns))
    return unique_rows(pa.concat_tables([table, other_names]))


def _text_table(
    statements: Statements, columns: dict[str, np.ndarray], values: pa.Array, rows: np.ndarray
) -> pa.Table:
    arrays = [
        pa.array(columns["entity"][rows].astype(np.int32)),
        pa.array(list(statements.predicates), pa.string()).take(pa.array(columns["predicate"][rows])),
        pa.array(list(statements.languages), pa.string()).take(pa.array(columns["lang"][rows])),
        values.take(pa.array(rows)),
    ]
    return pa.Table.from_arrays(arrays, schema=TEXT_SCHEMA)


def _numbers(statements: Statements, entity_of: np.ndarray) -> pa.Table:
    columns, values = _gathered(statements.numbers, entity_of, pa.float64())
    return unique_rows(_value_table(statements, columns, values, NUMBER_SCHEMA))


def _vectors(statements: Statements, entity_of: np.ndarray) -> pa.Table:
    columns, values = _gathered(statements.vectors, entity_of, pa.list_(pa.float32()))
    table = _value_table(statements, columns, values, VECTOR_SCHEMA)
    names = sorted(statements.predicates)
    rank = np.array([names.index(name) for name in statements.predicates], dtype=np.int64)
    numbers = columns["entity"] * max(len(names), 1) + rank[columns["predicate"]]
    order = np.argsort(numbers)
    # Arrow cannot sort lists; most entities have one vector per predicate, so Python sorts only a few rows
    tied = ties(numbers[order])
    few = table.take(pa.array(order[tied])).to_pylist()
    order[tied] = order[tied][sorted(range(len(few)), key=lambda i: tuple(few[i].values()))]
    return table.take(pa.array(order)).combine_chunks()


def _value_table(
    statements: Statements, columns: dict[str, np.ndarray], values: pa.Array, schema: pa.Schema
) -> pa.Table:
    predicates = pa.array(list(statements.predicates), pa.string()).take(pa.array(columns["predicate"]))
    arrays = [pa.array(columns["entity"].astype(np.int32)), predicates, values]
    return pa.Table.from_arrays(arrays, schema=schema)
