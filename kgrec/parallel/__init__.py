"""Executors: they compute numbered parts, in this process or in others.

executor     the protocol, and what computes the parts in a worker
local        in this process
pool         several workers: order, backpressure, errors
processes    processes of this machine
ray_actors   actors of Ray, on one machine or many

Nothing here imports numpy: an actor sets the number of threads, which numpy reads when it is loaded, after it imported this folder.
A new executor is a class with `map`, `shares_memory` and `gpus_per_worker`, and an entry in `EXECUTORS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kgrec.errors import ConfigError, did_you_mean
from kgrec.parallel.executor import Executor, checked_workers
from kgrec.parallel.local import LocalExecutor
from kgrec.parallel.processes import ProcessExecutor
from kgrec.parallel.ray_actors import RayExecutor

__all__ = [
    "EXECUTORS",
    "Executor",
    "LocalExecutor",
    "ProcessExecutor",
    "RayExecutor",
    "checked_executor",
    "executor_for",
]

#: name -> executor with so many workers, an address, and so many GPUs per worker
EXECUTORS: dict[str, Callable[[int, str | None, float], Executor]] = {
    "local": lambda workers, *_: _local(workers),
    "processes": lambda workers, *_: ProcessExecutor(workers),
    "ray": RayExecutor,
}


def executor_for(
    name: str | None = None, workers: int = 1, address: str | None = None, gpus_per_worker: float = 0.0
) -> Executor:
    """The executor of a name.

    Args:
        name: "local", "processes" or "ray"; None: "local" for one worker, "processes" for more.
        workers: Number of workers.
        address: Of a cluster of Ray.
        gpus_per_worker: GPUs that each worker of Ray reserves.

    Example:
        >>> executor = executor_for("processes", workers=4)

    Raises:
        ConfigError: There is none of that name, it cannot have so many workers, it is not installed, or an option is Ray's.
    """
    name = name or ("local" if checked_workers(workers) == 1 else "processes")
    if name not in EXECUTORS:
        raise ConfigError(f"There is no executor '{name}'.", did_you_mean(name, list(EXECUTORS)))
    if name != "ray" and (address is not None or gpus_per_worker):
        option = "address" if address is not None else "gpus_per_worker"
        raise ConfigError(
            f"{option} applies to the executor 'ray', not to '{name}'.", "Leave it out, or choose 'ray'."
        )
    return EXECUTORS[name](workers, address, gpus_per_worker)


def checked_executor(executor: Any) -> Executor | None:
    """The executor, or None; ConfigError for all else, such as the name of one."""
    if executor is None or (not isinstance(executor, type) and callable(getattr(executor, "map", None))):
        checked: Executor | None = executor
        return checked
    raise ConfigError(
        f"executor is {executor!r:.80}.",
        'Give kgrec.parallel.executor_for("ray", workers=4), or leave it out.',
    )


def _local(workers: int) -> LocalExecutor:
    if checked_workers(workers) > 1:
        raise ConfigError(
            f"The executor 'local' has one worker, not {workers}.", "Choose the executor 'processes'."
        )
    return LocalExecutor()
