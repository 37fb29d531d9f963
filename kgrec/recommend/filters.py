"""Which items may stand in a list, and how long it is.

Enters: candidates, denied items, a condition. Leaves: rows of a model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kgrec.errors import ConfigError
from kgrec.model.model import Model
from kgrec.recommend.ids import OnUnknown, item_rows


@dataclass(frozen=True)
class Filters:
    """How long a list is, and which items may stand in it: all limits hold at once."""

    k: int = 10
    #: the only items
    candidates: Iterable[str] | None = None
    #: items that may not
    deny: Iterable[str] | None = None
    #: a condition, see `kgrec.graph.where_syntax`
    where: str | None = None
    #: what a score must reach
    min_score: float | None = None
    #: what unknown items, and unknown values of the condition, do
    on_unknown: OnUnknown = "raise"

    def length(self, there_are: int) -> int:
        """`k`, or how many there are if that is less; ConfigError when `k` is below 1."""
        if self.k < 1:
            raise ConfigError(f"k is {self.k}.", "It must be at least 1.")
        return min(self.k, there_are)

    def rows(self, model: Model) -> np.ndarray | None:
        """Rows of the items that may stand in a list, None for all; removed ones may not.

        Raises:
            UnknownId: An item is unknown, or a value of the condition.
            ConfigError: The condition cannot be read, or has a name that the graph lacks.
        """
        if self.candidates is None and self.deny is None and self.where is None:
            return model.items.offered
        allowed = np.full(len(model.items), self.candidates is None)
        if self.candidates is not None:
            allowed[item_rows(model, self.candidates, self.on_unknown)] = True
        if self.deny is not None:
            allowed[item_rows(model, self.deny, self.on_unknown)] = False
        if self.where is not None:
            allowed &= model.matching(self.where, self.on_unknown == "skip")
        allowed[model.items.removed] = False
        return np.flatnonzero(allowed)


def checked_boost(boost: float) -> float:
    """The boost; ConfigError when it is no number."""
    if not np.isfinite(boost):
        raise ConfigError(f"The boost of new items is {boost}.", "It must be a number, such as 0.01.")
    return boost
