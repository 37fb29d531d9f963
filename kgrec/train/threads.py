"""Number of threads used in training.

Enters: a number of threads, a rule, or nothing. Leaves: blocks in which torch uses that many threads.

A forked child does not inherit OpenMP's threads, so torch uses one thread there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal


class threads:  # noqa: N801  # used as a function in a `with`
    """Torch's thread count within a block.

    Args:
        count: As in `thread_count`.
    """

    def __init__(self, count: int | Literal["idle"] | None) -> None:
        self.count = thread_count(count)

    def __enter__(self) -> None:
        import torch

        self.before = torch.get_num_threads()
        torch.set_num_threads(self.count)

    def __exit__(self, *_: object) -> None:
        import torch

        torch.set_num_threads(self.before)


def thread_count(asked: int | Literal["idle"] | None, environment: Mapping[str, str] = os.environ) -> int:
    """Number of threads to use, at least one.

    Args:
        asked: A number; "idle": the cores that no other process is using now; None: all cores that this process may use.
        environment: Its OMP_NUM_THREADS replaces the number of cores, and limits "idle".
    """
    if isinstance(asked, int):
        return asked
    most = _omp_num_threads(environment) or usable_cores()
    return min(most, idle_cores()) if asked == "idle" else most


def usable_cores(root: Path = Path("/")) -> int:
    """Number of cores that this process may use, at least one: those of its affinity, limited by the quota of its cgroups.

    Args:
        root: Contains `proc` and `sys`.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *(int(quota) for quota in _quotas(root))]))


def idle_cores() -> int:
    """Number of usable cores that no process is using, by the load of the last minute; at least one.

    Two threads of torch on a machine with one free core are many times slower than one thread.
    """
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(1, round(usable_cores() - busy))


def _omp_num_threads(environment: Mapping[str, str]) -> int | None:
    """The first number in OMP_NUM_THREADS, which may have one number per nesting level; None if it has none."""
    first = environment.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) else None


def _quotas(root: Path) -> Iterator[float]:
    """CPU quotas, in cores, of the control groups of this process and of their parent groups."""
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                yield from _quotas_above(root / "sys/fs/cgroup", path, _quota_of_2)
            elif "cpu" in controllers.split(","):
                yield from _quotas_above(root / "sys/fs/cgroup/cpu", path, _quota_of_1)


def _quotas_above(mount: Path, path: str, quota: Callable[[Path], float]) -> Iterator[float]:
    """Quotas of a group and its parents; a container may see only its own group, as `mount`."""
    group = mount / path.lstrip("/")
    for folder in (group, *group.parents):
        with suppress(OSError, ValueError, ZeroDivisionError):
            yield quota(folder)
        if folder == mount:
            return


def _quota_of_2(folder: Path) -> float:
    """Quota of a version 2 group; ValueError if it is "max"."""
    quota, period = (folder / "cpu.max").read_text().split()
    return int(quota) / int(period)


def _quota_of_1(folder: Path) -> float:
    """Quota of a version 1 group; -1 means no quota."""
    quota = int((folder / "cpu.cfs_quota_us").read_text())
    if quota < 0:
        raise ValueError
    return quota / int((folder / "cpu.cfs_period_us").read_text())


def _in_forked_child() -> None:
    """Use one thread, because a forked child has no OpenMP threads and torch would wait for them forever."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)
