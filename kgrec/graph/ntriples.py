"""The graph as RDF statements.

Enters: `GraphTables`. Leaves: lines of N-Triples, grouped by subject, in chunks of entities. Nothing is written.

Weights, vectors and interactions have no RDF form: `not_in_rdf` counts them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.graph.tables import GraphTables
from kgrec.ingest.mapping.prefixes import IRI_PATTERN, PREFIXES
from kgrec.ingest.statements import node_iri

_LABEL = PREFIXES["rdfs"] + "label"
_OTHER_NAME = PREFIXES["skos"] + "altLabel"
_TYPE = PREFIXES["rdf"] + "type"
_SAME_AS = PREFIXES["owl"] + "sameAs"
_XSD = PREFIXES["xsd"]
_DAY = 86_400
_CHUNK = 100_000
#: characters that the grammar of N-Triples forbids between "<" and ">"
_NOT_IN_IRI = r"[\x00-\x20<>\"{}|^`\\]"
_LANGUAGE = "^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*$"
_ESCAPES = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"))


def ntriples(graph: GraphTables, chunk: int = _CHUNK) -> Iterator[bytes]:
    """Statements as lines of UTF-8, in the order of the entities; each piece covers `chunk` entities.

    Statements about an entity: its type, label, other names, edges, texts, numbers and dates.
    """
    terms = _Terms(graph)
    for start in range(0, len(graph), chunk):
        parts = terms.about(start, min(start + chunk, len(graph)))
        subjects = np.concatenate([rows for rows, _ in parts])
        lines = pa.chunked_array([line for _, line in parts], pa.large_string())
        ordered = lines.take(pa.array(np.argsort(subjects, kind="stable"))).combine_chunks()
        yield b"".join(memoryview(piece) for piece in _bytes(ordered))


def not_in_rdf(graph: GraphTables) -> dict[str, int]:
    """Counts, above 0, of content that RDF statements do not carry."""
    weights = graph.triples["weight"].to_numpy()
    counts = {
        "names that several entities share": len(_shared(graph)),
        "weights other than 1": int((weights != 1).sum()),
        "vectors": len(graph.vectors),
        "interactions": len(graph.interactions),
    }
    return {name: count for name, count in counts.items() if count}


def predicate_iri(graph: GraphTables, name: str) -> str:
    """IRI of a predicate of text or numbers: from the RDF source, from a prefixed name, or otherwise below the base."""
    mapping = graph.mapping
    for source in mapping.rdf:
        for iri in source.predicates:
            if iri != "*" and mapping.short(iri) == name:
                return iri
    prefix, colon, local = name.partition(":")
    full = mapping.all_prefixes[prefix] + local if colon and prefix in mapping.all_prefixes else name
    return full if "://" in full and IRI_PATTERN.fullmatch(full) else node_iri(mapping.base, "relation", name)


def class_iri(graph: GraphTables, type_: str) -> str:
    """IRI of the class of a node type: base + "type/" + the type."""
    return node_iri(graph.mapping.base, "type", type_)


def mapping_back(graph: GraphTables, file: str) -> dict[str, Any]:
    """A mapping with only `rdf:`, with which `kgrec build` builds the graph again from its N-Triples.

    The file lacks weights, vectors, interactions, and the languages of labels.
    """
    named = (*graph.text["predicate"].unique().to_pylist(), *graph.numbers["predicate"].unique().to_pylist())
    roles: dict[str, Any] = dict.fromkeys(graph.relations["iri"].to_pylist(), "ref")
    roles |= {predicate_iri(graph, name): _role(graph, name) for name in named}
    types = sorted({*graph.item_types, *pc.cast(graph.entities["type"], pa.string()).unique().to_pylist()})
    source = {
        "file": file,
        "types": {type_: class_iri(graph, type_) for type_ in types},
        "items": list(graph.item_types),
        "predicates": {**roles, _LABEL: "label", _OTHER_NAME: "text"},
    }
    prefixes = {"prefixes": dict(graph.mapping.prefixes)} if graph.mapping.prefixes else {}
    return {"version": 1, "base": graph.mapping.base, **prefixes, "rdf": [source]}


def _role(graph: GraphTables, name: str) -> str:
    if name in graph.text["predicate"].unique().to_pylist():
        return "text"
    return "date" if name in graph.mapping.date_predicates else "number"


def _shared(graph: GraphTables) -> pa.Array:
    """IRIs that are aliases of several entities."""
    counts = pc.value_counts(graph.aliases["iri"])
    return counts.field("values").filter(pc.greater(counts.field("counts"), 1))


class _Terms:
    """The columns of a graph as RDF terms, sorted by entity."""

    def __init__(self, graph: GraphTables) -> None:
        self.graph = graph
        self.nodes = _iris(graph.entities["iri"])
        self.relations = _iris(graph.relations["iri"])
        heads = graph.triples["head"].to_numpy()
        self.by_head = np.argsort(heads, kind="stable")
        self.heads = heads[self.by_head]
        self.kinds = _kinds(graph)
        self.shared = _shared(graph)

    def about(self, start: int, stop: int) -> list[tuple[np.ndarray, pa.Array]]:
        """(subjects, lines) of the statements about the entities from `start` to `stop`, one pair per kind of statement."""
        entities = self.graph.entities.slice(start, stop - start)
        rows = np.arange(start, stop)
        return [
            self._lines(rows, _TYPE, self._classes(entities)),
            self._labels(entities, rows),
            *self._names(entities, rows),
            self._edges(start, stop),
            self._texts(start, stop),
            self._numbers(start, stop),
        ]

    def _lines(
        self, rows: np.ndarray, predicates: str | pa.Array, objects: pa.Array
    ) -> tuple[np.ndarray, pa.Array]:
        if isinstance(predicates, str):
            predicates = pa.scalar(f"<{predicates}>", pa.large_string())
        end, gap = pa.scalar(" .\n", pa.large_string()), pa.scalar(" ", pa.large_string())
        line = pc.binary_join_element_wise(self.nodes.take(pa.array(rows)), predicates, objects, gap)
        return rows, pc.binary_join_element_wise(line, end, pa.scalar("", pa.large_string()))

    def _classes(self, entities: pa.Table) -> pa.Array:
        codes = pc.cast(entities["type"], pa.string()).combine_chunks().dictionary_encode()
        classes = [f"<{class_iri(self.graph, type_)}>" for type_ in codes.dictionary.to_pylist()]
        return pa.array(classes, pa.large_string()).take(codes.indices)

    def _labels(self, entities: pa.Table, rows: np.ndarray) -> tuple[np.ndarray, pa.Array]:
        has = pc.not_equal(entities["label"], "").combine_chunks()
        labels = entities["label"].combine_chunks().filter(has)
        return self._lines(rows[has.to_numpy(zero_copy_only=False)], _LABEL, _literals(labels))

    def _names(self, entities: pa.Table, rows: np.ndarray) -> Iterator[tuple[np.ndarray, pa.Array]]:
        """Other IRIs: the IRI of type and key, if the entity has another one, and those of merged nodes."""
        base = self.graph.mapping.base
        # an IRI below the base consists of type and key; the key of a resource is its IRI
        foreign = pc.and_(
            pc.invert(pc.starts_with(entities["iri"], base)), pc.not_equal(entities["iri"], entities["key"])
        )
        named = entities.filter(foreign)
        pairs = zip(pc.cast(named["type"], pa.string()).to_pylist(), named["key"].to_pylist(), strict=True)
        own = pa.array([node_iri(base, type_, key) for type_, key in pairs], pa.string())
        owners = rows[foreign.to_numpy()]
        yield self._lines(owners, _SAME_AS, _iris(own))
        aliases = self._within(self.graph.aliases, int(rows[0]), int(rows[-1]) + 1)
        ids = aliases["id"].to_numpy()
        iris = entities["iri"].take(pa.array(ids - rows[0]))
        known = dict(zip(owners.tolist(), own.to_pylist(), strict=True))
        mine = pa.array([known.get(id_) for id_ in ids.tolist()], pa.string())
        others = pc.and_(
            pc.not_equal(aliases["iri"], iris), pc.fill_null(pc.not_equal(aliases["iri"], mine), True)
        )
        # a name that several entities share would merge them
        kept = aliases.filter(pc.and_(others, pc.invert(pc.is_in(aliases["iri"], value_set=self.shared))))
        yield self._lines(kept["id"].to_numpy(), _SAME_AS, _iris(kept["iri"]))

    def _edges(self, start: int, stop: int) -> tuple[np.ndarray, pa.Array]:
        rows = self.by_head[slice(*np.searchsorted(self.heads, [start, stop]))]
        triples = self.graph.triples.take(pa.array(rows)).combine_chunks()
        ends = self.nodes.take(triples["tail"].combine_chunks())
        named = self.relations.take(triples["relation"].combine_chunks())
        return self._lines(triples["head"].to_numpy(), named, ends)

    def _texts(self, start: int, stop: int) -> tuple[np.ndarray, pa.Array]:
        table = self._within(self.graph.text, start, stop)
        tags = pc.cast(table["lang"], pa.large_string()).combine_chunks()
        marked = pc.binary_join_element_wise(_ls(""), tags, _ls("@"))
        suffixes = pc.if_else(pc.match_substring_regex(tags, _LANGUAGE), marked, _ls(""))
        values = pc.binary_join_element_wise(_literals(table["text"]), suffixes, _ls(""))
        return self._lines(table["id"].to_numpy(), self._predicates(table), values)

    def _numbers(self, start: int, stop: int) -> tuple[np.ndarray, pa.Array]:
        table = self._within(self.graph.numbers, start, stop)
        pairs = zip(table["predicate"].to_pylist(), table["value"].to_pylist(), strict=True)
        literals = [
            f'"{_lexical(value, kind)}"^^<{_XSD}{kind}>'
            for name, value in pairs
            for kind in [self.kinds[name]]
        ]
        return self._lines(
            table["id"].to_numpy(), self._predicates(table), pa.array(literals, pa.large_string())
        )

    def _within(self, table: pa.Table, start: int, stop: int) -> pa.Table:
        first, end = np.searchsorted(table["id"].to_numpy(), [start, stop])
        return table.slice(first, end - first).combine_chunks()

    def _predicates(self, table: pa.Table) -> pa.Array:
        codes = pc.cast(table["predicate"], pa.string()).combine_chunks().dictionary_encode()
        iris = [predicate_iri(self.graph, name) for name in codes.dictionary.to_pylist()]
        # if there are several labels, only one is read back as the label: the others are written as other names
        iris = [_OTHER_NAME if iri == _LABEL else iri for iri in iris]
        return _iris(pa.array(iris, pa.string())).take(codes.indices)


def _ls(text: str) -> pa.Scalar:
    return pa.scalar(text, pa.large_string())


def _iris(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Each IRI between angle brackets; forbidden characters are percent-encoded."""
    column = _strings(column)
    bad = pc.match_substring_regex(column, _NOT_IN_IRI)
    if pc.any(bad).as_py():
        mended = [
            re.sub(_NOT_IN_IRI, lambda found: quote(found[0], safe=""), iri)
            for iri in column.filter(bad).to_pylist()
        ]
        column = pc.replace_with_mask(column, bad, pa.array(mended, pa.large_string()))
    return pc.binary_join_element_wise(_ls("<"), column, _ls(">"), _ls(""))


