"""Figures as SVG elements for a page: text stays text, and takes the colour of the surrounding text.

Enters: names of systems, their kinds and values. Leaves: `<svg>` elements, equal for equal values. Nothing is written.
Needs matplotlib (`kgrec[report]`).
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

from kgrec.evaluate.report.formatting import finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: kind of a system -> colour, legible on white and on black
COLOURS = {"kgrec": "#1f78d1", "ablation": "#86b6ea", "baseline": "#8d949e", "lists": "#d9822b"}
#: colours of lines in one plot, easy to tell apart
_LINE_COLOURS = (COLOURS["kgrec"], COLOURS["lists"], COLOURS["baseline"])
_MORE_LINE_COLOURS = (*_LINE_COLOURS, "#2e9950", "#cf3a3a", "#8e6bbf", "#1fa3a3", "#c26bb0", "#a08a2c")
#: placeholder for the colour of the surrounding text
_TEXT_COLOUR = "#010203"
#: inches
_FIGURE_WIDTH, _ROW_HEIGHT = 6.6, 0.27
#: largest number of characters of a name
_NAME_LENGTH = 34
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": _TEXT_COLOUR,
    "axes.labelcolor": _TEXT_COLOUR,
    "axes.edgecolor": _TEXT_COLOUR,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "figure.facecolor": "none",
    "grid.color": _TEXT_COLOUR,
    "grid.alpha": 0.15,
    "xtick.color": _TEXT_COLOUR,
    "ytick.color": _TEXT_COLOUR,
    "legend.frameon": False,
    "savefig.facecolor": "none",
}


@dataclass(frozen=True)
class Point:
    """The values of one system in a plot; None for a missing value."""

    name: str
    kind: str
    value: float | None
    low: float | None = None
    high: float | None = None
    #: value on the horizontal axis, in plots with two axes
    across: float | None = None


def dots(points: Sequence[Point], label: str, *, zero: bool = False) -> str:
    """One dot per system, with its interval; the first system on top.

    Args:
        points: Systems.
        label: Label of the values.
        zero: Draw a line at 0, for differences.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        _dots(axes, points)
        axes.set_yticks(range(len(points)), [_short(point.name) for point in points])
        axes.set_xlabel(label)
        if zero:
            axes.axvline(0, color=COLOURS["kgrec"], linewidth=1.6, zorder=1)

    return _svg(f"dots {label}", _height(len(points)), draw)


def panels(groups: Mapping[str, Sequence[Point]], label: str) -> str:
    """Dots of the same systems in groups, stacked on one scale.

    Args:
        groups: Title -> points, for the same systems in the same order.
        label: Label of the values.
    """
    names = [_short(point.name) for point in next(iter(groups.values()))]

    def draw(figure: Figure) -> None:
        column = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (title, points) in zip(column, groups.items(), strict=True):
            _dots(axes, points)
            axes.set_title(title, loc="left")
            axes.set_yticks(range(len(names)), names)
        column[-1].set_xlabel(label)

    height = sum(_height(len(names)) - 0.3 for _ in groups) + 0.4
    return _svg(f"panels {label} {list(groups)}", height, draw)


