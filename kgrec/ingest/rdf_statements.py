"""RDF files as statements.

Enters: Turtle, N-Triples, N-Quads, TriG, RDF/XML or JSON-LD, plain or compressed, and its part of the mapping. Leaves:
additions to `Statements`, and counts in the report. Triples are processed as columns, about 200,000 per batch.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest import cells
from kgrec.ingest.build_report import Report, Tally
from kgrec.ingest.mapping.prefixes import PREFIXES
from kgrec.ingest.mapping.roles import (
    AnyRole,
    Category,
    Date,
    Ignore,
    Label,
    NodeValue,
    Number,
    Ref,
    SameAs,
    Text,
)
from kgrec.ingest.mapping.schema import Mapping, RdfSource
from kgrec.ingest.rdf_parser import EQUAL, read_triples
from kgrec.ingest.rdf_terms import IRI, LITERAL, Triples
from kgrec.ingest.sources import Source
from kgrec.ingest.statements import Edges, Statements, Values
from kgrec.ingest.table_statements import name_nodes

_SAME_AS = PREFIXES["owl"] + "sameAs"
_EXACT_MATCH = PREFIXES["skos"] + "exactMatch"
_IGNORE = Ignore.model_validate({})
#: an IRI, as opposed to text with a colon
_ABSOLUTE = r"""^([A-Za-z][A-Za-z0-9+.\-]*://|(urn|tag|info|mailto):)[^\s<>"{}|\\^`]+$"""


def read_rdf(
    statements: Statements, source: Source, mapped: RdfSource, mapping: Mapping, tally: Tally, report: Report
) -> None:
    """Read one RDF file.

    Raises:
        SourceError: The file is malformed, in a format other than N-Triples and N-Quads, or of an unknown format.
        TooManyBadRows: More lines are malformed than the mapping allows.
    """
    statements.sources += 1
    reader = _StatementReader(statements, source, mapped, mapping, tally)
    for triples in read_triples(source, mapped, mapping.base, tally):
        reader.take(triples)
    reader.close()
    report.unmapped = _added(report.unmapped, reader.unmapped)
    report.languages = _added(report.languages, reader.dropped_languages)
    tally.close()


def _added(counts: dict[str, int], more: Counter[str]) -> dict[str, int]:
    return dict(sorted((Counter(counts) + more).items()))


@dataclass(frozen=True)
class _Part:
    """Triples of one predicate from one batch."""

    #: nodes of the subjects
    heads: np.ndarray
    objects: pa.Array
    kinds: np.ndarray
    langs: np.ndarray
    languages: Sequence[str]

    def __len__(self) -> int:
        return len(self.heads)

    def rows(self, chosen: np.ndarray) -> _Part:
        """The rows chosen by a mask."""
        if chosen.all():
            return self
        objects = self.objects.filter(pa.array(chosen))
        return _Part(self.heads[chosen], objects, self.kinds[chosen], self.langs[chosen], self.languages)

    @property
    def is_literal(self) -> np.ndarray:
        return np.asarray(self.kinds == LITERAL)


class _StatementReader:
    """Reads batches of triples, predicate by predicate."""

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
        self.dropped_languages: Counter[str] = Counter()
        self.types, self.beginnings = mapped.classes, mapped.beginnings
        self.class_predicates = mapped.class_predicates
        #: nodes of IRIs, and subjects among them, kept if the beginnings of IRIs determine types
        self.met: list[np.ndarray] = []
        self.described: list[np.ndarray] = []
        self.with_table = {name for name in mapping.nodes if name not in mapped.types}
        self.merging = {_SAME_AS} if mapped.same_as == "merge" else set()
        self.merging |= {_EXACT_MATCH} if mapped.exact_match == "merge" else set()
        self.shorts: dict[str, str] = {}

    def take(self, triples: Triples) -> None:
        """Read a batch of triples."""
        codes, predicates = cells.encode(triples.predicates)
        counts = np.bincount(codes, minlength=len(predicates))
        left = np.array([self._is_left(predicate) for predicate in predicates], dtype=bool)
        for predicate, count in zip(predicates, counts.tolist(), strict=True):
            if self._is_left(predicate):
                self._leave(self._short(predicate), count)
        # NumPy sorts two-byte numbers in linear time
        order = np.argsort(codes.astype(np.uint16) if len(predicates) < 1 << 16 else codes, kind="stable")
        order = order[~left[codes[order]]]
        heads = self._numbers(triples.subjects.take(pa.array(order)), triples.subject_kinds[order])
        if self.beginnings:
            self.described.append(cells.distinct(heads))
        objects, kinds = triples.objects.take(pa.array(order)), triples.object_kinds[order]
        langs, first = triples.langs[order], 0
        for code in np.flatnonzero(~left & (counts > 0)).tolist():
            rows = slice(first, first + int(counts[code]))
            part = _Part(heads[rows], objects[rows], kinds[rows], langs[rows], triples.languages)
            first = rows.stop
            self._take(predicates[code], part)

    def close(self) -> None:
        """Record the types that follow from the beginnings of IRIs, after all triples are read.

        An IRI that is only an object of triples, such as the page of a film, is not an item.
        """
        if not self.met:
            return
        nodes = cells.distinct(np.concatenate(self.met))
        is_described = np.isin(nodes, np.concatenate(self.described))
        keys = pa.array([self.statements.nodes.keys[node] for node in nodes], pa.large_string())
        for beginning, type_ in self.beginnings.items():
            begins = cells.mask(pc.starts_with(keys, beginning))
            found = nodes[begins & is_described if type_ in self.mapped.items else begins]
            self.statements.beginning.setdefault((beginning, type_), []).append(found)

    def _is_left(self, predicate: str) -> bool:
        read = predicate in self.merging or predicate in self.class_predicates
        return not read and isinstance(self._role(predicate), Ignore)

    def _numbers(self, terms: pa.Array, kinds: np.ndarray) -> np.ndarray:
        """Node number of each IRI and blank node."""
        is_iri = kinds == IRI
        if is_iri.all():
            return self._iris(terms)
        numbers = np.empty(len(terms), dtype=np.int64)
        numbers[is_iri] = self._iris(terms.filter(pa.array(is_iri)))
        codes, labels = cells.encode(terms.filter(pa.array(~is_iri)))
        numbers[~is_iri] = self.statements.nodes.iris([self._blank_iri(label) for label in labels])[codes]
        return numbers

    def _blank_iri(self, label: str) -> str:
        """The IRI of a blank node; nodes that are equal in all files have an IRI without a file name."""
        below = (
            label.removeprefix(EQUAL)
            if label.startswith(EQUAL)
            else f"{quote(self.source.name, safe='')}/{label}"
        )
        return f"{self.mapping.base}.well-known/genid/{below}"

    def _iris(self, terms: pa.Array) -> np.ndarray:
        """Node number of each IRI."""
        codes, names = cells.encode(terms)
        nodes = self.statements.nodes.iris(names)
        if self.beginnings:
            self.met.append(nodes)
        return np.asarray(nodes[codes])

    def _take(self, predicate: str, part: _Part) -> None:
        role = self._role(predicate)
        part = self._typed(part) if predicate in self.class_predicates else part
        if not len(part):
            return
        if predicate in self.merging or isinstance(role, SameAs):
            self._same(predicate, part)
        elif isinstance(role, Ignore):
            self._leave(self._short(predicate), len(part))
        elif isinstance(role, Ref):
            self._link(predicate, role.edge, part.rows(~part.is_literal))
            self._link_literals(predicate, role, part.rows(part.is_literal))
        else:
            self._read_nodes(predicate, role, part.rows(~part.is_literal))
            self._read_literals(predicate, role, part.rows(part.is_literal))

    def _role(self, predicate: str) -> AnyRole:
        return self.mapped.predicates.get(predicate) or self.mapped.predicates.get("*") or _IGNORE

    def _short(self, predicate: str) -> str:
        if predicate not in self.shorts:
            self.shorts[predicate] = self.mapping.short(predicate)
        return self.shorts[predicate]

    def _leave(self, name: str, count: int) -> None:
        if count:
            self.unmapped[name] += count

    def _typed(self, part: _Part) -> _Part:
        """Record the types that classes in the mapping give to nodes; returns the triples with other classes."""
        codes, classes = cells.encode(part.objects)
        named = [self.types.get(name, "") for name in classes]
        for type_ in sorted(set(named) - {""}):
            rows = np.array([name == type_ for name in named])[codes] & ~part.is_literal
            nodes = part.rows(rows).heads
            self._mark(nodes)
            self.statements.typed.setdefault(type_, []).append(nodes)
            self.tally.report.used += len(nodes)
        return part.rows(np.array([name == "" for name in named], dtype=bool)[codes] | part.is_literal)

    def _same(self, predicate: str, part: _Part) -> None:
        self._leave(f"{self._short(predicate)} (literals)", int(part.is_literal.sum()))
        part = part.rows(~part.is_literal)
        self.tally.report.used += len(part)
        self.statements.same.append(np.stack([part.heads, self._tails(part)], axis=1))

    def _tails(self, part: _Part) -> np.ndarray:
        """Node number of each object; no object is a literal."""
        return self._numbers(part.objects, part.kinds)

    def _link(self, predicate: str, edge: str | None, part: _Part) -> None:
        if not len(part):
            return
        self.tally.report.used += len(part)
        self._add_edges(predicate, edge, part.heads, self._tails(part))

    def _link_literals(self, predicate: str, role: Ref, part: _Part) -> None:
        """Link literals that are IRIs if the mapping names the predicate; count other literals as not mapped."""
        if predicate not in self.mapped.predicates:
            self._leave(f"{self._short(predicate)} (literals)", len(part))
            return
        rows, values = cells.split(part.objects, role.split)
        good = cells.mask(pc.match_substring_regex(values, _ABSOLUTE))
        linked = np.isin(np.arange(len(part)), rows[good])
        left = ~linked | np.isin(np.arange(len(part)), rows[~good])
        self._leave(f"{self._short(predicate)} (literals)", int(left.sum()))
        self.tally.report.used += int(linked.sum())
        if linked.any():
            tails = self._iris(values.filter(pa.array(good)))
            self._add_edges(predicate, role.edge, part.heads[rows[good]], tails)

    def _add_edges(self, predicate: str, edge: str | None, heads: np.ndarray, tails: np.ndarray) -> None:
        self._mark(heads)
        self._mark(tails)
        relation = self._relation(predicate, edge)
        self.statements.edges.append(Edges(relation, heads, tails, None, self.source.name, None))

    def _read_nodes(self, predicate: str, role: AnyRole, part: _Part) -> None:
        """Read objects that are nodes, of a predicate with a role for literals."""
        if isinstance(role, NodeValue | Category):
            self._link(predicate, role.edge, part)
        else:
            self._leave(f"{self._short(predicate)} (nodes)", len(part))

    def _relation(self, predicate: str, edge: str | None) -> int:
        if edge is not None:
            return self.statements.own_relation(edge)
        own = self.mapping.base + "relation/"
        name = predicate[len(own) :] if predicate.startswith(own) else self._short(predicate)
        return self.statements.relation(name, predicate)

    def _mark(self, nodes: np.ndarray) -> None:
        """Mark nodes as existing, except those of a type whose nodes come from its table only."""
        known = self.statements.nodes
        of_table = [code for code, name in enumerate(known.types) if name in self.with_table]
        codes = np.frombuffer(known.type_codes, dtype=np.int32)[nodes]
        known.mark(nodes[~np.isin(codes, of_table)])

    def _read_literals(self, predicate: str, role: AnyRole, part: _Part) -> None:
        if isinstance(role, Label | Text):
            self._add_texts(predicate, role, part)
            return
        self.tally.report.used += len(part)
        nodes, values = part.heads, part.objects
        self._mark(nodes)
        if isinstance(role, NodeValue | Category):
            self._add_nodes(predicate, role, nodes, values)
        elif isinstance(role, Number | Date):
            self._add_numbers(predicate, role, nodes, values)

    def _add_texts(self, predicate: str, role: Label | Text, part: _Part) -> None:
        """Add literals in the languages of the role; count the others by language."""
        tags = part.languages
        ranks = _ranks(tags, role.lang)[part.langs]
        for code, count in enumerate(np.bincount(part.langs[ranks < 0], minlength=len(tags)).tolist()):
            if count:
                self.dropped_languages[tags[code] or "none"] += count
        wanted = ranks >= 0
        part = part.rows(wanted)
        nodes = part.heads
        self._mark(nodes)
        self.tally.report.used += len(nodes)
        codes = np.full(len(tags), -1, dtype=np.int32)
        for code in np.unique(part.langs):
            codes[code] = self.statements.language(tags[code])
        predicate_code = self.statements.predicate(self._short(predicate))
        # copied: a slice would keep the objects of the whole batch in memory
        values, langs = pa.concat_arrays([part.objects]), codes[part.langs]
        gathered = Values(predicate_code, nodes, values, langs, ranks[wanted], self.statements.sources)
        (self.statements.labels if isinstance(role, Label) else self.statements.texts).append(gathered)

    def _add_nodes(
        self, predicate: str, role: NodeValue | Category, nodes: np.ndarray, values: pa.Array
    ) -> None:
        rows, parts = cells.split(values, role.split if isinstance(role, NodeValue) else None)
        codes, keys = cells.encode(parts)
        type_ = role.type or _local(self._short(predicate))
        tails = self.statements.nodes.intern(type_, keys)
        name_nodes(self.statements, tails, keys)
        relation = self._relation(predicate, role.edge)
        self.statements.edges.append(Edges(relation, nodes[rows], tails[codes], None, self.source.name, None))

    def _add_numbers(self, predicate: str, role: Number | Date, nodes: np.ndarray, values: pa.Array) -> None:
        rows, found, bad = (
            cells.dates(values, role.format) if isinstance(role, Date) else cells.amounts(values, role.unit)
        )
        name = self._short(predicate)
        shown = [(self._subject(nodes[row]), values[int(row)].as_py()) for row in bad[:10]]
        what = "date" if isinstance(role, Date) else "number"
        self.tally.fail(
            name,
            shown,
            len(bad),
            f"is not a {what}",
            "Correct the literal, or give the predicate another role.",
        )
        self.tally.report.spoiled += len(bad)
        self.statements.numbers.append(Values(self.statements.predicate(name), nodes[rows], pa.array(found)))

    def _subject(self, node: int) -> str:
        return f"{self.source.name}: {self.statements.nodes.keys[node]}"


def _local(name: str) -> str:
    """The last part of a prefixed name or an IRI, which names a type."""
    return re.split(r"[:/#]", name.rstrip("/#"))[-1]


def _ranks(tags: Sequence[str], preferred: tuple[str, ...]) -> np.ndarray:
    """Rank of each tag among the preferred ones, -1 if it is not among them; 0 if no tag is preferred.

    A preferred tag includes its variants: "en" includes "en-GB".
    """
    wanted = [tag.lower() for tag in preferred]
    ranks = [
        next((i for i, w in enumerate(wanted) if tag == w or (w and tag.startswith(f"{w}-"))), -1)
        for tag in tags
    ]
    return np.array(ranks, dtype=np.int32) if preferred else np.zeros(len(tags), dtype=np.int32)
