"""One page of HTML with everything that an evaluation found.

Enters: results in plain values, as metrics.json has them. Leaves: a document that needs no other file. Nothing is written.
Needs matplotlib and Jinja2 (`kgrec[report]`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import resources
from importlib.util import find_spec
from typing import Any

from kgrec.errors import ConfigError
from kgrec.evaluate.report import formatting, plots, tables, wording
from kgrec.evaluate.report.formatting import finite
from kgrec.evaluate.report.plots import Point
from kgrec.evaluate.report.record import Record

__all__ = ["check_installed", "page"]

_NEEDED = {"matplotlib": "matplotlib", "jinja2": "Jinja2"}
_POPULARITY = ("items: head", "items: middle", "items: tail")


def check_installed() -> None:
    """Make sure that a page can be made.

    Raises:
        ConfigError: A library of the extra `report` is not installed.
    """
    for module, name in _NEEDED.items():
        if find_spec(module) is None:
            raise ConfigError(
                f"The report needs {name}, which is not installed.", "pip install 'kgrec[report]'"
            )


def page(results: Mapping[str, Any]) -> str:
    """Results as one HTML document, the same for the same results.

    Args:
        results: As metrics.json has them.

    Raises:
        ConfigError: A library of the extra `report` is not installed.
    """
    check_installed()
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {name: getattr(formatting, name) for name in ("number", "count", "seconds")}
    template = resources.files("kgrec.evaluate.report").joinpath("page.html").read_text(encoding="utf-8")
    record = Record(results)
    return environment.from_string(template).render(
        results=results,
        record=record,
        colours=plots.COLOURS,
        said=_said(record),
        tables=_tables(record),
        plots=_plots(record),
    )


def _said(record: Record) -> dict[str, Any]:
    metrics = [metric for metric in record.every_metric if wording.meaning(metric)]
    return {
        "asked": wording.asked(record),
        "verdict": wording.verdict(record),
        "knowledge": wording.knowledge(record),
        "glossary": {metric.replace("_", " "): wording.meaning(metric) for metric in metrics},
    }


def _tables(record: Record) -> dict[str, Any]:
    if not record.ran:
        return {}
    popularity, history = _buckets(record)
    return {
        "main": tables.main(record),
        "shorter": {k: tables.accuracy(record, k) for k in record.results["k"] if k != record.k},
        "comparisons": {figure: tables.comparisons(record, figure) for figure in record.compared},
        "ablations": tables.ablations(record),
        "new": tables.new_and_known(record),
        "popularity": tables.buckets(record, popularity),
        "history": tables.buckets(record, history),
        "beyond": tables.beyond_accuracy(record),
        "tuning": tables.tuning(record),
    }


def _plots(record: Record) -> dict[str, Any]:
    """SVG elements; "" where there is nothing to draw. What matplotlib writes is escaped by it."""
    if not record.ran:
        return {}
    popularity, history = _buckets(record)
    new = record.buckets("among ", "recall", record.k)
    lines = record.subject["curve"] if record.subject else []
    return {
        "main": plots.bars(_points(record), record.main),
        "new": _panels(record, new),
        "popularity": _panels(record, popularity),
        "history": _panels(record, history),
        "trade_offs": _trade_offs(record),
        "curves": plots.curves(lines) if lines else "",
    }


def _buckets(record: Record) -> tuple[list[str], list[str]]:
    """Items by popularity, and users by length of history."""
    items = record.buckets("items: ", "recall", record.k)
    return [name for name in items if name in _POPULARITY], record.buckets("history: ", "recall", record.k)


def _points(record: Record) -> list[Point]:
    metric, k = record.parts(record.main)
    figures = [(system, record.figure(system["name"], metric, k)) for system in record.ran]
    return [
        Point(s["name"], s["kind"], finite(f["value"]), finite(f["low"]), finite(f["high"]))
        for s, f in figures
    ]


def _panels(record: Record, buckets: Sequence[str]) -> str:
    groups = {
        bucket: [
            Point(s["name"], s["kind"], record.value(s["name"], "recall", record.k, bucket))
            for s in record.ran
        ]
        for bucket in buckets
    }
    return plots.panels(groups, f"recall@{record.k}") if groups else ""


def _trade_offs(record: Record) -> list[str]:
    """The main figure against coverage, novelty and CPU seconds."""
    systems = {system["name"]: system for system in record.ran}

    def against(label: str, of: Callable[[str], float | None], *, log: bool = False) -> str:
        points = [replace(point, across=of(point.name)) for point in _points(record)]
        return plots.trade_off(points, label, record.main, log=log)

    drawn = [
        against(f"{metric}@{record.k}", partial(record.value, metric=metric, k=record.k))
        for metric in record.metrics(("coverage", "novelty"), record.k)
    ]
    seconds = against("CPU seconds", lambda name: record.seconds(systems[name]), log=True)
    return [figure for figure in (*drawn, seconds) if figure]
