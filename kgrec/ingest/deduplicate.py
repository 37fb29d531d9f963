"""Sorted, distinct rows.

Enters: tables of a graph in any order. Leaves: the same rows, distinct, in an order that depends only on their content.
Sorting numbers is faster than sorting strings: rows are sorted by ids first, and only ties by their other columns.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest import cells

TRIPLE_SCHEMA = pa.schema(
    [("head", pa.int32()), ("relation", pa.int32()), ("tail", pa.int32()), ("weight", pa.float32())]
)


def unique_triples(
    heads: np.ndarray, relations: np.ndarray, tails: np.ndarray, weights: np.ndarray
) -> pa.Table:
    """Distinct triples, sorted by relation, head, tail; among several weights the largest is kept."""
    order = _order(heads, relations, tails, weights)
    columns = [column[order] for column in (heads, relations, tails, weights)]
    first = np.ones(len(order), dtype=bool)
    first[1:] = np.logical_or.reduce([np.diff(column) != 0 for column in columns[:3]])
    arrays = [
        pa.array(c[first].astype(f.type.to_pandas_dtype(), copy=False))
        for c, f in zip(columns, TRIPLE_SCHEMA, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=TRIPLE_SCHEMA)


def unique_rows(table: pa.Table) -> pa.Table:
    """Distinct rows, sorted by all columns from left to right: ids of entities, strings with few distinct values, others."""
    codes, names = cells.encode(table.column(1).combine_chunks())
    rank = np.argsort(np.argsort(np.array(names, dtype=object))) if names else np.empty(0, dtype=np.int64)
    numbers = table.column(0).to_numpy().astype(np.int64) * max(len(names), 1) + rank[codes]
    order = in_order(numbers, table.select(table.column_names[2:]), once=True)
    return table.take(pa.array(order)).combine_chunks()


def in_order(numbers: np.ndarray, rest: pa.Table, *, once: bool = False) -> np.ndarray:
    """Order of rows by `numbers`, with ties sorted by the columns of `rest`; with `once`, only the first of equal rows."""
    order = np.argsort(numbers)
    tied = ties(numbers[order])
    few = rest.take(pa.array(order[tied])).add_column(0, "", pa.array(numbers[order[tied]]))
    by_all = pc.sort_indices(few, sort_keys=[(name, "ascending") for name in few.column_names]).to_numpy()
    order[tied] = order[tied][by_all]
    if not once:
        return order
    few = few.take(pa.array(by_all)).combine_chunks()
    again = [pc.equal(column[1:], column[:-1]).to_numpy() for column in few.columns]
    return np.delete(order, tied[1:][np.logical_and.reduce(again)])


def ties(numbers: np.ndarray) -> np.ndarray:
    """Positions of the sorted numbers that equal a neighbour."""
    again = np.diff(numbers) == 0
    return np.flatnonzero(np.append(again, False) | np.append(False, again))


def _order(heads: np.ndarray, relations: np.ndarray, tails: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Order by relation, head, tail, and descending weight."""
    size = 1 + max((int(ends.max()) for ends in (heads, tails) if len(ends)), default=0)
    kinds = 1 + int(relations.max()) if len(relations) else 1
    if kinds * size**2 >= 2**63:
        return np.lexsort((-weights, tails, heads, relations))
    numbers = (relations.astype(np.int64) * size + heads) * size + tails
    alike = not len(weights) or bool((weights == weights[0]).all())
    return np.argsort(numbers) if alike else np.lexsort((-weights, numbers))
