"""The role of each column of a table.

Enters: a `Sample` of a table, and those of the others. Leaves: the table's lines of kgrec.yaml, with reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest import cells
from kgrec.ingest.draft.files import LABEL, type_name
from kgrec.ingest.draft.lines import quoted
from kgrec.ingest.draft.sample import Sample
from kgrec.ingest.draft.values import all_match, is_long, overlap, separator_of

_NUMERIC_NAME = re.compile(
    r"year|count|num|price|rating|score|age|length|runtime|duration|votes|rank", re.IGNORECASE
)


def node_lines(table: Sample, tables: list[Sample], item: Sample) -> Iterator[str]:
    """What stands under `nodes:` for a table; `item` is the one whose nodes are recommended."""
    yield f"  {quoted(table.type)}:"
    if table is item:
        yield "    item: true"
        table.why(
            "*", "items", "its keys are in the interactions" if len(tables) > 1 else "it is the only table"
        )
    yield f"    file: {quoted(table.source.name)}"
    yield f"    key: {quoted(table.key)}"
    roles = {name: _role(table, name, tables) for name in table.columns if name != table.key}
    yield "    columns:" if roles else "    columns: {}"
    for name, role in roles.items():
        yield f"      {quoted(name)}: {role}"


def _role(table: Sample, name: str, tables: list[Sample]) -> str:
    array = table.columns[name]
    role, reason = _decided(table, name, array, tables)
    table.why(name, role, reason)
    return role


def _decided(table: Sample, name: str, array: pa.Array, tables: list[Sample]) -> tuple[str, str]:
    full = array if cells.is_list(array) else array.filter(pc.not_equal(array, ""))
    if not len(full):
        return "ignore", "it is empty in the rows looked at"
    if cells.is_list(full) and pa.types.is_floating(full.type.value_type):
        return "vector", "it holds lists of numbers"
    if (
        not cells.is_list(full)
        and all_match(full, r"^\[\s*-?\d[^\"]*\]$")
        and len(cells.vectors(full)[2]) == 0
    ):
        return "vector", "it holds JSON arrays of numbers"
    return _text_role(table, name, full, tables)


def _text_role(table: Sample, name: str, full: pa.Array, tables: list[Sample]) -> tuple[str, str]:
    separator = None if cells.is_list(full) else separator_of(full)
    values = cells.split(full, separator)[1]
    if name.lower() in LABEL or (name.lower().endswith(LABEL) and not _has_label(table)):
        return "label", "its name says that it names the node"
    if (target := _target(name, values, table, tables)) is not None:
        return _linked(
            "ref", "to", target.type, name, separator
        ), f"its values are keys of {target.source.name}"
    if all_match(values, r"^https?://\S+$"):
        return _same_as(full, separator)
    if separator is None and len(cells.numbers(full)[2]) == 0:
        return "number", "all its values are numbers"
    if separator is None and len(cells.dates(full, None)[2]) == 0:
        return "date", "all its values are ISO 8601 dates"
    return _worded(name, full, separator)


def _worded(name: str, full: pa.Array, separator: str | None) -> tuple[str, str]:
    if separator is not None or cells.is_list(full):
        how = f"separated by '{separator}'" if separator else "in lists"
        return _linked(
            "node", "type", type_name(Path(name)), name, separator
        ), f"it holds several values, {how}"
    if is_long(full):
        return "text", "its values are long"
    distinct = len(pc.unique(full))
    if distinct < len(full) and distinct <= max(20, 0.5 * len(full)):
        return "category", f"{distinct:,} different values repeat in {len(full):,} rows"
    return "text", "its values hardly repeat"


def _has_label(table: Sample) -> bool:
    return any(name.lower() in LABEL for name in table.columns)


def _same_as(full: pa.Array, separator: str | None) -> tuple[str, str]:
    if re.search(r"\.(jpe?g|png|gif|webp|svg)$", str(full[0].as_py()), re.IGNORECASE):
        return "ignore", "it holds addresses of pictures"
    if len(pc.unique(full)) < 0.9 * len(full):
        return "category", "it holds IRIs, which repeat"
    return (
        "same_as" if separator is None else f"{{as: same_as, split: {quoted(separator)}}}"
    ), "it holds IRIs"


def _target(name: str, values: pa.Array, table: Sample, tables: list[Sample]) -> Sample | None:
    """The table whose keys the values are: by their values, and by the column's name where keys are mere numbers."""
    best = max(tables, key=lambda other: overlap(values, other.columns[other.key]))
    numeric = len(cells.numbers(values)[2]) == 0
    fits = overlap(values, best.columns[best.key]) >= (0.5 if numeric else 0.9)
    if not fits or not numeric:
        return best if fits else None
    stem = re.sub(r"[_ .-]?(ids?|keys?)$", "", name, flags=re.IGNORECASE).lower()
    by_name = [other for other in tables if other.type == type_name(Path(stem))]
    if by_name:
        return by_name[0]
    several = len(values) > 1.2 * len(pc.unique(values)) and best is table and not _NUMERIC_NAME.search(name)
    return best if several else None


def _linked(role: str, what: str, type_: str, name: str, separator: str | None) -> str:
    split = f", split: {quoted(separator)}" if separator else ""
    return f"{{as: {role}, {what}: {quoted(type_)}, edge: {quoted(name)}{split}}}"
