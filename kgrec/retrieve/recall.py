"""Recall of an approximate index, and the effort that reaches it.

Enters: an index and vectors of users. Leaves: `Built`, the measured recall and effort. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pydantic import BaseModel

from kgrec.retrieve.approximate import DEPTH, Approximate
from kgrec.retrieve.config import IndexConfig, IndexKind
from kgrec.retrieve.exact import Exact

#: largest number of queries for measuring recall
SAMPLE = 1000
#: lists of DEPTH are measured, then lists twice as long, up to this many times; filters and rescoring need long lists
DOUBLINGS = 4


class MeasuredEffort(BaseModel, frozen=True, extra="forbid"):
    """Effort and recall of lists of length `k`."""

    k: int
    effort: int
    recall: float


class Built(BaseModel, frozen=True, extra="forbid"):
    """The kind of a built index, and its measured effort and recall."""

    kind: IndexKind = "flat"
    """Never "auto"."""
    effort: int | None = None
    """Effort of a search; None: the search is exhaustive."""
    recall: float | None = None
    """Share of the exact best rows that lists of `k` contain."""
    min_recall: float | None = None
    """Required recall."""
    k: int | None = None
    """Length of the measured lists."""
    sample: int | None = None
    """Number of queries that recall was measured on."""
    longer: tuple[MeasuredEffort, ...] = ()
    """Longer lists that reach the required recall at less cost than an exhaustive search, by length."""

    @property
    def holds(self) -> bool:
        """Whether the required recall is reached."""
        return self.recall is None or self.recall >= (self.min_recall or 0)

    def effort_for(self, k: int) -> int | None:
        """Effort for a list of `k` rows; None beyond the longest measured list.

        Between two measured lengths, the logarithm of the effort is interpolated linearly in the logarithm of the length.
        """
        effort = self.effort or 1
        if self.k is None or k <= self.k:
            return effort
        lengths, efforts = (
            [self.k, *(one.k for one in self.longer)],
            [effort, *(one.effort for one in self.longer)],
        )
        if k > lengths[-1]:
            return None
        # Less 1e-9, so that exp(log(x)), which may be just above a measured x, does not round up to x + 1.
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
            f"{text}, below index.min_recall {self.min_recall:g} at the largest effort. Choose index.kind=flat or ivf, "
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
    """Measure the smallest effort that reaches `min_recall`, for lists of DEPTH and for longer lists that cost less than exhaustive search.

    Args:
        kind: Kind of the index.
        index: The index to measure.
        exact: Exhaustive search, for the true lists.
        sample: Vectors of users, shape (n, dim); the first SAMPLE are used.
        config: `effort` and `min_recall`.
        pays: (length, effort) -> whether such a list costs less than an exhaustive search.
    """
    queries = np.ascontiguousarray(sample[:SAMPLE], np.float32)
    first, *more = (k for k in (DEPTH << n for n in range(DOUBLINGS + 1)) if k <= len(exact) or k == DEPTH)
    first = min(first, len(exact))
    true_scores = exact.best(queries, max([first, *more]))[1]

    def measure(k: int, config: IndexConfig, smallest: int) -> MeasuredEffort:
        floor = true_scores[:, k - 1 : k]

        def recall(effort: int) -> float:
            scores = index.best(queries, k, effort)[1]
            # A row is right if its score reaches the k-th true score, since rows tied at the cut are interchangeable. The margin of
            # 1e-6 allows for rounding errors of products.
            return float((scores[:, :k] >= floor - 1e-6).mean())

        effort, found = least_effort(recall, (smallest, index.efforts[1]), config)
        return MeasuredEffort(k=k, effort=effort, recall=round(found, 6))

    lists = [measure(first, config, index.efforts[0])]
    for k in more:
        # A configured effort applies to lists of DEPTH; each longer list starts from the effort of the one before.
        longer = measure(k, config.model_copy(update={"effort": None}), lists[-1].effort)
        if longer.recall < config.min_recall or not pays(k, longer.effort):
            break
        lists.append(longer)
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
    """The first of doubling efforts that reaches `min_recall`, or the largest effort; and its recall.

    Args:
        recall: effort -> recall.
        efforts: Smallest and largest effort.
        config: `min_recall`; and `effort`, which is used unchanged if it is set.
    """
    effort, last = efforts if config.effort is None else (config.effort, config.effort)
    while (found := recall(effort)) < config.min_recall and effort < last:
        effort = min(2 * effort, last)
    return effort, found
