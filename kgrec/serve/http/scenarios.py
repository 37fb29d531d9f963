"""Scenarios: named options of lists, with variants to compare, and their figures.

Enters: scenarios as JSON, users, and the events and impressions of a store. Leaves: options of a list, and figures with intervals.

A user always gets the same variant, chosen by a hash of the names of scenario and user. Lists without a user have no variant.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from kgrec.rank.lists.explore import Exploration
from kgrec.serve.event_rules import NEGATIVE
from kgrec.serve.http.bodies import Body, ListOptions, Name
from kgrec.serve.http.problems import Problem
from kgrec.serve.store.records import Impression, StoredEvent

#: two-sided 95 % quantile of the normal distribution
_Z = {0.95: 1.959963984540054}
_LEVEL = 0.95


class VariantBody(Body):
    """One alternative of a scenario."""

    options: ListOptions = Field(default_factory=ListOptions, description="Options of this variant only.")
    share: float = Field(1.0, gt=0, le=1e6, description="Share of the users, relative to the other variants.")
    explore: Exploration | None = Field(None, description="How lists are partly drawn; null: they are not.")


class ScenarioBody(Body):
    """Named options of lists."""

    options: ListOptions = Field(
        default_factory=ListOptions, description="Options of every list in the scenario."
    )
    variants: dict[Name, VariantBody] = Field(default_factory=dict, max_length=20)

    def plain(self) -> dict[str, Any]:
        """The values stored for the scenario."""
        variants = {
            name: {
                "options": variant.options.options(),
                "share": variant.share,
                **({} if variant.explore is None else {"explore": variant.explore.model_dump()}),
            }
            for name, variant in self.variants.items()
        }
        return {"options": self.options.options(), "variants": variants}


@dataclass
class Scenarios:
    """The scenarios of a store, as last read."""

    known: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def options(
        self, name: str | None, user: str | None, given: Mapping[str, Any]
    ) -> tuple[dict[str, Any], str | None]:
        """Options of a list, and the variant. The request overrides the variant, which overrides the scenario.

        Raises:
            Problem: There is no such scenario.
        """
        if name is None:
            return dict(given), None
        scenario = self.known.get(name)
        if scenario is None:
            raise Problem(
                "not-valid",
                f"There is no scenario '{name}'.",
                "Make it with PUT /v1/scenarios/NAME.",
                "body.scenario",
            )
        chosen = variant_of(name, user, scenario["variants"])
        own = scenario["variants"][chosen]["options"] if chosen is not None else {}
        return {**scenario["options"], **own, **given}, chosen

    def exploration(self, name: str | None, variant: str | None) -> Exploration | None:
        """How lists of a variant are drawn; None: they are not drawn."""
        if name is None or variant is None:
            return None
        found = self.known[name]["variants"][variant].get("explore")
        return None if found is None else Exploration(**found)


def variant_of(scenario: str, user: str | None, variants: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The variant of a user; None without a user, or without variants."""
    if user is None or not variants:
        return None
    digest = hashlib.sha256(f"{scenario}\0{user}".encode("utf-8", "surrogatepass")).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64 * sum(one["share"] for one in variants.values())
    for name in sorted(variants):
        place -= variants[name]["share"]
        if place < 0:
            return name
    return max(variants)


def figures(impressions: Iterable[Impression], events: Iterable[StoredEvent]) -> dict[str, Any]:
    """Numbers of lists and of lists with a click, by variant, with 95 % intervals; and the difference of each variant from the first.

    A click is an event that names the recommendation and whose kind is not in `NEGATIVE`; several clicks in one list count once.
    """
    variant_of_list = {one.rid: one.variant or "" for one in impressions}
    clicked = {event.rid for event in events if event.rid in variant_of_list and event.type not in NEGATIVE}
    counts: dict[str, list[int]] = {}
    for rid, variant in variant_of_list.items():
        count = counts.setdefault(variant, [0, 0])
        count[0] += 1
        count[1] += rid in clicked
    names = sorted(counts)
    return {
        "level": _LEVEL,
        "variants": [_rate(name, *counts[name]) for name in names],
        "differences": [_difference(name, names[0], counts) for name in names[1:]],
    }


def _rate(variant: str, shown: int, clicked: int) -> dict[str, Any]:
    values = {"impressions": shown, "clicks": clicked, "rate": clicked / shown}
    return {"variant": variant or None, **values, "interval": wilson(clicked, shown)}


def _difference(variant: str, other: str, counts: Mapping[str, list[int]]) -> dict[str, Any]:
    (shown1, hit1), (shown2, hit2) = counts[variant], counts[other]
    difference = hit1 / shown1 - hit2 / shown2
    interval = newcombe((hit1, shown1), (hit2, shown2))
    return {
        "variant": variant or None,
        "against": other or None,
        "difference": difference,
        "interval": interval,
    }


def wilson(hits: int, n: int) -> list[float]:
    """95 % interval of a proportion (Wilson 1927)."""
    z = _Z[_LEVEL]
    rate = hits / n
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return [max(0.0, middle - half), min(1.0, middle + half)]


def newcombe(first: tuple[int, int], second: tuple[int, int]) -> list[float]:
    """95 % interval of the difference of two proportions, each given as hits and number (Newcombe 1998, method 10)."""
    (low1, high1), (low2, high2) = wilson(*first), wilson(*second)
    rate1, rate2 = first[0] / first[1], second[0] / second[1]
    difference = rate1 - rate2
    return [
        difference - math.hypot(rate1 - low1, high2 - rate2),
        difference + math.hypot(high1 - rate1, rate2 - low2),
    ]
