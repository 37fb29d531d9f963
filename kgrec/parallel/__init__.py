"""Executors: they compute numbered parts, in this process or in others.

executor     the protocol, and what computes the parts in a worker
local        in this process
pool         several workers: order, backpressure, errors
processes    processes of this machine
ray_actors   actors of Ray, on one machine or many

A new executor is a class with `map`, `workers` and `shares_memory`, and an entry in `EXECUTORS`.
"""

from __future__ import annotations

from collections.abc import Callable

from kgrec.errors import ConfigError, did_you_mean
from kgrec.parallel.executor import Executor, checked_workers
from kgrec.parallel.local import LocalExecutor
from kgrec.parallel.processes import ProcessExecutor
from kgrec.parallel.ray_actors import RayExecutor

__all__ = ["EXECUTORS", "Executor", "LocalExecutor", "ProcessExecutor", "RayExecutor", "executor_for"]

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


def _local(workers: int) -> LocalExecutor:
    if checked_workers(workers) > 1:
        raise ConfigError(
            f"The executor 'local' has one worker, not {workers}.", "Choose the executor 'processes'."
        )
    return LocalExecutor()
