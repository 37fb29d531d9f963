"""The items of a model that are nearest to a query.

Enters: unit vectors, then queries with excluded rows and allowed rows. Leaves: the best rows and their scores.
Writes: `index.faiss`, unless search is exact.

Filters are applied after an approximate search, which therefore finds more rows than the list needs. Search is exact, over the
allowed rows, where that costs less, where the recall of so long a list was not measured, or where too few rows are left. So a filter
never shortens a list, never lowers recall, and never costs more than comparing with every allowed row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kgrec.errors import CorruptArtifact
from kgrec.retrieve.approximate import KINDS, Approximate
from kgrec.retrieve.config import IndexConfig, IndexKind
from kgrec.retrieve.exact import Exact
from kgrec.retrieve.openmp import with_threads
from kgrec.retrieve.recall import SAMPLE, Built, measured

FILE = "index.faiss"

_QUERIES = 1024
#: exact search of a batch of queries is faster than one by one, about so many times
_BATCHED = 2


class VectorIndex:
    """The items of a model, to be searched by inner product; made by `build`, `load` and `extended`."""

    def __init__(
        self, exact: Exact, approximate: Approximate | None, built: Built, config: IndexConfig
    ) -> None:
        self._exact, self._approximate, self._config = exact, approximate, config
        #: the kind of index, and its recall when it was built
        self.built = built

    @classmethod
    def build(
        cls, vectors: np.ndarray, config: IndexConfig | None = None, sample: np.ndarray | None = None
    ) -> VectorIndex:
        """An index of some vectors.

        Args:
            vectors: unit length or zero, shape (n, dim), float32; not copied, and must not change.
            config: The kind of index, its recall or effort, and threads.
            sample: Vectors of users to measure the recall of an approximate index, shape (m, dim); None or empty: some of
                the rows.
        """
        config = config or IndexConfig()
        exact, kind = Exact(vectors), config.kind_for(*vectors.shape)
        if kind == "flat":
            return cls(exact, None, Built(), config)
        if sample is None or not len(sample):
            sample = vectors[:: -(-len(vectors) // SAMPLE)]
        approximate, built = with_threads(config.threads, partial(_built, kind, exact, sample, config))
        return cls(exact, approximate, built, config)

    def extended(self, vectors: np.ndarray) -> VectorIndex:
        """An index of the known rows and those of `vectors` after them; this index does not change.

        Nothing is trained or measured again.
        """
        exact, approximate = Exact(vectors), self._approximate
        if approximate is not None:
            approximate = with_threads(self._config.threads, partial(approximate.extended, exact))
        return VectorIndex(exact, approximate, self.built, self._config)

    def with_threads(self, count: int | None) -> VectorIndex:
        """The same index, searched with another number of threads; as `IndexConfig.threads`."""
        config = self._config.model_copy(update={"threads": count})
        return VectorIndex(self._exact, self._approximate, self.built, config)

    def __len__(self) -> int:
        return len(self._exact)

    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        exclude: Sequence[np.ndarray] | None = None,
        only: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best `k` rows of each query, best first; equal scores in the order of the rows.

        Args:
            queries: shape (n_queries, dim), float32.
            k: Rows per query; where fewer rows are allowed, the rest is -1.
            exclude: Rows that are not returned, per query.
            only: The only rows that are returned; None: all.

        Returns:
            rows, int64, -1 where there is none, and scores, float32; both of shape (n_queries, k).
        """
        queries = np.ascontiguousarray(queries, np.float32)
        exact = self._exact if only is None else Exact(self._exact.vectors, _increasing(only), len(queries))
        found = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)

        def search() -> None:
            for batch, excluded in _batches(len(queries), k, exclude):
                found[batch], scores[batch] = self._search(queries[batch], k, _Filter(exact, excluded))

        with_threads(self._config.threads, search)
        return found, scores

    def _search(self, queries: np.ndarray, k: int, allowed: _Filter) -> tuple[np.ndarray, np.ndarray]:
        found = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        left = np.arange(len(queries))
        width = allowed.width(k)
        effort = self.built.effort_for(width - 1)  # `width` counts one row more than the list
        if self._approximate and effort and _pays(self._approximate, len(allowed.exact), width, effort):
            rows, values = self._approximate.best(queries, width, effort)
            rows, values = _behind(rows, values, allowed.barred(rows) | allowed.excluded(rows, left))
            # A lower score in place k + 1 shows that no row with an equal score was cut off.
            sure = (values[:, k] > -np.inf) & (values[:, k] < values[:, k - 1])
            found[sure], scores[sure] = rows[sure, :k], values[sure, :k]
            left = np.flatnonzero(~sure)
        if len(left):
            rows, values = allowed.exact.best(queries[left], k + allowed.surplus)
            rows, values = _behind(rows, values, allowed.excluded(rows, left))
            wide = min(k, rows.shape[1])
            found[left, :wide], scores[left, :wide] = rows[:, :wide], values[:, :wide]
        return found, scores

    def save(self, folder: Path) -> None:
        """Write `index.faiss` into a folder; nothing where search is exact, since the vectors are the index then."""
        if self._approximate is not None:
            self._approximate.save(folder / FILE)

    @classmethod
    def load(
        cls, folder: Path, vectors: np.ndarray, built: Built, config: IndexConfig | None = None
    ) -> VectorIndex:
        """Map what `save` wrote.

        Args:
            folder: Has the file.
            vectors: The same as when it was written.
            built: The index's `built` when it was written.
            config: `threads`; other options have no effect.

        Raises:
            CorruptArtifact: The file is not such an index, or of other vectors.
        """
        exact, kind = Exact(vectors), KINDS.get(built.kind)
        try:
            approximate = None if kind is None else kind.load(folder / FILE, exact)
        except ValueError as error:
            raise CorruptArtifact(
                f"{folder / FILE} {error}.", "Make the folder again, or restore it from a copy."
            ) from None
        return cls(exact, approximate, built, config or IndexConfig())


