"""Memory that a server has freed, given back to the system.

Enters: nothing. Leaves: nothing. A model that was swapped out is freed, but allocators keep its memory for later: glibc gives back what
lies at the end of the heap alone, and Arrow's pool keeps what it has.
"""

from __future__ import annotations

import ctypes
import sys

import pyarrow as pa


def give_back() -> None:
    """Give freed memory back to the system: that of Arrow, and that of the C library where this is glibc."""
    pa.default_memory_pool().release_unused()
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # musl has none
        trim(0)
