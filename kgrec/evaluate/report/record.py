"""What the results of an evaluation hold, found by name.

Enters: results in plain values, as metrics.json has them. Leaves: a `Record`. Nothing is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kgrec.evaluate.report.formatting import finite

FigureValues = Mapping[str, Any]


@dataclass(frozen=True)
class PairedComparison:
    """Two systems on one figure, seen from the first."""

    model: str
    other: str
    #: figure of `model` less that of `other`
    difference: float | None
    low: float | None
    high: float | None
    effect: float | None
    p: float | None
    p_holm: float | None
    #: which of the two is higher beyond the noise; "": neither
    higher: str


@dataclass(frozen=True)
class Record:
    """Results, with systems in order of the main figure."""

    results: FigureValues

    @property
    def main(self) -> str:
        """The figure by which systems are put in order, such as "ndcg@20"."""
        return str(self.results["main"])

    @property
    def k(self) -> int:
        """The length of the lists of the main figure."""
        return int(self.main.rpartition("@")[2])

    @cached_property
    def ran(self) -> list[FigureValues]:
        """Systems that have figures, the best first; those without the main figure last."""
        there = [system for system in self.results["systems"] if system["figures"]]
        return sorted(there, key=lambda s: -_or(self.value(s["name"], *self.parts(self.main)), -math.inf))

    @cached_property
    def absent(self) -> list[FigureValues]:
        """Systems that did not run."""
        return [s for s in self.results["systems"] if not s["figures"]]

    @cached_property
    def subject(self) -> FigureValues | None:
        """The system that the others are held against: kgrec, or else the first that ran."""
        there = [system for system in self.results["systems"] if system["figures"]]
        return next((s for s in there if s["kind"] == "kgrec"), next(iter(there), None))

    @cached_property
    def _figures(self) -> dict[tuple[str, str, str, int], FigureValues]:
        return {
            (system["name"], figure["bucket"], figure["metric"], int(figure["k"])): figure
            for system in self.results["systems"]
            for figure in system["figures"]
        }

    @cached_property
    def _comparisons(self) -> dict[tuple[str, str, str], FigureValues]:
        return {(row["metric"], row["model"], row["other"]): row for row in self.results["comparisons"]}

    def parts(self, figure: str) -> tuple[str, int]:
        """The metric and the length of "ndcg@20"."""
        metric, _, k = figure.rpartition("@")
        return metric, int(k)

    def figure(self, system: str, metric: str, k: int, bucket: str = "") -> FigureValues:
        """value, low, high, users; without any where it was not measured."""
        return self._figures.get((system, bucket, metric, k), {"value": None, "low": None, "high": None})

    def value(self, system: str, metric: str, k: int, bucket: str = "") -> float | None:
        """A figure; None where there is none."""
        return finite(self.figure(system, metric, k, bucket)["value"])

    def has(self, metric: str, k: int, bucket: str = "") -> bool:
        """Whether any system has the figure."""
        return any(self.value(s["name"], metric, k, bucket) is not None for s in self.ran)

    def metrics(self, known: Sequence[str], k: int, bucket: str = "") -> list[str]:
        """Those of `known` that any system has."""
        return [metric for metric in known if self.has(metric, k, bucket)]

    @cached_property
    def every_metric(self) -> list[str]:
        """All metrics, in the order in which they come."""
        return list(dict.fromkeys(metric for _, _, metric, _ in self._figures))

    def buckets(self, prefix: str, metric: str, k: int) -> list[str]:
        """Buckets that begin so and have the figure, in the order in which they come."""
        names = dict.fromkeys(bucket for _, bucket, _, _ in self._figures if bucket.startswith(prefix))
        return [bucket for bucket in names if self.has(metric, k, bucket)]

    def comparison(self, figure: str, model: str, other: str) -> PairedComparison | None:
        """Two systems on "ndcg@20", in whichever order they were compared; None where they were not."""
        row, sign = self._comparisons.get((figure, model, other)), 1
        if row is None:
            row, sign = self._comparisons.get((figure, other, model)), -1
        if row is None:
            return None
        ends = [finite(row[end]) for end in ("low", "high")]
        low, high = ends if sign > 0 else [_negated(end) for end in reversed(ends)]
        difference, effect = finite(row["difference"]), finite(row["effect"])
        if sign < 0:
            difference, effect = _negated(difference), _negated(effect)
        p, p_holm = finite(row["p"]), finite(row["p_holm"])
        return PairedComparison(model, other, difference, low, high, effect, p, p_holm, row["higher"])

    @cached_property
    def compared(self) -> list[str]:
        """Figures on which systems were compared, such as "ndcg@20"."""
        return list(dict.fromkeys(row["metric"] for row in self.results["comparisons"]))

    def seconds(self, system: FigureValues) -> float | None:
        """CPU seconds of a system, all stages together."""
        parts = [finite(value) for value in system["seconds"].values()]
        there = [part for part in parts if part is not None]
        return sum(there) if there else None


def _negated(value: float | None) -> float | None:
    return None if value is None else 0.0 - value


def _or(value: float | None, other: float) -> float:
    return other if value is None else value