class _Filter:
    """The rows that some queries may return.

    Args:
        exact: Exact search over the rows that any query may return.
        exclude: Excluded rows, per query.
    """

    def __init__(self, exact: Exact, exclude: Sequence[np.ndarray]) -> None:
        self.exact, self._exclude = exact, exclude
        self.surplus = max((len(rows) for rows in exclude), default=0)

    def width(self, k: int) -> int:
        """Rows to search for, so that `k` + 1 of them are likely to be allowed."""
        share = len(self.exact) / max(1, len(self.exact.vectors))
        if share == 1:
            return k + 1 + self.surplus
        # plus three standard deviations, if allowed rows are spread evenly
        return int((k + 1 + 3 * np.sqrt(k)) / max(share, 1e-9)) + self.surplus

    def barred(self, found: np.ndarray) -> np.ndarray:
        """Whether no query may return a row; False for -1, which is no row; shape of `found`, bool."""
        if self.exact.only is None:
            return np.zeros(found.shape, bool)
        # one place more, for -1
        barred = np.ones(len(self.exact.vectors) + 1, bool)
        barred[self.exact.only] = barred[-1] = False
        mask: np.ndarray = barred[found]
        return mask

    def excluded(self, found: np.ndarray, queries: np.ndarray) -> np.ndarray:
        """Whether a row is excluded for its query.

        Args:
            found: shape (n, width).
            queries: query of each row of `found`, shape (n,).
        """
        out = np.zeros(found.shape, bool)
        if self._exclude:
            own = np.zeros(len(self.exact.vectors) + 1, bool)
            for at, query in enumerate(queries.tolist()):
                own[self._exclude[query]] = True
                out[at] = own[found[at]]
                own[self._exclude[query]] = False
        return out


def _built(
    kind: IndexKind, exact: Exact, sample: np.ndarray, config: IndexConfig
) -> tuple[Approximate, Built]:
    """An approximate index, and its recall for the queries `sample`."""
    approximate = KINDS[kind].build(exact)
    pays = partial(_pays, approximate, len(exact))
    return approximate, measured(kind, approximate, exact, sample, config, pays)


def _pays(approximate: Approximate, n_allowed: int, k: int, effort: int) -> bool:
    """Whether an approximate search for `k` rows costs less than comparing with every allowed row."""
    return k <= approximate.n_rows and _BATCHED * approximate.cost(k, effort) < n_allowed


def _increasing(rows: np.ndarray) -> np.ndarray:
    """The rows in order, each once. Mostly they are so already, and a check is far faster than a sort."""
    return rows if (rows[1:] > rows[:-1]).all() else np.unique(rows)


def _behind(found: np.ndarray, scores: np.ndarray, out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and scores with those that are `out` moved to the end and marked as none."""
    if not out.any():
        return found, scores
    order = np.argsort(out, axis=1, kind="stable")
    found, scores = np.where(out, -1, found), np.where(out, -np.inf, scores)
    return np.take_along_axis(found, order, 1), np.take_along_axis(scores, order, 1)


def _batches(
    n_queries: int, k: int, exclude: Sequence[np.ndarray] | None
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Queries to search together, and the excluded rows of each.

    Queries with many excluded rows make a whole batch search long lists, so they get batches of their own.
    """
    counts = np.zeros(n_queries) if exclude is None else np.array([len(rows) for rows in exclude[:n_queries]])
    level = np.ceil(np.log2(np.maximum(counts / max(k, 1), 1)))
    for value in np.unique(level):
        alike = np.flatnonzero(level == value)
        for start in range(0, len(alike), _QUERIES):
            some = alike[start : start + _QUERIES]
            yield some, [] if exclude is None else [exclude[query] for query in some.tolist()]
