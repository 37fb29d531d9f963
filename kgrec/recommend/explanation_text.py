"""An explanation in words, whose printed figures add up.

Enters: an `Explanation`, and the share of its parts to show. Leaves: lines of text. Nothing is written.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kgrec.graph.ntriples import iso_date
from kgrec.recommend.explanation_parts import Part

if TYPE_CHECKING:
    from kgrec.recommend.explain import Explanation

#: units of a printed figure per 1
_UNITS = 1000
#: members named per part
_NAMED = 3
#: number of items whose attention is shown
_ATTENDED = 5

_EXACT = "  by history item (these sum to the score):"
_MEASURED = "  by history item (not exact shares, but the change of the score when the item is left out; with the last line they sum to the score):"


def lines(explanation: Explanation, share: float) -> list[str]:
    """The explanation as lines for people; with a share of 1, every part has a line.

    The figures of the first two blocks sum to the printed score.
    """
    parts, score = explanation.parts(share), round(explanation.score * _UNITS)
    who = f" for {explanation.user}" if explanation.user else ""
    text = [f"{explanation.label or explanation.item}{who}: score {score / _UNITS:.3f}"]
    if explanation.because is not None:
        text += [f"  {explanation.because.text}"]
    if explanation.counterfactual is not None:
        text += [f"  {explanation.counterfactual}"]
    if parts["history"]:
        text += [_EXACT if explanation.exact else _MEASURED, *_block(parts["history"], score)]
    text += ["  by source (these sum to the score):", *_block(parts["sources"], score)]
    if parts["paths"]:
        text += ["  by shared node in the graph (already contained in the above):", *_block(parts["paths"])]
    if "attention" in explanation.history:
        text += _attention(explanation)
    if explanation.in_list:
        text += [
            "  in the list (these change the order, not the score):",
            *(f"    {one}" for one in explanation.in_list),
        ]
    return text


def number_text(value: float, is_date: bool) -> str:
    """A number in readable form, or the day of a date."""
    return iso_date(value, day=True) if is_date else f"{value:g}"


def apportioned(contributions: Sequence[float], total: int | None = None) -> list[int]:
    """Contributions in thousandths that sum to `total`, each within one of its own value (method of largest remainders).

    Args:
        contributions: Parts of a total.
        total: The total in thousandths; None: the rounded sum of the contributions.
    """
    exact = [part * _UNITS for part in contributions]
    units = [math.floor(part) for part in exact]
    missing = (round(sum(exact)) if total is None else total) - sum(units)
    by_remainder = sorted(range(len(exact)), key=lambda n: units[n] - exact[n])
    for n in by_remainder[: max(missing, 0)]:
        units[n] += 1
    return units


def _attention(explanation: Explanation) -> list[str]:
    """The items that the newest item attends to most."""
    shown = explanation.history.nlargest(_ATTENDED, "attention")
    shown = shown[shown["attention"] > 0]
    rows = [
        f"    {value:.3f}  {label or key}"
        for value, label, key in zip(shown["attention"], shown["label"], shown["item_id"], strict=True)
    ]
    title = "  attention of the newest history item (these are not parts of the score):"
    return [title, *rows] if rows else []


def _block(parts: Sequence[Part], total: int | None = None) -> list[str]:
    units = apportioned([part.contribution for part in parts], total)
    return [
        f"    {unit / _UNITS:+.3f}  {_described(part)}".rstrip()
        for unit, part in zip(units, parts, strict=True)
    ]


def _described(part: Part) -> str:
    """The name of a part, and its largest members."""
    if not part.members:
        return part.name
    if part.is_rest:
        named = [one.name for one in part.members[:_NAMED]]
    else:
        named = [f"{one.name} {one.contribution:+.3f}" for one in part.members[:_NAMED]]
    others = len(part.members) - len(named)
    more = f" and {others:,} other{'s' * (others > 1)}" if others else ""
    return f"{part.name}: {', '.join(named)}{more}"
