"""Nearest items by inner product, through FAISS.

Enters: unit vectors. Leaves: for each query the best rows and their scores. Writes: `index.faiss`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field

from kgrec.errors import CorruptArtifact

_QUERIES = 1024


class IndexConfig(BaseModel, frozen=True, extra="forbid"):
    """How nearest items are found."""

    kind: Literal["flat"] = "flat"
    """"flat" compares with every item: exact, and fast up to some hundred thousand items."""
    threads: int | None = Field(None, ge=1)
    """CPU threads of a search; None: FAISS's own choice."""


class VectorIndex:
    """A FAISS index whose rows are the items of a model.

    Args:
        vectors: unit length, shape (n, dim), float32.
        config: The kind of index.
    """

    def __init__(self, vectors: np.ndarray, config: IndexConfig | None = None) -> None:
        import faiss

        self._config = config or IndexConfig()
        self._index: Any = faiss.IndexFlatIP(vectors.shape[1])
        self.add(vectors)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, vectors: np.ndarray) -> None:
        """Append rows."""
        self._index.add(np.ascontiguousarray(vectors, np.float32))

    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        exclude: list[np.ndarray] | None = None,
        only: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best `k` rows of each query, best first; equal scores in the order of the rows.

        Args:
            queries: shape (n_queries, dim), float32.
            k: How many; where fewer rows are allowed, the rest is -1.
            exclude: For each query, rows that may not be returned.
            only: The rows that may be returned to any query; None: all.

        Returns:
            rows, int64, -1 where there is none, and scores, float32; both of shape (n_queries, k).
        """
        rows = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        for start in range(0, len(queries), _QUERIES):
            some = slice(start, start + _QUERIES)
            out = exclude[some] if exclude is not None else None
            rows[some], scores[some] = self._search(queries[some], k, out, only)
        return rows, scores

    def _search(
        self, queries: np.ndarray, k: int, exclude: list[np.ndarray] | None, only: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        # Asking for as many more as any query excludes leaves k for each, whatever is excluded.
        surplus = max((len(rows) for rows in exclude), default=0) if exclude is not None else 0
        only = None if only is None else np.unique(only)
        found, scores = self._first(queries, k + surplus, only)
        if exclude is not None:
            found, scores = _without(found, scores, exclude)
        return _padded(found, k, -1), _padded(scores, k, -np.inf)

    def _first(self, queries: np.ndarray, k: int, only: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """As `search`, but no longer than there are rows."""
        allowed = len(self) if only is None else len(only)
        width = min(k, allowed)
        if width == 0:
            return np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0), np.float32)
        queries = np.ascontiguousarray(queries, np.float32)
        found, scores = self._nearest(queries, min(width + 1, allowed), only)
        # Of rows that are equal at the cut FAISS keeps any; the first are wanted.
        for query in np.flatnonzero(scores[:, width - 1] == scores[:, -1]) if width < allowed else ():
            rows, values = self._not_below(queries[[query]], scores[query, -1], only)
            if len(rows) >= width:
                found[query, :width], scores[query, :width] = rows[:width], values[:width]
        return found[:, :width], scores[:, :width]

    def _nearest(self, queries: np.ndarray, k: int, only: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        scores, found = self._index.search(queries, k, params=self._parameters(only))
        order = np.lexsort((found, -scores), axis=1)
        return np.take_along_axis(found, order, 1), np.take_along_axis(scores, order, 1)

    def _not_below(
        self, query: np.ndarray, floor: float, only: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """All rows that score at least `floor`, and a rounding error less, best first."""
        radius = float(floor) - 1e-6 * max(1.0, abs(float(floor)))
        _, scores, found = self._index.range_search(query, radius, params=self._parameters(only))
        order = np.lexsort((found, -scores))
        return found[order], scores[order]

    def _parameters(self, only: np.ndarray | None) -> Any:
        import faiss

        if self._config.threads:
            faiss.omp_set_num_threads(self._config.threads)
        if only is None:
            return None
        selector = faiss.IDSelectorBatch(np.ascontiguousarray(only, np.int64))
        return faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]

    def save(self, path: Path) -> None:
        """Write the index."""
        import faiss

        try:
            faiss.write_index(self._index, str(path))
        except RuntimeError as error:
            raise OSError(str(error).splitlines()[-1]) from None

    @classmethod
    def load(cls, path: Path, shape: tuple[int, int], config: IndexConfig | None = None) -> VectorIndex:
        """Read an index that must hold vectors of `shape`.

        Raises:
            CorruptArtifact: It is no FAISS index, or of another shape.
        """
        import faiss

        try:
            stored = faiss.read_index(str(path))
        except RuntimeError as error:
            raise _corrupt(path, f"is not a FAISS index ({str(error).splitlines()[0]})") from None
        if (stored.ntotal, stored.d) != shape:
            raise _corrupt(path, f"has shape {(stored.ntotal, stored.d)} where {shape} was expected")
        index = cls.__new__(cls)
        index._config, index._index = config or IndexConfig(), stored
        return index


def _without(
    found: np.ndarray, scores: np.ndarray, exclude: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Move the excluded entries of each row behind the others, marked as none."""
    barred = np.stack([np.isin(row, out) for row, out in zip(found, exclude, strict=True)])
    order = np.argsort(barred, axis=1, kind="stable")
    found, scores = np.where(barred, -1, found), np.where(barred, -np.inf, scores)
    return np.take_along_axis(found, order, 1), np.take_along_axis(scores, order, 1)


def _padded(array: np.ndarray, width: int, value: float) -> np.ndarray:
    array = array[:, :width]
    return np.pad(array, ((0, 0), (0, width - array.shape[1])), constant_values=value)


def _corrupt(path: Path, problem: str) -> CorruptArtifact:
    return CorruptArtifact(f"{path} {problem}.", "Make the folder again, or restore it from a copy.")
