"""Executors: they compute numbered parts, in this process or in others.

Enters: a function that prepares a worker, its arguments, and parts. Leaves: one result per part, in the order of the parts,
so every executor gives the same bytes. Writes nothing.

A new executor is a class with `map` and `shares_memory`, and an entry in `EXECUTORS`.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection, get_context, reduction
from typing import Any, Protocol, TypeVar

from kgrec.errors import ConfigError, KgrecError, WorkerError, did_you_mean

Part = TypeVar("Part")
Result = TypeVar("Result")
#: prepares a worker from its arguments; returns the function that computes a part
Worker = Callable[..., Callable[[Part], Result]]

#: parts that are drawn before their turn, per worker
_AHEAD = 2
#: seconds that a worker gets to end by itself
_PATIENCE = 5.0
#: environment of a worker: no threads of OpenMP (FAISS, torch), BLAS and tokenizers beside the processes
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
}
#: held while the environment of this process is that of a worker
_STARTING = threading.Lock()


class Executor(Protocol):
    """Computes parts; every executor passes the tests of tests/test_parallel.py."""

    #: whether workers see the objects of the caller; if not, arguments and parts must be plain values
    shares_memory: bool

    def map(
        self, worker: Worker[Part, Result], args: tuple[Any, ...], parts: Iterable[Part]
    ) -> Generator[tuple[int, Result], None, None]:
        """Compute parts, which are drawn as they are needed.

        Args:
            worker: A function of a module, called as `worker(*args)` once per worker; it returns the function that computes
                a part.
            args: Arguments of `worker`: the path of a model, not the model.
            parts: Arguments of that function; part n is the n-th, from 0.

        Returns:
            (n, result) in the order of the parts. Closing the generator ends the workers.

        Raises:
            WorkerError: A worker died.
            Exception: A worker raised it for a part; it is raised after the results of all earlier parts.
        """
        ...


class LocalExecutor:
    """Computes parts in this process, one after the other."""

    shares_memory = True

    def map(
        self, worker: Worker[Part, Result], args: tuple[Any, ...], parts: Iterable[Part]
    ) -> Generator[tuple[int, Result], None, None]:
        """Compute parts, as `Executor.map`."""
        compute: Callable[[Part], Result] | None = None
        for number, part in enumerate(parts):
            compute = compute or worker(*args)
            yield number, compute(part)


class ProcessExecutor:
    """Computes parts in new processes (spawned, never forked) with one thread each.

    A script that uses it needs `if __name__ == "__main__":`, since each process imports the script.

    Args:
        workers: Number of processes; no more are started than there are parts.
    """

    shares_memory = False

    def __init__(self, workers: int = 1) -> None:
        self.workers = checked_workers(workers)

    def map(
        self, worker: Worker[Part, Result], args: tuple[Any, ...], parts: Iterable[Part]
    ) -> Generator[tuple[int, Result], None, None]:
        """Compute parts, as `Executor.map`; at most two parts per worker are drawn before their turn."""
        with _Pool(worker, args, enumerate(parts), self.workers) as pool:
            for number in itertools.count():
                pool.advance(number)
                if number not in pool.finished:
                    return
                result, error = pool.finished.pop(number)
                if error is not None:
                    raise error
                yield number, result


#: name -> executor with so many workers
EXECUTORS: dict[str, Callable[[int], Executor]] = {
    "local": lambda workers: _local(workers),
    "processes": ProcessExecutor,
}


def executor_for(name: str | None = None, workers: int = 1) -> Executor:
    """The executor of a name; None: "local" for one worker, "processes" for more.

    Raises:
        ConfigError: There is none of that name, or it cannot have so many workers.
    """
    name = name or ("local" if checked_workers(workers) == 1 else "processes")
    if name not in EXECUTORS:
        raise ConfigError(f"There is no executor '{name}'.", did_you_mean(name, list(EXECUTORS)))
    return EXECUTORS[name](workers)


def checked_workers(workers: int) -> int:
    """The number; ConfigError when it is below 1."""
    if workers < 1:
        raise ConfigError(f"workers is {workers}.", "It must be 1 or more.")
    return workers


def _local(workers: int) -> LocalExecutor:
    if checked_workers(workers) > 1:
        raise ConfigError(
            f"The executor 'local' has one worker, not {workers}.", "Choose the executor 'processes'."
        )
    return LocalExecutor()


class _Pool:
    """Processes, the parts that they compute, and results whose turn has not come."""

    def __init__(
        self, worker: Worker[Any, Any], args: tuple[Any, ...], parts: Iterator[tuple[int, Any]], size: int
    ) -> None:
        self._worker, self._args, self._parts, self._size = worker, args, parts, size
        self._busy: dict[Any, _Process] = {}
        self._idle: list[_Process] = []
        self._drawn = 0
        #: number of the part -> result, error
        self.finished: dict[int, tuple[Any, Exception | None]] = {}

    def advance(self, number: int) -> None:
        """Compute until part `number` is finished, or no part is left."""
        if not self._drawn:
            self._begin()
        self._collect(timeout=0)
        self._feed(number)
        while number not in self.finished and self._busy:
            self._collect(timeout=None)
            self._feed(number)

    def _begin(self) -> None:
        """Start the processes; all of them before the first is sent a part, which waits until it has started."""
        first = list(itertools.islice(self._parts, self._size))
        for _ in first:
            self._idle.append(_Process(self._worker, self._args))
        for part in first:
            self._send(*part)

    def _feed(self, number: int) -> None:
        """Give idle processes a part, none too far ahead of `number`, and none after a failure."""
        failed = any(error is not None for _, error in self.finished.values())
        while self._idle and not failed and self._drawn < number + _AHEAD * self._size:
            part = next(self._parts, None)
            if part is None:
                return
            self._send(*part)

    def _send(self, number: int, part: Any) -> None:
        process = self._idle.pop()
        self._busy[process.connection] = process
        self._drawn += 1
        process.send(number, part)

    def _collect(self, timeout: float | None) -> None:
        for ready in connection.wait(list(self._busy), timeout) if self._busy else ():
            number, result, error = self._busy[ready].receive()
            self.finished[number] = (result, error)
            self._idle.append(self._busy.pop(ready))

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        processes = [*self._idle, *self._busy.values()]
        for process in processes:
            process.end(at_once=bool(self._busy))
        for process in processes:
            process.join()


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

    def send(self, number: int, part: Any) -> None:
        """Have a part computed."""
        try:
            self.connection.send((number, part))
        except OSError:
            raise self._died() from None

    def receive(self) -> tuple[int, Any, Exception | None]:
        """Number, result and error of the part that it was sent."""
        try:
            reply: tuple[int, Any, Exception | None] = self.connection.recv()
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
    compute: Callable[[Any], Any] | None = None
    with suppress(EOFError, ConnectionError):
        while True:
            number, part = requests.recv()
            reply: tuple[int, Any, Exception | None]
            try:
                compute = compute or worker(*args)
                reply = (number, compute(part), None)
            except Exception as error:
                reply = (number, None, _portable(error))
            requests.send(reply)


def _portable(error: Exception) -> Exception:
    """The error, or one that says the same and can be sent to another process."""
    if isinstance(error, KgrecError):
        return error
    error.add_note(f"In a worker process:\n{traceback.format_exc()}")
    try:
        reduction.ForkingPickler.loads(reduction.ForkingPickler.dumps(error))
    except Exception:
        other = RuntimeError(f"{type(error).__name__}: {error}")
        other.__notes__ = error.__notes__
        return other
    return error


def _signal_name(number: int) -> str:
    names = {item.value: f" ({item.name})" for item in signal.Signals}
    return f"signal {number}{names.get(number, '')}"


@contextmanager
def _worker_settings() -> Iterator[None]:
    """What a process that is started in this block inherits: one thread, and no Ctrl-C, which the caller handles.

    Libraries read the environment when they are loaded, which is before a worker could set it.
    """
    with _STARTING:
        before = {name: os.environ.get(name) for name in _ONE_THREAD}
        os.environ.update(_ONE_THREAD)
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
