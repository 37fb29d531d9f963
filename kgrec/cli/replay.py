"""`kgrec replay`: measure clicks on the lists that a server has shown."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli.console import Json, Quiet, console, counted

if TYPE_CHECKING:
    from kgrec.evaluate.off_policy import OffPolicy
    from kgrec.evaluate.replay import Estimate, Replay
    from kgrec.serve.store.store import Store

#: reach below which the estimates say so; it is 1 on average where all could be drawn
_REACH = 0.9


def replay(
    store: Annotated[str, typer.Argument(help="Feedback store of kgrec serve: a path or a URL.")],
    scenario: Annotated[
        str | None, typer.Option("--scenario", help="Only lists of this scenario. Default: all lists.")
    ] = None,
    click: Annotated[
        list[str] | None,
        typer.Option(
            "--click",
            help="Event type that counts as a click; may be repeated. Default: all types except dislike, hide, skip and seen.",
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            help="Model folder: estimate the clicks that its lists would have had, from randomly drawn lists. "
            "The model must be older than these lists.",
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Report clicks on the lists that a server has shown, by variant, corrected for position; or estimate the clicks of another model.

    Example: `kgrec replay feedback.sqlite --scenario home`
    """
    from kgrec.evaluate.replay import replay as replayed
    from kgrec.serve.feedback_log import opened_store

    out = console(as_json, quiet)
    with opened_store(store) as opened:
        found = replayed(opened.impressions(scenario=scenario), opened.events_since(), clicks=click)
        record, lines = dataclasses.asdict(found), _lines(found, scenario)
        if model is not None:
            estimates, known = _estimated(opened, model, scenario, click)
            record["off_policy"] = {**dataclasses.asdict(estimates), "known_items": known}
            lines += ["", *_estimate_lines(estimates, known, model)]
    out.result(_without_nan(record), "\n".join(lines))


def _estimated(
    store: Store, folder: Path, scenario: str | None, clicks: list[str] | None
) -> tuple[OffPolicy, int]:
    """Estimates for a model, with the options of the scenario."""
    from kgrec.evaluate.off_policy import lists_of, off_policy
    from kgrec.recommend.recommender import Recommender
    from kgrec.recommend.request import Request

    options = {} if scenario is None else (store.scenario(scenario) or {}).get("options", {})
    recommender = Recommender.load(folder)
    others, known = lists_of(recommender, store.impressions(scenario=scenario), Request.from_dict(options))
    found = off_policy(store.impressions(scenario=scenario), store.events_since(), others, clicks=clicks)
    return found, known


def _estimate_lines(found: OffPolicy, known: int, folder: Path) -> list[str]:
    if not found.lists:
        return [
            "No list was drawn, so nothing tells how another model would have done: see `explore` of scenarios."
        ]
    lines = [
        f"Clicks per list, from {counted(found.lists, 'drawn list')} of {counted(found.users, 'user')}:",
        f"{'as shown':<28} {_shown(found.shown)}",
        f"{str(folder) + ', IPS':<28} {_shown(found.ips)}",
        f"{str(folder) + ', SNIPS':<28} {_shown(found.snips)}",
        f"{str(folder) + ', doubly robust':<28} {_shown(found.doubly_robust)}",
        f"{counted(found.matches, 'place')} had the same item, which tell as much as {found.effective:,.0f} would if all counted alike.",
    ]
    if found.reach < _REACH:
        lines.append(
            f"Only {found.reach:.0%} of the places of {folder} could have been drawn, so IPS is too low. Draw from a larger pool."
        )
    if known:
        lines.append(
            f"The model knows {counted(known, 'item')} of these lists as seen by their users, and leaves them out: "
            "is it from before these lists?"
        )
    return lines


def _lines(found: Replay, scenario: str | None) -> list[str]:
    if not found.variants:
        return [
            "The store has no lists."
            if scenario is None
            else f"The store has no lists of scenario '{scenario}'."
        ]
    lines = [f"{'variant':<16} {'lists':>9} {'users':>9}  {'with a click':<22} clicks per item, corrected"]
    for one in found.variants:
        name = "-" if one.variant is None else one.variant
        corrected = "" if one.corrected is None else _shown(one.corrected)
        lines.append(
            f"{name:<16} {one.lists:>9,} {one.users:>9,}  {_shown(one.click_rate):<22} {corrected}".rstrip()
        )
    if found.eta is None:
        lines.append(
            "No clicked item was shown at two positions, so clicks cannot be corrected for position."
        )
    else:
        lines.append(
            f"A user looks at position k with probability k^-{found.eta:.2f} (standard error {found.eta_error:.2f})."
        )
    if found.without_list and scenario is None:
        lines.append(f"Left out: {counted(found.without_list, 'click')} on lists that are not in the store.")
    if found.not_in_list:
        lines.append(f"Left out: {counted(found.not_in_list, 'click')} on items that were not in their list.")
    return lines


def _shown(estimate: Estimate) -> str:
    if math.isnan(estimate.low):
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} ({estimate.low:.4f}-{estimate.high:.4f})"


def _without_nan(value: Any) -> Any:
    """The value with nan replaced by None, because JSON has no nan."""
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