def pairs(rows: Sequence[tuple[str, float, float]], names: tuple[str, str], label: str) -> str:
    """Two bars per row, one below the other, such as shares before and after; the first row on top.

    Args:
        rows: Name, first value, second value.
        names: Labels of the first and the second values.
        label: Label of the values.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for number, (name, colour) in enumerate(
            zip(names, (COLOURS["baseline"], COLOURS["kgrec"]), strict=True)
        ):
            at = [row + 0.4 * (number - 0.5) for row in range(len(rows))]
            axes.barh(at, [row[number + 1] for row in rows], height=0.36, color=colour, label=name)
        axes.set_yticks(range(len(rows)), [_short(row[0]) for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(True, axis="x")
        axes.set_axisbelow(True)
        axes.set_xlabel(label)

    return _svg(f"pairs {label} {names}", _height(len(rows)) + 0.04 * len(rows), draw)


def trade_off(points: Sequence[Point], across: str, label: str, *, log: bool = False) -> str:
    """A scatter plot of systems, with their names in a column on the right.

    Args:
        points: Systems; those without both values are left out.
        across: Label of the horizontal axis.
        label: Label of the vertical axis.
        log: Whether the horizontal axis is logarithmic; if so, values of 0 or less are left out.

    Returns:
        "" for fewer than two points.
    """
    there = [p for p in points if p.value is not None and p.across is not None and (p.across > 0 or not log)]
    if len(there) < 2:
        return ""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for point in there:
            axes.scatter(
                [_of(point.across)],
                [_of(point.value)],
                s=34,
                color=_colour(point.kind),
                zorder=4 if point.kind == "kgrec" else 3,
            )
        if log:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
            axes.xaxis.set_minor_formatter(lambda *_: "")
        axes.margins(0.06, 0.06)
        axes.grid(True)
        axes.set_xlabel(across)
        axes.set_ylabel(label)
        _name(axes, there)

    return _svg(f"trade-off {across} {label}", max(3.6, 0.2 * len(there) + 0.7), draw)


def strengths(lines: Mapping[str, Sequence[tuple[float, float, float]]], across: str, label: str) -> str:
    """A line per option of lists, through the points of its strengths, each labelled with its strength.

    Args:
        lines: Option -> strength, value on the horizontal axis, value on the vertical axis; by rising strength.
        across: Label of the horizontal axis.
        label: Label of the vertical axis.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for colour, (option, points) in zip(cycle(_LINE_COLOURS), lines.items(), strict=False):
            _, x, y = zip(*points, strict=True)
            axes.plot(x, y, marker="o", markersize=4, linewidth=1.6, color=colour, label=option)
            for strength, at, value in points:
                axes.annotate(
                    f"{strength:g}", (at, value), xytext=(4, 4), textcoords="offset points", fontsize=8
                )
        axes.margins(0.08, 0.08)
        axes.grid(True)
        axes.set_xlabel(across)
        axes.set_ylabel(label)
        if len(lines) > 1:
            axes.legend(fontsize=9)

    return _svg(f"strengths {across} {label}", 3.6, draw)


