"""What a file has where there is nothing: "NULL", "N/A", ...

Enters: the first rows of a table. Leaves: the cells that are such, and why each is taken for one.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest import cells
from kgrec.ingest.draft.dates import date_form
from kgrec.ingest.draft.names import NULLS, SURE_NULLS
from kgrec.ingest.draft.values import IRIS, all_match, filled, numbers_of

#: share of a column's cells that is often
_OFTEN = 0.02


def null_marks(columns: Mapping[str, pa.Array]) -> dict[str, str]:
    """Marks of nothing, and why; `-` and the like may be values, and need more of a reason than `NULL` does."""
    found: dict[str, str] = {}
    often: dict[str, int] = {}
    for name, array in columns.items():
        if cells.is_list(array):
            continue
        values = pc.utf8_trim_whitespace(array)
        marks = pc.value_counts(values.filter(pc.is_in(values, value_set=pa.array(NULLS)))).to_pylist()
        kind = _kind_of_rest(name, values) if marks else ""
        for mark, count in ((row["values"], row["counts"]) for row in marks):
            if kind:
                found.setdefault(mark, f"the other values of {name} are {kind}")
            elif count > max(1, _OFTEN * len(array)):
                often[mark] = often.get(mark, 0) + 1
    for mark, number in often.items():
        if number > 1 or mark in SURE_NULLS:
            found.setdefault(mark, f"it is often in {number:,} column{'s' if number > 1 else ''}")
    return {mark: found[mark] for mark in NULLS if mark in found}


def _kind_of_rest(name: str, values: pa.Array) -> str:
    """What all values but the marks are, if there are two or more and a mark is none of that kind."""
    rest = filled(cells.emptied(values, NULLS))
    if len(rest) < 2:
        return ""
    if numbers_of(rest) is not None:
        return "all numbers"
    if date_form(rest, name) is not None:
        return "all dates"
    return "all IRIs" if all_match(rest, IRIS) else ""
