"""EASE: each item predicted from all others by ridge regression, in closed form."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kgrec.errors import ConfigError, TrainingError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.fitted import ItemWeights
from kgrec.rank.ease import BYTES_PER_PAIR, ease_weights
from kgrec.rank.slim import co_counts

#: default limit, as a share of the machine's memory
_MEMORY_SHARE = 0.5


@dataclass(frozen=True)
class Ease:
    """EASE, a dense linear autoencoder: see :mod:`kgrec.rank.ease`."""

    #: lambda
    penalty: float = 200.0
    #: largest memory to use, in GB; None: half of the machine's memory
    memory: float | None = None

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "penalty": (10.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
    }

    def fit(self, data: BaselineData) -> ItemWeights:
        """Solve the regressions.

        Raises:
            ConfigError: The penalty is not positive.
            TrainingError: The matrix does not fit into memory.
        """
        if not self.penalty > 0:
            raise ConfigError(f"EASE's penalty is {self.penalty:g}.", "Give a positive number.")
        self._check(data.n_items)
        return ItemWeights(ease_weights(co_counts(data.positives), self.penalty))

    def _check(self, n_items: int) -> None:
        allowed = self.memory if self.memory is not None else _MEMORY_SHARE * _machine_memory()
        needed = BYTES_PER_PAIR * n_items**2 / 1e9
        if needed > allowed:
            raise TrainingError(
                f"EASE of {n_items:,} items needs {needed:,.1f} GB of memory, but the limit is {allowed:,.1f} GB.",
                "Leave it out, raise `memory`, or use a baseline with sparse weights, such as RP3beta.",
            )


def _machine_memory() -> float:
    """Memory of the machine in GB; 16 if the system does not report it."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return 16.0
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
