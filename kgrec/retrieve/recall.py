"""Recall of an approximate index, and the effort that reaches it.

Enters: an index and vectors of users. Leaves: the kind of index and its measured recall. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pydantic import BaseModel

from kgrec.retrieve.approximate import DEPTH, Approximate
from kgrec.retrieve.config import IndexConfig, IndexKind
from kgrec.retrieve.exact import Exact

#: queries to measure recall, at most
SAMPLE = 1000
#: recall is measured in lists of DEPTH, then doubled lengths: filters and rescoring need long lists
DOUBLINGS = 4


class MeasuredEffort(BaseModel, frozen=True, extra="forbid"):
    """Effort for lists of one length, and its recall."""

    k: int
    effort: int
    recall: float


class Built(BaseModel, frozen=True, extra="forbid"):
    """The kind of index, and its recall when it was built."""

    kind: IndexKind = "flat"
    """Never "auto"."""
    effort: int | None = None
    """Of a search; None: search is exact."""
    recall: float | None = None
    """Share of the exact best rows that are found, in lists of `k`."""
    min_recall: float | None = None
    """The recall that the options require."""
    k: int | None = None
    """Length of the lists."""
    sample: int | None = None
    """Users whose lists were compared."""
    longer: tuple[MeasuredEffort, ...] = ()
    """Longer lists that reach `min_recall` at a lower cost than exact search, by length."""

    @property
    def holds(self) -> bool:
        """Whether `min_recall` is reached."""
        return self.recall is None or self.recall >= (self.min_recall or 0)

    def effort_for(self, k: int) -> int | None:
        """Effort for a list of `k` rows, interpolated between measured lengths; None beyond the longest."""
        effort = self.effort or 1
        if self.k is None or k <= self.k:
            return effort
        lengths, efforts = (
            [self.k, *(longer.k for longer in self.longer)],
            [effort, *(longer.effort for longer in self.longer)],
        )
        if k > lengths[-1]:
            return None
        return int(np.ceil(np.exp(np.interp(np.log(k), np.log(lengths), np.log(efforts))) - 1e-9))

    def __str__(self) -> str:
        if self.effort is None:
            return f"Index: {self.kind}, exact."
        text = f"Index: {self.kind}, recall@{self.k} {self.recall:.3f} for {self.sample:,} users at effort {self.effort:,}"
        for longest in self.longer[-1:]:
            text += f", recall@{longest.k} {longest.recall:.3f} at {longest.effort:,}"
        if self.holds:
            return f"{text}."
        return (
            f"{text}, below index.min_recall {self.min_recall:g}: it cannot find more. Choose index.kind=flat or ivf, "
            "or a lower index.min_recall."
        )


def measured(
    kind: IndexKind,
    index: Approximate,
    exact: Exact,
    sample: np.ndarray,
    config: IndexConfig,
    pays: Callable[[int, int], bool],
) -> Built:
    """The least effort that reaches `min_recall`, for lists of DEPTH, and for longer ones while approximate search pays.

    Args:
        kind: Of the index.
        index: The index to measure.
        exact: Search for the true lists.
        sample: Vectors of users, shape (n, dim); the first SAMPLE of them are used.
        config: `effort` and `min_recall`.
        pays: Whether a list of a length at an effort costs less than exact search.
    """
    queries = np.ascontiguousarray(sample[:SAMPLE], np.float32)
    first, *more = (k for k in (DEPTH << n for n in range(DOUBLINGS + 1)) if k <= len(exact) or k == DEPTH)
    first = min(first, len(exact))
    answers = exact.best(queries, max([first, *more]))[1]

    def enough(k: int, config: IndexConfig, least: int) -> MeasuredEffort:
        floor = answers[:, k - 1 : k]

        def recall(effort: int) -> float:
            scores = index.best(queries, k, effort)[1]
            # any of the rows with equal scores at the cut is right, and scores differ by a rounding error
            return float((scores[:, :k] >= floor - 1e-6).mean())

        effort, found = least_effort(recall, (least, index.efforts[1]), config)
        return MeasuredEffort(k=k, effort=effort, recall=round(found, 6))

    lists = [enough(first, config, index.efforts[0])]
    for k in more:
        found = enough(k, config.model_copy(update={"effort": None}), lists[-1].effort)
        if found.recall < config.min_recall or not pays(k, found.effort):
            break
        lists.append(found)
    return Built(
        kind=kind,
        min_recall=config.min_recall,
        sample=len(queries),
        longer=tuple(lists[1:]),
        **lists[0].model_dump(),
    )


def least_effort(
    recall: Callable[[int], float], efforts: tuple[int, int], config: IndexConfig
) -> tuple[int, float]:
    """The first of doubling efforts that reaches `min_recall`, or the largest; and its recall.

    Args:
        recall: Recall at an effort.
        efforts: The smallest and the largest.
        config: `min_recall`; an `effort` that is set there is used as it is.
    """
    effort, last = efforts if config.effort is None else (config.effort, config.effort)
    while (found := recall(effort)) < config.min_recall and effort < last:
        effort = min(2 * effort, last)
    return effort, found
