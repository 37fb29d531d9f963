"""Nearest items by inner product, through FAISS.

Enters: unit vectors, and vectors of users to measure recall. Leaves: the best rows and their scores per query.
Writes: `index.faiss`, unless search is exact.

- `config`: the options, and the kind of index that `auto` takes.
- `exact`: exhaustive search, over all rows or the allowed ones.
- `approximate`: HNSW, inverted lists, inverted lists of codes.
- `recall`: recall of an approximate index, and the effort that reaches it.
- `openmp`: how many threads FAISS computes with.
- `vector_index`: `VectorIndex`: filters, ties, and the choice between approximate and exact search.
- `segmented_index`: a `VectorIndex`, and rows that changed since it was built.
"""

from kgrec.retrieve.config import IndexConfig
from kgrec.retrieve.recall import SAMPLE, Built
from kgrec.retrieve.vector_index import VectorIndex

__all__ = ["SAMPLE", "Built", "IndexConfig", "VectorIndex"]
