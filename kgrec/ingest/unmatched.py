"""Checks that logs, edges and references match existing nodes.

Enters: counts of unmatched rows, and the catalogue. Leaves: `TooManyBadRows` that names the likely cause; to find it, the files are
read once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError, TooManyBadRows
from kgrec.ingest.build_report import MISSING_NODE, Report, Tally
from kgrec.ingest.cells import is_list, split
from kgrec.ingest.interaction_rows import LogReader
from kgrec.ingest.key_mismatch import LEAST_SHARE, Keys, Mismatch, Setting, counted_from, likely_mismatch
from kgrec.ingest.mapping.references import Target
from kgrec.ingest.mapping.roles import Ref
from kgrec.ingest.mapping.schema import EdgeTable, InteractionTable, Mapping, TableFormat
from kgrec.ingest.sources import Source
from kgrec.ingest.table_files import open_table

#: number of rows of a file that are read to find a cause
_ROWS = 1_000_000


@dataclass(frozen=True)
class Catalogue:
    """The existing nodes, and the files they come from."""

    mapping: Mapping
    #: as in `Assembled`
    entities: pa.Table
    aliases: pa.Table
    #: finds the files of a table
    find: Callable[[tuple[str, ...]], list[Source]]

    def keys(self, target: Target) -> Keys:
        """The keys of a type, or its other keys."""
        if target.column is None:
            table, type_ = self.entities, target.type
        else:
            table, type_ = self.aliases, target.name
        chosen = table.filter(pc.equal(pc.cast(table["type"], pa.string()), type_))
        values = pc.unique(pc.cast(chosen["key"], pa.large_string()))
        return Keys(self.file(target.type), self._key(target), values, len(chosen))

    def file(self, type_: str) -> str:
        """Name of the source of a type, in messages."""
        table = self.mapping.nodes.get(type_)
        return ", ".join(table.file) if table else f"the nodes of type {type_}"

    def columns(self, target: Target) -> dict[str, Keys]:
        """The columns of a type's table, except that of the target."""
        table = self.mapping.nodes.get(target.type)
        if table is None:
            return {}
        found = self.columns_of(table)
        return {name: keys for name, keys in found.items() if name != self._key(target)}

    def columns_of(self, table: TableFormat) -> dict[str, Keys]:
        """The distinct values of each column of a table's files, without lists."""
        distinct: dict[str, list[pa.Array]] = {}
        cells: Counter[str] = Counter()
        for source in self.find(table.file):
            for name, values in _columns(source, table):
                distinct.setdefault(name, []).append(pc.unique(values))
                cells[name] += len(values)
        file = ", ".join(table.file)
        return {
            name: Keys(file, name, pc.unique(pa.concat_arrays(parts)), cells[name])
            for name, parts in distinct.items()
        }

    def _key(self, target: Target) -> str:
        table = self.mapping.nodes.get(target.type)
        return target.column or (table.key if table else "key")


def check_log(reader: LogReader, catalogue: Catalogue, report: Report) -> None:
    """Raise an error for a log in which too many rows name unknown items.

    Args:
        reader: The reader, after it has read the log.
        catalogue: The items.
        report: Gets a warning if the few unknown items make all ids doubtful.

    Raises:
        TooManyBadRows: More rows name unknown items than the mapping allows.
    """
    mapped, unknown, limit = reader.mapped, reader.unknown, catalogue.mapping.errors.unmatched
    files = ", ".join(mapped.file)
    if unknown.count <= limit * reader.named:
        if len(reader.unknown_names) == 1 and (
            doubt := _doubt(next(iter(reader.unknown_names)), mapped, catalogue)
        ):
            report.warnings.append(f"{files}: {doubt}")
        return
    first = f", first {unknown.first[0]}" if unknown.first else ""
    cause, sample = _cause_of_log(mapped, catalogue)
    raise TooManyBadRows(
        f"{files}: {unknown.count:,} of {reader.named:,} rows name an unknown item{first}{sample}.",
        f"{cause or 'No likely cause was found: check `item:` and the keys of the items.'} "
        f"Or raise `errors: unmatched` ({limit:g} of the rows).",
    )


def _doubt(unknown: str, mapped: InteractionTable, catalogue: Catalogue) -> str:
    types = (mapped.item_reference,) if mapped.item_reference else catalogue.mapping.item_types
    if len(types) > 1:
        return ""
    return counted_from(unknown, catalogue.keys(catalogue.mapping.references.find(types[0])).values)


def check_references(mapping: Mapping, report: Report, catalogue: Catalogue | None) -> None:
    """Raise an error for files in which too many rows refer to nodes that no source has.

    Args:
        mapping: Has the tables of edges, and of nodes with references.
        report: Counts for each file.
        catalogue: The nodes; None for an addition, where only edges are checked, because rows with references are added anyway.

    Raises:
        TooManyBadRows: A file has more bad rows than the mapping allows.
    """
    for name, part in report.files.items():
        if MISSING_NODE in part.dropped or (catalogue is not None and part.missing.count):
            try:
                Tally(name, part, mapping.errors).close()
            except TooManyBadRows as error:
                cause = (
                    next(_causes(name, mapping, report, catalogue), None) if catalogue is not None else None
                )
                if cause is None:
                    raise
                raise TooManyBadRows(error.problem, f"{cause} {error.remedy}") from None


