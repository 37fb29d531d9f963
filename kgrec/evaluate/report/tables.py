"""The tables of the page.

Enters: a `Record`. Leaves: `ReportTable`s of text. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kgrec.evaluate.report.formatting import NONE, count, interval, number, probability, seconds, signed
from kgrec.evaluate.report.record import FigureValues, Record
from kgrec.evaluate.report.wording import ACCURACY_TERMS, beyond

NEW = ("among new items", "among known items", "items: new", "items: known")


@dataclass(frozen=True)
class Cell:
    """Text, and smaller text below it."""

    text: str
    small: str = ""
    #: "best" of its column, "word" for what is no number, or ""
    mark: str = ""


@dataclass(frozen=True)
class ReportRow:
    """A system and its cells."""

    name: str
    kind: str
    cells: list[Cell]


@dataclass(frozen=True)
class ReportTable:
    """Rows below their headings; the first heading is that of the names."""

    head: list[str]
    rows: list[ReportRow]


def main(record: Record) -> ReportTable:
    """Accuracy of all systems, the best first, and whether each can be told apart from kgrec, or else the first."""
    assert record.subject is not None
    subject = record.subject["name"]
    metrics = record.metrics(ACCURACY_TERMS, record.k)
    names = [f"{metric}@{record.k}" for metric in _first(metrics, record.parts(record.main)[0])]
    rows = [
        ReportRow(
            system["name"],
            system["kind"],
            [
                Cell(_standing(record, subject, system["name"]), mark="word"),
                Cell(seconds(record.seconds(system))),
                *_figures(record, system, [(name, "") for name in names]),
            ],
        )
        for system in record.ran
    ]
    return ReportTable(["system", f"against {subject}", "CPU seconds", *names], rows)


def accuracy(record: Record, k: int) -> ReportTable:
    """Accuracy of all systems in lists of another length."""
    columns = [(f"{metric}@{k}", "") for metric in record.metrics(ACCURACY_TERMS, k)]
    return _plain(record, record.ran, columns, [name for name, _ in columns])


def comparisons(record: Record, figure: str) -> ReportTable:
    """The first system against each other on one figure."""
    subject = record.subject
    assert subject is not None
    name = subject["name"]
    head = [
        f"{name} less",
        f"difference of {figure}",
        f"{record.results['level']:.0%} interval",
        "effect",
        "p, Holm",
        "higher",
    ]
    rows = []
    for system in record.ran:
        found = record.comparison(figure, name, system["name"])
        if found is not None and system["name"] != name:
            cells = [
                Cell(signed(found.difference)),
                Cell(interval(found.low, found.high) or NONE),
                Cell(signed(found.effect)),
                Cell(probability(found.p_holm)),
                Cell(found.higher or "inside the noise", mark="word"),
            ]
            rows.append(ReportRow(system["name"], system["kind"], cells))
    return ReportTable(head, rows)


def ablations(record: Record) -> ReportTable | None:
    """kgrec, and kgrec without a part of what it knows; None without ablations."""
    systems = [s for s in record.ran if s["kind"] in ("kgrec", "ablation")]
    if not any(s["kind"] == "ablation" for s in systems):
        return None
    recall = f"recall@{record.k}"
    places = [(record.main, ""), (recall, "")]
    places += [(recall, bucket) for bucket in NEW if record.has("recall", record.k, bucket)]
    return _plain(record, systems, places, [f"{name} {bucket}".strip() for name, bucket in places])


def new_and_known(record: Record) -> ReportTable | None:
    """The main figure and recall for new and for known items; None without new items."""
    recall = f"recall@{record.k}"
    buckets = [bucket for bucket in NEW if record.has("recall", record.k, bucket)]
    if not any(bucket.endswith(("new items", ": new")) for bucket in buckets):
        return None
    places = [
        (figure, bucket)
        for bucket in buckets
        for figure in dict.fromkeys((record.main, recall) if bucket.startswith("among ") else (recall,))
        if record.has(*record.parts(figure), bucket)
    ]
    return _plain(record, record.ran, places, [f"{figure} {bucket}" for figure, bucket in places])


def buckets(record: Record, names: Sequence[str]) -> ReportTable:
    """Recall in some buckets."""
    recall = f"recall@{record.k}"
    return _plain(record, record.ran, [(recall, name) for name in names], [*names])


def beyond_accuracy(record: Record) -> ReportTable | None:
    """Figures of the lists that are not about hits; None if there are none."""
    metrics = beyond(record)
    if not metrics:
        return None
    rows = [
        ReportRow(s["name"], s["kind"], [Cell(number(record.value(s["name"], m, record.k))) for m in metrics])
        for s in record.ran
    ]
    return ReportTable(["system", *(metric.replace("_", " ") for metric in metrics)], rows)


def tuning(record: Record) -> ReportTable:
    """What each system is, with which options it ran, how they were found, and what it took."""
    stages = list(dict.fromkeys(stage for system in record.ran for stage in system["seconds"]))
    rows = [
        ReportRow(
            system["name"],
            system["kind"],
            [
                Cell(system["about"] or NONE, mark="word"),
                Cell(system["options"] or NONE, mark="word"),
                Cell(count(system["trials"] or None)),
                Cell(seconds(system["budget"] or None)),
                *(Cell(seconds(system["seconds"].get(stage))) for stage in stages),
            ],
        )
        for system in record.ran
    ]
    head = ["system", "what it is", "options", "trials", "budget, s", *(f"{stage}, s" for stage in stages)]
    return ReportTable(head, rows)


def _plain(
    record: Record, systems: Sequence[FigureValues], places: Sequence[tuple[str, str]], head: list[str]
) -> ReportTable:
    rows = [ReportRow(s["name"], s["kind"], list(_figures(record, s, places))) for s in systems]
    return ReportTable(["system", *head], rows)


def _figures(record: Record, system: FigureValues, places: Sequence[tuple[str, str]]) -> Iterator[Cell]:
    for name, bucket in places:
        figure = record.figure(system["name"], *record.parts(name), bucket)
        best = _best(record, name, bucket) if figure["value"] is not None else None
        mark = (
            "best"
            if best is not None and record.value(system["name"], *record.parts(name), bucket) == best
            else ""
        )
        yield Cell(number(figure["value"]), interval(figure["low"], figure["high"]), mark)


def _best(record: Record, name: str, bucket: str) -> float | None:
    values = [record.value(system["name"], *record.parts(name), bucket) for system in record.ran]
    return max((value for value in values if value is not None), default=None)


def _standing(record: Record, subject: str, system: str) -> str:
    found = record.comparison(record.main, subject, system) if system != subject else None
    if found is None:
        return NONE
    if not found.higher:
        return "inside the noise"
    return "higher" if found.higher == system else "lower"


def _first(metrics: Sequence[str], first: str) -> list[str]:
    return [first, *(metric for metric in metrics if metric != first)]
