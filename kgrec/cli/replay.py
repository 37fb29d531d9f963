"""`kgrec replay`: what came of the lists that a server has shown."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli.console import Json, Quiet, console, counted

if TYPE_CHECKING:
    from kgrec.evaluate.replay import Estimate, Replay


def replay(
    store: Annotated[str, typer.Argument(help="Feedback store of kgrec serve: a path or a URL.")],
    scenario: Annotated[
        str | None, typer.Option("--scenario", help="Only lists of this scenario. Default: all lists.")
    ] = None,
    click: Annotated[
        list[str] | None,
        typer.Option(
            "--click",
            help="Type of events that counts as a click; may be repeated. Default: all but dislike, hide, skip and seen.",
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Clicks on the lists that a server has shown, by variant, corrected for the position.

    Example: `kgrec replay feedback.sqlite --scenario home`
    """
    from kgrec.evaluate.replay import replay as replayed
    from kgrec.serve.feedback_log import opened_store

    out = console(as_json, quiet)
    with opened_store(store) as opened:
        found = replayed(opened.impressions(scenario=scenario), opened.events_since(), clicks=click)
    out.result(_without_nan(dataclasses.asdict(found)), "\n".join(_lines(found, scenario)))


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
        lines.append("No clicked item was shown at two places, so positions cannot be corrected for.")
    else:
        lines.append(
            f"A user looks at place k with probability k^-{found.eta:.2f} (standard error {found.eta_error:.2f})."
        )
    if found.without_list and scenario is None:
        lines.append(
            f"Left out: {counted(found.without_list, 'click')} on lists that the store does not have."
        )
    if found.not_in_list:
        lines.append(f"Left out: {counted(found.not_in_list, 'click')} on items that were not in the list.")
    return lines


def _shown(estimate: Estimate) -> str:
    if math.isnan(estimate.low):
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} ({estimate.low:.4f}-{estimate.high:.4f})"


def _without_nan(value: Any) -> Any:
    """JSON has no nan."""
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
