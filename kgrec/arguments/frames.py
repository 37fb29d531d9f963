"""Frames as Arrow tables.

Enters: a pandas, polars or Arrow frame, a row of a frame, a dict of columns, or a list of dicts. Leaves: a `pa.Table` whose columns
contain texts, numbers, booleans, dates, lists or structs; or a SourceError that names column and row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.arguments.ids import id_column, id_remedy, is_frame, is_missing, text_of
from kgrec.arguments.options import shown
from kgrec.errors import SourceError, did_you_mean

_REMEDY = "Pass a pandas, polars or Arrow frame, a dict of columns, or a list of dicts."


def as_table(frame: Any, name: str, ids: Sequence[str] = (), keys: Sequence[str] = ()) -> pa.Table:
    """A frame as an Arrow table, without the index of a pandas frame.

    Args:
        frame: A frame; a row of a frame, such as `frame.iloc[0]`; a dict of columns; or a list of rows, each a dict.
        name: Name of the frame for messages, such as "interactions".
        ids: Columns of ids, by the rule of `kgrec.arguments.ids`; they become large_string without nulls.
        keys: Columns of ids that may be absent, and whose cells may be empty.

    Raises:
        SourceError: The value is not a frame, a cell cannot be stored in a table, or a column of ids is absent or has a cell that
            is not an id.
    """
    if isinstance(frame, pa.RecordBatch):
        frame = pa.Table.from_batches([frame])
    columns = _columns(frame, name)
    names = [str(column) for column, _ in columns]
    twice = next((one for one in names if names.count(one) > 1), None)
    if twice is not None:
        raise SourceError(f"{name} has the column '{twice}' twice.", "Rename one of the two.")
    for column in ids:
        if column not in names:
            raise SourceError(f"{name} has no column '{column}'.", _absent(frame, column, names))
    arrays = [
        _ids(values, f"{name}: '{column}'", may_be_empty=column in keys)
        if column in ids or column in keys
        else _column(values, f"{name}: '{column}'")
        for column, (_, values) in zip(names, columns, strict=True)
    ]
    if len({len(array) for array in arrays}) > 1:
        lengths = ", ".join(f"'{column}' {len(array):,}" for column, array in zip(names, arrays, strict=True))
        raise SourceError(
            f"The columns of {name} have different lengths: {lengths}.", "Give one value per row."
        )
    return pa.table(dict(zip(names, arrays, strict=True)))


def _columns(frame: Any, name: str) -> list[tuple[Any, Any]]:
    """The name and the values of each column."""
    if isinstance(frame, pa.Table):
        return list(zip(frame.column_names, frame.columns, strict=True))
    if type(frame).__name__ == "LazyFrame":
        raise SourceError(f"{name} is a LazyFrame.", "Collect it first: frame.collect().")
    if isinstance(frame, np.ndarray) and frame.dtype.names:
        return [(column, frame[column]) for column in frame.dtype.names]
    if _is_pandas_row(frame):
        return _row(frame, name)
    if is_frame(frame) and hasattr(frame, "iloc"):
        return [(column, frame.iloc[:, at]) for at, column in enumerate(frame.columns)]
    if is_frame(frame) and hasattr(frame, "get_columns"):
        return [(column.name, column) for column in frame.get_columns()]
    if isinstance(frame, Mapping):
        return [(column, _cells(values, name, column)) for column, values in frame.items()]
    if isinstance(frame, list | tuple) and frame and all(isinstance(row, Mapping) for row in frame):
        keys = dict.fromkeys(key for row in frame for key in row)
        return [(key, [row.get(key) for row in frame]) for key in keys]
    if hasattr(frame, "__arrow_c_stream__") and not hasattr(frame, "to_list"):
        return _columns(_imported(frame, name), name)
    raise SourceError(f"{name} is {shown(frame)}, not a frame.", _REMEDY)


def _imported(frame: Any, name: str) -> pa.Table:
    try:
        return pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise SourceError(f"{name} cannot be read: {str(error).splitlines()[0]}", _REMEDY) from None


def _is_pandas_row(frame: Any) -> bool:
    return type(frame).__name__ == "Series" and hasattr(frame, "iloc")


def _row(row: Any, name: str) -> list[tuple[Any, Any]]:
    """A row of a frame as columns of one cell."""
    if not all(isinstance(column, str) for column in row.index):
        raise SourceError(f"{name} is a Series that is not a row: its index has no column names.", _REMEDY)
    return [(column, [value]) for column, value in zip(row.index, row.tolist(), strict=True)]


def _cells(values: Any, name: str, column: Any) -> Any:
    """The cells of a column in a dict; a single value is a column with one row."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        return [values]
    if is_frame(values) or (isinstance(values, np.ndarray) and values.ndim != 1):
        raise SourceError(f"{name}: '{column}' is {shown(values)}, not a column.", "Give one value per row.")
    return values


def _absent(frame: Any, column: str, names: list[str]) -> str:
    if column in (getattr(getattr(frame, "index", None), "names", None) or ()):
        return "It is the index of the frame; give frame.reset_index()."
    return did_you_mean(column, names)


