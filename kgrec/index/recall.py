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
#: length of the long lists that an effort is chosen for, too: a filter or a second look takes such
DEEP = 1000


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
    deep_effort: int | None = None
    """Of a search for a list of `deep_k`; lists of other lengths take what lies between, or beyond, by a power of the length."""
    deep_recall: float | None = None
    """As `recall`, in lists of `deep_k`."""
    deep_k: int | None = None
    """Length of the long lists."""

    @property
    def holds(self) -> bool:
        """Whether recall is as asked for."""
        asked = self.min_recall or 0
        return all(recall is None or recall >= asked for recall in (self.recall, self.deep_recall))

    def effort_for(self, k: int) -> int:
        """What a list of `k` rows takes."""
        effort = self.effort or 1
        if self.k is None or self.deep_k is None or k <= self.k:
            return effort
        power = np.log((self.deep_effort or effort) / effort) / np.log(self.deep_k / self.k)
        return int(np.ceil(effort * (k / self.k) ** power))

    def __str__(self) -> str:
        if self.effort is None:
            return f"Index: {self.kind}, exact."
        text = f"Index: {self.kind}, recall@{self.k} {self.recall:.3f} for {self.sample:,} users at effort {self.effort:,}"
        if self.deep_effort is not None:
            text += f", recall@{self.deep_k} {self.deep_recall:.3f} at {self.deep_effort:,}"
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

    def enough(k: int, config: IndexConfig, least: int) -> tuple[int, float]:
        floor = exact.best(queries, k)[1][:, -1:]

        def recall(effort: int) -> float:
            scores = index.best(queries, k, effort)[1]
            # of rows that are equal at the cut any is right; and products differ by a rounding error
            return float((scores[:, :k] >= floor - 1e-6).mean())

        return least_effort(recall, (least, index.efforts[1]), config)

    k, deep = min(DEPTH, len(exact)), min(DEEP, len(exact))
    effort, found = enough(k, config, index.efforts[0])
    built = Built(
        kind=kind,
        effort=effort,
        recall=round(found, 6),
        min_recall=config.min_recall,
        k=k,
        sample=len(queries),
    )
    if deep == k:
        return built
    effort, found = enough(deep, config.model_copy(update={"effort": None}), effort)
    more = {"deep_effort": effort, "deep_recall": round(found, 6), "deep_k": deep}
    return built.model_copy(update=more)


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
