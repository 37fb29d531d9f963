"""Ids of users, items and nodes as strings, by one rule for lists, arrays and columns of frames.

Enters: any Python value. Leaves: strings, none of them missing; or an error that names argument, position, value and remedy.

An id is a text, or a number that has a text form: 3, 3.0, `numpy.int64(3)`, `Decimal("3.00")` and b"3" are all "3", as in a
table. Booleans, dates, missing values (None, nan, pandas.NA, NaT), infinite numbers and texts with half of a surrogate pair are not
ids. Nor is a float of 2**53 or more, because it may have lost digits.
"""

from __future__ import annotations

import datetime
import math
import numbers
import os
import uuid
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.arguments.options import encodable, shown
from kgrec.errors import ConfigError, SourceError

#: whole numbers below this limit are exact as floats
EXACT = 2**53
_REMEDY = "Give ids as texts or whole numbers."
#: kinds of numpy types whose Python values are not ids: dates, durations, complex numbers, records
_NO_IDS = "mMcV"


def as_id(value: Any, place: str) -> str:
    """A value as an id.

    Args:
        value: Any value.
        place: Argument and position for the message, such as "users[3]".

    Raises:
        ConfigError: The value is not an id.
    """
    if type(value) is str and value.isascii():
        return value
    if is_missing(value):
        raise ConfigError(
            f"{place} is {_missing_name(value)}: the id is missing.", "Leave it out, or give the id."
        )
    found = text_of(value)
    if found is None:
        raise ConfigError(f"{place} is {shown(value)}, which is not an id.", id_remedy(value))
    return found


def as_ids(values: Any, name: str) -> list[str]:
    """A list of ids, from any iterable; a single id becomes a list of one id, and a set is sorted.

    Args:
        values: Ids: a list, a generator, an array or a column of a frame.
        name: Name of the argument for the message.

    Raises:
        ConfigError: The argument is None, a dict or a frame, or one of the values is not an id.
    """
    listed = _members(values, name)
    if all(type(value) is int for value in listed) and listed:
        listed = [_whole(value) or as_id(value, f"{name}[{at}]") for at, value in enumerate(listed)]
    elif not _are_texts(listed):
        listed = [as_id(value, f"{name}[{at}]") for at, value in enumerate(listed)]
    return sorted(listed) if isinstance(values, set | frozenset) else listed


def as_id_lists(values: Any, name: str) -> list[list[str]]:
    """A list of lists of ids, such as histories.

    Raises:
        ConfigError: The argument is a flat list, a dict or a frame, or one of the values is not an id.
    """
    if is_frame(values) or isinstance(values, Mapping):
        raise ConfigError(f"{name} is {shown_container(values)}.", _lists_remedy(values, name))
    if isinstance(values, set | frozenset) or _is_single(values):
        raise ConfigError(f"{name} is {shown_container(values)}.", _FLAT.format(name=name))
    lists = []
    for at, one in enumerate(_listed(values, name)):
        one = one.as_py() if isinstance(one, pa.ListScalar) else one
        if _is_single(one):
            raise ConfigError(
                f"{name}[{at}] is {_name_of(one)}, where a list of ids is needed.", _FLAT.format(name=name)
            )
        lists.append(as_ids(one, f"{name}[{at}]"))
    return lists


def as_texts(values: Any, name: str) -> list[str]:
    """A list of texts to encode; a single text becomes a list of one text.

    Raises:
        ConfigError: One of the values is not a text that can be encoded.
    """
    listed = _members(values, name)
    for at, value in enumerate(listed):
        if not isinstance(value, str) or not encodable(value):
            what = "has half of a surrogate pair" if isinstance(value, str) else "is not a text"
            raise ConfigError(
                f"{name}[{at}] is {_name_of(value)}, which {what}.", "Give texts that can be encoded."
            )
    return [str.__str__(value) for value in listed]


