"""RDF, read into statements.

Enters: Turtle, N-Triples, N-Quads, TriG, RDF/XML or JSON-LD, plain or compressed, and its part of the mapping. Leaves:
additions to `Statements`, and counts in the report. Triples are streamed; the literals of some 200,000 are held at a time.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyoxigraph as ox

from kgrec.ingest import cells
from kgrec.ingest.report import Report, Tally
from kgrec.ingest.rows import name_nodes
from kgrec.ingest.sources import Source
from kgrec.ingest.statements import Edges, Statements, Values
from kgrec.ingest.triples import read_triples
from kgrec.mapping import Mapping, RdfSource
from kgrec.prefixes import PREFIXES
from kgrec.roles import AnyRole, Category, Date, Ignore, Label, NodeValue, Number, Ref, SameAs, Text

_FLUSH = 200_000
_TYPE = PREFIXES["rdf"] + "type"
_SAME_AS = PREFIXES["owl"] + "sameAs"
_IGNORE = Ignore.model_validate({})

Handler = Callable[[Any, Any], None]


def read_rdf(
    statements: Statements, source: Source, mapped: RdfSource, mapping: Mapping, tally: Tally, report: Report
) -> None:
    """Read one RDF file.

    Raises:
        SourceError: The file is malformed, in a format other than N-Triples and N-Quads, or of an unknown format.
        TooManyBadRows: More lines are malformed than the mapping allows.
    """
    statements.sources += 1
    reader = _Reader(statements, source, mapped, mapping, tally)
    for count, triple in enumerate(read_triples(source, mapped, mapping.base, tally), 1):
        reader.triple(triple)
        if count % _FLUSH == 0:
            reader.flush()
    reader.flush()
    for name, count in reader.unmapped.items():
        report.unmapped[name] = report.unmapped.get(name, 0) + count
    tally.close()


@dataclass
class _Literals:
    """Literals of one predicate that wait to be read as a column."""

    nodes: array[int] = field(default_factory=lambda: array("q"))
    values: list[str] = field(default_factory=list)
    langs: array[int] = field(default_factory=lambda: array("i"))
    ranks: array[int] = field(default_factory=lambda: array("i"))


class _Reader:
    """Sends each triple to the handler of its predicate; literals wait for `flush`."""

    def __init__(
        self, statements: Statements, source: Source, mapped: RdfSource, mapping: Mapping, tally: Tally
    ) -> None:
        self.statements, self.source, self.mapped, self.mapping, self.tally = (
            statements,
            source,
            mapped,
            mapping,
            tally,
        )
        self.unmapped: Counter[str] = Counter()
        self.types = {iri: name for name, iris in mapped.types.items() for iri in iris}
        self.with_table = {name for name in mapping.nodes if name not in mapped.types}
        self.blank = f"{mapping.base}.well-known/genid/{quote(source.name, safe='')}/"
        self.handlers: dict[str, Handler] = {}
        self.literals: dict[str, _Literals] = {}
        self.edges: dict[int, tuple[array[int], array[int]]] = {}
        self.typed: dict[str, array[int]] = {}
        self.same = array("q")
        self.used = 0

    def triple(self, triple: Any) -> None:
        """Take in one triple or quad; the graph that a quad is in is left aside."""
        predicate = triple.predicate.value
        handler = self.handlers.get(predicate)
        if handler is None:
            handler = self.handlers[predicate] = self._handler(predicate)
        handler(triple.subject, triple.object)

    def flush(self) -> None:
        """Hand what was gathered to the statements."""
        for predicate, literals in self.literals.items():
            self._read_literals(predicate, self._role(predicate), literals)
        for relation, (heads, tails) in self.edges.items():
            self._add_edges(relation, np.array(heads, dtype=np.int64), np.array(tails, dtype=np.int64))
        for name, nodes in self.typed.items():
            self._add_typed(name, np.array(nodes, dtype=np.int64))
        if self.same:
            self.statements.same.append(np.array(self.same, dtype=np.int64).reshape(-1, 2))
        self.tally.report.used += self.used
        self.literals, self.edges, self.typed, self.same, self.used = {}, {}, {}, array("q"), 0

    # handlers

    def _role(self, predicate: str) -> AnyRole:
        return self.mapped.predicates.get(predicate) or self.mapped.predicates.get("*") or _IGNORE

    def _handler(self, predicate: str) -> Handler:
        if predicate == _TYPE and self.types:
            return self._type_handler(self._role_handler(predicate))
        if predicate == _SAME_AS and self.mapped.same_as == "merge":
            return self._same
        return self._role_handler(predicate)

    def _role_handler(self, predicate: str) -> Handler:
        role = self._role(predicate)
        if isinstance(role, Ignore):
            return self._ignoring(predicate)
        if isinstance(role, SameAs):
            return self._same
        if isinstance(role, Ref):
            return self._linking(predicate, role.edge)
        return self._gathering(predicate, role)

    def _node(self, term: Any) -> int:
        if type(term) is ox.NamedNode:
            return self.statements.nodes.iri(term.value)
        return self.statements.nodes.iri(self.blank + term.value)

    def _type_handler(self, otherwise: Handler) -> Handler:
        def handle(subject: Any, object_: Any) -> None:
            name = self.types.get(getattr(object_, "value", ""))
            if name is None:
                otherwise(subject, object_)
            else:
                self.used += 1
                self.typed.setdefault(name, array("q")).append(self._node(subject))

        return handle

    def _same(self, subject: Any, object_: Any) -> None:
        if type(object_) is ox.Literal:
            self.unmapped["owl:sameAs (literals)"] += 1
            return
        self.used += 1
        self.same.append(self._node(subject))
        self.same.append(self._node(object_))

    def _ignoring(self, predicate: str) -> Handler:
        name, unmapped = self.mapping.short(predicate), self.unmapped

        def handle(subject: Any, object_: Any) -> None:  # noqa: ARG001
            unmapped[name] += 1

        return handle

    def _linking(self, predicate: str, edge: str | None) -> Handler:
        heads, tails, relation = array("q"), array("q"), self._relation(predicate, edge)
        name = self.mapping.short(predicate)

        def handle(subject: Any, object_: Any) -> None:
            nonlocal heads, tails
            if type(object_) is ox.Literal:
                self.unmapped[f"{name} (literals)"] += 1
                return
            self.used += 1
            heads, tails = self.edges.setdefault(relation, (array("q"), array("q")))
            heads.append(self._node(subject))
            tails.append(self._node(object_))

        return handle

    def _gathering(self, predicate: str, role: AnyRole) -> Handler:
        ranked = _Languages(role.lang if isinstance(role, Label | Text) else ())
        link = self._linking(predicate, role.edge) if isinstance(role, NodeValue | Category) else None
        name = self.mapping.short(predicate)

        def handle(subject: Any, object_: Any) -> None:
            if type(object_) is not ox.Literal:
                if link is None:
                    self.unmapped[f"{name} (nodes)"] += 1
                else:
                    link(subject, object_)
                return
            rank = ranked.rank(object_.language or "")
            if rank < 0:
                self.unmapped[f"{name} (@{object_.language or 'none'})"] += 1
                return
            self.used += 1
            literals = self.literals.setdefault(predicate, _Literals())
            literals.nodes.append(self._node(subject))
            literals.values.append(object_.value)
            literals.langs.append(self.statements.language(object_.language or ""))
            literals.ranks.append(rank)

        return handle

    # flushing

    def _relation(self, predicate: str, edge: str | None) -> int:
        if edge is not None:
            return self.statements.own_relation(edge)
        own = self.mapping.base + "relation/"
        name = predicate[len(own) :] if predicate.startswith(own) else self.mapping.short(predicate)
        return self.statements.relation(name, predicate)

    def _mark(self, nodes: np.ndarray) -> None:
        """Note that these nodes are there, save those of a type that only its table brings."""
        known = self.statements.nodes
        of_table = [code for code, name in enumerate(known.types) if name in self.with_table]
        codes = np.frombuffer(known.type_codes, dtype=np.int32)[nodes]
        known.mark(nodes[~np.isin(codes, of_table)])

    def _add_edges(self, relation: int, heads: np.ndarray, tails: np.ndarray) -> None:
        self._mark(heads)
        self._mark(tails)
        self.statements.edges.append(Edges(relation, heads, tails, None, self.source.name, None))

    def _add_typed(self, name: str, nodes: np.ndarray) -> None:
        self._mark(nodes)
        self.statements.typed.setdefault(name, []).append(nodes)

    def _read_literals(self, predicate: str, role: AnyRole, literals: _Literals) -> None:
        nodes = np.array(literals.nodes, dtype=np.int64)
        self._mark(nodes)
        values = pa.array(literals.values, pa.large_string())
        if isinstance(role, Label | Text):
            self._add_texts(predicate, role, nodes, values, literals)
        elif isinstance(role, NodeValue | Category):
            self._add_nodes(predicate, role, nodes, values)
        elif isinstance(role, Number | Date):
            self._add_numbers(predicate, role, nodes, values)

    def _add_texts(
        self, predicate: str, role: AnyRole, nodes: np.ndarray, values: pa.Array, read: _Literals
    ) -> None:
        langs, ranks = np.array(read.langs, dtype=np.int32), np.array(read.ranks, dtype=np.int32)
        code = self.statements.predicate(self.mapping.short(predicate))
        gathered = Values(code, nodes, values, langs, ranks, self.statements.sources)
        (self.statements.labels if isinstance(role, Label) else self.statements.texts).append(gathered)

    def _add_nodes(
        self, predicate: str, role: NodeValue | Category, nodes: np.ndarray, values: pa.Array
    ) -> None:
        rows, parts = cells.split(values, role.split if isinstance(role, NodeValue) else None)
        codes, keys = cells.encode(parts)
        type_ = role.type or _local(self.mapping.short(predicate))
        tails = self.statements.nodes.intern(type_, keys)
        name_nodes(self.statements, tails, keys)
        relation = self._relation(predicate, role.edge)
        self.statements.edges.append(Edges(relation, nodes[rows], tails[codes], None, self.source.name, None))

    def _add_numbers(self, predicate: str, role: Number | Date, nodes: np.ndarray, values: pa.Array) -> None:
        rows, found, bad = (
            cells.dates(values, role.format) if isinstance(role, Date) else cells.numbers(values)
        )
        name = self.mapping.short(predicate)
        shown = [(self._subject(nodes[row]), values[int(row)].as_py()) for row in bad[:10]]
        what = "date" if isinstance(role, Date) else "number"
        self.tally.fail(
            name, shown, len(bad), f"is no {what}", "Mend the literal, or give the predicate another role."
        )
        self.tally.report.spoiled += len(bad)
        self.statements.numbers.append(Values(self.statements.predicate(name), nodes[rows], pa.array(found)))

    def _subject(self, node: int) -> str:
        return f"{self.source.name}: {self.statements.nodes.keys[node]}"


def _local(name: str) -> str:
    """What can name a type in a prefixed name or an IRI: its last part."""
    return re.split(r"[:/#]", name.rstrip("/#"))[-1]


class _Languages:
    """Ranks language tags by a list of preferred ones; a tag stands for its variants too, "en" for "en-GB"."""

    def __init__(self, preferred: tuple[str, ...]) -> None:
        self.preferred = [tag.lower() for tag in preferred]
        self.known: dict[str, int] = {}

    def rank(self, tag: str) -> int:
        """Place of `tag` in the list, -1 if it is not wanted; 0 if no list was given."""
        if not self.preferred:
            return 0
        if tag not in self.known:
            self.known[tag] = self._rank(tag.lower())
        return self.known[tag]

    def _rank(self, tag: str) -> int:
        for rank, wanted in enumerate(self.preferred):
            if tag == wanted or (wanted and tag.startswith(f"{wanted}-")):
                return rank
        return -1
