"""Tables of nodes and of edges as statements.

Enters: a `Table` and its part of the mapping. Leaves: additions to `Statements`, and counts in the report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import MappingError, did_you_mean
from kgrec.ingest import cells
from kgrec.ingest.batches import TORN, Batch, FieldReader, Table
from kgrec.ingest.build_report import Tally
from kgrec.ingest.mapping.prefixes import IRI_PATTERN
from kgrec.ingest.mapping.references import References, Target
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
    Vector,
)
from kgrec.ingest.mapping.schema import EdgeTable, NodeTable
from kgrec.ingest.statements import LAST, Edges, Statements, Values

EMPTY_KEY = "has an empty key"
REPEATED = "identical to an earlier row"
CONFLICT = "has the key of an earlier row"
GARBLED_KEY = "has a key with bytes that are not in the file's encoding"
_GARBLED_REMEDY = "Correct these rows, or give the file's `encoding:`, such as latin-1."
_TORN_REMEDY = 'Close the quote, or give `quote: ""` beside `file:` if the file encloses no cells in quotes.'
NOT_ALONE = "is also a key of an earlier row"
BROKEN = "cannot be split into columns"
#: roles that accept any text; for other roles U+FFFD is itself a fault
_ANY_TEXT = (Label, Text, Category, NodeValue, Ref)


@dataclass(frozen=True)
class _Rows:
    """Rows of one batch, and their nodes."""

    statements: Statements
    tally: Tally
    batch: Batch
    #: rows of the batch, and the node of each
    rows: np.ndarray
    nodes: np.ndarray
    source: int
    references: References
    #: whether each row has an unreadable cell; shape (len(rows),), bool
    spoiled: np.ndarray

    def cells(self, column: str) -> pa.Array:
        return self.batch.columns[column].take(pa.array(self.rows))

    def plain(self, column: str) -> pa.Array:
        """Like `cells`, for a role that cannot read lists."""
        return self.batch.plain(column).take(pa.array(self.rows))

    def split(self, column: str, separator: str | None) -> tuple[np.ndarray, pa.Array]:
        """Parts of the cells: the index into `self.rows` and the value of each."""
        return cells.split(self.cells(column), separator, self.batch.nulls)

    def failed(self, column: str, bad: np.ndarray, why: str, remedy: str) -> None:
        """Report unreadable cells of `column`; `bad` are indices into `self.rows`."""
        self.spoiled[bad] = True
        rows = self.rows[bad]
        values = self.batch.columns[column].take(pa.array(rows[:10])).to_pylist()
        found = list(zip(self.batch.places(rows), map(str, values), strict=False))
        self.tally.fail(column, found, len(rows), why, remedy)

    def with_field(self, reader: FieldReader, role: AnyRole) -> _Rows:
        """The same rows, with the values of a field in place of a column's objects; other cells are reported."""
        values = reader.read(self.batch)
        bad = np.flatnonzero(cells.mask(pc.is_null(values.take(pa.array(self.rows)))))
        remedy = "Correct the row, or take `field:` out of the mapping."
        self.failed(reader.column, bad, "is not an object, in JSON or Python", remedy)
        if isinstance(role, Number | Date):
            values = cells.joined(values)
        return replace(self, batch=replace(self.batch, columns={**self.batch.columns, reader.column: values}))

    def failed_garbled(self, column: str) -> None:
        """Report cells with bytes that are not in the file's encoding; they are used without these bytes."""
        if len(found := self.batch.garbled_in(column)):
            bad = np.flatnonzero(np.isin(self.rows, found))
            why = f"has bytes that are not {self.batch.encoding}"
            self.failed(column, bad, why, _GARBLED_REMEDY)


def read_nodes(
    statements: Statements,
    table: Table,
    type_: str,
    mapped: NodeTable,
    tally: Tally,
    references: References,
) -> np.ndarray:
    """Read a table with one node per row; returns the nodes, shape (rows used,), int64.

    Raises:
        SourceError: A column that the mapping names is missing.
        MappingError: The table has a column that the mapping does not name.
        TooManyBadRows: More rows are bad than the mapping allows.
    """
    roles = _roles(table, type_, mapped, tally)
    columns = list(dict.fromkeys([mapped.key, *mapped.other_keys, *roles]))
    statements.sources += 1
    read = []
    fields = {
        column: FieldReader(table.name, column, role.field.split("."))
        for column, role in roles.items()
        if not isinstance(role, Vector | Ignore) and role.field
    }
    for batch in table.read(columns):
        count_broken(batch, tally)
        rows, nodes = _new_rows(statements, batch, type_, mapped.key, tally)
        part = _Rows(
            statements,
            tally,
            batch,
            rows,
            nodes,
            statements.sources,
            references,
            np.zeros(len(rows), dtype=bool),
        )
        for column in mapped.other_keys:
            _read_other_key(part, column, Target(type_, column))
        for column, role in roles.items():
            if isinstance(role, _ANY_TEXT):
                part.failed_garbled(column)
            at = part.with_field(fields[column], role) if column in fields else part
            _READERS[type(role)](at, column, role)
        tally.report.spoiled += int(part.spoiled.sum())
        read.append(nodes)
    for reader in fields.values():
        reader.check()
    tally.close()
    return np.concatenate(read) if read else np.empty(0, dtype=np.int64)


