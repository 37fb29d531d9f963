"""The vector index: the rows of items that are nearest to a query, with filters.

Enters: unit vectors; then queries, with excluded or allowed rows. Leaves: the best rows and their scores.
Writes: `index.faiss`, unless the index is flat.

With a filter, the approximate index retrieves a longer list, so that enough rows remain after filtering. The search is exhaustive
over the allowed rows if that costs less, if lists of this length were not shown to reach the required recall, or if too few rows
remain. So a filter never shortens a list, never lowers recall, and never costs more than a search over the allowed rows.
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

#: queries per FAISS call
_QUERIES_PER_BATCH = 1024
#: speed of FAISS's exhaustive search of a batch of queries, relative to one query at a time
_BATCH_SPEEDUP = 2


class VectorIndex:
    """Search by inner product over the items of a model; created by `build`, `load` or `extended`."""

    def __init__(
        self, exact: Exact, approximate: Approximate | None, built: Built, config: IndexConfig
    ) -> None:
        self._exact, self._approximate, self._config = exact, approximate, config
        #: the kind of index, and its measured effort and recall
        self.built = built

    @classmethod
    def build(
        cls, vectors: np.ndarray, config: IndexConfig | None = None, sample: np.ndarray | None = None
    ) -> VectorIndex:
        """Build an index of vectors.

        Args:
            vectors: unit length or zero, shape (n, dim), float32; not copied, so they must not change.
            config: The kind of index.
            sample: Vectors of users that recall is measured on, shape (m, dim); None or empty: a sample of the rows.
        """
        config = config or IndexConfig()
        exact, kind = Exact(vectors), config.kind_for(*vectors.shape)
        if kind == "flat":
            return cls(exact, None, Built(), config)
        if sample is None or not len(sample):
            # -(-n // m) rounds n / m up, so at most SAMPLE rows are taken.
            sample = vectors[:: -(-len(vectors) // SAMPLE)]
        approximate, built = with_threads(config.threads, partial(_built, kind, exact, sample, config))
        return cls(exact, approximate, built, config)

    def extended(self, vectors: np.ndarray) -> VectorIndex:
        """Return an index that also has the new rows of `vectors`; this index does not change, and nothing is trained or measured again."""
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
        """The best `k` rows of each query, by falling score; ties in row order.

        Args:
            queries: shape (n_queries, dim), float32.
            k: Rows per query; -1 fills the list where fewer rows are allowed.
            exclude: Excluded rows per query.
            only: Rows allowed for all queries; None: all rows.

        Returns:
            rows, int64, -1 where there is none, and scores, float32; both of shape (n_queries, k).
        """
        queries = np.ascontiguousarray(queries, np.float32)
        exact = self._exact if only is None else Exact(self._exact.vectors, increasing(only), len(queries))
        found = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)

        def search() -> None:
            for some, excluded in _batches(len(queries), k, exclude):
                found[some], scores[some] = self._search(queries[some], k, _Filter(exact, excluded))

        with_threads(self._config.threads, search)
        return found, scores

    def _search(self, queries: np.ndarray, k: int, filters: _Filter) -> tuple[np.ndarray, np.ndarray]:
        """Answer each query from the approximate index where possible, and by exhaustive search otherwise."""
        found = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        left = np.arange(len(queries))
        width = filters.width(k)
        effort = self.built.effort_for(width - 1)  # `width` is one row more than needed, to detect ties
        if self._approximate and effort and _pays(self._approximate, len(filters.exact), width, effort):
            rows, values = self._approximate.best(queries, width, effort)
            rows, values = _filtered(rows, values, filters.disallowed(rows) | filters.excluded(rows, left))
            # A list is complete if row k + 1 exists with a lower score than row k: then no row tied at the cut was missed.
            complete = (values[:, k] > -np.inf) & (values[:, k] < values[:, k - 1])
            found[complete], scores[complete] = rows[complete, :k], values[complete, :k]
            left = np.flatnonzero(~complete)
        if len(left):
            # At most `surplus` of the rows of a query are excluded, so k remain.
            rows, values = filters.exact.best(queries[left], k + filters.surplus)
            rows, values = _filtered(rows, values, filters.excluded(rows, left))
            wide = min(k, rows.shape[1])
            found[left, :wide], scores[left, :wide] = rows[:, :wide], values[:, :wide]
        return found, scores

    def save(self, folder: Path) -> None:
        """Write `index.faiss` into a folder; a flat index writes nothing, because it consists of the vectors alone."""
        if self._approximate is not None:
            self._approximate.save(folder / FILE)

    @classmethod
    def load(
        cls, folder: Path, vectors: np.ndarray, built: Built, config: IndexConfig | None = None
    ) -> VectorIndex:
        """Map the file that `save` wrote.

        Args:
            folder: The folder with the file.
            vectors: The vectors that the index was built of.
            built: The `built` of the index.
            config: Only `threads` is used.

        Raises:
            CorruptArtifact: The file is not an index of this kind, or was built from other vectors.
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
    """Allowed and excluded rows of a batch of queries.

    Args:
        exact: Exhaustive search over the allowed rows of all queries.
        exclude: Excluded rows per query; empty if no query has any.
    """

    def __init__(self, exact: Exact, exclude: Sequence[np.ndarray]) -> None:
        self.exact, self._exclude = exact, exclude
        #: largest number of excluded rows of a query
        self.surplus = max((len(rows) for rows in exclude), default=0)

    def width(self, k: int) -> int:
        """Length of a list of all rows that probably contains `k + 1` allowed ones."""
        share = len(self.exact) / max(1, len(self.exact.vectors))
        if share == 1:
            return k + 1 + self.surplus
        # If allowed rows are randomly distributed, the length is k / share with a standard deviation of about sqrt(k) / share.
        # Three of these are added.
        return int((k + 1 + 3 * np.sqrt(k)) / max(share, 1e-9)) + self.surplus

    def disallowed(self, found: np.ndarray) -> np.ndarray:
        """Which rows no query may get, except -1; shape of `found`, bool."""
        if self.exact.only is None:
            return np.zeros(found.shape, bool)
        # One element more than there are rows: the index -1, which means no row, reads that last element.
        disallowed = np.ones(len(self.exact.vectors) + 1, bool)
        disallowed[self.exact.only] = disallowed[-1] = False
        mask: np.ndarray = disallowed[found]
        return mask

    def excluded(self, found: np.ndarray, queries: np.ndarray) -> np.ndarray:
        """Which rows are excluded for their query; shape of `found`, bool.

        Args:
            found: shape (n, width).
            queries: The query of each row of `found`; shape (n,).
        """
        excluded = np.zeros(found.shape, bool)
        if self._exclude:
            # One mask for all queries, set and reset for each: the cost depends on the exclusions, not on the catalogue.
            own = np.zeros(len(self.exact.vectors) + 1, bool)
            for at, query in enumerate(queries.tolist()):
                own[self._exclude[query]] = True
                excluded[at] = own[found[at]]
                own[self._exclude[query]] = False
        return excluded


