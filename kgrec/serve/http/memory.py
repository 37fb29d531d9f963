"""Return memory that a server has freed to the system.

Enters: nothing. Leaves: nothing. A replaced model is freed, but allocators keep its memory for later: glibc returns only memory at the end
of the heap, and Arrow's pool returns none.
"""

from __future__ import annotations

import ctypes
import sys

import pyarrow as pa


def give_back() -> None:
    """Return freed memory to the system: Arrow's, and the C library's if it is glibc."""
    pa.default_memory_pool().release_unused()
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # musl has none
        trim(0)
