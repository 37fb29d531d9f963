"""Statements into the graph's tables.

Enters: `Statements`. Leaves: `Assembled`, tables in which nodes that are one have been merged and everything is sorted,
so that the order of rows in the sources leaves no trace.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.ingest.identities import Identities
from kgrec.ingest.report import Places, Report
from kgrec.ingest.statements import Edges, Statements, Values
from kgrec.mapping import Mapping

TEXT_SCHEMA = pa.schema(
    [("id", pa.int32()), ("predicate", pa.string()), ("lang", pa.string()), ("text", pa.large_string())]
)
NUMBER_SCHEMA = pa.schema([("id", pa.int32()), ("predicate", pa.string()), ("value", pa.float64())])
VECTOR_SCHEMA = pa.schema(
    [("id", pa.int32()), ("predicate", pa.string()), ("vector", pa.list_(pa.float32()))]
)
TRIPLE_SCHEMA = pa.schema(
    [("head", pa.int32()), ("relation", pa.int32()), ("tail", pa.int32()), ("weight", pa.float32())]
)


@dataclass(frozen=True)
class Assembled:
    """The tables of a graph, as `KnowledgeGraph` has them, and what else the build needs."""

    entities: pa.Table
    relations: pa.Table
    triples: pa.Table
    text: pa.Table
    numbers: pa.Table
    vectors: pa.Table
    #: provisional node -> entity, -1 if the node is not in the graph; shape (len(nodes),), int64
    entity_of: np.ndarray
    #: id, type, key, iri: other names of entities, those of nodes that were merged into them
    aliases: pa.Table


def assemble(statements: Statements, mapping: Mapping, report: Report) -> Assembled:
    """Merge, sort, and number everything.

    Raises:
        SourceError: A reference is missing, and `errors.missing_ref` is `fail`.
    """
    nodes = Identities(statements, mapping)
    order = nodes.sorted_roots()
    entity_of = np.full(len(statements.nodes), -1, dtype=np.int64)
    entity_of[order] = np.arange(len(order))
    entity_of = entity_of[nodes.root]
    labels, other_names = _labels(statements, entity_of, len(order))
    relations, triples = _triples(statements, nodes, entity_of, mapping, report)
    return Assembled(
        entities=nodes.table(order, labels),
        relations=relations,
        triples=triples,
        text=_text(statements, entity_of, other_names),
        numbers=_numbers(statements, entity_of),
        vectors=_vectors(statements, entity_of),
        entity_of=entity_of,
        aliases=nodes.aliases(entity_of, report),
    )


def _triples(
    statements: Statements, nodes: Identities, entity_of: np.ndarray, mapping: Mapping, report: Report
) -> tuple[pa.Table, pa.Table]:
    names = sorted(name for name, (code, _) in statements.relations.items() if _used(statements, code))
    rank = np.full(len(statements.relations), -1, dtype=np.int32)
    rank[[statements.relations[name][0] for name in names]] = np.arange(len(names))
    columns = _columns(statements.edges, rank, entity_of.astype(np.int32))
    present = (columns[0] >= 0) & (columns[2] >= 0)
    if not present.all():
        for edges in statements.edges:
            _report_missing(edges, statements, nodes, entity_of, mapping, report)
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
    heads, tails = (np.concatenate([nothing, *ends]) for ends in ([e.heads for e in edges], [e.tails for e in edges]))
    weights = np.ones(len(heads), dtype=np.float32)
    lengths = [len(part.heads) for part in edges]
    for part, end in zip(edges, np.cumsum(lengths).tolist(), strict=True):
        if part.weights is not None:
            weights[end - len(part.heads) : end] = part.weights
    relations = np.repeat(rank[[part.relation for part in edges]], lengths)
    return [entity_of[heads], relations, entity_of[tails], weights]


def unique_triples(
    heads: np.ndarray, relations: np.ndarray, tails: np.ndarray, weights: np.ndarray
) -> pa.Table:
    """Triples sorted by relation, head, tail, each once; of several weights the largest is kept."""
    order = _order(heads, relations, tails, weights)
    columns = [column[order] for column in (heads, relations, tails, weights)]
    first = np.ones(len(order), dtype=bool)
    first[1:] = np.logical_or.reduce([np.diff(column) != 0 for column in columns[:3]])
    arrays = [
        pa.array(c[first].astype(f.type.to_pandas_dtype(), copy=False))
        for c, f in zip(columns, TRIPLE_SCHEMA, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=TRIPLE_SCHEMA)


def _order(heads: np.ndarray, relations: np.ndarray, tails: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Order by relation, head, tail, and the largest weight first."""
    size = 1 + max((int(ends.max()) for ends in (heads, tails) if len(ends)), default=0)
    kinds = 1 + int(relations.max()) if len(relations) else 1
    if kinds * size**2 >= 2**63:
        return np.lexsort((-weights, tails, heads, relations))
    # one number a triple is sorted many times faster
    numbers = (relations.astype(np.int64) * size + heads) * size + tails
    alike = not len(weights) or bool((weights == weights[0]).all())
    return np.argsort(numbers) if alike else np.lexsort((-weights, numbers))


