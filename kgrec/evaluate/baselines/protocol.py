"""The interface of a baseline.

A baseline is a frozen dataclass whose fields are its options. `fit` learns from `BaselineData` and returns a
`FittedBaseline`. `GRID` names the options that a search varies, with the values to try.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np

from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.graph.histories import Histories


class FittedBaseline(Protocol):
    """A fitted baseline."""

    def scores(self, histories: Histories, users: np.ndarray | None = None) -> np.ndarray:
        """Score every item for each history; higher is better.

        Items of the history are scored too: the caller filters them.

        Args:
            histories: Histories of n users, in order if the log has one.
            users: Rows of the users in the training matrix, -1 for users that it lacks; shape (n,), int64; None: all users
                are new. Inductive baselines ignore this argument.

        Returns:
            shape (n, n_items), float32, a new array.
        """


class Baseline(Protocol):
    """The options of a method, and its training."""

    #: option -> values that a search tries, in this order
    GRID: ClassVar[Mapping[str, tuple[Any, ...]]]

    def fit(self, data: BaselineData) -> FittedBaseline:
        """Train.

        Raises:
            TrainingError: The data lacks something that the method needs, or is too large for it.
        """
