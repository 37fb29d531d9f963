"""Approximate search: most of the best rows, without comparing the query with every row.

Enters: vectors. Leaves: rows that are probably the best, and their scores, which are exact.
Writes and reads `index.faiss`.

- HNSW: Malkov and Yashunin 2020, "Efficient and robust approximate nearest neighbor search using hierarchical navigable
  small world graphs".
- Inverted lists, product codes: Jégou, Douze and Schmid 2011, "Product quantization for nearest neighbor search"; codes
  of four bits as in André, Kermarrec and Le Scouarnec 2015, "Cache locality is not enough".
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from kgrec.retrieve.exact import Exact, in_order

#: list length for which an effort is chosen
DEPTH = 100
#: cost of one more row in a list, in multiplications; measured as the cost of 8 to 10 rows of 256 numbers
_COST_PER_RESULT = 2300
#: neighbours of an item per layer of the HNSW graph; twice as many in the lowest layer
HNSW_LINKS = 32
#: rows per call of FAISS's add
_ROWS_PER_ADD = 65_536
#: training rows per centroid
_ROWS_PER_CENTROID = 40
#: ivfpq compares at least this many candidates exactly per requested row
_MIN_REFINED = 4


class Approximate(ABC):
    """An index beside the vectors.

    Args:
        stored: The FAISS index that is written to disk, without the vectors where its kind allows that.
        exact: The vectors.
    """

    #: name of the FAISS class of `stored`
    faiss_class: ClassVar[str]

    def __init__(self, stored: Any, exact: Exact) -> None:
        self.stored, self._exact = stored, exact
        self._searched = self._with_vectors()

    @classmethod
    def build(cls, exact: Exact) -> Self:
        """Build an index of the vectors."""
        return cls(cls._grown(cls._empty(exact.vectors), exact.vectors), exact)

    def extended(self, exact: Exact) -> Self:
        """Return an index that also has the new rows of `exact`; this index does not change."""
        return type(self)(self._grown(_copied(self.stored), exact.vectors), exact)

    def best(self, queries: np.ndarray, k: int, effort: int) -> tuple[np.ndarray, np.ndarray]:
        """Most of the best rows of each query, by falling score; ties in row order.

        Args:
            queries: shape (n_queries, dim), float32.
            k: Rows per query, at most `n_rows`.
            effort: Search effort, as measured for lists of max(k, DEPTH).

        Returns:
            rows, int64, -1 where none was found, and scores, float32, -inf where none was found; both of shape (n_queries, k).
        """
        # Recall was measured for lists of DEPTH, so a shorter list is the beginning of such a list.
        depth = min(max(k, DEPTH), len(self._exact))
        scores, found = self._searched.search(queries, depth, params=self._parameters(effort))
        found, scores = in_order(found, np.where(found < 0, -np.inf, scores).astype(np.float32))
        return found[:, :k], scores[:, :k]

    def cost(self, k: int, effort: int) -> float:
        """Cost of a query, as the number of rows that an exhaustive search compares in the same time."""
        return self._cost(effort) + _COST_PER_RESULT * k / int(self._exact.vectors.shape[1])

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self._exact)

    @property
    def efforts(self) -> tuple[int, int]:
        """Smallest and largest effort to try."""
        return self._efforts()

    def save(self, path: Path) -> None:
        """Write the index without the vectors."""
        import faiss

        try:
            faiss.write_index(self.stored, str(path), faiss.IO_FLAG_SKIP_STORAGE)  # type: ignore[call-overload]
        except RuntimeError as error:
            raise OSError(str(error).splitlines()[-1]) from None

    @classmethod
    def load(cls, path: Path, exact: Exact) -> Self:
        """Map a file into memory.

        Raises:
            ValueError: The file is not an index of this kind, or was built from other vectors.
        """
        import faiss

        try:
            stored = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise ValueError(f"is not a FAISS index ({str(error).splitlines()[0]})") from None
        if type(stored).__name__ != cls.faiss_class:
            raise ValueError(f"holds an {type(stored).__name__} where an {cls.faiss_class} was expected")
        if (stored.ntotal, stored.d) != exact.vectors.shape:
            raise ValueError(
                f"has shape {(stored.ntotal, stored.d)} where {exact.vectors.shape} was expected"
            )
        return cls(stored, exact)

    @classmethod
    @abstractmethod
    def _empty(cls, vectors: np.ndarray) -> Any:
        """An empty FAISS index, trained if its kind needs training."""

    @classmethod
    def _grown(cls, index: Any, vectors: np.ndarray) -> Any:
        """The index with the rows of `vectors` that it lacks."""
        for start in range(index.ntotal, len(vectors), _ROWS_PER_ADD):
            index.add(vectors[start : start + _ROWS_PER_ADD])
        return index

    def _with_vectors(self) -> Any:
        """The FAISS index used for searching."""
        return self.stored

    @abstractmethod
    def _efforts(self) -> tuple[int, int]: ...

    @abstractmethod
    def _parameters(self, effort: int) -> Any: ...

    @abstractmethod
    def _cost(self, effort: int) -> float: ...


class Hnsw(Approximate):
    """A graph of neighbours. Effort: number of candidates that a search keeps while it walks through the graph."""

    faiss_class = "IndexHNSWFlat"

    def _efforts(self) -> tuple[int, int]:
        return 64, 4096

    @classmethod
    def _empty(cls, vectors: np.ndarray) -> Any:
        import faiss

        index: Any = faiss.IndexHNSWFlat(vectors.shape[1], HNSW_LINKS, faiss.METRIC_INNER_PRODUCT)
        # The index must not own or free a storage of vectors: the vectors stay in the caller's array.
        index.storage.thisown, index.own_fields = True, False
        return index

    @classmethod
    def _grown(cls, index: Any, vectors: np.ndarray) -> Any:
        import faiss

        # Adding computes distances to the existing rows, so FAISS needs a storage with them during the call.
        storage = faiss.IndexFlatIP(vectors.shape[1])
        storage.add(vectors[: index.ntotal])
        index.storage = storage
        super()._grown(index, vectors)
        index.storage = None
        return index

    def _with_vectors(self) -> Any:
        self.stored.storage = self._exact.flat
        return self.stored

    def _parameters(self, effort: int) -> Any:
        import faiss

        return faiss.SearchParametersHNSW(efSearch=effort)  # type: ignore[attr-defined]

    def _cost(self, effort: int) -> float:
        # Each kept candidate is compared with its neighbours in the lowest layer, 2 * HNSW_LINKS.
        return 64 * effort


class Ivf(Approximate):
    """Inverted lists: each centroid has a list of the vectors nearest to it. Effort: number of lists searched."""

    faiss_class = "IndexIVFFlat"

    def _efforts(self) -> tuple[int, int]:
        return min(8, self.stored.nlist), self.stored.nlist

    @classmethod
    def _empty(cls, vectors: np.ndarray) -> Any:
        import faiss

        n, dim = vectors.shape
        centroids = faiss.IndexFlatIP(dim)
        index = cls._lists(centroids, dim, max(1, min(n, int(4 * np.sqrt(n)))))
        index.referenced_objects = [centroids]
        index.cp.min_points_per_centroid = 1
        # 16 is the number of values of a four-bit code, each of which needs training rows too.
        index.train(_training_rows(vectors, _ROWS_PER_CENTROID * max(index.nlist, 16)))
        return index

    @classmethod
    def _lists(cls, centroids: Any, dim: int, n_lists: int) -> Any:
        import faiss

        return faiss.IndexIVFFlat(centroids, dim, n_lists, faiss.METRIC_INNER_PRODUCT)

    def _parameters(self, effort: int) -> Any:
        import faiss

        return faiss.SearchParametersIVF(nprobe=min(effort, self.stored.nlist))  # type: ignore[call-arg]

    def _cost(self, effort: int) -> float:
        lists: int = self.stored.nlist
        # All centroids, and the rows in the searched lists.
        return lists + min(1.0, effort / lists) * len(self._exact)


class IvfPq(Ivf):
    """Inverted lists of short codes, the best of which are compared exactly. Effort: number of lists searched."""

    faiss_class = "IndexIVFPQFastScan"

    @classmethod
    def _lists(cls, centroids: Any, dim: int, n_lists: int) -> Any:
        import faiss

        # Four numbers become a code of four bits, so `parts` is the largest divisor of dim up to dim / 4.
        parts = next(parts for parts in range(max(1, dim // 4), 0, -1) if dim % parts == 0)
        index = faiss.IndexIVFPQFastScan(centroids, dim, n_lists, parts, 4, faiss.METRIC_INNER_PRODUCT)
        index.pq.cp.min_points_per_centroid = 1
        return index

    def _with_vectors(self) -> Any:
        import faiss

        return faiss.IndexRefine(self.stored, self._exact.flat)

    def _parameters(self, effort: int) -> Any:
        import faiss

        return faiss.IndexRefineSearchParameters(  # type: ignore[call-arg]
            k_factor=max(_MIN_REFINED, effort / 16), base_index_params=super()._parameters(effort)
        )

    def _cost(self, effort: int) -> float:
        return super()._cost(effort) / 4


KINDS: dict[str, type[Approximate]] = {"hnsw": Hnsw, "ivf": Ivf, "ivfpq": IvfPq}


def _training_rows(vectors: np.ndarray, count: int) -> np.ndarray:
    """About `count` evenly spaced rows; all rows if there are fewer, repeated up to 16."""
    if len(vectors) > count:
        return vectors[np.linspace(0, len(vectors) - 1, count).astype(np.int64)]
    return np.resize(vectors, (max(len(vectors), 16), vectors.shape[1]))


def _copied(index: Any) -> Any:
    """A copy in memory: rows cannot be added to an index that is mapped from a file."""
    import faiss

    source: Any = faiss  # the FAISS type stubs lack the readers and writers of Python streams
    with tempfile.TemporaryFile() as stream:
        faiss.write_index(index, source.PyCallbackIOWriter(stream.write), faiss.IO_FLAG_SKIP_STORAGE)
        stream.seek(0)
        return faiss.read_index(source.PyCallbackIOReader(stream.read))
