"""The executor with actors of Ray: workers on the machines of a cluster, or on this one.

Ray restarts a worker whose process or machine was lost, and the worker computes its part again; the result does not change,
because a part is computed from its arguments alone.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import pickle
from collections.abc import Generator, Iterable
from typing import Any

from kgrec.errors import ArtifactError, ConfigError, WorkerError
from kgrec.parallel.executor import ONE_THREAD, Computation, Part, Reply, Result, Worker, checked_workers
from kgrec.parallel.pool import Pool

logger = logging.getLogger(__name__)

#: a part that kills its worker so many times more ends the run
_RETRIES = 2
#: bytes of shared memory for parts and results, where this process starts Ray; beyond it, Ray writes them to disk
_OBJECT_STORE = 512 * 2**20
#: seconds without a started worker after which a warning says what the cluster has
_PATIENCE = 60.0


class RayExecutor:
    """Computes parts in actors of Ray with one CPU and one thread each.

    Ray stays connected until the process ends, or calls `ray.shutdown()`; a process that is already connected stays so.

    Args:
        workers: Number of actors; no more are started than there are parts.
        address: Address of a cluster, as `ray.init` takes it; None: $RAY_ADDRESS, or else Ray is started on this machine.
        gpus_per_worker: GPUs that each actor reserves; a fraction shares one.

    Raises:
        ConfigError: Ray is not installed, or a number is out of range.
    """

    shares_memory = False

    def __init__(self, workers: int = 1, address: str | None = None, gpus_per_worker: float = 0.0) -> None:
        self.workers, self.address = checked_workers(workers), address
        self.gpus_per_worker = _checked_gpus(gpus_per_worker)
        if importlib.util.find_spec("ray") is None:
            raise ConfigError(
                "The executor 'ray' needs Ray, which is not installed.", "pip install 'kgrec[ray]'"
            )

    def map(
        self, worker: Worker[Part, Result], args: tuple[Any, ...], parts: Iterable[Part]
    ) -> Generator[tuple[int, Result], None, None]:
        """Compute parts, as `Executor.map`; at most two parts per worker are drawn before their turn."""
        return _ActorPool(self, worker, args).results(parts)


class _ActorPool(Pool):
    def __init__(self, executor: RayExecutor, worker: Worker[Any, Any], args: tuple[Any, ...]) -> None:
        super().__init__(worker, args, executor.workers)
        self._executor = executor
        self._any_started = False

    def start(self) -> tuple[_Actor, Any]:
        ray = _connected(self._executor)
        actor = _Actor(ray, self._executor.gpus_per_worker, self.worker, self.args)
        return actor, actor.started

    def wait(self, tickets: list[Any], timeout: float | None) -> Iterable[Any]:
        import ray

        patience = None if self._any_started else _PATIENCE
        ready, _ = ray.wait(tickets, timeout=patience if timeout is None else timeout)
        while not ready and timeout is None:
            logger.warning("No worker has started yet. %s", _resources(ray))
            ready, _ = ray.wait(tickets, timeout=None)
        self._any_started = self._any_started or bool(ready)
        return list(ready)


class _Actor:
    """An actor that computes one part at a time."""

    def __init__(self, ray: Any, gpus: float, worker: Worker[Any, Any], args: tuple[Any, ...]) -> None:
        self._ray = ray
        remote = ray.remote(_Remote).options(
            num_cpus=1,
            num_gpus=gpus,
            # A cluster may lose machines for as long as a run takes, so the limit is that of a part.
            max_restarts=-1,
            max_task_retries=_RETRIES,
        )
        self._actor = remote.remote(ray.cloudpickle.dumps((worker, args)))
        self.started = self._actor.begin.remote()

    def send(self, number: int, part: Any) -> Any:
        return self._actor.compute.remote(number, part)

    def receive(self, ticket: Any) -> Reply | None:
        try:
            reply: Reply | None = self._ray.get(ticket)
        except self._ray.exceptions.RayError as error:
            raise WorkerError(
                f"A worker of Ray died: {_summary(error)}",
                "If memory ran out, use smaller parts, or nodes with more memory; each node needs this version of kgrec.",
            ) from None
        return reply

    def end(self, *, at_once: bool) -> None:  # noqa: ARG002  an idle actor is killed, too: it holds nothing
        self._ray.kill(self._actor)

    def join(self) -> None:
        """Nothing: the cluster ends it."""


class _Remote:
    """The class of the actors.

    Args:
        pickled: `worker` and `args` of `Executor.map`: a function by its name, and plain values.
    """

    def __init__(self, pickled: bytes) -> None:
        # Before the function is imported, and numpy, torch and FAISS with it, which read the environment when they are loaded.
        # A `runtime_env` would do the same, but Ray starts a new process for it, which takes 4 s more than one of its idle ones.
        os.environ.update(ONE_THREAD)
        self._computation = Computation(*pickle.loads(pickled))

    def begin(self) -> None:
        """Return when the actor has started."""

    def compute(self, number: int, part: Any) -> Reply:
        """Number, result and error of a part; an error about a folder names the node."""
        number, result, error = self._computation.reply(number, part)
        if isinstance(error, ArtifactError):
            import ray

            where = f"On the node {ray.util.get_node_ip_address()}: {error.problem}"
            remedy = f"{error.remedy} Every node must have the folder at this path."
            error = type(error)(where, remedy)
        return number, result, error


def _connected(executor: RayExecutor) -> Any:
    """The module `ray`, connected to a cluster.

    Raises:
        ConfigError: There is no cluster at the address, this process is connected to another one, or this machine lacks GPUs.
    """
    import ray

    address = executor.address or os.environ.get("RAY_ADDRESS")
    if ray.is_initialized():
        connected = ray.get_runtime_context().gcs_address
        if executor.address not in (None, "auto", connected):
            raise ConfigError(
                f"This process is connected to Ray at {connected}, not at {executor.address}.",
                "Leave out the address, or call ray.shutdown() first.",
            )
        return ray
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    started: dict[str, Any] = {
        "num_cpus": executor.workers,
        "object_store_memory": _OBJECT_STORE,
        "include_dashboard": False,
    }
    try:
        ray.init(
            address=address or "local",
            logging_level=logging.WARNING,
            log_to_driver=False,
            **({} if address else started),
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = address or "this machine"
        raise ConfigError(
            f"Ray cannot be used at {where}: {_summary(error)}", "Check the address with `ray status`."
        ) from None
    if not address and ray.cluster_resources().get("GPU", 0) < executor.gpus_per_worker:
        raise ConfigError(
            f"A worker needs {executor.gpus_per_worker:g} GPUs, and this machine has fewer.",
            "Leave out gpus_per_worker, or give the address of a cluster.",
        )
    return ray


def _checked_gpus(gpus: float) -> float:
    if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
        raise ConfigError(
            f"gpus_per_worker is {gpus:g}.", "Give 0, a fraction such as 0.5, or a whole number."
        )
    return gpus


def _resources(ray: Any) -> str:
    has = ray.cluster_resources()
    return f"The cluster has {has.get('CPU', 0):g} CPUs and {has.get('GPU', 0):g} GPUs."


def _summary(error: Exception) -> str:
    """One line of a message of Ray: the error that a worker raised is in the last one, all else in the first one."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1] if "Error:" in lines[-1] else lines[0]