def timelines(
    lines: Mapping[str, tuple[Sequence[float | None], Sequence[float | None], Sequence[float | None]]],
    across: str,
    label: str,
) -> str:
    """A line per system through its values at 1, 2, ..., with its interval as a band.

    Args:
        lines: System -> values, lower and upper ends; None for a missing value.
        across: Label of the horizontal axis.
        label: Label of the vertical axis.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for colour, (name, parts) in zip(cycle(_MORE_LINE_COLOURS), lines.items(), strict=False):
            middle, low, high = ([float("nan") if one is None else one for one in part] for part in parts)
            at = range(1, len(middle) + 1)
            axes.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(at, middle, linewidth=1.6, color=colour, label=_short(name))
        axes.locator_params(axis="x", nbins=10, integer=True)
        axes.grid(True)
        axes.set_xlabel(across)
        axes.set_ylabel(label)
        figure.legend(loc="outside right upper", fontsize=9)

    return _svg(f"timelines {across} {label}", 3.2, draw)


def curves(records: Sequence[Mapping[str, Any]]) -> str:
    """Loss by epoch, one line per training run, and the best validation NDCG of each run.

    Args:
        records: Stage, run, epoch, loss and ndcg of each epoch; None for a missing value.

    Returns:
        "" if there is nothing to draw.
    """
    parts = ((_losses, "loss"), (_qualities, "ndcg"))
    shown = [(part, [x for x in records if finite(x.get(key)) is not None]) for part, key in parts]
    shown = [(part, there) for part, there in shown if there]

    def draw(figure: Figure) -> None:
        row = figure.subplots(1, len(shown), squeeze=False)[0]
        for axes, (part, there) in zip(row, shown, strict=True):
            part(axes, there)

    return _svg("curves", 3.4, draw) if shown else ""


def _dots(axes: Axes, points: Sequence[Point]) -> None:
    for row, point in enumerate(points):
        if point.value is None:
            continue
        colour = _colour(point.kind)
        if point.low is not None and point.high is not None:
            axes.plot([point.low, point.high], [row, row], color=colour, linewidth=2.4, zorder=2)
        axes.scatter([point.value], [row], s=38, color=colour, zorder=3)
    axes.set_ylim(len(points) - 0.4, -0.6)
    axes.grid(True, axis="x")
    axes.set_axisbelow(True)


def _name(axes: Axes, points: Sequence[Point]) -> None:
    """Write names in a column, in the order of their points, each with a line to its point."""
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top)
    axes.set_xlim(*axes.get_xlim())
    ordered = sorted(points, key=lambda point: (_of(point.value), point.name))
    heights = _apart([(_of(point.value) - bottom) / (top - bottom) for point in ordered])
    for point, height in zip(ordered, heights, strict=True):
        axes.annotate(
            _short(point.name),
            xy=(_of(point.across), _of(point.value)),
            xytext=(1.04, height),
            textcoords="axes fraction",
            va="center",
            fontsize=9,
            arrowprops={
                "arrowstyle": "-",
                "color": _TEXT_COLOUR,
                "alpha": 0.3,
                "linewidth": 0.7,
                "relpos": (0, 0.5),
            },
            annotation_clip=False,
        )


def _apart(heights: list[float]) -> list[float]:
    """Sorted heights from 0 to 1, moved so that no labels overlap."""
    gap = min(0.07, 1 / max(len(heights), 1))
    moved: list[float] = []
    for height in heights:
        moved.append(max(height, moved[-1] + gap) if moved else height)
    return [min(height, 1 - gap * (len(moved) - 1 - n)) for n, height in enumerate(moved)]


def _losses(axes: Axes, records: Sequence[Mapping[str, Any]]) -> None:
    runs = sorted({(int(record["run"]), record["stage"] == "refit") for record in records})
    for number, (run, refit) in enumerate(runs):
        mine = [x for x in records if x["run"] == run and (x["stage"] == "refit") == refit]
        mine.sort(key=lambda record: int(record["epoch"]))
        axes.plot(
            [record["epoch"] for record in mine],
            [record["loss"] for record in mine],
            marker="o",
            markersize=3,
            linewidth=2.2 if refit else 1.3,
            color=COLOURS["lists"] if refit else COLOURS["kgrec"],
            alpha=1 if refit else 0.3 + 0.7 * (number + 1) / len(runs),
            label="on all data" if refit else f"run {run}",
        )
    if 1 < len(runs) <= 8:
        axes.legend(fontsize=8)
    axes.locator_params(axis="x", nbins=6, integer=True)
    axes.set_title("loss")
    axes.set_xlabel("epoch")
    axes.grid(True)


def _qualities(axes: Axes, records: Sequence[Mapping[str, Any]]) -> None:
    best: dict[int, float] = {}
    for record in records:
        run = int(record["run"])
        best[run] = max(best.get(run, 0.0), record["ndcg"])
    axes.plot(list(best), list(best.values()), marker="o", linestyle="none", color=COLOURS["kgrec"])
    axes.margins(0.15, 0.15)
    axes.locator_params(axis="x", nbins=8, integer=True)
    axes.set_title("validation NDCG")
    axes.set_xlabel("run")
    axes.grid(True)


def _svg(name: str, height: float, draw: Callable[[Figure], None]) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    written = io.StringIO()
    # the salt gives different element ids to the figures of a page
    style: Any = _STYLE | {"svg.hashsalt": name}
    with rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(_FIGURE_WIDTH, height), layout="constrained")
        draw(figure)
        empty = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(written, format="svg", metadata=empty)
    return _inline(written.getvalue())


def _inline(document: str) -> str:
    """The `<svg>` element of a document, without a fixed size, in the colour of the surrounding text."""
    element = document[document.index("<svg") :]
    head, tail = element.split(">", 1)
    head = re.sub(r' (width|height|xmlns|xmlns:xlink|version)="[^"]*"', "", head)
    tail = re.sub(r'<g id="[^"]*"', "<g", tail).replace("xlink:href=", "href=")
    return f'{head} role="img">' + re.sub(rf"(fill|stroke): {_TEXT_COLOUR}", r"\1: currentColor", tail)


def _short(name: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in name)
    return plain if len(plain) <= _NAME_LENGTH else plain[: _NAME_LENGTH - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _colour(kind: str) -> str:
    return COLOURS.get(kind, COLOURS["baseline"])


def _height(rows: int) -> float:
    return 0.8 + _ROW_HEIGHT * max(rows, 2)


def _of(value: float | None) -> float:
    assert value is not None
    return value