def id_column(column: pa.ChunkedArray, place: str, *, may_be_empty: bool = False) -> pa.ChunkedArray:
    """A column of a frame as ids, large_string without nulls.

    Args:
        column: A column as returned by `frames.as_table`.
        place: Names of the frame and the column for the message, such as "interactions: 'user_id'".
        may_be_empty: Accept empty cells, which the reader of the frame counts.

    Raises:
        SourceError: The column does not contain ids, or a cell is missing.
    """
    kind = column.type
    name, _, cell = place.partition(": ")
    if kind.num_fields and not pa.types.is_dictionary(kind):
        raise SourceError(f"{place} contains {kind}, but one id per row is needed.", "Write one id per row.")
    if pa.types.is_boolean(kind) or (pa.types.is_temporal(kind) and not pa.types.is_date(kind)):
        raise SourceError(f"{place} is of type {kind}, which is not an id.", _REMEDY)
    if pa.types.is_floating(kind):
        _check_exact(column, place)
    texts = text_column(column, place)
    if may_be_empty:
        return texts
    empty = pc.equal(pc.utf8_trim_whitespace(pc.fill_null(texts, "")), "")
    for row in np.flatnonzero(empty.to_numpy())[:1].tolist():
        raise SourceError(
            f"{name}:{row + 1}: {cell or 'the id'} is {'missing' if texts[row].as_py() is None else 'empty'}.",
            "Correct the row, or leave it out.",
        )
    return texts


def text_column(column: Any, place: str) -> Any:
    """A column (`pa.Array` or `pa.ChunkedArray`) as texts of type large_string, by the rule of `text_of`; nan becomes null.

    Raises:
        SourceError: The type has no text form.
    """
    kind = column.type
    if pa.types.is_floating(kind):
        return _float_texts(column)
    try:
        texts = pc.cast(column, pa.large_string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        _check_decodable(column, place)
        raise SourceError(
            f"{place} is of type {kind}, which has no text form.",
            "Give the column the role ignore, or write it as text.",
        ) from None
    if pa.types.is_decimal(kind):
        texts = pc.replace_substring_regex(texts, r"(\.\d*?)0+$", r"\1")
        texts = pc.replace_substring_regex(texts, r"\.$", "")
    return texts


def text_of(value: Any) -> str | None:
    """The text of a non-missing value as in a table; None if it has no text form, like booleans and dates."""
    if isinstance(value, str):
        return str.__str__(value) if encodable(value) else None
    if isinstance(value, pa.Scalar):
        return text_of(value.as_py())
    if isinstance(value, bool | np.bool_ | np.timedelta64):
        return None
    if isinstance(value, numbers.Integral):
        return _whole(int(value))
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, bytes | bytearray):
        return _decoded(bytes(value))
    if isinstance(value, float | np.floating):
        return _float(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    is_date = isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)
    return value.isoformat() if is_date else None


def id_remedy(value: Any) -> str:
    """The remedy for a value that is not an id."""
    if isinstance(value, bytes | bytearray):
        return "Decode the bytes; they are not in UTF-8."
    if isinstance(value, str):
        return "It has half of a surrogate pair; decode the text again with errors='replace'."
    if isinstance(value, float | np.floating) and math.isfinite(value):
        return "A float of this size has lost digits; read the column as text or as whole numbers."
    if isinstance(value, list | tuple | dict | set | np.ndarray) or is_frame(value):
        return "Give one id instead."
    return _REMEDY


def is_missing(value: Any) -> bool:
    """Whether a value means "missing": None, nan, NaT, pandas.NA, or an Arrow null."""
    if value is None:
        return True
    if isinstance(value, float | np.floating | Decimal | np.datetime64 | np.timedelta64):
        return bool(value != value)
    if isinstance(value, pa.Scalar):
        return not value.is_valid
    return type(value).__name__ in ("NAType", "NaTType")


def is_frame(values: Any) -> bool:
    """Whether the value is a table: a pandas, polars or Arrow frame."""
    if isinstance(values, pa.Table | pa.RecordBatch):
        return True
    return type(values).__name__ in ("DataFrame", "LazyFrame") or (
        hasattr(values, "columns") and hasattr(values, "__arrow_c_stream__")
    )


def shown_container(values: Any) -> str:
    """The text of a container in a message."""
    return f"a {type(values).__name__}" if not _is_single(values) else _name_of(values)


_FLAT = "Give a list of lists, one per user: {name}=[['a', 'b'], ['c']]."


def _lists_remedy(values: Any, name: str) -> str:
    if isinstance(values, Mapping):
        return f"Give {name}=list(d.values()), and the users beside it: users=list(d)."
    return (
        f"Give lists: groups = frame.groupby('user_id')['item_id'].agg(list); {name}=groups.tolist(), "
        "users=groups.index."
    )


