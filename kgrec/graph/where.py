"""Evaluates conditions: which entities of a graph match.

Enters: a `Condition` of :mod:`kgrec.graph.where_syntax`, and `GraphTables`. Leaves: a mask over the entities. Nothing is written.

A name is a relation (`^name` follows it backwards), a predicate of numbers, dates or text, or a column that became the
label. Any other name is a type of neighbours, reached through any relation, or `label`, or `type`. Each comparison is one pass over
the arrays of a name, without a Python object per edge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, reduce
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import ConfigError, KgrecError, UnknownId, did_you_mean
from kgrec.graph.tables import GraphTables
from kgrec.graph.vocabulary import named
from kgrec.graph.where_syntax import And, Condition, Has, Not, Operator, ValueComparison, Word

_BACKWARDS = "^"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?", re.ASCII)


def matching(graph: GraphTables, condition: Condition, *, skip_unknown: bool = False) -> np.ndarray:
    """Which entities match a condition; shape (len(graph),), bool.

    Args:
        graph: Contains the entities.
        condition: As returned by `kgrec.graph.where_syntax.parse`.
        skip_unknown: Whether unknown values match nothing instead of raising UnknownId.

    Raises:
        ConfigError: A name is unknown, or cannot be compared with that operator or value.
        UnknownId: A value is not that of any neighbour, or of any item.
    """
    names = _Names(graph)

    def met(part: Condition) -> np.ndarray:
        if isinstance(part, ValueComparison):
            return _compared(part, names.meaning(part.name), skip_unknown)
        if isinstance(part, Has):
            return _any(kind.present() for kind in names.meaning(part.name))
        if isinstance(part, Not):
            return ~met(part.part)
        join = np.logical_and if isinstance(part, And) else np.logical_or
        return reduce(join, map(met, part.parts))

    return met(condition)


def _compared(part: ValueComparison, kinds: list[_ValueKind], skip_unknown: bool) -> np.ndarray:
    able = [kind for kind in kinds if part.operator in kind.operators]
    if not able:
        first = kinds[0]
        takes = ", ".join(first.operators).replace("=", "=, !=, in", 1)
        raise ConfigError(
            f"{part.name} is {first.what} and cannot be compared with '{part.operator}'.",
            f"Use one of {takes}; or: has {part.name.text}.",
        )
    words = {value.text: value for value in part.values}
    masks, known = zip(*(kind.compared(part.operator, list(words)) for kind in able), strict=True)
    for at in np.flatnonzero(~_any(known)):
        error = able[0].unknown(part.name.text, list(words.values())[at])
        if not (skip_unknown and isinstance(error, UnknownId)):
            raise error
    return _any(masks)


class _Names:
    """Looks up names of conditions in a graph."""

    def __init__(self, graph: GraphTables) -> None:
        self.graph = graph
        self.relations: list[str] = graph.relations["name"].to_pylist()
        self.types: list[str] = pc.unique(pc.cast(graph.entities["type"], pa.string())).to_pylist()
        self.numbers = set(pc.unique(graph.numbers["predicate"]).to_pylist())
        self.texts = set(pc.unique(graph.text["predicate"]).to_pylist())
        self.labels = _label_names(graph)

    def meaning(self, name: Word) -> list[_ValueKind]:
        """All meanings of a name.

        Raises:
            ConfigError: It has no meaning in the graph.
        """
        kinds = list(self._own(name.text)) or list(self._general(name.text))
        if not kinds:
            known = {*self.relations, *self.numbers, *self.texts, *self.labels, *self.types, "label", "type"}
            near = did_you_mean(name.text.removeprefix(_BACKWARDS), sorted(known))
            raise ConfigError(f"{name} is not a relation, predicate or type in the graph.", near)
        return kinds

    def _own(self, name: str) -> Iterator[_ValueKind]:
        bare = name.removeprefix(_BACKWARDS)
        if bare in self.relations:
            of = self.graph.triples["relation"].to_numpy() == self.relations.index(bare)
            yield _Edges.of(self.graph, of, backwards=name != bare)
        if name in self.numbers:
            yield _Numbers(self.graph, name)
        if name in self.texts:
            table = self.graph.text.filter(pc.equal(self.graph.text["predicate"], name))
            yield _Texts(len(self.graph), table["id"].to_numpy(), table["text"])
        if name in self.labels:
            yield _Texts.labels(self.graph)

    def _general(self, name: str) -> Iterator[_ValueKind]:
        bare = name.removeprefix(_BACKWARDS)
        if bare in self.types:
            is_type = pc.equal(pc.cast(self.graph.entities["type"], pa.string()), bare).to_numpy()
            far = "head" if name != bare else "tail"
            yield _Edges.of(self.graph, is_type[self.graph.triples[far].to_numpy()], backwards=name != bare)
        elif name == "label":
            yield _Texts.labels(self.graph)
        elif name == "type":
            yield _Texts.types(self.graph)


def _label_names(graph: GraphTables) -> set[str]:
    """Columns and predicates that the mapping uses as the label of items."""
    tables = [
        graph.mapping.nodes[type_].columns for type_ in graph.item_types if type_ in graph.mapping.nodes
    ]
    named = [column for table in tables for column in table.items()]
    named += [
        (graph.mapping.short(iri), role) for rdf in graph.mapping.rdf for iri, role in rdf.predicates.items()
    ]
    return {name for name, role in named if role.role == "label"}


@dataclass(frozen=True)
class _Edges:
    """Neighbours by a relation, or of a type."""

    graph: GraphTables
    #: entity at this end of each edge, and its neighbour; shape (n_edges,), int32
    near: np.ndarray
    far: np.ndarray

    what: ClassVar[str] = "a relation"
    operators: ClassVar[tuple[Operator, ...]] = ("=", "~")

    @classmethod
    def of(cls, graph: GraphTables, edges: np.ndarray, *, backwards: bool) -> _Edges:
        head, tail = (graph.triples[end].to_numpy()[edges] for end in ("head", "tail"))
        return cls(graph, *((tail, head) if backwards else (head, tail)))

    def present(self) -> np.ndarray:
        """Which entities have any neighbour."""
        return _marked(len(self.graph), self.near)

    def compared(self, operator: Operator, values: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Which entities have a neighbour with one of the values; and which of the values are known."""
        fits = np.zeros(len(self.graph), bool)
        if operator == "~":
            labels = self.entities["label"]
            fits[self.ids[_containing(labels, values[0])]] = True
            known = np.ones(len(values), bool)
        else:
            known = np.zeros(len(values), bool)
            for ids, names in self._names():
                place = _places(names, values)
                fits[ids[place >= 0]] = True
                known[place[place >= 0]] = True
        return _marked(len(self.graph), self.near[fits[self.far]]), known

    def unknown(self, name: str, value: Word) -> KgrecError:
        """The error for an unknown value."""
        labels = {*self.entities["label"].to_pylist(), *self.entities["key"].to_pylist()} - {""}
        return UnknownId(
            f"{value} matches no neighbour by '{name}'.", did_you_mean(value.text, sorted(labels))
        )

    @cached_property
    def ids(self) -> np.ndarray:
        """The distinct neighbours."""
        return np.flatnonzero(_marked(len(self.graph), self.far))

    @cached_property
    def entities(self) -> pa.Table:
        return self.graph.entities.take(pa.array(self.ids))

    def _names(self) -> Iterator[tuple[np.ndarray, pa.ChunkedArray]]:
        """The names of neighbours: label, key, IRI and type/key; and key, IRI and type/key of nodes merged into them."""
        yield self.ids, self.entities["label"]
        aliases = self.graph.aliases
        owners = aliases["id"].to_numpy()
        mine = np.isin(owners, self.ids)
        for ids, table in ((self.ids, self.entities), (owners[mine], aliases.filter(pa.array(mine)))):
            for names in (table["key"], table["iri"], named(table)):
                yield ids, names


