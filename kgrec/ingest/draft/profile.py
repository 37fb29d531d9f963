"""Properties of one column's values, computed once.

Enters: the sampled cells of a column. Leaves: a `Profile`: distinct values, numbers, times, and whether they may be identifiers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest import cells
from kgrec.ingest.draft import looks

#: largest number that float64 holds exactly
_EXACT = 2**53


@dataclass(frozen=True)
class Profile:
    """A column of a sample."""

    name: str
    #: all sampled cells
    cells: pa.Array

    @cached_property
    def filled(self) -> pa.Array:
        """The cells that are not empty."""
        return looks.filled(self.cells)

    @cached_property
    def values(self) -> pa.Array:
        """The distinct values, trimmed; none if the cells are lists."""
        if self.is_list:
            return pa.array([], pa.string())
        return pc.unique(pc.utf8_trim_whitespace(self.filled))

    @property
    def is_list(self) -> bool:
        """Whether the cells are lists."""
        return cells.is_list(self.cells)

    @cached_property
    def numbers(self) -> np.ndarray | None:
        """The values of the filled cells as numbers, float64; None if one is not a number."""
        return looks.numbers_of(self.filled)

    @cached_property
    def are_integers(self) -> bool:
        """Whether all values are whole numbers, written without a point."""
        return self.numbers is not None and looks.share(self.values, r"^[+-]?\d+$") == 1

    @cached_property
    def are_whole(self) -> bool:
        """Whether all values are whole numbers, also in the form `11.0`."""
        return self.numbers is not None and bool((self.numbers == np.round(self.numbers)).all())

    @cached_property
    def is_unique(self) -> bool:
        """Whether no filled cell repeats, and at least half of the cells, and two, are filled."""
        return 0 < len(self.filled) == len(self.values) and 2 * len(self.filled) >= len(self.cells)

    @cached_property
    def is_time(self) -> bool:
        """Whether all values are times, or dates."""
        if self.numbers is not None:
            return bool(looks.clock_of(self.filled))
        return looks.date_form(self.filled, self.name) is not None

    @cached_property
    def may_be_ids(self) -> bool:
        """Whether the values are short, have no spaces or separators, and are not fractions."""
        if self.is_list or not len(self.filled) or looks.is_long(self.filled):
            return False
        return looks.share(self.filled, r"\S\s+\S|^[+-]?\d*[.,]\d+$|[|;]") < 0.1


def chance(values: pa.Array, keys: pa.Array) -> float:
    """The share of whole numbers in the range of `values` that are keys, which is the share that random numbers would reach.

    0 if the values are not whole numbers.
    """
    some, others = looks.numbers_of(values), looks.numbers_of(keys)
    if some is None or others is None or max(np.abs(some).max(), np.abs(others).max()) >= _EXACT:
        return 0.0
    low, high = some.min(), some.max()
    within = ((others >= low) & (others <= high)).sum()
    return float(min(1.0, within / (high - low + 1)))