def _literals(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Each text between quotes, escaped."""
    column = _strings(column)
    for character, escape in _ESCAPES:
        column = pc.replace_substring(column, character, escape)
    return pc.binary_join_element_wise(_ls('"'), column, _ls('"'), _ls(""))


def _strings(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    column = pc.cast(column, pa.large_string())
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _kinds(graph: GraphTables) -> dict[str, str]:
    """XSD datatype of each predicate of numbers: the narrowest that fits all of its values."""
    codes = pc.cast(graph.numbers["predicate"], pa.string()).combine_chunks().dictionary_encode()
    values, of = graph.numbers["value"].to_numpy(), codes.indices.to_numpy()
    kinds = {}
    for code, name in enumerate(codes.dictionary.to_pylist()):
        mine = values[of == code]
        if name in graph.mapping.date_predicates:
            kinds[name] = "date" if (mine % _DAY == 0).all() else "dateTime"
        else:
            whole = (mine == np.rint(mine)) & (np.abs(mine) < 2**53)
            kinds[name] = "integer" if whole.all() else "double"
    return kinds


def _lexical(value: float, kind: str) -> str:
    if kind == "integer":
        return str(int(value))
    return repr(value) if kind == "double" else iso_date(value, kind == "date")


def iso_date(seconds: float, day: bool) -> str:
    """Seconds since 1970 as an ISO 8601 date (`day`), or as date and time in UTC."""
    micro = np.datetime64(round(seconds * 1_000_000), "us")
    if day:
        return str(micro.astype("datetime64[D]"))
    whole = micro == micro.astype("datetime64[s]")
    return f"{micro.astype('datetime64[s]') if whole else micro}Z"


def _bytes(lines: pa.Array) -> Iterator[Any]:
    """The bytes of all strings of an array, concatenated, without copying them."""
    arrays = lines.chunks if isinstance(lines, pa.ChunkedArray) else [lines]
    for array in arrays:
        if len(array):
            offsets = np.frombuffer(array.buffers()[1], dtype=np.int64)
            yield array.buffers()[2][int(offsets[array.offset]) : int(offsets[array.offset + len(array)])]
