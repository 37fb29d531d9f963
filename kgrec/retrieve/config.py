"""Options of an index, and the kind that `auto` chooses.

Enters: plain values, the size of the catalogue and the memory. Leaves: an `IndexConfig`, and a kind of index.
"""

from __future__ import annotations

from typing import Literal

import psutil
from pydantic import Field

from kgrec.arguments.sections import Section

IndexKind = Literal["flat", "hnsw", "ivf", "ivfpq"]

#: largest total of numbers in all vectors for which exhaustive search is fast: about 200,000 items of 256 numbers
_MAX_FLAT_NUMBERS = 50_000_000


class IndexConfig(Section, frozen=True):
    """How the nearest items are found."""

    kind: Literal["auto", "flat", "hnsw", "ivf", "ivfpq"] = "auto"
    """"flat" compares the query with every item. "hnsw" walks through a graph of neighbours. "ivf" searches the lists of the
    nearest centroids. "ivfpq" searches lists of short codes, and compares the best candidates exactly. "auto": flat up to 50 million
    numbers (items times `dim`), then ivf, or ivfpq if building ivf would take half of the memory."""
    min_recall: float = Field(0.98, ge=0, le=1)
    """Share of the exact best items that an approximate index must find, in lists of 100 items and in longer ones; its effort is
    raised until it does."""
    effort: int | None = Field(None, ge=1)
    """Effort of an approximate search for a list of 100 items: candidates kept by hnsw, lists searched by ivf and ivfpq. Longer
    lists take more. None: the effort is doubled until a sample of users reaches `min_recall`."""
    threads: int | None = Field(None, ge=1)
    """CPU threads for search and build; None: OpenMP's default, which is `OMP_NUM_THREADS` or one thread per core. A process
    that was forked after an index was loaded always uses one thread."""

    def kind_for(self, n_items: int, dim: int, memory: int | None = None) -> IndexKind:
        """The kind of index for a catalogue.

        Args:
            n_items: Number of items.
            dim: Length of a vector.
            memory: Memory in bytes; None: the memory of this machine.
        """
        if self.kind != "auto":
            return self.kind
        if n_items * dim <= _MAX_FLAT_NUMBERS:
            return "flat"
        # "auto" never chooses hnsw: searching more lists reaches any recall, while a walk through hnsw's graph may end early at
        # any effort, and the graph takes longer to build.
        needed = n_items * 2 * 4 * dim  # bytes of the float32 vectors, and of their copies in lists
        return "ivf" if needed <= (memory or _memory()) // 2 else "ivfpq"


def _memory() -> int:
    return int(psutil.virtual_memory().total)
