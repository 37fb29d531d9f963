"""The executor without other processes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

from kgrec.parallel.executor import Part, Result, Worker


class LocalExecutor:
    """Computes parts in this process, one after the other."""

    gpus_per_worker = 0.0
    shares_memory = True

    def map(
        self, worker: Worker[Part, Result], args: tuple[Any, ...], parts: Iterable[Part]
    ) -> Generator[tuple[int, Result], None, None]:
        """Compute parts, as `Executor.map`."""
        compute: Callable[[Part], Result] | None = None
        for number, part in enumerate(parts):
            compute = compute or worker(*args)
            yield number, compute(part)
