"""How much of the exact answer an approximate index finds, and the effort that this takes.

Enters: an index and vectors of users. Leaves: what was built and measured. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pydantic import BaseModel

from kgrec.index.approximate import DEPTH, Approximate
from kgrec.index.config import IndexConfig, Kind
from kgrec.index.exact import Exact

#: queries that recall is measured on, at most
SAMPLE = 1000


class Built(BaseModel, frozen=True, extra="forbid"):
    """What kind of index was built, and what was measured then."""

    kind: Kind = "flat"
    """Never "auto"."""
    effort: int | None = None
    """Of a search; None: it compares with every item."""
    recall: float | None = None
    """Share of the exact best that is found, in lists of `k`."""
    min_recall: float | None = None
    """What was asked for."""
    k: int | None = None
    """Length of the lists."""
    sample: int | None = None
    """Users whose lists were compared."""

    @property
    def holds(self) -> bool:
        """Whether recall is as asked for."""
        return self.recall is None or self.min_recall is None or self.recall >= self.min_recall

    def __str__(self) -> str:
        if self.effort is None:
            return f"Index: {self.kind}, exact."
        text = f"Index: {self.kind}, recall@{self.k} {self.recall:.3f} for {self.sample:,} users at effort {self.effort:,}"
        if self.holds:
            return f"{text}."
        return (
            f"{text}, below index.min_recall {self.min_recall:g}: it cannot find more. Choose index.kind=flat or ivf, "
            "or a lower index.min_recall."
        )


def measured(kind: Kind, index: Approximate, exact: Exact, sample: np.ndarray, config: IndexConfig) -> Built:
    """The least effort that finds enough.

    Args:
        kind: Of the index.
        index: Is searched.
        exact: Gives the answers.
        sample: Vectors of users, shape (n, dim); the first of them count.
        config: `effort` and `min_recall`.
    """
    queries = np.ascontiguousarray(sample[:SAMPLE], np.float32)
    k = min(DEPTH, len(exact))
    floor = exact.best(queries, k)[1][:, -1:]

    def recall(effort: int) -> float:
        scores = index.best(queries, k, effort)[1]
        # of rows that are equal at the cut any is right; and products differ by a rounding error
        return float((scores >= floor - 1e-6).mean())

    effort, found = least_effort(recall, index.efforts, config)
    return Built(
        kind=kind,
        effort=effort,
        recall=round(found, 6),
        min_recall=config.min_recall,
        k=k,
        sample=len(queries),
    )


def least_effort(
    recall: Callable[[int], float], efforts: tuple[int, int], config: IndexConfig
) -> tuple[int, float]:
    """The first of doubling efforts whose recall is enough, or the greatest; and its recall.

    Args:
        recall: Measures at an effort.
        efforts: The least and the greatest.
        config: `min_recall`; an `effort` given there is taken as it is.
    """
    effort, last = efforts if config.effort is None else (config.effort, config.effort)
    while (found := recall(effort)) < config.min_recall and effort < last:
        effort = min(2 * effort, last)
    return effort, found
