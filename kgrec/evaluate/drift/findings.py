"""Findings of a drift analysis: checks with their thresholds, and one verdict.

Enters: metrics and p values of checks. Leaves: `Drift`, a plain value. Writes drift/ (`Drift.save`).

A check raises an alarm if its value reaches a threshold and chance does not explain it: the thresholds define what is large, and the p
value what exceeds noise. With Holm's correction over all checks, at most 5 % of the analyses of data without drift raise an alarm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from kgrec._version import __version__
from kgrec.arguments import options
from kgrec.errors import UnknownId, did_you_mean
from kgrec.evaluate.record_folder import save_record
from kgrec.metrics.significance import holm

Verdict = Literal["stable", "watch", "retrain"]
#: in order of increasing alarm
VERDICTS: tuple[Verdict, ...] = ("stable", "watch", "retrain")
#: probability of an alarm without drift, over all checks of an analysis
ALPHA = 0.05


@dataclass(frozen=True)
class Scale:
    """The measure of a check, and the values from which on it is large."""

    measure: str
    watch: float
    retrain: float
    source: str


PSI = Scale(
    "population stability index",
    0.1,
    0.25,
    "Siddiqi 2006, Credit Risk Scorecards: below 0.1 no significant change, above 0.25 a significant one",
)
EFFECT = Scale(
    "effect size d",
    0.2,
    0.5,
    "Cohen 1988, Statistical Power Analysis for the Behavioral Sciences: 0.2 is a small effect, 0.5 a medium one",
)


@dataclass(frozen=True)
class Part:
    """A bin of a check: its value before (in training interactions or earlier weeks), and after (in recent interactions or later weeks)."""

    name: str
    reference: float
    recent: float


@dataclass(frozen=True)
class Check:
    """One kind of drift."""

    #: such as "popularity" or "categories: genre"
    name: str
    scale: Scale
    #: None: it could not be measured
    value: float | None
    #: probability of such a difference without drift; 1 if the difference is not a loss
    p: float | None
    #: one sentence: what was compared, or why it could not be measured
    note: str
    parts: tuple[Part, ...] = ()
    #: corrected for the number of checks, see `judged`
    p_holm: float | None = None
    #: None: it could not be measured
    verdict: Verdict | None = None

    @property
    def largest(self) -> Part | None:
        """The part that changed most; None without parts."""
        return max(self.parts, key=lambda part: abs(part.recent - part.reference), default=None)


@dataclass(frozen=True)
class Week:
    """NDCG in a period of about a week, of lists made from the model's histories."""

    #: seconds since 1970
    start: int
    end: int
    users: int
    ndcg: float
    #: 95 % interval over users; None with fewer than two
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Drift:
    """Whether recent interactions differ from those that the model learned from."""

    #: the worst of all checks; "stable" if none could be measured
    verdict: Verdict
    checks: tuple[Check, ...]
    weeks: tuple[Week, ...]
    #: counts of recent interactions: read, positive, used by users and items of the model, left out
    counts: Mapping[str, int]
    #: time at which the model was written, "" if it is not stored
    model: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Check:
        """The check of this name.

        Raises:
            UnknownId: No such check exists.
        """
        named = {check.name: check for check in self.checks}
        if options.text("name", name, "'popularity'") not in named:
            raise UnknownId(f"There is no check '{name}'.", did_you_mean(name, sorted(named)))
        return named[name]

    def record(self) -> dict[str, Any]:
        """The content of drift.json: plain values, None for unknown values."""
        checks = [_flat(check) for check in self.checks]
        return {
            "verdict": self.verdict,
            "kgrec": __version__,
            "model": self.model,
            "alpha": ALPHA,
            "counts": dict(self.counts),
            "checks": checks,
            "weeks": [asdict(week) for week in self.weeks],
        }

    def save(self, folder: str | Path, page: Callable[[dict[str, Any]], str] | None = None) -> dict[str, Any]:
        """Write drift/, whole or not at all.

        Args:
            folder: The folder to write.
            page: Renders drift.html from the content of drift.json; None: no drift.html.

        Returns:
            The content of drift.json.

        Raises:
            ArtifactError: The folder cannot be written.
        """
        return save_record(folder, "drift", self.record, self.inputs, page)


def judged(checks: Sequence[Check]) -> tuple[Check, ...]:
    """The checks with corrected p values and verdicts."""
    measured = [check for check in checks if check.p is not None]
    corrected = iter(holm([check.p for check in measured if check.p is not None]).tolist())
    return tuple(
        check if check.p is None else _with_verdict(replace(check, p_holm=next(corrected)))
        for check in checks
    )


def worst(checks: Sequence[Check]) -> Verdict:
    """The verdict of all checks together."""
    return VERDICTS[max((VERDICTS.index(check.verdict) for check in checks if check.verdict), default=0)]


def _with_verdict(check: Check) -> Check:
    assert check.value is not None
    assert check.p_holm is not None
    if check.p_holm > ALPHA or check.value < check.scale.watch:
        return replace(check, verdict="stable")
    return replace(check, verdict="retrain" if check.value >= check.scale.retrain else "watch")


def _flat(check: Check) -> dict[str, Any]:
    """A check as plain values, including its scale."""
    values = asdict(check)
    scale = values.pop("scale")
    value = values["value"]
    return {
        **values,
        "value": value if value is None or math.isfinite(value) else None,
        "measure": scale["measure"],
        "thresholds": {"watch": scale["watch"], "retrain": scale["retrain"], "source": scale["source"]},
    }
