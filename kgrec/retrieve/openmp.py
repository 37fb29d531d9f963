"""The threads that FAISS computes with.

Enters: a number of threads, and a function that calls FAISS. Leaves: what the function returns.

FAISS takes the number of OpenMP threads from the thread that calls it. Where another number is asked for, a thread of our own
with that number makes the call, so that no setting of the caller changes and concurrent searches do not disturb each other.

OpenMP keeps a pool of threads for each thread that has entered a parallel region. A fork copies one thread without its pool,
and the next parallel region of that thread would wait for the pool forever. So in a child that was forked after FAISS was loaded,
FAISS computes with one thread.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")

#: the only number of threads in a forked child
_only: int | None = None
#: threads of our own that wait for a call, by their number of OpenMP threads: starting one takes longer than a small search
_waiting: dict[int, list[ThreadPoolExecutor]] = {}


def with_threads(count: int | None, call: Callable[[], _T]) -> _T:
    """`call()`, in which FAISS computes with `count` threads; None: as many as OpenMP takes by itself."""
    import faiss

    count = _only or count
    if count is None or count == faiss.omp_get_max_threads():
        return call()
    waiting = _waiting.setdefault(count, [])
    try:
        thread = waiting.pop()
    except IndexError:
        thread = ThreadPoolExecutor(1, "kgrec-faiss", faiss.omp_set_num_threads, (count,))
    try:
        return thread.submit(call).result()
    finally:
        waiting.append(thread)


def _in_forked_child() -> None:
    global _only
    _waiting.clear()
    if faiss := sys.modules.get("faiss"):
        _only = 1
        faiss.omp_set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)
