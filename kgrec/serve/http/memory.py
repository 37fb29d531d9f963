"""Memory that a server has freed, given back to the system.

Enters: nothing. Leaves: nothing. A model that was swapped out is freed, but glibc keeps its memory for later: it gives back what lies at the
end of the heap alone.
"""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Give freed memory back to the system, where the C library is glibc; elsewhere do nothing."""
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # musl has none
        trim(0)
