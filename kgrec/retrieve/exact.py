"""Exhaustive search: a query is compared with every row, or with every allowed one.

Enters: vectors, which may be a memory-mapped file. Leaves: the best rows and their scores. Writes nothing.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

#: FAISS compares fewer queries than this one by one, and reads only the allowed rows then
_FEW = 20


class Exact:
    """Inner products of queries with some vectors.

    Args:
        vectors: shape (n, dim), float32; not copied, and must not change.
        only: The allowed rows, increasing; None: all.
        n_queries: Expected number of queries; decides whether allowed rows are gathered or others are skipped.
    """

    def __init__(self, vectors: np.ndarray, only: np.ndarray | None = None, n_queries: int = 1) -> None:
        self.vectors = np.ascontiguousarray(vectors, np.float32)
        self.only = only
        self._gathers = only is not None and n_queries >= _FEW and 2 * len(only) <= len(vectors)

    def __len__(self) -> int:
        return len(self.vectors) if self.only is None else len(self.only)

    def best(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The best rows of each query, best first; equal scores in the order of the rows.

        Args:
            queries: shape (n_queries, dim), float32.
            k: How many.

        Returns:
            rows, int64, and scores, float32; both of shape (n_queries, min(k, len(self))).
        """
        width = min(k, len(self))
        if not width:
            return np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0), np.float32)
        scores, found = self.flat.search(queries, min(width + 1, len(self)), params=self._allowed)
        found, scores = in_order(found, scores)
        # Of rows with equal scores at the cut FAISS keeps any; this takes the first ones.
        for query in np.flatnonzero(scores[:, width - 1] == scores[:, -1]) if width < len(self) else ():
            rows, values = self._not_below(queries[[query]], scores[query, -1])
            if len(rows) >= width:
                found[query, :width], scores[query, :width] = rows[:width], values[:width]
        found = found[:, :width] if not self._gathers else self.only[found[:, :width]]  # type: ignore[index]
        return found, scores[:, :width]

    @cached_property
    def flat(self) -> Any:
        """The FAISS index, over the vectors where they are."""
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
        """All rows that score at least `floor`, less a rounding error; best first."""
        radius = float(floor) - 1e-6 * max(1.0, abs(float(floor)))
        _, scores, found = self.flat.range_search(query, radius, params=self._allowed)
        order = np.lexsort((found, -scores))
        return found[order], scores[order]


def over(vectors: np.ndarray) -> Any:
    """A FAISS index that reads `vectors` in place, in memory or in a mapped file; nothing can be added to it.

    A FAISS that stores vectors in another way gets a copy.
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
    """Rows and scores that are best first already, with equal scores in the order of the rows."""
    for query in np.flatnonzero((scores[:, 1:] >= scores[:, :-1]).any(axis=1)):
        order = np.lexsort((found[query], -scores[query]))
        found[query], scores[query] = found[query, order], scores[query, order]
    return found, scores