class _Numbers:
    """Numbers, and dates in seconds: a value is an interval with its start and without its end, such as a day."""

    operators: tuple[Operator, ...] = ("=", "<", "<=", ">", ">=")

    def __init__(self, graph: GraphTables, predicate: str) -> None:
        table = graph.numbers.filter(pc.equal(graph.numbers["predicate"], predicate))
        self.size, self.ids, self.values = len(graph), table["id"].to_numpy(), table["value"].to_numpy()
        self.is_date = predicate in graph.mapping.date_predicates
        self.what = "a date" if self.is_date else "a number"

    def present(self) -> np.ndarray:
        return _marked(self.size, self.ids)

    def compared(self, operator: Operator, values: list[str]) -> tuple[np.ndarray, np.ndarray]:
        intervals = [_day(value) if self.is_date else _number(value) for value in values]
        fits = _any(
            [np.zeros(len(self.ids), bool)]
            + [_within(operator, self.values, *interval) for interval in intervals if interval]
        )
        return _marked(self.size, self.ids[fits]), np.array([bool(interval) for interval in intervals])

    def unknown(self, name: str, value: Word) -> KgrecError:
        dates = (
            "Write a year, a month, a day or a moment, such as 1990, 1990-05, 1990-05-17, 1990-05-17T12:00."
        )
        remedy = dates if self.is_date else "Write a number, such as 1990 or 7.5."
        return ConfigError(
            f"{value} is not {self.what}, but '{name}' holds {self.what.removeprefix('a ')}s.", remedy
        )


