"""The executor with processes of this machine."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection, get_context
from typing import Any

from kgrec.errors import WorkerError
from kgrec.parallel.executor import ONE_THREAD, Computation, Part, Reply, Result, Worker, checked_workers
from kgrec.parallel.pool import Pool

#: seconds that a worker gets to end by itself
_PATIENCE = 5.0
#: held while the environment of this process is that of a worker
_STARTING = threading.Lock()


class ProcessExecutor:
    """Computes parts in new processes (spawned, never forked) with one thread each.

    A script that uses it needs `if __name__ == "__main__":`, since each process imports the script.

    Args:
        workers: Number of processes; no more are started than there are parts.
    """

    shares_memory = False
    gpus_per_worker = 0.0

    def __init__(self, workers: int = 1) -> None:
        self.workers = checked_workers(workers)

    def map(
        self, worker: Worker[Part, Result], args: tuple[Any, ...], parts: Iterable[Part]
    ) -> Generator[tuple[int, Result], None, None]:
        """Compute parts, as `Executor.map`; at most two parts per worker are drawn before their turn."""
        return _ProcessPool(worker, args, self.workers).results(parts)


class _ProcessPool(Pool):
    def start(self) -> tuple[_Process, Any]:
        process = _Process(self.worker, self.args)
        return process, process.connection

    def wait(self, tickets: list[Any], timeout: float | None) -> Iterable[Any]:
        return connection.wait(tickets, timeout)


class _Process:
    """A process that computes one part at a time."""

    def __init__(self, worker: Worker[Any, Any], args: tuple[Any, ...]) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, worker, args), daemon=True)
        with _worker_settings():
            self._process.start()
        # The process has the only other end: each side sees when the other has died.
        theirs.close()

    def send(self, number: int, part: Any) -> Any:
        """Have a part computed."""
        try:
            self.connection.send((number, part))
        except OSError:
            raise self._died() from None
        return self.connection

    def receive(self, _: Any) -> Reply | None:
        """Number, result and error of the part that it was sent; None when it has started."""
        try:
            reply: Reply | None = self.connection.recv()
        except (EOFError, OSError):
            raise self._died() from None
        return reply

    def end(self, *, at_once: bool) -> None:
        """Have the process end, now or when it has computed its part."""
        if at_once:
            self._process.terminate()
        self.connection.close()

    def join(self) -> None:
        """Wait until it has ended."""
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _died(self) -> WorkerError:
        self._process.join(_PATIENCE)
        code = self._process.exitcode
        if code is not None and code < 0:
            return WorkerError(
                f"Worker process {self._process.pid} was killed by {_signal_name(-code)}.",
                "If memory ran out, use fewer workers or smaller parts.",
            )
        return WorkerError(
            f"Worker process {self._process.pid} ended with exit code {code}.",
            'See its message above; a script that starts workers needs `if __name__ == "__main__":`.',
        )


def _serve(requests: Any, worker: Worker[Any, Any], args: tuple[Any, ...]) -> None:
    """Compute parts until the caller closes the connection or dies; the main function of a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    computation = Computation(worker, args)
    with suppress(EOFError, ConnectionError):
        requests.send(None)
        while True:
            requests.send(computation.reply(*requests.recv()))


def _signal_name(number: int) -> str:
    names = {item.value: f" ({item.name})" for item in signal.Signals}
    return f"signal {number}{names.get(number, '')}"


@contextmanager
def _worker_settings() -> Iterator[None]:
    """What a process that is started in this block inherits: one thread, and no Ctrl-C, which the caller handles.

    Libraries read the environment when they are loaded, which is before a worker could set it.
    """
    with _STARTING:
        before = {name: os.environ.get(name) for name in ONE_THREAD}
        os.environ.update(ONE_THREAD)
        try:
            with _without_interrupt():
                yield
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def _without_interrupt() -> Iterator[None]:
    """Ctrl-C waits until the block ends, where the system can; processes that are started in it never see it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
