"""The writer lock of an object whose readers never wait.

Enters: changes from several threads. Leaves: the same changes, one at a time.

A fork copies one thread and all memory, so a lock held by another thread stays locked in the child. `OneAtATime` therefore makes a
new lock in the child.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from kgrec.errors import KgrecError


class OneAtATime:
    """A lock for changes of an object: threads wait for each other.

    Args:
        what: Name of the object for messages.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._renew()
        _locks.add(self)

    def _renew(self) -> None:
        self._lock, self._holder = threading.Lock(), 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A block that only one thread executes at a time.

        Raises:
            KgrecError: This thread is already in such a block; the outer of two nested changes would undo the inner one.
        """
        if self._holder == threading.get_ident():
            raise KgrecError(
                f"A change of {self._what} is in progress in this thread, so another one cannot begin.",
                "Make the second change after the first has returned.",
            )
        # local variable: in a child forked inside the block, the attribute is a different lock
        lock = self._lock
        with lock:
            self._holder = threading.get_ident()
            try:
                yield
            finally:
                self._holder = 0


_locks: weakref.WeakSet[OneAtATime] = weakref.WeakSet()


def _in_forked_child() -> None:
    for lock in _locks:
        lock._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)
