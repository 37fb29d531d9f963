"""The options of an index, and the kind that `auto` takes.

Enters: the size of a catalogue and of the machine's memory. Leaves: a kind of index.
"""

from __future__ import annotations

from typing import Literal

import psutil
from pydantic import BaseModel, Field

IndexKind = Literal["flat", "hnsw", "ivf", "ivfpq"]

#: up to so many numbers in all vectors, exhaustive search is quick: about 200,000 items of 256
_FLAT = 50_000_000


class IndexConfig(BaseModel, frozen=True, extra="forbid"):
    """How nearest items are found."""

    kind: Literal["auto", "flat", "hnsw", "ivf", "ivfpq"] = "auto"
    """"flat" compares with every item. "hnsw" walks a graph of neighbours, "ivf" searches the lists of the nearest
    centroids, "ivfpq" does so with short codes in place of vectors and compares the best of these exactly. "auto": flat
    up to 50 million numbers (items times `dim`), then ivf, or ivfpq where building ivf would take half of the memory."""
    min_recall: float = Field(0.98, ge=0, le=1)
    """Recall that an approximate index must reach, in lists of 100 and in longer ones; its effort is raised until it
    does."""
    effort: int | None = Field(None, ge=1)
    """Effort of an approximate search for a list of 100: candidates that hnsw keeps, lists that ivf and ivfpq search.
    Longer lists take more. None: doubled until `min_recall` is reached for a sample of users."""
    threads: int | None = Field(None, ge=1)
    """CPU threads of a search, and of building; None: as many as OpenMP takes: `OMP_NUM_THREADS`, or a thread per core. In
    a process that was forked after an index was loaded it is one thread in any case."""

    def kind_for(self, n_items: int, dim: int, memory: int | None = None) -> IndexKind:
        """The kind of index for so many items.

        Args:
            n_items: Of the catalogue.
            dim: Of the vectors.
            memory: Bytes of the machine; None: the system says.
        """
        if self.kind != "auto":
            return self.kind
        if n_items * dim <= _FLAT:
            return "flat"
        # ivf reaches any recall by searching more lists; a walk through hnsw's graph may end too early at any effort, and
        # the graph takes longer to build.
        needed = n_items * 2 * 4 * dim  # bytes of the vectors, and of their copies in lists
        return "ivf" if needed <= (memory or _memory()) // 2 else "ivfpq"


def _memory() -> int:
    return int(psutil.virtual_memory().total)