def read_edges(
    statements: Statements,
    table: Table,
    relation: str,
    mapped: EdgeTable,
    tally: Tally,
    references: References,
) -> None:
    """Read a table with one edge per row; nodes are created if their type has no table.

    Raises:
        SourceError: A column that the mapping names is missing.
        TooManyBadRows: More rows are bad than the mapping allows.
    """
    table.require(mapped.columns_read)
    tally.report.unread = table.unread(mapped.columns_read)
    code = statements.own_relation(relation)
    for batch in table.read(mapped.columns_read):
        count_broken(batch, tally)
        statements.edges.append(_edges_of(statements, batch, code, mapped, tally, references))
    tally.close()


def count_broken(batch: Batch, tally: Tally) -> None:
    """Count the rows of a batch, including rows left out because they could not be split into columns."""
    tally.report.rows += len(batch) + len(batch.broken) + sum(row.lines for row in batch.left_out)
    places = (f"{batch.name}:{line}" for line, _ in batch.broken)
    tally.drop(BROKEN, len(batch.broken), places, batch.remedy)
    for row in batch.left_out:
        remedy = _TORN_REMEDY if row.reason == TORN else ""
        tally.drop(row.reason, row.lines, [f"{batch.name}:{row.line}"], remedy)


def drop_garbled(batch: Batch, rows: np.ndarray, columns: Sequence[str], tally: Tally) -> np.ndarray:
    """The given ascending rows whose keys in `columns` are in the file's encoding; the others are counted."""
    if not len(batch.garbled):
        return rows
    garbled = np.intersect1d(rows, np.concatenate([batch.garbled_in(column) for column in columns]))
    tally.drop(GARBLED_KEY, len(garbled), batch.places(garbled), _GARBLED_REMEDY)
    return np.setdiff1d(rows, garbled, assume_unique=True)


def filled(batch: Batch, column: str) -> np.ndarray:
    """Whether each cell of `column` has more than white space; shape (len(batch),), bool."""
    return cells.mask(pc.not_equal(pc.utf8_trim_whitespace(batch.plain(column)), ""))


def _roles(table: Table, type_: str, mapped: NodeTable, tally: Tally) -> dict[str, AnyRole]:
    named = [name for name in mapped.columns if name != "*"]
    read: dict[str, AnyRole] = {
        name: role for name, role in mapped.columns.items() if name != "*" and role.role != "ignore"
    }
    table.require([mapped.key, *mapped.other_keys, *read])
    rest = [name for name in table.unread([*named, mapped.key, *mapped.other_keys]) if name not in named]
    if rest and "*" not in mapped.columns:
        gone = [name for name in named if name not in table.columns]
        near = did_you_mean(rest[0], gone) if gone else 'Give it a role, or write `"*": ignore`.'
        raise MappingError(
            f"{table.name}: the column '{rest[0]}' is not named under nodes.{type_}.columns.", near
        )
    tally.report.unread = rest
    return read


def _new_rows(
    statements: Statements, batch: Batch, type_: str, key: str, tally: Tally
) -> tuple[np.ndarray, np.ndarray]:
    """The rows with a new key, and their nodes; rows with empty and repeated keys are counted."""
    has_key = filled(batch, key)
    tally.drop(EMPTY_KEY, int((~has_key).sum()), batch.places(np.flatnonzero(~has_key)))
    rows = drop_garbled(batch, np.flatnonzero(has_key), [key], tally)
    codes, keys = _keys_of(batch.columns[key].take(pa.array(rows)))
    nodes = statements.nodes.intern(type_, keys)[codes]
    hashes = _hashes(batch)[rows]
    new = _first_with_key(statements, nodes, hashes, batch, rows, tally)
    statements.nodes.mark(nodes[new])
    tally.report.used += int(new.sum())
    return rows[new], nodes[new]


