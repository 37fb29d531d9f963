"""What every baseline takes and gives.

A baseline is a frozen dataclass: its fields are its options, `fit` learns from `Data` and gives a `Scorer`. The options
that a search varies are in `GRID`, each with the values to try.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
import scipy.sparse as sp

from kgrec.evaluate.baselines.training_data import Data


class Scorer(Protocol):
    """What a baseline has learned."""

    def scores(self, histories: sp.csr_matrix, users: np.ndarray | None = None) -> np.ndarray:
        """Score every item for each history; the higher, the better.

        What is in a history has a score, too: the caller leaves out what is not to be listed.

        Args:
            histories: shape (n, n_items); not zero where a user took an item.
            users: rows of the training matrix, -1 for users it has not; shape (n,), int64; None: all are new.
                Only baselines that are not inductive look at them.

        Returns:
            shape (n, n_items), float32, a new array.
        """


class Baseline(Protocol):
    """Options of a method, and how it learns."""

    #: option -> values that a search tries, from the first to the last
    GRID: ClassVar[Mapping[str, tuple[Any, ...]]]
    #: whether a user is the history alone, so that users whom training never saw are served like any other
    INDUCTIVE: ClassVar[bool]

    def fit(self, data: Data) -> Scorer:
        """Learn.

        Raises:
            TrainingError: The data lacks what the method needs, or is too large for it.
        """
