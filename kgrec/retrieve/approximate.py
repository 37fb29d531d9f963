"""Approximate search: most of the best rows, without comparing with every row.

Enters: vectors. Leaves: rows that are likely to be the best, and their exact scores.
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

#: length of the lists that an effort is chosen for
DEPTH = 100
#: cost of one more row in a list, in numbers that could be compared in that time: 8 to 10 rows of 256 were measured
_KEPT = 2300
#: neighbours of an item in a layer of hnsw's graph; the lowest layer has twice as many
HNSW_LINKS = 32
#: rows per call when rows are added
_ROWS = 65_536
#: training rows per centroid
_TRAINING = 40
#: candidates that ivfpq compares exactly, at least, per row of the list
_REFINED = 4


class Approximate(ABC):
    """An index beside the vectors.

    Args:
        stored: The FAISS index to write; without the vectors where it does not need them.
        exact: The vectors.
    """

    #: FAISS's class of `stored`
    faiss_class: ClassVar[str]

    def __init__(self, stored: Any, exact: Exact) -> None:
        self.stored, self._exact = stored, exact
        self._searched = self._with_vectors()

    @classmethod
    def build(cls, exact: Exact) -> Self:
        """An index of the vectors."""
        return cls(cls._grown(cls._empty(exact.vectors), exact.vectors), exact)

    def extended(self, exact: Exact) -> Self:
        """An index of the known rows and those after them; this index does not change."""
        return type(self)(self._grown(_copied(self.stored), exact.vectors), exact)

    def best(self, queries: np.ndarray, k: int, effort: int) -> tuple[np.ndarray, np.ndarray]:
        """About the best rows of each query, best first; equal scores in the order of the rows.

        Args:
            queries: shape (n_queries, dim), float32.
            k: Rows per query, at most `n_rows`.
            effort: For lists of this length, or of DEPTH if that is longer.

        Returns:
            rows, int64, -1 where none was found, and scores, float32, -inf there; both of shape (n_queries, k).
        """
        # Recall measured at DEPTH holds for shorter lists only if they are cut from lists of DEPTH.
        depth = min(max(k, DEPTH), len(self._exact))
        scores, found = self._searched.search(queries, depth, params=self._parameters(effort))
        found, scores = in_order(found, np.where(found < 0, -np.inf, scores).astype(np.float32))
        return found[:, :k], scores[:, :k]

    def cost(self, k: int, effort: int) -> float:
        """Cost of a query, in rows that could be compared one by one in that time."""
        return self._cost(effort) + _KEPT * k / int(self._exact.vectors.shape[1])

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self._exact)

    @property
    def efforts(self) -> tuple[int, int]:
        """The smallest and the largest effort."""
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
            ValueError: It is not an index of this class, or of other vectors.
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
        """A FAISS index without rows, trained if its kind needs training."""

    @classmethod
    def _grown(cls, index: Any, vectors: np.ndarray) -> Any:
        """With the rows of `vectors` that it lacks."""
        for start in range(index.ntotal, len(vectors), _ROWS):
            index.add(vectors[start : start + _ROWS])
        return index

    def _with_vectors(self) -> Any:
        """The FAISS index to search, made once: searches change nothing."""
        return self.stored

    @abstractmethod
    def _efforts(self) -> tuple[int, int]: ...

    @abstractmethod
    def _parameters(self, effort: int) -> Any: ...

    @abstractmethod
    def _cost(self, effort: int) -> float: ...


class Hnsw(Approximate):
    """A graph of neighbours; effort: candidates that a walk through it keeps."""

    faiss_class = "IndexHNSWFlat"

    def _efforts(self) -> tuple[int, int]:
        return 64, 4096

    @classmethod
    def _empty(cls, vectors: np.ndarray) -> Any:
        import faiss

        index: Any = faiss.IndexHNSWFlat(vectors.shape[1], HNSW_LINKS, faiss.METRIC_INNER_PRODUCT)
        # FAISS's own place for vectors stays empty: `_with_vectors` gives it the ones in place
        index.storage.thisown, index.own_fields = True, False
        return index

    @classmethod
    def _grown(cls, index: Any, vectors: np.ndarray) -> Any:
        import faiss

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
        return 64 * effort


class Ivf(Approximate):
    """Inverted lists: vectors by their nearest centroid; effort: lists that are searched."""

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
        index.train(_training_rows(vectors, _TRAINING * max(index.nlist, 16)))
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
        return lists + min(1.0, effort / lists) * len(self._exact)


class IvfPq(Ivf):
    """Inverted lists of codes, the best of which are compared exactly; effort: lists that are searched."""

    faiss_class = "IndexIVFPQFastScan"

    @classmethod
    def _lists(cls, centroids: Any, dim: int, n_lists: int) -> Any:
        import faiss

        # four numbers of a vector become a code of four bits
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
            k_factor=max(_REFINED, effort / 16), base_index_params=super()._parameters(effort)
        )

    def _cost(self, effort: int) -> float:
        return super()._cost(effort) / 4


KINDS: dict[str, type[Approximate]] = {"hnsw": Hnsw, "ivf": Ivf, "ivfpq": IvfPq}


def _training_rows(vectors: np.ndarray, count: int) -> np.ndarray:
    """About `count` rows, spread evenly; repeated where there are fewer than 16."""
    if len(vectors) > count:
        return vectors[np.linspace(0, len(vectors) - 1, count).astype(np.int64)]
    return np.resize(vectors, (max(len(vectors), 16), vectors.shape[1]))


def _copied(index: Any) -> Any:
    """A copy in memory, to which rows can be added; to an index of a mapped file they cannot."""
    import faiss

    source: Any = faiss  # faiss's type stubs lack readers and writers of Python streams
    with tempfile.TemporaryFile() as stream:
        faiss.write_index(index, source.PyCallbackIOWriter(stream.write), faiss.IO_FLAG_SKIP_STORAGE)
        stream.seek(0)
        return faiss.read_index(source.PyCallbackIOReader(stream.read))
