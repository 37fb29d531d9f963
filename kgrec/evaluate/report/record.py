"""The content of metrics.json, by name.

Enters: results as plain values, as in metrics.json. Leaves: a `Record`. Nothing is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kgrec.evaluate.report.formatting import finite

#: a JSON object
PlainValues = Mapping[str, Any]


@dataclass(frozen=True)
class PairedComparison:
    """The comparison of two systems on one metric, from the point of view of the first."""

    model: str
    other: str
    #: value of `model` minus value of `other`
    difference: float | None
    low: float | None
    high: float | None
    effect: float | None
    p: float | None
    p_holm: float | None
    #: the system with the significantly higher value; "": neither
    higher: str


@dataclass(frozen=True)
class Record:
    """Results, with systems sorted by the primary metric."""

    results: PlainValues

    @property
    def primary_metric(self) -> str:
        """The metric that systems are sorted by, such as "ndcg@20"."""
        return str(self.results["primary_metric"])

    @property
    def name(self) -> str:
        """The name of the data set."""
        return str(self.results.get("name") or self.results["graph"])

    @property
    def metric(self) -> str:
        """The primary metric without the list length, such as "ndcg"."""
        return self.primary_metric.rpartition("@")[0]

    @property
    def k(self) -> int:
        """The list length at which the primary metric is measured."""
        return int(self.primary_metric.rpartition("@")[2])

    @cached_property
    def ran(self) -> list[PlainValues]:
        """Systems that did not fail, best first; systems without the primary metric last."""
        there = [system for system in self.results["systems"] if system["metrics"]]
        return sorted(
            there,
            key=lambda s: -_or(self.value(s["name"], *self.metric_and_k(self.primary_metric)), -math.inf),
        )

    @cached_property
    def failed(self) -> list[PlainValues]:
        """Systems that failed."""
        return [s for s in self.results["systems"] if not s["metrics"]]

    @cached_property
    def subject(self) -> PlainValues | None:
        """The system that the others are compared with: kgrec, or otherwise the first that did not fail."""
        there = [system for system in self.results["systems"] if system["metrics"]]
        return next((s for s in there if s["kind"] == "kgrec"), next(iter(there), None))

    @cached_property
    def _metric_values(self) -> dict[tuple[str, str, str, int], PlainValues]:
        return {
            (system["name"], one["bucket"], one["metric"], int(one["k"])): one
            for system in self.results["systems"]
            for one in system["metrics"]
        }

    @cached_property
    def _comparisons(self) -> dict[tuple[str, str, str], PlainValues]:
        return {(row["metric"], row["model"], row["other"]): row for row in self.results["comparisons"]}

    def metric_and_k(self, name: str) -> tuple[str, int]:
        """The metric and the list length in a name such as "ndcg@20"."""
        metric, _, k = name.rpartition("@")
        return metric, int(k)

    def metric_values(self, system: str, metric: str, k: int, bucket: str = "") -> PlainValues:
        """Values value, low, high and users of a metric; None for a metric that was not measured."""
        return self._metric_values.get(
            (system, bucket, metric, k), {"value": None, "low": None, "high": None}
        )

    def value(self, system: str, metric: str, k: int, bucket: str = "") -> float | None:
        """The value of a metric; None if there is none."""
        return finite(self.metric_values(system, metric, k, bucket)["value"])

    def has(self, metric: str, k: int, bucket: str = "") -> bool:
        """Whether any system has a value for the metric."""
        return any(self.value(s["name"], metric, k, bucket) is not None for s in self.ran)

    def metrics(self, known: Sequence[str], k: int, bucket: str = "") -> list[str]:
        """The metrics in `known` for which any system has a value."""
        return [metric for metric in known if self.has(metric, k, bucket)]

    @cached_property
    def every_metric(self) -> list[str]:
        """All metrics, in the order of the results."""
        return list(dict.fromkeys(metric for _, _, metric, _ in self._metric_values))

    def buckets(self, prefix: str, metric: str, k: int) -> list[str]:
        """Buckets whose name starts with a prefix and that have the metric, in the order of the results."""
        names = dict.fromkeys(bucket for _, bucket, _, _ in self._metric_values if bucket.startswith(prefix))
        return [bucket for bucket in names if self.has(metric, k, bucket)]

    def comparison(self, name: str, model: str, other: str) -> PairedComparison | None:
        """The comparison of two systems on a metric such as "ndcg@20"; None if they were not compared.

        The results may hold the pair in either order.
        """
        row, sign = self._comparisons.get((name, model, other)), 1
        if row is None:
            row, sign = self._comparisons.get((name, other, model)), -1
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
        """Metrics on which systems were compared, such as "ndcg@20"."""
        return list(dict.fromkeys(row["metric"] for row in self.results["comparisons"]))

    @cached_property
    def strengths(self) -> dict[str, dict[float, dict[str, float | None]]]:
        """Option of lists -> strength -> metric at k -> value, for the trade-offs; the strength 0 is the plain list."""
        found: dict[str, dict[float, dict[str, float | None]]] = {}
        for row in self.results.get("trade_offs", []):
            if int(row["k"]) == self.k:
                by_strength = found.setdefault(row["option"], {})
                by_strength.setdefault(float(row["strength"]), {})[row["metric"]] = finite(row["value"])
        plain = found.pop("", {})
        return {option: plain | by_strength for option, by_strength in found.items()}

    def seconds(self, system: PlainValues) -> float | None:
        """CPU seconds of a system, summed over all stages."""
        parts = [finite(value) for value in system["cpu_seconds"].values()]
        there = [part for part in parts if part is not None]
        return sum(there) if there else None


def _negated(value: float | None) -> float | None:
    return None if value is None else 0.0 - value


def _or(value: float | None, other: float) -> float:
    return other if value is None else value