def _ids(values: Any, place: str, *, may_be_empty: bool) -> pa.ChunkedArray:
    return id_column(_column(values, place, text_of), place, may_be_empty=may_be_empty)


def _column(values: Any, place: str, text: Callable[[Any], str | None] | None = None) -> pa.ChunkedArray:
    """A column in a type that every Arrow kernel supports; `text` turns cells of mixed types into texts."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        array: Any = values
    elif str(getattr(values, "dtype", "")) == "Object":  # polars, which exports pointers to such objects
        array = None
    else:
        array = _converted(values)
        if text is not None and array is not None and _was_inferred(values, array):
            array = None  # Arrow reads numpy booleans among numbers as numbers
    usable = None if array is None else _usable(array)
    if usable is not None:
        return usable if isinstance(usable, pa.ChunkedArray) else pa.chunked_array([usable])
    ways = ("tolist", "to_pylist", "to_list")
    cells = next((getattr(values, way)() for way in ways if hasattr(values, way)), values)
    return _of_cells(list(cells), place, text or _cell_text)


def _converted(values: Any) -> Any:
    """Values as an Arrow array; None if Arrow cannot store them or misreads their type."""
    if hasattr(values, "__arrow_c_stream__") and hasattr(values, "to_arrow"):  # a column of polars
        try:
            return pa.chunked_array(values)
        except (pa.ArrowException, TypeError, ValueError):  # such as integers of 128 bits
            return None
    if not hasattr(values, "dtype"):
        values = list(values)
        if any(isinstance(value, bytes | bytearray) for value in values):
            return None
    if str(getattr(values, "dtype", "object")) == "object" and _kills_arrow(values):
        return None
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError, NotImplementedError):
        return None


def _kills_arrow(values: Iterable[Any]) -> bool:
    """Whether numpy times are mixed with other values; Arrow 26 then reads foreign memory, and the process crashes."""
    kinds = {type(value) for value in values}
    return len(kinds) > 1 and not kinds.isdisjoint((np.datetime64, np.timedelta64))


def _was_inferred(values: Any, array: Any) -> bool:
    """Whether Arrow inferred a type for Python objects that are not texts."""
    of_objects = str(getattr(values, "dtype", "object")) == "object"
    return of_objects and not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type))


def _usable(array: Any) -> Any:
    """The array in a type that every Arrow kernel supports; None if it must be read through its Python values."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
        decoded = [_decoded(chunk) for chunk in chunks]
        if any(chunk is None for chunk in decoded):
            return None
        return pa.chunked_array(decoded, None if decoded else pa.large_string())
    if pa.types.is_string_view(kind):
        return pc.cast(array, pa.large_string())
    return array if _is_plain(kind) else None


def _decoded(array: pa.DictionaryArray) -> pa.Array | None:
    values = _usable(array.dictionary)
    return None if values is None else values.take(array.indices)


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _is_plain(kind.value_type)
    if pa.types.is_struct(kind):
        return all(_is_plain(kind.field(at).type) for at in range(kind.num_fields))
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    others = (pa.types.is_null, pa.types.is_primitive, pa.types.is_decimal)
    return any(test(kind) for test in (*tests, *others))


def _of_cells(cells: list[Any], place: str, text: Callable[[Any], str | None]) -> pa.ChunkedArray:
    """Cells of mixed types as texts, or as lists of texts."""
    texts: list[Any]
    if any(_is_list(cell) for cell in cells) and text is _cell_text:
        texts = [_parts(cell, place, row) for row, cell in enumerate(cells)]
        return pa.chunked_array([pa.array(texts, pa.list_(pa.string()))])
    texts = [_text(cell, place, row, text) for row, cell in enumerate(cells)]
    return pa.chunked_array([pa.array(texts, pa.large_string())])


def _parts(cell: Any, place: str, row: int) -> list[str | None] | None:
    if not _is_list(cell) and not is_missing(cell):
        raise _refused(cell, place, row, "Write lists in all rows, or in none.")
    return [_text(part, place, row, _cell_text) for part in cell] if _is_list(cell) else None


def _is_list(cell: Any) -> bool:
    return isinstance(cell, list | tuple | np.ndarray)


def _text(cell: Any, place: str, row: int, text: Callable[[Any], str | None]) -> str | None:
    if is_missing(cell):
        return None
    found = text(cell)
    if found is None and text is text_of:
        name, _, column = place.partition(": ")
        raise SourceError(
            f"{name}:{row + 1}: {column} is {shown(cell)}, which is not an id.", id_remedy(cell)
        )
    if found is None:
        raise _refused(cell, place, row, "Write it as text, or leave it out.")
    return found


def _cell_text(cell: Any) -> str | None:
    """A cell as text; unlike an id, it may be any number or a time."""
    if isinstance(cell, float | np.floating):
        return text_of(cell) or repr(float(cell))
    return cell.isoformat() if isinstance(cell, date) else text_of(cell)


def _refused(cell: Any, place: str, row: int, remedy: str) -> SourceError:
    name, _, column = place.partition(": ")
    return SourceError(
        f"{name}:{row + 1}: {column} is {shown(cell)}, which cannot be stored in this column.", remedy
    )