def _built(
    kind: IndexKind, exact: Exact, sample: np.ndarray, config: IndexConfig
) -> tuple[Approximate, Built]:
    """An approximate index, and its measured recall for the queries `sample`."""
    approximate = KINDS[kind].build(exact)
    pays = partial(_pays, approximate, len(exact))
    return approximate, measured(kind, approximate, exact, sample, config, pays)


def _pays(approximate: Approximate, n_allowed: int, k: int, effort: int) -> bool:
    """Whether an approximate search for `k` rows costs less than an exhaustive search over the allowed ones."""
    return k <= approximate.n_rows and _BATCH_SPEEDUP * approximate.cost(k, effort) < n_allowed


def increasing(rows: np.ndarray) -> np.ndarray:
    """The distinct rows, increasing. Mostly they are so already, and the check takes far less time than a sort."""
    return rows if (rows[1:] > rows[:-1]).all() else np.unique(rows)


def _filtered(found: np.ndarray, scores: np.ndarray, removed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and scores without the removed ones: the others move to the front, -1 and -inf fill up."""
    if not removed.any():
        return found, scores
    # A stable sort of booleans: False, the kept ones, comes first, in their order.
    order = np.argsort(removed, axis=1, kind="stable")
    found, scores = np.where(removed, -1, found), np.where(removed, -np.inf, scores)
    return np.take_along_axis(found, order, 1), np.take_along_axis(scores, order, 1)


def _batches(
    n_queries: int, k: int, exclude: Sequence[np.ndarray] | None
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Batches of queries with a similar number of exclusions, and the excluded rows of each query.

    The query with most exclusions determines the length of the lists of its batch, so queries with many are searched apart.
    """
    counts = np.zeros(n_queries) if exclude is None else np.array([len(rows) for rows in exclude[:n_queries]])
    # Levels double: exclusions up to k, up to 2 k, up to 4 k, ...
    level = np.ceil(np.log2(np.maximum(counts / max(k, 1), 1)))
    for value in np.unique(level):
        alike = np.flatnonzero(level == value)
        for start in range(0, len(alike), _QUERIES_PER_BATCH):
            some = alike[start : start + _QUERIES_PER_BATCH]
            yield some, [] if exclude is None else [exclude[query] for query in some.tolist()]
