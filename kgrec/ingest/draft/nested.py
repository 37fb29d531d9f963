"""Columns that hold objects, in JSON or as Python prints them.

Enters: columns of a sample. Leaves: a column for each field of an object, named `address.city`; the field that names each object
of a list.
"""

from __future__ import annotations

import pyarrow as pa

from kgrec.ingest import cells
from kgrec.ingest.draft.looks import filled, numbers_of
from kgrec.ingest.draft.names import LABELS
from kgrec.ingest.objects import as_text, object_of

#: objects with more fields are read as tables, with keys as fields
_MOST_FIELDS, _DEEPEST = 40, 4
_LOOKED_AT = 500


def expanded(columns: dict[str, pa.Array], depth: int = 0) -> dict[str, pa.Array]:
    """The columns, with columns of single objects replaced by one column per field, also within fields."""
    found: dict[str, pa.Array] = {}
    for name, array in columns.items():
        fields = _fields(array) if depth < _DEEPEST else []
        parts = {f"{name}.{field}": _field(array, field) for field in fields}
        if parts and not set(parts) & set(columns):
            found |= expanded(parts, depth + 1)
        else:
            found[name] = array
    return found


def naming_field(full: pa.Array) -> str | None:
    """The field that names the objects in cells: a label, or text, or otherwise the first field; None without objects."""
    some = full.slice(0, _LOOKED_AT)
    if not len(some) or cells.is_list(some) or not cells.has_objects(some).all():
        return None
    fields = cells.fields_of(some)
    values = {field: filled(cells.at_path(some, [field]).flatten()) for field in fields}
    texts = [field for field in fields if len(values[field]) and numbers_of(values[field]) is None]
    labels = [field for word in LABELS for field in texts if field.lower() == word]
    labels += [field for word in LABELS for field in texts if field.lower().endswith(word)]
    singles = [field for field in fields if len(values[field])]
    return next(iter([*labels, *texts, *singles]), None) if len(fields) <= _MOST_FIELDS else None


def _fields(array: pa.Array) -> list[str]:
    """The fields of a column whose filled cells are all single objects; empty for other columns."""
    some = array if cells.is_list(array) else filled(array).slice(0, _LOOKED_AT)
    if not len(some) or cells.is_list(some) or not cells.has_objects(some.slice(0, 1)).all():
        return []
    if not all(object_of(text) is not None for text in some.to_pylist()):
        return []
    fields = cells.fields_of(some)
    return fields if len(fields) <= _MOST_FIELDS and all(fields) else []


def _field(array: pa.Array, field: str) -> pa.Array:
    codes, texts = cells.encode(array)
    values = [as_text((object_of(text) or {}).get(field)) for text in texts]
    return pa.array(values, pa.string()).take(pa.array(codes))
