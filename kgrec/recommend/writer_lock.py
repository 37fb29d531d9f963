"""The writer lock of an object whose readers never wait.

Enters: changes from several threads. Leaves: the same, one at a time.

A fork copies one thread and all memory: a lock that another thread held stays locked in the child. `OneAtATime` therefore takes a
new one there.
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
        what: The object, in words.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._renew()
        _locks.add(self)

    def _renew(self) -> None:
        self._lock, self._holder = threading.Lock(), 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A block that one thread at a time is in.

        Raises:
            KgrecError: This thread is in such a block already: of two nested changes the outer one would undo the inner one.
        """
        if self._holder == threading.get_ident():
            raise KgrecError(
                f"A change of {self._what} is under way in this thread, so no other one can begin in it.",
                "Make the second change after the first has returned.",
            )
        # kept here: in a child that is forked within the block the attribute is another lock
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