def _cause_of_log(mapped: InteractionTable, catalogue: Catalogue) -> tuple[str, str]:
    """The likely cause, "" if there is none, and a clause with a key that exists."""
    reference = mapped.item_reference
    references = catalogue.mapping.references
    types = catalogue.mapping.item_types if reference is None else (reference,)
    named = {mapped.value, mapped.time, mapped.position, mapped.event, *mapped.only} - {mapped.user}
    beside = {name: keys for name, keys in catalogue.columns_of(mapped).items() if name not in named}
    wanted = beside.pop(mapped.item_column)
    found = [_shared(wanted, [catalogue.keys(references.find(name)) for name in types], types)]
    for target in map(references.find, types):
        known = catalogue.keys(target)

        def by_column(name: str, target: Target = target) -> str:
            return _other_key(
                catalogue.mapping,
                target,
                name,
                lambda key: f"`item: {{{key}: {mapped.item_column}}}`",
                "interactions",
            )

        setting = Setting(
            by_column,
            lambda name: f"Write `item: {name}` under interactions.",
            mapped.user,
            f"Write `user: {mapped.item_column}` and `item: {mapped.user}` under interactions.",
        )
        found.append(likely_mismatch(wanted, known, beside, catalogue.columns(target), setting))
    best = max((one for one in found if one), key=lambda one: one.share, default=None)
    known = catalogue.keys(references.find(types[0])).values
    sample = f'; keys of the items look like "{known[0].as_py()}"' if len(known) else "; there are no items"
    return str(best) if best else "", sample


def _shared(wanted: Keys, known: list[Keys], types: tuple[str, ...]) -> Mismatch | None:
    """The cause that several types have the keys, so that they are known only as type/key."""
    of_types = [
        pc.is_in(wanted.values, value_set=keys.values).to_numpy(zero_copy_only=False) for keys in known
    ]
    share = float(np.mean(np.sum(of_types, axis=0) > 1)) if len(wanted.values) else 0.0
    if share < LEAST_SHARE:
        return None
    mend = f"Write `item: {{{types[0]}: {wanted.column}}}` for one of the types, or type/key in the rows."
    return Mismatch(share, f"several item types have these keys: {', '.join(types)}", mend)


def _causes(name: str, mapping: Mapping, report: Report, catalogue: Catalogue) -> Iterator[Mismatch]:
    """Likely causes for the unmatched references of one file."""
    for relation, edges in mapping.edges.items():
        if name in {source.name for source in catalogue.find(edges.file)}:
            for place, end, other in (("from", edges.head, edges.tail), ("to", edges.tail, edges.head)):
                yield from _causes_of_end(relation, edges, place, end, other, report, catalogue)
    for type_, table in mapping.nodes.items():
        if name in {source.name for source in catalogue.find(table.file)}:
            for column, role in table.columns.items():
                if isinstance(role, Ref) and role.to is not None:
                    yield from _causes_of_ref(type_, table, column, role, report, catalogue)


def _causes_of_end(
    relation: str,
    edges: EdgeTable,
    place: str,
    end: dict[str, str],
    other: dict[str, str],
    report: Report,
    catalogue: Catalogue,
) -> Iterator[Mismatch]:
    ((reference, column),), ((other_reference, partner),) = end.items(), other.items()
    target = catalogue.mapping.references.find(reference)
    if f"{relation} -> {target.name}" not in report.missing:
        return
    beside = catalogue.columns_of(edges)
    wanted = beside.pop(column)
    setting = Setting(
        lambda name: _other_key(
            catalogue.mapping,
            target,
            name,
            lambda key: f"`{place}: {{{key}: {column}}}`",
            f"edges.{relation}",
        ),
        lambda name: f"Write `{place}: {{{reference}: {name}}}` under edges.{relation}.",
        partner,
        f"Swap '{column}' and '{partner}' under edges.{relation}.",
        catalogue.keys(catalogue.mapping.references.find(other_reference)),
    )
    cause = likely_mismatch(wanted, catalogue.keys(target), beside, catalogue.columns(target), setting)
    if cause is not None:
        yield cause


def _causes_of_ref(
    type_: str, table: TableFormat, column: str, role: Ref, report: Report, catalogue: Catalogue
) -> Iterator[Mismatch]:
    target = catalogue.mapping.references.find(role.to or column)
    if f"{role.edge or column} -> {target.name}" not in report.missing:
        return
    where = f"nodes.{type_}.columns.{column}"
    beside = catalogue.columns_of(table)
    cells = beside[column]
    values = pc.unique(split(cells.values, role.split)[1].cast(pa.large_string()))
    wanted = Keys(cells.file, column, values, len(values))
    setting = Setting(
        lambda name: _other_key(catalogue.mapping, target, name, lambda key: f"`to: {key}`", where),
        lambda name: f"Give the role to the column '{name}'.",
    )
    # the other columns of the row are about the node itself
    cause = likely_mismatch(wanted, catalogue.keys(target), {}, catalogue.columns(target), setting)
    if cause is not None:
        yield cause


def _other_key(
    mapping: Mapping, target: Target, column: str, written: Callable[[str], str], where: str
) -> str:
    """What to write to look keys up in another column of the type's table."""
    table = mapping.nodes[target.type]
    keys = table.keys or (table.key,)
    if column == table.key:
        return f"Write {written(target.type)} under {where}."
    use = f"{written(f'{target.type}.{column}')} under {where}"
    if column in keys:
        return f"Write {use}."
    return f"Write `keys: [{', '.join((*keys, column))}]` under nodes.{target.type}, and {use}."


def _columns(source: Source, table: TableFormat) -> Iterator[tuple[str, pa.Array]]:
    """Name and filled cells of each column of the first rows; lists as their parts. Columns that cannot be read are left out."""
    opened = open_table(source, table)
    for name in opened.columns:
        with suppress(SourceError):
            rows = 0
            for batch in opened.read([name]):
                column = batch.columns[name]
                values = split(column, None)[1] if is_list(column) else pc.utf8_trim_whitespace(column)
                yield name, values.filter(pc.not_equal(values, "")).cast(pa.large_string())
                rows += len(batch)
                if rows >= _ROWS:
                    break
