"""An explanation as one HTML page: the sentence, a drawing of the score's parts, and the full account.

Enters: an `Explanation`. Leaves: HTML without external scripts, fonts or images, in which all data is escaped. Nothing is written.

The drawing is a Sankey diagram with two halves: the history items that support the item, and the item's sources. Both halves sum to the
score, so they meet in one bar. On a narrow screen one half is below the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from kgrec.recommend.explanation_parts import Part, source_parts

if TYPE_CHECKING:
    from kgrec.recommend.explain import Explanation

#: history items that are drawn separately
_DRAWN = 7
#: members named per part
_MEMBERS = 2
#: sizes of the drawing in pixels: width of a half and of its text, height of the whole bar, smallest height of a row, width of a bar
_HALF, _TEXT, _WHOLE, _ROW, _BAR = 400, 236, 240, 40, 6
#: largest number of characters per label
_LETTERS = 31

_STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --ink: #1c2430; --muted: #5b6675; --history: #2563a8; --made: #96690b; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14181e; --ink: #e6eaf0; --muted: #9aa5b4; --history: #6aa5e8; --made: #d9ab4a; }
}
body { margin: 0 auto; padding: 1.5rem 1rem; max-width: 50rem; background: var(--page); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
p { margin: 0 0 .75rem; overflow-wrap: anywhere; } .because { font-size: 1.125rem; } .hint, summary { color: var(--muted); font-size: .875rem; }
.drawing { display: flex; flex-wrap: wrap; align-items: center; margin: 1rem 0; }
figure { margin: 0; flex: 1 1 22rem; min-width: 0; } figcaption { color: var(--muted); font-size: .875rem; } .made figcaption { text-align: right; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif; } svg .value { fill: var(--muted); font-size: 12px; }
.history path, .history rect { fill: var(--history); } .made path, .made rect { fill: var(--made); } svg path { opacity: .35; }
pre { overflow-x: auto; font-size: .8125rem; }
@media (max-width: 49rem) { .made figcaption { text-align: left; margin-top: 1rem; } }
"""


def html_of(why: Explanation) -> str:
    """The whole page."""
    title = escape(f"{why.label or why.item}{f' for {why.user}' if why.user else ''}")
    body = [f"<h1>{title}</h1>"]
    if why.because is not None:
        body.append(f'<p class="because">{escape(why.because.text)}</p>')
    if why.counterfactual is not None:
        text = str(why.counterfactual)
        body.append(f"<p>{escape(text[0].upper() + text[1:])}.</p>")
    measured = "" if why.exact else " (how much it falls without the item)"
    halves = [
        _half(f"The score {why.score:.3f} by history item{measured}", _history(why), mirrored=False),
        _half("and by source", source_parts(why.sources, why.donors, 0.9), mirrored=True),
    ]
    body.append(f'<div class="drawing">{"".join(halves)}</div>')
    against = "Only the full account shows parts that lower the score."
    body.append(f'<p class="hint">Higher bars are larger parts of the score. {against}</p>')
    body.append(f"<details><summary>The full account</summary><pre>{escape(why.text())}</pre></details>")
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    page = f"{head}<title>{title}</title><style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    return f'<!doctype html><html lang="en"><head>{page}'


def _history(why: Explanation) -> list[Part]:
    """The history items that support the item, with the smaller ones joined into one part."""
    parts = [
        Part(str(label) or str(item), float(contribution))
        for item, label, contribution in zip(
            why.history["item_id"], why.history["label"], why.history["contribution"], strict=True
        )
        if contribution > 0
    ]
    rest = parts[_DRAWN:]
    others = [Part(f"{len(rest):,} other items", sum(part.contribution for part in rest))] if rest else []
    return [*parts[:_DRAWN], *others]


@dataclass(frozen=True)
class _Row:
    """A drawn part: its outer and inner positions, and its height."""

    part: Part
    outer: float
    inner: float
    height: float


def _half(title: str, parts: Sequence[Part], *, mirrored: bool) -> str:
    """The parts above 0 as bars, each linked to its place in the whole bar."""
    rows, height = _rows([part for part in parts if part.contribution > 0])
    if not rows:
        return ""
    kind = "made" if mirrored else "history"
    drawn = "".join(_drawn(row, mirrored) for row in rows)
    whole = f'<rect x="{0 if mirrored else _HALF - _BAR}" y="{(height - _WHOLE) / 2:.1f}" width="{_BAR}" height="{_WHOLE}"/>'
    label = escape(f"{title}: {'; '.join(f'{row.part.name} {row.part.contribution:.3f}' for row in rows)}")
    picture = f'<svg viewBox="0 0 {_HALF} {height:.0f}" role="img" aria-label="{label}">{drawn}{whole}</svg>'
    return f'<figure class="{kind}"><figcaption>{escape(title)}</figcaption>{picture}</figure>'


def _rows(parts: Sequence[Part]) -> tuple[list[_Row], float]:
    """The rows from top to bottom, and their total height."""
    whole = sum(part.contribution for part in parts) or 1.0
    heights = [_WHOLE * part.contribution / whole for part in parts]
    total = max(float(_WHOLE), sum(max(_ROW, height + 4) for height in heights))
    rows, outer, inner = [], 0.0, (total - _WHOLE) / 2
    for part, height in zip(parts, heights, strict=True):
        room = max(_ROW, height + 4)
        rows.append(_Row(part, outer + (room - height) / 2, inner, height))
        outer, inner = outer + room, inner + height
    return rows, total


def _drawn(row: _Row, mirrored: bool) -> str:
    """A bar, its text, and its ribbon to the whole bar."""
    start, end = (_TEXT + _BAR, _HALF - _BAR) if not mirrored else (_HALF - _TEXT - _BAR, _BAR)
    middle = (start + end) / 2
    bar = f'<rect x="{start - _BAR if not mirrored else start}" y="{row.outer:.1f}" width="{_BAR}" height="{max(row.height, 1):.1f}"/>'
    ribbon = (
        f'<path d="M{start} {row.outer:.1f} C{middle} {row.outer:.1f} {middle} {row.inner:.1f} {end} {row.inner:.1f} '
        f'v{row.height:.1f} C{middle} {row.inner + row.height:.1f} {middle} {row.outer + row.height:.1f} {start} {row.outer + row.height:.1f} z"/>'
    )
    x, anchor = (_TEXT - 8, "end") if not mirrored else (_HALF - _TEXT + 8, "start")
    y = row.outer + row.height / 2
    texts = [
        ("", y - 2, row.part.name),
        ("value", y + 14, f"{row.part.contribution:.3f}{_members(row.part)}"),
    ]
    return bar + ribbon + "".join(_text(x, at, anchor, kind, text) for kind, at, text in texts)


def _members(part: Part) -> str:
    """The largest members of a part."""
    names = [member.name for member in part.members[:_MEMBERS] if member.contribution > 0]
    return f"  {', '.join(names)}" if names and not part.is_rest else ""


def _text(x: float, y: float, anchor: str, kind: str, text: str) -> str:
    """Text cut to its place; a tooltip shows the full text."""
    shown = text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1].rstrip()}…"
    place = f'class="{kind}" x="{x}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place}>{escape(shown)}<title>{escape(text)}</title></text>"
