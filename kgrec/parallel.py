"""Threads of this process.

Enters: a number of threads, or nothing. Leaves: blocks that run with as many.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any

import torch


def mixed_precision(device: str) -> AbstractContextManager[Any]:
    """Products of half precision within the block, on a GPU; on CPUs they would be slower."""
    return torch.autocast(device, torch.bfloat16, enabled=device != "cpu")


class threads:  # noqa: N801  # used as a function in a `with`
    """Torch's thread count within a block."""

    def __init__(self, count: int | None) -> None:
        self.count = count or idle_cores()

    def __enter__(self) -> None:
        self.before = torch.get_num_threads()
        torch.set_num_threads(self.count)

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self.before)


def idle_cores() -> int:
    """Cores that no other process is using, at least one.

    Two threads on a machine with one free core are many times slower than one thread.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(1, min(cores, round(cores - busy)))