def _first_with_key(
    statements: Statements,
    nodes: np.ndarray,
    hashes: np.ndarray,
    batch: Batch,
    rows: np.ndarray,
    tally: Tally,
) -> np.ndarray:
    known = np.frombuffer(statements.nodes.row_hashes, dtype=np.uint64)
    distinct, first = np.unique(nodes, return_index=True)
    fresh = known[distinct] == 0
    new = np.zeros(len(nodes), dtype=bool)
    new[first[fresh]] = True
    known[distinct[fresh]] = hashes[first[fresh]]
    same = known[nodes] == hashes
    tally.drop(REPEATED, int((~new & same).sum()), batch.places(rows[~new & same]))
    tally.drop(CONFLICT, int((~new & ~same).sum()), batch.places(rows[~new & ~same]))
    return new


def _hashes(batch: Batch) -> np.ndarray:
    """A hash of each row, never 0, shape (rows,), uint64; it is not stored."""
    total = np.zeros(len(batch), dtype=np.uint64)
    for array in batch.columns.values():
        texts = array.cast(pa.string()) if not cells.is_list(array) else pa.array(map(str, array.to_pylist()))
        values = np.asarray(texts.to_numpy(zero_copy_only=False), dtype=object)
        total = total * np.uint64(31) + pd.util.hash_array(values, categorize=False)
    return np.asarray(total | np.uint64(1), dtype=np.uint64)


def _read_other_key(part: _Rows, column: str, target: Target) -> None:
    """Record the nodes of another key; a key of an earlier row stays with that row."""
    rows, values = _whole(part, column)
    codes, keys = cells.encode(values)
    taken = part.statements.own(part.statements.nodes.intern(target.name, keys)[codes], part.nodes[rows])
    remedy = f"Correct the row, or take '{column}' out of `keys:`, because its values must be unique."
    part.failed(column, rows[taken], NOT_ALONE, remedy)


# one reader per role


def _read_label(part: _Rows, column: str, role: AnyRole) -> None:
    assert isinstance(role, Label)
    part.statements.labels.append(_texts(part, column, role.lang))


def _read_text(part: _Rows, column: str, role: AnyRole) -> None:
    assert isinstance(role, Text)
    part.statements.texts.append(_texts(part, column, role.lang))


def _texts(part: _Rows, column: str, lang: Sequence[str]) -> Values:
    rows, values = (
        part.split(column, None) if cells.is_list(part.batch.columns[column]) else _whole(part, column)
    )
    code = part.statements.language(lang[0] if lang else "")
    return Values(
        part.statements.predicate(column),
        part.nodes[rows],
        values.cast(pa.large_string()),
        code,
        source=part.source,
    )


def _whole(part: _Rows, column: str) -> tuple[np.ndarray, pa.Array]:
    values = pc.utf8_trim_whitespace(part.cells(column))
    full = cells.mask(pc.not_equal(values, ""))
    return np.flatnonzero(full), values.filter(pa.array(full))


def _read_number(part: _Rows, column: str, role: AnyRole) -> None:
    assert isinstance(role, Number)
    rows, values, bad = cells.amounts(part.plain(column), role.unit)
    part.failed(
        column,
        bad,
        "is not a number",
        "Correct the row, name such cells in `nulls:`, or give the column another role.",
    )
    _keep_numbers(part, column, rows, values)


def _read_date(part: _Rows, column: str, role: AnyRole) -> None:
    assert isinstance(role, Date)
    rows, values, bad = cells.dates(part.plain(column), role.format)
    why = f'does not match "{role.format}"' if role.format else "is not an ISO 8601 date"
    part.failed(column, bad, why, "Correct the row, or set `format:` of the column in kgrec.yaml.")
    _keep_numbers(part, column, rows, values)


def _keep_numbers(part: _Rows, column: str, rows: np.ndarray, values: np.ndarray) -> None:
    code = part.statements.predicate(column)
    part.statements.numbers.append(Values(code, part.nodes[rows], pa.array(values)))


def _read_vector(part: _Rows, column: str, role: AnyRole) -> None:
    assert isinstance(role, Vector)
    rows, vectors, bad = cells.vectors(part.cells(column))
    part.failed(column, bad, "is not a list of numbers", "Write it as a JSON array such as [0.1, 0.2].")
    values = pa.array([vector.tolist() for vector in vectors], pa.list_(pa.float32()))
    part.statements.vectors.append(Values(part.statements.predicate(column), part.nodes[rows], values))


def _read_same_as(part: _Rows, column: str, role: AnyRole) -> None:
    assert isinstance(role, SameAs)
    rows, values = part.split(column, role.split)
    codes, iris = cells.encode(values)
    known = [IRI_PATTERN.fullmatch(iri) is not None for iri in iris]
    good = np.array(known, dtype=bool)[codes]
    part.failed(
        column,
        rows[~good],
        "is not an IRI",
        "Write it in full, such as http://www.wikidata.org/entity/Q83495.",
    )
    others = np.full(len(iris), -1, dtype=np.int64)
    others[known] = part.statements.nodes.iris(
        [iri for iri, is_iri in zip(iris, known, strict=True) if is_iri]
    )
    part.statements.same.append(np.stack([part.nodes[rows[good]], others[codes[good]]], axis=1))


