"""The protocol of executors, and what computes the parts in a worker.

Enters: a function that prepares a worker, its arguments, and parts. Leaves: one result per part, in the order of the parts,
so every executor gives the same bytes. Writes nothing.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator, Iterable
from multiprocessing import reduction
from typing import Any, Protocol, TypeVar

from kgrec.errors import ConfigError, KgrecError

Part = TypeVar("Part")
Result = TypeVar("Result")
#: prepares a worker from its arguments; returns the function that computes a part
Worker = Callable[..., Callable[[Part], Result]]
#: number, result and error of a part
Reply = tuple[int, Any, Exception | None]

#: environment of a worker: no threads of OpenMP (FAISS, torch), BLAS and tokenizers beside the processes
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
}


class Executor(Protocol):
    """Computes parts; every executor passes the tests of tests/parallel/test_executors.py."""

    #: GPUs that each worker reserves
    gpus_per_worker: float
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


class Computation:
    """What a worker does: it prepares itself at its first part, and answers each part with its result or its error."""

    def __init__(self, worker: Worker[Any, Any], args: tuple[Any, ...]) -> None:
        self._worker, self._args = worker, args
        self._compute: Callable[[Any], Any] | None = None

    def reply(self, number: int, part: Any) -> Reply:
        """Number, result and error of a part; the error can be sent to another process."""
        try:
            self._compute = self._compute or self._worker(*self._args)
            return number, self._compute(part), None
        except Exception as error:
            return number, None, _portable(error)


def checked_workers(workers: int) -> int:
    """The number; ConfigError when it is below 1."""
    if workers < 1:
        raise ConfigError(f"workers is {workers}.", "It must be 1 or more.")
    return workers


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
