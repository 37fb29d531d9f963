"""The number of threads that FAISS uses.

Enters: a number of threads, and a function that calls FAISS. Leaves: the result of the function.

FAISS reads the number of OpenMP threads from the thread that calls it. For another number, a helper thread with that setting makes
the call. The caller's settings therefore do not change, and concurrent searches do not affect each other.

OpenMP keeps a pool of threads for each thread that has entered a parallel region. A fork copies one thread without its pool, and
the next parallel region of that thread would wait for the pool forever. FAISS therefore uses one thread in a child process that was
forked after FAISS was loaded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")

#: number of threads in a forked child; None in other processes
_forked_count: int | None = None
#: number of OpenMP threads -> idle helper threads with that setting; starting a thread takes longer than a small search
_idle: dict[int, list[ThreadPoolExecutor]] = {}


def with_threads(count: int | None, call: Callable[[], _T]) -> _T:
    """Return `call()`, during which FAISS uses `count` threads; None: OpenMP's default."""
    import faiss

    count = _forked_count or count
    if count is None or count == faiss.omp_get_max_threads():
        return call()
    idle = _idle.setdefault(count, [])
    try:
        thread = idle.pop()
    except IndexError:
        thread = ThreadPoolExecutor(1, "kgrec-faiss", faiss.omp_set_num_threads, (count,))
    try:
        return thread.submit(call).result()
    finally:
        idle.append(thread)


def use_one_thread() -> None:
    """Make FAISS use one thread when this thread calls it without a number of its own."""
    import faiss

    faiss.omp_set_num_threads(1)


def _in_forked_child() -> None:
    global _forked_count
    _idle.clear()
    if faiss := sys.modules.get("faiss"):
        _forked_count = 1
        faiss.omp_set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)
