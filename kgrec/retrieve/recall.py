"""How much of the exact answer an approximate index finds, and the effort that this takes.

Enters: an index and vectors of users. Leaves: what was built and measured. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pydantic import BaseModel

from kgrec.retrieve.approximate import DEPTH, Approximate
from kgrec.retrieve.config import IndexConfig, IndexKind
from kgrec.retrieve.exact import Exact

#: queries that recall is measured on, at most
SAMPLE = 1000
#: lists are measured from DEPTH on, each twice as long as the one before: a filter or a second look takes long ones
DOUBLINGS = 4


class Held(BaseModel, frozen=True, extra="forbid"):
    """A length of lists, and what they take."""

    k: int
    effort: int
    recall: float


class Built(BaseModel, frozen=True, extra="forbid"):
    """What kind of index was built, and what was measured then."""

    kind: IndexKind = "flat"
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
    longer: tuple[Held, ...] = ()
    """Longer lists whose recall is as asked for at less cost than comparing with every item, by length."""

    @property
    def holds(self) -> bool:
        """Whether recall is as asked for."""
        return self.recall is None or self.recall >= (self.min_recall or 0)

    def effort_for(self, k: int) -> int | None:
        """What a list of `k` rows takes: between two lengths that were measured, what lies between; None beyond the last."""
        effort = self.effort or 1
        if self.k is None or k <= self.k:
            return effort
        lengths, efforts = (
            [self.k, *(held.k for held in self.longer)],
            [effort, *(h.effort for h in self.longer)],
        )
        if k > lengths[-1]:
            return None
        return int(np.ceil(np.exp(np.interp(np.log(k), np.log(lengths), np.log(efforts))) - 1e-9))

    def __str__(self) -> str:
        if self.effort is None:
            return f"Index: {self.kind}, exact."
        text = f"Index: {self.kind}, recall@{self.k} {self.recall:.3f} for {self.sample:,} users at effort {self.effort:,}"
        for held in self.longer[-1:]:
            text += f", recall@{held.k} {held.recall:.3f} at {held.effort:,}"
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
    """The least effort that finds enough, for lists of DEPTH and for longer ones, as long as that pays.

    Args:
        kind: Of the index.
        index: Is searched.
        exact: Gives the answers.
        sample: Vectors of users, shape (n, dim); the first of them count.
        config: `effort` and `min_recall`.
        pays: Whether a list of some length at some effort costs less than comparing with every item.
    """
    queries = np.ascontiguousarray(sample[:SAMPLE], np.float32)
    first, *more = (k for k in (DEPTH << n for n in range(DOUBLINGS + 1)) if k <= len(exact) or k == DEPTH)
    first = min(first, len(exact))
    answers = exact.best(queries, max([first, *more]))[1]

    def enough(k: int, config: IndexConfig, least: int) -> Held:
        floor = answers[:, k - 1 : k]

        def recall(effort: int) -> float:
            scores = index.best(queries, k, effort)[1]
            # of rows that are equal at the cut any is right; and products differ by a rounding error
            return float((scores[:, :k] >= floor - 1e-6).mean())

        effort, found = least_effort(recall, (least, index.efforts[1]), config)
        return Held(k=k, effort=effort, recall=round(found, 6))

    lists = [enough(first, config, index.efforts[0])]
    for k in more:
        held = enough(k, config.model_copy(update={"effort": None}), lists[-1].effort)
        if held.recall < config.min_recall or not pays(k, held.effort):
            break
        lists.append(held)
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