def _report_missing(
    edges: Edges,
    statements: Statements,
    nodes: Identities,
    entity_of: np.ndarray,
    mapping: Mapping,
    report: Report,
) -> None:
    for ends in (edges.heads, edges.tails):
        rows = np.flatnonzero(entity_of[ends] < 0)
        if len(rows):
            _count_missing(edges, statements, nodes, ends, rows, mapping, report)


def _count_missing(
    edges: Edges,
    statements: Statements,
    nodes: Identities,
    ends: np.ndarray,
    rows: np.ndarray,
    mapping: Mapping,
    report: Report,
) -> None:
    relation = next(name for name, (code, _) in statements.relations.items() if code == edges.relation)
    codes = nodes.type_codes[ends[rows]]
    for code in np.unique(codes):
        of_type = rows[codes == code]
        places = [_missing_place(edges, row, nodes.nodes.keys[ends[row]]) for row in of_type[:10]]
        type_ = nodes.nodes.types[code]
        if mapping.errors.missing_ref == "fail":
            raise SourceError(
                f"{places[0]} is no {type_} that any source has.",
                f"Add that {type_}, or set `errors: {{missing_ref: report}}`.",
            )
        report.missing.setdefault(f"{relation} -> {type_}", Places()).add(len(of_type), places)


def _missing_place(edges: Edges, row: int, key: str) -> str:
    line = f":{edges.lines[row]}" if edges.lines is not None else ""
    return f'{edges.source}{line}: "{key}"'


# labels, text, numbers, vectors


def _gathered(
    parts: list[Values], entity_of: np.ndarray, kind: pa.DataType
) -> tuple[dict[str, np.ndarray], pa.Array]:
    """Columns entity, predicate, lang, rank, source of all parts whose node is in the graph, and their values."""
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
    return {name: c[present] for name, c in joined.items()}, values.filter(pa.array(present)).combine_chunks()


def _preferred(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Rows in the most preferred language that the node has for the predicate in that source."""
    order = np.lexsort([columns[name] for name in ("rank", "source", "predicate", "entity")])
    group = np.zeros(len(order), dtype=bool)
    group[:1] = True
    for name in ("entity", "predicate", "source"):
        group[1:] |= np.diff(columns[name][order]) != 0
    best = columns["rank"][order][group][np.cumsum(group) - 1] if len(order) else np.empty(0)
    return np.asarray(order[columns["rank"][order] == best], dtype=np.int64)


def _labels(statements: Statements, entity_of: np.ndarray, size: int) -> tuple[pa.Array, pa.Table]:
    """Label of each entity, and as text the names that others are preferred to."""
    columns, values = _gathered(statements.labels, entity_of, pa.large_string())
    rows = _preferred(columns)
    table = pa.table(
        {"e": columns["entity"][rows], "s": columns["source"][rows], "v": values.take(pa.array(rows))}
    )
    by_value = pc.sort_indices(table, sort_keys=[("e", "ascending"), ("s", "ascending"), ("v", "ascending")])
    rows = rows[by_value.to_numpy()]
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


def unique_rows(table: pa.Table) -> pa.Table:
    """Each row once, sorted by all columns from left to right."""
    table = table.sort_by([(name, "ascending") for name in table.column_names]).combine_chunks()
    again = np.ones(max(len(table) - 1, 0), dtype=bool)
    for column in table.columns:
        again &= pc.equal(column[1:], column[:-1]).to_numpy()
    return table.filter(pa.array(np.append(np.ones(min(len(table), 1), dtype=bool), ~again)))


def _numbers(statements: Statements, entity_of: np.ndarray) -> pa.Table:
    columns, values = _gathered(statements.numbers, entity_of, pa.float64())
    return unique_rows(_value_table(statements, columns, values, NUMBER_SCHEMA))


def _vectors(statements: Statements, entity_of: np.ndarray) -> pa.Table:
    columns, values = _gathered(statements.vectors, entity_of, pa.list_(pa.float32()))
    table = _value_table(statements, columns, values, VECTOR_SCHEMA)
    table = table.sort_by([("id", "ascending"), ("predicate", "ascending")]).combine_chunks()
    return table.take(pa.array(_by_vector(table)))


def _by_vector(table: pa.Table) -> np.ndarray:
    """Rows of a table sorted by id and predicate in an order that, where these are the same, the vectors decide."""
    rows = np.arange(len(table))
    again = np.diff(table["id"].to_numpy()) == 0
    again &= pc.equal(table["predicate"][1:], table["predicate"][:-1]).to_numpy()
    tied = np.flatnonzero(np.append(again, False) | np.append(False, again))
    few = table.take(pa.array(tied)).to_pylist()
    rows[tied] = tied[sorted(range(len(few)), key=lambda i: tuple(few[i].values()))]
    return rows


def _value_table(
    statements: Statements, columns: dict[str, np.ndarray], values: pa.Array, schema: pa.Schema
) -> pa.Table:
    predicates = pa.array(list(statements.predicates), pa.string()).take(pa.array(columns["predicate"]))
    arrays = [pa.array(columns["entity"].astype(np.int32)), predicates, values]
    return pa.Table.from_arrays(arrays, schema=schema)