@dataclass(frozen=True)
class _Texts:
    """Texts of entities, one per row."""

    size: int
    #: entity of each text, and the text; both of shape (n,)
    ids: np.ndarray
    texts: pa.ChunkedArray
    what: str = "a text"
    operators: tuple[Operator, ...] = ("=", "~")
    #: whether a value that no item has is an error; True if the values are names, such as labels
    closed: bool = False

    @classmethod
    def labels(cls, graph: GraphTables) -> _Texts:
        """The labels of items."""
        labels = graph.entities["label"].take(pa.array(graph.item_entities))
        there = pc.not_equal(labels, "")
        ids = graph.item_entities[there.to_numpy()]
        return cls(len(graph), ids, labels.filter(there), "the label", closed=True)

    @classmethod
    def types(cls, graph: GraphTables) -> _Texts:
        """The types of items."""
        types = pc.cast(graph.entities["type"], pa.string()).take(pa.array(graph.item_entities))
        return cls(len(graph), graph.item_entities, types, "the type", ("=",), closed=True)

    def present(self) -> np.ndarray:
        return _marked(self.size, self.ids)

    def compared(self, operator: Operator, values: list[str]) -> tuple[np.ndarray, np.ndarray]:
        known = np.ones(len(values), bool)
        if operator == "~":
            return _marked(self.size, self.ids[_containing(self.texts, values[0])]), known
        place = _places(self.texts, values)
        if self.closed:
            known = _marked(len(values), place[place >= 0])
        return _marked(self.size, self.ids[place >= 0]), known

    def unknown(self, name: str, value: Word) -> KgrecError:
        known = sorted(set(self.texts.to_pylist()))
        return UnknownId(f"{value} is not the {name} of any item.", did_you_mean(value.text, known))


#: one meaning of a name
_ValueKind = _Edges | _Numbers | _Texts


def _within(operator: Operator, values: np.ndarray, start: float, end: float) -> np.ndarray:
    if operator == "=":
        return (values >= start) & (values < end)
    if operator in ("<", ">="):
        return values < start if operator == "<" else values >= start
    return values < end if operator == "<=" else values >= end


def _day(text: str) -> tuple[float, float] | None:
    """Start and end, in seconds since 1970, of a year, a month, a day or a moment; None if the text is none of these."""
    try:
        if _DATE.fullmatch(text):
            start = np.datetime64(text)
            first, after = (int((start + n).astype("datetime64[s]").astype(np.int64)) for n in (0, 1))
            return first, after
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return _number(repr((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()))


def _number(text: str) -> tuple[float, float] | None:
    """The number, and the next larger one; None if the text is not a number."""
    value = float(text) if _NUMBER.fullmatch(text) else None
    return None if value is None else (value, float(np.nextafter(value, np.inf)))


def _containing(texts: pa.ChunkedArray, value: str) -> np.ndarray:
    found = pc.match_substring(texts, value, ignore_case=True)
    return np.asarray(found.to_numpy(), bool)


def _places(names: pa.ChunkedArray, values: list[str]) -> np.ndarray:
    """Index in `values` of each name, -1 if it is absent; the first index if values are equal."""
    names = pc.cast(names, pa.large_string())
    found = pc.index_in(names, value_set=pa.array(values, pa.large_string()))
    return np.asarray(pc.fill_null(found, -1).to_numpy())


def _marked(size: int, ids: np.ndarray) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[ids] = True
    return mask


def _any(masks: Sequence[np.ndarray] | Iterator[np.ndarray]) -> np.ndarray:
    return reduce(np.logical_or, masks)
