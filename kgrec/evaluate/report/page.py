"""The report page of a benchmark.

Enters: results as plain values, as in metrics.json. Leaves: an HTML document that loads no other files. Nothing is written.
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
from kgrec.evaluate.report import formatting, plots, report_tables, wording
from kgrec.evaluate.report.formatting import finite
from kgrec.evaluate.report.plots import Point
from kgrec.evaluate.report.record import Record

__all__ = ["check_installed", "page", "rendered"]

#: module -> name of the library
_LIBRARIES = {"matplotlib": "matplotlib", "jinja2": "Jinja2"}
_POPULARITY_BUCKETS = ("items: head", "items: middle", "items: tail")


def check_installed() -> None:
    """Check that the libraries of the page are installed.

    Raises:
        ConfigError: A library of the extra `report` is not installed.
    """
    for module, name in _LIBRARIES.items():
        if find_spec(module) is None:
            raise ConfigError(
                f"The report needs {name}, which is not installed.", "pip install 'kgrec[report]'"
            )


def page(results: Mapping[str, Any]) -> str:
    """Render results as an HTML document; equal results give equal documents.

    Args:
        results: The content of metrics.json.

    Raises:
        ConfigError: A library of the extra `report` is not installed.
    """
    check_installed()
    record = Record(results)
    return rendered(
        "page.html",
        results=results,
        record=record,
        colours=plots.COLOURS,
        text=_text(record),
        tables=_tables(record),
        plots=_plots(record),
    )


def rendered(name: str, **values: Any) -> str:
    """An HTML document from a template of this folder."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    folder = resources.files("kgrec.evaluate.report")
    environment = Environment(
        loader=FunctionLoader(lambda part: folder.joinpath(part).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        filter_: getattr(formatting, filter_) for filter_ in ("number", "count", "seconds")
    }
    return environment.get_template(name).render(**values)


def _text(record: Record) -> dict[str, Any]:
    metrics = [metric for metric in record.every_metric if wording.meaning(metric)]
    metrics += [f"exposure gap of {type_}" for type_ in report_tables.exposure(record)]
    return {
        "setup": wording.setup(record),
        "verdict": wording.verdict(record),
        "facts": wording.facts(record),
        "knowledge": wording.knowledge(record),
        "glossary": {metric.replace("_", " "): wording.meaning(metric) for metric in metrics},
    }


def _tables(record: Record) -> dict[str, Any]:
    if not record.ran:
        return {}
    popularity, history = _buckets(record)
    return {
        "overview": report_tables.overview(record),
        "accuracy": report_tables.accuracy(record, record.k),
        "shorter": {k: report_tables.accuracy(record, k) for k in record.results["k"] if k != record.k},
        "comparisons": {metric: report_tables.comparisons(record, metric) for metric in record.compared},
        "ablations": report_tables.ablations(record),
        "new": report_tables.new_and_known(record),
        "popularity": report_tables.buckets(record, popularity),
        "history": report_tables.buckets(record, history),
        "beyond": report_tables.beyond_accuracy(record),
        "strengths": report_tables.strengths(record),
        "exposure": report_tables.exposure(record),
        "tuning": report_tables.tuning(record),
    }


def _plots(record: Record) -> dict[str, Any]:
    """SVG elements, "" if there is nothing to draw. Matplotlib escapes the text in them."""
    if not record.ran:
        return {}
    popularity, history = _buckets(record)
    new = record.buckets("among ", record.metric, record.k)
    curve = record.subject["learning_curve"] if record.subject else []
    return {
        "differences": _differences(record),
        "new": _panels(record, new),
        "popularity": _panels(record, popularity),
        "history": _panels(record, history),
        "trade_offs": _trade_offs(record),
        "strengths": _strengths(record),
        "curves": plots.curves(curve) if curve else "",
    }


def _buckets(record: Record) -> tuple[list[str], list[str]]:
    """Buckets of items by popularity, and of users by length of history."""
    items = record.buckets("items: ", record.metric, record.k)
    return [name for name in items if name in _POPULARITY_BUCKETS], record.buckets(
        "history: ", record.metric, record.k
    )


def _differences(record: Record) -> str:
    """Each system minus kgrec, with intervals; "" if nothing was compared."""
    subject = record.subject
    assert subject is not None
    found = [
        (s, record.comparison(record.primary_metric, s["name"], subject["name"]))
        for s in record.ran
        if s["name"] != subject["name"]
    ]
    points = [Point(s["name"], s["kind"], c.difference, c.low, c.high) for s, c in found if c is not None]
    label = f"{record.primary_metric}, difference to {subject['name']}"
    return plots.dots(points, label, zero=True) if points else ""


def _points(record: Record, bucket: str = "") -> list[Point]:
    systems = [
        (system, record.metric_values(system["name"], record.metric, record.k, bucket))
        for system in record.ran
    ]
    return [
        Point(system["name"], system["kind"], *(finite(values[name]) for name in ("value", "low", "high")))
        for system, values in systems
    ]


def _panels(record: Record, buckets: Sequence[str]) -> str:
    groups = {bucket: _points(record, bucket) for bucket in buckets}
    return plots.panels(groups, record.primary_metric) if groups else ""


def _trade_offs(record: Record) -> list[str]:
    """The primary metric against coverage, novelty and CPU seconds."""
    systems = {system["name"]: system for system in record.ran}

    def against(label: str, of: Callable[[str], float | None], *, log: bool = False) -> str:
        points = [replace(point, across=of(point.name)) for point in _points(record)]
        return plots.trade_off(points, label, record.primary_metric, log=log)

    drawn = [
        against(f"{metric}@{record.k}", partial(record.value, metric=metric, k=record.k))
        for metric in record.metrics(("coverage", "novelty"), record.k)
    ]
    seconds = against("CPU seconds", lambda name: record.seconds(systems[name]), log=True)
    return [figure for figure in (*drawn, seconds) if figure]


def _strengths(record: Record) -> list[str]:
    """The primary metric against the aim of each option of lists; options with the same aim share a figure."""
    figures: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    for option, by_strength in record.strengths.items():
        aim = wording.aim(option, by_strength[0.0])
        points = [
            (strength, values.get(aim), values.get(record.metric))
            for strength, values in sorted(by_strength.items())
        ]
        there = [(s, x, y) for s, x, y in points if x is not None and y is not None]
        if there:
            figures.setdefault(aim, {})[option] = there
    return [
        plots.strengths(lines, f"{aim.replace('_', ' ')}@{record.k}", record.primary_metric)
        for aim, lines in figures.items()
    ]
