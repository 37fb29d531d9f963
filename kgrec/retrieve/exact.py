"""Exhaustive search: a query is compared with every row, or with every allowed row.

Enters: vectors, which may be a memory-mapped file. Leaves: the best rows and their scores. Nothing is written.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

#: from this number of queries on, FAISS computes matrix products, which read all rows, excluded ones too
_FAISS_BATCH = 20


class Exact:
    """Inner products of queries with fixed vectors.

    Args:
        vectors: shape (n, dim), float32; not copied, so they must not change.
        only: The allowed rows, increasing; None: all.
        n_queries: Expected number of queries; for many, the allowed rows are copied once.
    """

    def __init__(self, vectors: np.ndarray, only: np.ndarray | None = None, n_queries: int = 1) -> None:
        self.vectors = np.ascontiguousarray(vectors, np.float32)
        self.only = only
        self._gathers = only is not None and n_queries >= _FAISS_BATCH and 2 * len(only) <= len(vectors)

    def __len__(self) -> int:
        return len(self.vectors) if self.only is None else len(self.only)

    def best(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The best rows of each query, by falling score; ties in row order.

        Args:
            queries: shape (n_queries, dim), float32.
            k: Rows per query.

        Returns:
            rows, int64, and scores, float32; both of shape (n_queries, min(k, len(self))).
        """
        width = min(k, len(self))
        if not width:
            return np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0), np.float32)
        scores, found = self.flat.search(queries, min(width + 1, len(self)), params=self._allowed)
        found, scores = in_order(found, scores)
        # One row more than requested reveals a tie at the cut, where FAISS keeps arbitrary rows. In that case all rows with at
        # least that score are found, and the first ones kept.
        for query in np.flatnonzero(scores[:, width - 1] == scores[:, -1]) if width < len(self) else ():
            rows, values = self._not_below(queries[[query]], scores[query, -1])
            if len(rows) >= width:
                found[query, :width], scores[query, :width] = rows[:width], values[:width]
        found = found[:, :width] if not self._gathers else self.only[found[:, :width]]  # type: ignore[index]
        return found, scores[:, :width]

    @cached_property
    def flat(self) -> Any:
        """The FAISS index of the vectors; it does not copy them."""
        return over(self.vectors[self.only] if self._gathers else self.vectors)

    @cached_property
    def _allowed(self) -> Any:
        import faiss

        if self.only is None or self._gathers:
            return None
        allowed = np.zeros(len(self.vectors), bool)
        allowed[self.only] = True
        selector = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))  # type: ignore[call-arg,arg-type]
        return faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]

    def _not_below(self, query: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray]:
        """All rows with a score of at least `floor` minus a rounding error, by falling score."""
        radius = float(floor) - 1e-6 * max(1.0, abs(float(floor)))
        _, scores, found = self.flat.range_search(query, radius, params=self._allowed)
        order = np.lexsort((found, -scores))
        return found[order], scores[order]


def over(vectors: np.ndarray) -> Any:
    """A FAISS index that reads `vectors` in place, from memory or from a mapped file; rows cannot be added to it.

    Versions of FAISS without this way of storing vectors copy them.
    """
    import faiss

    index: Any = faiss.IndexFlatIP(vectors.shape[1])
    if not all(
        hasattr(index.codes, name) for name in ("is_owned", "view_data", "view_size", "c_ptr", "c_size")
    ):
        index.add(vectors)
        return index
    codes, start = index.codes, faiss.swig_ptr(vectors.reshape(-1).view(np.uint8))
    codes.is_owned = False
    codes.view_data = codes.c_ptr = start
    codes.view_size = codes.c_size = vectors.nbytes
    index.ntotal = len(vectors)
    index.referenced_objects = [vectors]
    return index


def in_order(found: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and scores with ties in row order.

    Args:
        found: rows by falling score; shape (n_queries, k). Changed in place.
        scores: of the rows; shape (n_queries, k). Changed in place.
    """
    for query in np.flatnonzero((scores[:, 1:] >= scores[:, :-1]).any(axis=1)):
        order = np.lexsort((found[query], -scores[query]))
        found[query], scores[query] = found[query, order], scores[query, order]
    return found, scores
