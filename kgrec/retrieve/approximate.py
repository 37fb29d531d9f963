"""Finding most of the best rows without comparing with every one.

Enters: vectors. Leaves: rows that are likely to be the best, and their scores, which are exact.
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
#: numbers that could be compared while one row more is kept in a list, and looked at: 8 to 10 rows of 256 were measured
_KEPT = 2300
#: neighbours of an item in a layer of the graph of hnsw, and twice so many in the lowest one
HNSW_LINKS = 32
#: rows added at a time
_ROWS = 65_536
#: rows that centres are trained on, for each
_TRAINING = 40
#: ivfpq compares at least so many candidates exactly, for each row that is asked for
_REFINED = 4


class Approximate(ABC):
    """An index beside the vectors.

    Args:
        stored: What is written: a FAISS index without the vectors, where it can do without.
        exact: The vectors.
    """

    #: FAISS's class of what is stored
    faiss_class: ClassVar[str]

    def __init__(self, stored: Any, exact: Exact) -> None:
        self.stored, self._exact = stored, exact
        self._searched = self._with_vectors()

    @classmethod
    def build(cls, exact: Exact) -> Self:
        """Made from the vectors alone."""
        return cls(cls._grown(cls._empty(exact.vectors), exact.vectors), exact)

    def extended(self, exact: Exact) -> Self:
        """With the rows that come after the known ones; this index stays as it is."""
        return type(self)(self._grown(_copied(self.stored), exact.vectors), exact)

    def best(self, queries: np.ndarray, k: int, effort: int) -> tuple[np.ndarray, np.ndarray]:
        """About the best rows of each query, best first; equal scores in the order of the rows.

        Args:
            queries: shape (n_queries, dim), float32.
            k: How many, not more than there are.
            effort: That lists of this length take, or those of DEPTH if that is more.

        Returns:
            rows, int64, -1 where none was found, and scores, float32, -inf there; both of shape (n_queries, k).
        """
        # What was measured at DEPTH holds for shorter lists if they are the beginnings of such.
        depth = min(max(k, DEPTH), len(self._exact))
        scores, found = self._searched.search(queries, depth, params=self._parameters(effort))
        found, scores = in_order(found, np.where(found < 0, -np.inf, scores).astype(np.float32))
        return found[:, :k], scores[:, :k]

    def cost(self, k: int, effort: int) -> float:
        """What a query costs, in rows that could be compared one by one in that time."""
        return self._cost(effort) + _KEPT * k / int(self._exact.vectors.shape[1])

    @property
    def n_rows(self) -> int:
        """How many there are."""
        return len(self._exact)

    @property
    def efforts(self) -> tuple[int, int]:
        """The least and the greatest that are tried."""
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
            ValueError: It is no such index, or of other vectors.
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
        """A FAISS index, trained where it must be."""

    @classmethod
    def _grown(cls, index: Any, vectors: np.ndarray) -> Any:
        """With the rows of `vectors` that it lacks."""
        for start in range(index.ntotal, len(vectors), _ROWS):
            index.add(vectors[start : start + _ROWS])
        return index

    def _with_vectors(self) -> Any:
        """What is searched."""
        return self.stored

    @abstractmethod
    def _efforts(self) -> tuple[int, int]: ...

    @abstractmethod
    def _parameters(self, effort: int) -> Any: ...

    @abstractmethod
    def _cost(self, effort: int) -> float: ...


class Hnsw(Approximate):
    """A graph of neighbours; effort: the candidates that a walk through it keeps."""

    faiss_class = "IndexHNSWFlat"

    def _efforts(self) -> tuple[int, int]:
        return 64, 4096

    @classmethod
    def _empty(cls, vectors: np.ndarray) -> Any:
        import faiss

        index: Any = faiss.IndexHNSWFlat(vectors.shape[1], HNSW_LINKS, faiss.METRIC_INNER_PRODUCT)
        # its place for vectors is never used: they stay where they are
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
    """Lists of the vectors that are nearest to each of some centres; effort: the lists that are looked into."""

    faiss_class = "IndexIVFFlat"

    def _efforts(self) -> tuple[int, int]:
        return min(8, self.stored.nlist), self.stored.nlist

    @classmethod
    def _empty(cls, vectors: np.ndarray) -> Any:
        import faiss

        n, dim = vectors.shape
        centres = faiss.IndexFlatIP(dim)
        index = cls._lists(centres, dim, max(1, min(n, int(4 * np.sqrt(n)))))
        index.referenced_objects = [centres]
        index.cp.min_points_per_centroid = 1
        index.train(_training_rows(vectors, _TRAINING * max(index.nlist, 16)))
        return index

    @classmethod
    def _lists(cls, centres: Any, dim: int, n_lists: int) -> Any:
        import faiss

        return faiss.IndexIVFFlat(centres, dim, n_lists, faiss.METRIC_INNER_PRODUCT)

    def _parameters(self, effort: int) -> Any:
        import faiss

        return faiss.SearchParametersIVF(nprobe=min(effort, self.stored.nlist))  # type: ignore[call-arg]

    def _cost(self, effort: int) -> float:
        lists: int = self.stored.nlist
        return lists + min(1.0, effort / lists) * len(self._exact)


class IvfPq(Ivf):
    """Lists of codes, the best of which are compared exactly; effort: the lists that are looked into."""

    faiss_class = "IndexIVFPQFastScan"

    @classmethod
    def _lists(cls, centres: Any, dim: int, n_lists: int) -> Any:
        import faiss

        # four numbers of a vector become four bits
        parts = next(parts for parts in range(max(1, dim // 4), 0, -1) if dim % parts == 0)
        index = faiss.IndexIVFPQFastScan(centres, dim, n_lists, parts, 4, faiss.METRIC_INNER_PRODUCT)
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
    """About `count` rows, spread over all; some repeated where there are fewer."""
    if len(vectors) > count:
        return vectors[np.linspace(0, len(vectors) - 1, count).astype(np.int64)]
    return np.resize(vectors, (max(len(vectors), 16), vectors.shape[1]))


def _copied(index: Any) -> Any:
    """In memory, where rows can be added: to an index of a mapped file they cannot."""
    import faiss

    source: Any = faiss  # its types lack readers and writers of Python streams
    with tempfile.TemporaryFile() as stream:
        faiss.write_index(index, source.PyCallbackIOWriter(stream.write), faiss.IO_FLAG_SKIP_STORAGE)
        stream.seek(0)
        return faiss.read_index(source.PyCallbackIOReader(stream.read))
