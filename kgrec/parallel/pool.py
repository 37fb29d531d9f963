"""Several workers that compute the parts of one run.

Enters: numbered parts. Leaves: their results, by number. Workers are processes, or actors of Ray: a subclass of `Pool` starts
them, and waits for them.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterable
from typing import Any, Protocol

from kgrec.parallel.executor import Reply, Worker

#: parts that are drawn before their turn, per worker
_AHEAD = 2


class PoolWorker(Protocol):
    """A worker that computes one part at a time. It returns a ticket for each part, and `Pool.wait` waits for the tickets."""

    def send(self, number: int, part: Any) -> Any:
        """Have a part computed; returns the ticket of its reply."""

    def receive(self, ticket: Any) -> Reply | None:
        """The reply of a ticket that is ready; None: the worker has started.

        Raises:
            WorkerError: The worker died.
        """

    def end(self, *, at_once: bool) -> None:
        """Have the worker end, now or when it has computed its part."""

    def join(self) -> None:
        """Wait until it has ended."""


class Pool(ABC):
    """Workers, the parts that they compute, and results whose turn has not come.

    A part is sent only to a worker that has started, so a run goes on with the workers that there are while others start.

    Args:
        worker: As `Executor.map`.
        args: As `Executor.map`.
        size: Number of workers; no more are started than there are parts.
    """

    def __init__(self, worker: Worker[Any, Any], args: tuple[Any, ...], size: int) -> None:
        self.worker, self.args, self.size = worker, args, size
        #: ticket -> the worker that owes its reply
        self._busy: dict[Any, PoolWorker] = {}
        self._idle: list[PoolWorker] = []
        self._parts: Iterable[tuple[int, Any]] = ()
        #: parts that are drawn and not sent
        self._next: deque[tuple[int, Any]] = deque()
        self._drawn = self._received = 0
        #: number of the part -> result, error
        self._finished: dict[int, tuple[Any, Exception | None]] = {}

    @abstractmethod
    def start(self) -> tuple[PoolWorker, Any]:
        """Start a worker; returns it, and the ticket that is ready when it has started."""

    @abstractmethod
    def wait(self, tickets: list[Any], timeout: float | None) -> Iterable[Any]:
        """Wait until at least one ticket is ready, for at most `timeout` seconds; returns those that are."""

    def results(self, parts: Iterable[Any]) -> Generator[tuple[int, Any], None, None]:
        """Results in the order of the parts, as `Executor.map`; at most two parts per worker are drawn before their turn."""
        self._parts = enumerate(parts)
        try:
            for number in itertools.count():
                self._advance(number)
                if number not in self._finished:
                    return
                result, error = self._finished.pop(number)
                if error is not None:
                    raise error
                yield number, result
        finally:
            self._end()

    def _advance(self, number: int) -> None:
        """Compute until part `number` is finished, or no part is left."""
        if not self._drawn:
            self._begin()
        self._collect(timeout=0)
        self._feed(number)
        while number not in self._finished and self._received < self._drawn:
            self._collect(timeout=None)
            self._feed(number)

    def _begin(self) -> None:
        for part in itertools.islice(self._parts, self.size):
            self._next.append(part)
        self._drawn = len(self._next)
        for _ in self._next:
            worker, ticket = self.start()
            self._busy[ticket] = worker

    def _feed(self, number: int) -> None:
        """Give idle workers a part, none too far ahead of `number`, and none after a failure."""
        failed = any(error is not None for _, error in self._finished.values())
        while self._idle and not failed and (self._next or self._draw(number)):
            worker = self._idle.pop()
            self._busy[worker.send(*self._next.popleft())] = worker

    def _draw(self, number: int) -> bool:
        """Draw a part; False: none is left, or it would be too far ahead."""
        if self._drawn < number + _AHEAD * self.size:
            self._next.extend(itertools.islice(self._parts, 1))
            self._drawn += len(self._next)
        return bool(self._next)

    def _collect(self, timeout: float | None) -> None:
        for ticket in self.wait([*self._busy], timeout) if self._busy else ():
            reply = self._busy[ticket].receive(ticket)
            self._idle.append(self._busy.pop(ticket))
            if reply is not None:
                number, result, error = reply
                self._finished[number] = (result, error)
                self._received += 1

    def _end(self) -> None:
        workers = [*self._idle, *self._busy.values()]
        for worker in workers:
            worker.end(at_once=bool(self._busy))
        for worker in workers:
            worker.join()
