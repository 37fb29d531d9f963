"""Rows that have only some of a table's columns, and the mapping of these columns.

Enters: a `Mapping`, and the tables of an update. Leaves: a mapping with only their columns. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from collections.abc import Sequence

from kgrec.errors import SourceError, did_you_mean
from kgrec.ingest.batches import Table
from kgrec.ingest.mapping.roles import AnyRole, Label
from kgrec.ingest.mapping.schema import Mapping, NodeTable


def with_columns_of(mapping: Mapping, tables: Dict[str, Sequence[Table]]) -> Mapping:
    """The mapping, reduced to the columns that rows have.

    Args:
        mapping: Mapping of the whole tables.
        tables: Node type -> its tables; types that the mapping lacks are left to the reader.

    Raises:
        SourceError: A table lacks the key, has no other column of the mapping, or lacks a column that another table of the type has;
            or rows have only one of several columns that make the same relation, so the others cannot keep their values.
    """
    nodes = dict(mapping.nodes)
    for type_, several in tables.items():
        if type_ in nodes and several:
            nodes[type_] = _reduced(type_, nodes[type_], several)
    return mapping.model_copy(update={"nodes": nodes})


def _reduced(type_: str, mapped: NodeTable, tables: Sequence[Table]) -> NodeTable:
    read = {name: role for name, role in mapped.columns.items() if name != "*" and role.role != "ignore"}
    first = tables[0]
    present = [name for name in read if name in first.columns]
    for table in tables:
        table.require([mapped.key])
        for name in set(present) ^ {name for name in read if name in table.columns}:
            lacks, has = (table, first) if name in present else (first, table)
            raise SourceError(
                f"{lacks.name} has no column '{name}', which {has.name} has.",
                "Update one table at a time, or give both the same columns.",
            )
    if read and not present:
        others = [name for name in first.columns if name != mapped.key]
        near = did_you_mean(others[0], list(read)) if others else f"Give one of {', '.join(read)}."
        raise SourceError(
            f"{first.name} has no column of nodes.{type_}.columns but the key, so it changes nothing.", near
        )
    _check_relations(first, read, present)
    gone = set(read) - set(present)
    columns = {name: role for name, role in mapped.columns.items() if name not in gone}
    keys = tuple(key for key in mapped.keys if key == mapped.key or key in first.columns)
    return mapped.model_copy(update={"columns": columns, "keys": keys})


def _check_relations(table: Table, read: Dict[str, AnyRole], present: list[str]) -> None:
    """Raise SourceError if only one of several columns that make the same relation is present."""
    made = {_makes(name, read[name]): name for name in present}
    for name, role in read.items():
        other = made.get(_makes(name, role))
        if name not in present and other is not None:
            raise SourceError(
                f"{table.name} has the column '{other}' but not '{name}', which makes the same relation.",
                "Give both: the new values replace those of both.",
            )


def _makes(name: str, role: AnyRole) -> str:
    """The relation, the predicate or the label that a column makes."""
    return "label" if isinstance(role, Label) else f"as {getattr(role, 'edge', None) or name}"