def _read_category(part: _Rows, column: str, role: AnyRole) -> None:
    assert isinstance(role, Category)
    _link(part, column, role.type or column, role.edge or column, separator=None, make=True)


def _read_node(part: _Rows, column: str, role: AnyRole) -> None:
    assert isinstance(role, NodeValue)
    _link(part, column, role.type or column, role.edge or column, separator=role.split, make=True)


def _read_ref(part: _Rows, column: str, role: AnyRole) -> None:
    assert isinstance(role, Ref)
    target = part.references.find(role.to or column)
    _link(part, column, target.name, role.edge or column, separator=role.split, make=False)


def _link(part: _Rows, column: str, type_: str, edge: str, *, separator: str | None, make: bool) -> None:
    rows, values = part.split(column, separator)
    bad = np.flatnonzero(cells.has_objects(part.cells(column)))
    if len(bad):
        remedy = "Give the column `field:`, the field that has the name or the key of each object."
        part.failed(column, bad, "holds objects, but the role has no `field:`", remedy)
        kept = ~np.isin(rows, bad)
        rows, values = rows[kept], values.filter(pa.array(kept))
    codes, keys = cells.encode(values)
    nodes = part.statements.nodes.intern(type_, keys)
    if make:
        name_nodes(part.statements, nodes, keys)
    lines = part.batch.lines[part.rows[rows]]
    relation = part.statements.own_relation(edge)
    edges = Edges(relation, part.nodes[rows], nodes[codes], None, part.batch.name, lines)
    part.statements.edges.append(edges)


def name_nodes(statements: Statements, nodes: np.ndarray, keys: Sequence[str]) -> None:
    """Create nodes from values; the value is the node's label unless a source has another label."""
    statements.nodes.mark(nodes)
    values = pa.array(keys, pa.large_string())
    statements.labels.append(Values(statements.predicate("name"), nodes, values, source=LAST))


def _edges_of(
    statements: Statements,
    batch: Batch,
    code: int,
    mapped: EdgeTable,
    tally: Tally,
    references: References,
) -> Edges:
    (head_type, head), (tail_type, tail) = [*mapped.head.items(), *mapped.tail.items()]
    has_both = filled(batch, head) & filled(batch, tail)
    tally.drop(EMPTY_KEY, int((~has_both).sum()), batch.places(np.flatnonzero(~has_both)))
    rows = drop_garbled(batch, np.flatnonzero(has_both), [head, tail], tally)
    ends = partial(_ends, statements, batch, rows, references)
    heads, tails = ends(head_type, head), ends(tail_type, tail)
    part = _Rows(statements, tally, batch, rows, heads, 0, references, np.zeros(len(rows), dtype=bool))
    weights = _weights(part, mapped.weight)
    tally.report.used += len(rows)
    return Edges(code, heads, tails, weights, batch.name, batch.lines[rows], are_rows=True)


def _ends(
    statements: Statements,
    batch: Batch,
    rows: np.ndarray,
    references: References,
    reference: str,
    column: str,
) -> np.ndarray:
    target = references.find(reference)
    codes, keys = _keys_of(batch.columns[column].take(pa.array(rows)))
    nodes = statements.nodes.intern(target.name, keys)
    if target.type not in references.keys:
        name_nodes(statements, nodes, keys)
    return np.asarray(nodes[codes])


def _keys_of(column: pa.Array) -> tuple[np.ndarray, list[str]]:
    """Code of each key, trimmed, and the keys by code, some of which may be equal."""
    codes, keys = cells.encode(column)
    return codes, [key.strip() for key in keys]


def _weights(part: _Rows, column: str | None) -> np.ndarray | None:
    if column is None:
        return None
    at, values, bad = cells.numbers(part.plain(column))
    huge = ~np.isfinite(values.astype(np.float32))
    at, values, bad = at[~huge], values[~huge], np.union1d(bad, at[huge])
    part.failed(column, bad, "is not a number", "Correct the row, or take `weight:` out of the mapping.")
    part.tally.report.spoiled += len(bad)
    weights = np.ones(len(part.rows), dtype=np.float32)
    weights[at] = values
    return weights


_READERS: dict[type, Callable[[_Rows, str, AnyRole], None]] = {
    Label: _read_label,
    Text: _read_text,
    Number: _read_number,
    Date: _read_date,
    Vector: _read_vector,
    SameAs: _read_same_as,
    Category: _read_category,
    NodeValue: _read_node,
    Ref: _read_ref,
}