def _members(values: Any, name: str) -> list[Any]:
    """The members of an iterable; a single value becomes a list of one."""
    if type(values) is list:
        return values
    if values is None:
        raise ConfigError(f"{name} is None.", "Give a list of ids.")
    if is_frame(values):
        raise ConfigError(f"{name} is {shown_container(values)}.", "Give one of its columns.")
    if isinstance(values, Mapping):
        raise ConfigError(
            f"{name} is {shown_container(values)}.", "Give a list of ids; list(d) returns the keys."
        )
    if _is_single(values):
        return [values[()] if isinstance(values, np.ndarray) else values]
    return _listed(values, name)


def _listed(values: Any, name: str) -> list[Any]:
    """The members of a container, as Python values."""
    dtype = getattr(values, "dtype", None)
    kind = getattr(dtype, "kind", "")
    if isinstance(values, np.ndarray) and (kind in _NO_IDS or (kind == "f" and values.dtype != np.float64)):
        return list(values) if values.ndim and values.dtype.names is None else _refused(values, name)
    if str(dtype) in ("Float32", "float32", "float16"):
        return list(np.asarray(values))  # Python floats would have more digits
    for method in ("tolist", "to_pylist", "to_list"):
        if hasattr(values, method) and not isinstance(values, type):
            listed = getattr(values, method)()
            return listed if isinstance(listed, list) else [listed]
    if isinstance(values, type | os.PathLike) or hasattr(values, "read") or not isinstance(values, Iterable):
        return _refused(values, name)
    return list(values)


def _refused(values: Any, name: str) -> list[Any]:
    raise ConfigError(f"{name} is {shown(values)}, which does not contain ids.", "Give a list of ids.")


def _is_single(value: Any) -> bool:
    """Whether the value is a single value, not a container."""
    if isinstance(value, str | bytes | bytearray | numbers.Number | np.generic | uuid.UUID | pa.Scalar):
        return True
    if isinstance(value, np.ndarray):
        return value.ndim == 0
    return is_missing(value) or isinstance(value, datetime.date | datetime.timedelta)


def _are_texts(values: list[Any]) -> bool:
    """Whether all are plain strings that can be encoded."""
    return all(type(value) is str and (value.isascii() or encodable(value)) for value in values)


def _name_of(value: Any) -> str:
    return _missing_name(value) if is_missing(value) else shown(value)


def _missing_name(value: Any) -> str:
    return "None" if value is None else str(value)


def _whole(value: int) -> str | None:
    try:
        return str(value)
    except ValueError:  # Python refuses to format thousands of digits
        return None


def _decimal(value: Decimal) -> str | None:
    if not value.is_finite() or abs(value.adjusted()) > 1000:
        return None
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _decoded(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _float(value: Any) -> str | None:
    if not math.isfinite(value) or abs(value) >= EXACT:
        return None
    if value == int(value):
        return str(int(value))
    return str(pc.cast(pa.scalar(value), pa.string()).as_py())


def _float_texts(column: Any) -> Any:
    column = pc.if_else(pc.is_nan(column), None, column)
    whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), float(EXACT)))
    digits = pc.cast(pc.cast(pc.if_else(whole, column, 0), pa.int64()), pa.large_string())
    return pc.if_else(whole, digits, pc.cast(column, pa.large_string()))


def _check_decodable(column: pa.ChunkedArray, place: str) -> None:
    """Raise an error for the first cell whose bytes are not UTF-8."""
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        return
    name, _, cell = place.partition(": ")
    for row, value in enumerate(column.to_pylist()):
        if value is not None and _decoded(value) is None:
            raise SourceError(
                f"{name}:{row + 1}: {cell} is {shown(value)}, which is not in UTF-8.", "Decode it."
            )


def _check_exact(column: pa.ChunkedArray, place: str) -> None:
    large = pc.fill_null(pc.greater_equal(pc.abs(column), float(EXACT)), False)
    name, _, cell = place.partition(": ")
    for row in np.flatnonzero(large.to_numpy())[:1].tolist():
        raise SourceError(
            f"{name}:{row + 1}: {cell} is {column[row].as_py()!r}, which is not an id: a float of this size has lost digits.",
            "Read the column as text or as whole numbers.",
        )
