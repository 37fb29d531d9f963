"""Nearest items by inner product, through FAISS.

Enters: unit vectors, and vectors of users that recall is measured on. Leaves: the best rows and their scores for each query.
Writes: `index.faiss`, unless the index is flat.

- `config`: options, and the kind of index that `auto` chooses.
- `exact`: exhaustive search, over all rows or over the allowed ones.
- `approximate`: HNSW, inverted lists, inverted lists of codes.
- `recall`: recall of an approximate index, and the effort that reaches it.
- `openmp`: number of FAISS threads, and forked processes.
- `vector_index`: `VectorIndex`: filters, ties, and the choice between exact and approximate search.
- `segmented_index`: a vector index with a delta of changed and added rows.
"""

from kgrec.retrieve.config import IndexConfig
from kgrec.retrieve.recall import SAMPLE, Built
from kgrec.retrieve.vector_index import VectorIndex

__all__ = ["SAMPLE", "Built", "IndexConfig", "VectorIndex"]
