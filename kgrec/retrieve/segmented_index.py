"""An index with changing items: a vector index over a base segment, and a delta that is searched exhaustively.

Enters: an index, and vectors of changed or added items. Leaves: the best rows and their scores. Nothing is written until the delta
is merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kgrec.retrieve.recall import Built
from kgrec.retrieve.vector_index import VectorIndex, increasing
from kgrec.storage.segments import Rows, places_in


@dataclass(frozen=True)
class SegmentedIndex:
    """Search by inner product over the items of a model."""

    #: index of the base of the vectors
    base: VectorIndex
    #: the vectors of all items; shape (n_items, dim)
    vectors: Rows[np.ndarray]

    @classmethod
    def of(cls, index: VectorIndex, vectors: np.ndarray) -> SegmentedIndex:
        """An index of `vectors` without a delta."""
        return cls(index, Rows.of(vectors))

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def built(self) -> Built:
        """The kind of the base's index, and its measured effort and recall."""
        return self.base.built

    def with_threads(self, count: int | None) -> SegmentedIndex:
        """The same index, searched with another number of threads; as `IndexConfig.threads`."""
        return SegmentedIndex(self.base.with_threads(count), self.vectors)

    def with_vectors(self, vectors: Rows[np.ndarray]) -> SegmentedIndex:
        """The index with the delta of `vectors`, which must have the same base."""
        assert vectors.base is self.vectors.base
        return SegmentedIndex(self.base, vectors)

    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        exclude: Sequence[np.ndarray] | None = None,
        only: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best `k` rows of each query, by falling score; ties in row order.

        Args:
            queries: shape (n_queries, dim), float32.
            k: Rows per query; -1 fills the list where fewer rows are allowed.
            exclude: Excluded rows per query.
            only: Rows allowed for all queries; None: all rows.

        Returns:
            rows, int64, -1 where there is none, and scores, float32; both of shape (n_queries, k).
        """
        if not len(self.vectors.at):
            return self.base.search(queries, k, exclude=exclude, only=only)
        only = None if only is None else increasing(only)
        both = (self._in_base(queries, k, exclude, only), self._in_delta(queries, exclude, only))
        rows, scores = (np.concatenate(part, axis=1) for part in zip(*both, strict=True))
        order = np.lexsort((rows, -scores), axis=1)[:, :k]
        return np.take_along_axis(rows, order, 1), np.take_along_axis(scores, order, 1)

    def _in_base(
        self, queries: np.ndarray, k: int, exclude: Sequence[np.ndarray] | None, only: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best rows of the base, except those that have a newer vector in the delta."""
        n_base = len(self.base)
        changed = self.vectors.at[self.vectors.at < n_base]
        if only is not None:
            # The changed rows are no longer allowed, so the queries need not exclude them.
            only = only[: np.searchsorted(only, n_base)]
            at = places_in(only, changed)
            only = np.delete(only, at[at >= 0])
            changed = changed[:0]
        if exclude is not None:
            exclude = [np.concatenate([rows[rows < n_base], changed]) for rows in exclude]
        elif len(changed):
            exclude = [changed] * len(queries)
        return self.base.search(queries, k, exclude=exclude, only=only)

    def _in_delta(
        self, queries: np.ndarray, exclude: Sequence[np.ndarray] | None, only: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """All rows of the delta for each query; -1 and -inf for rows that are excluded."""
        at = self.vectors.at
        scores = np.asarray(queries, np.float32) @ self.vectors.delta.T
        allowed = np.ones(scores.shape, bool)
        if only is not None:
            allowed &= places_in(only, at) >= 0
        for query, rows in enumerate(exclude or ()):
            # `at` is increasing, so no row before its first is in the delta.
            later = rows[rows >= at[0]]
            if len(later):
                allowed[query] &= ~np.isin(at, later)
        return np.where(allowed, at, -1), np.where(allowed, scores, np.float32(-np.inf))
