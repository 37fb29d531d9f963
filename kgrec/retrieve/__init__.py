"""Nearest items by inner product, through FAISS.

Enters: unit vectors, and vectors of users to measure on. Leaves: for each query the best rows and their scores.
Writes: `index.faiss`, unless every row is compared.

- `config`: the options, and which kind of index `auto` takes.
- `exact`: comparing with every row, or with every allowed one.
- `approximate`: HNSW, inverted lists, inverted lists of codes.
- `recall`: how much of the exact answer an approximate index finds, and the effort that this takes.
- `vector_index`: `VectorIndex`: filters, ties, and when to be exact.
"""

from kgrec.retrieve.config import IndexConfig
from kgrec.retrieve.recall import SAMPLE, Built
from kgrec.retrieve.vector_index import VectorIndex

__all__ = ["SAMPLE", "Built", "IndexConfig", "VectorIndex"]
