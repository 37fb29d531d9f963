"""The tables of the report page.

Enters: a `Record`. Leaves: `ReportTable`s of text. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kgrec.evaluate.report.formatting import NONE, count, interval, number, probability, seconds, signed
from kgrec.evaluate.report.record import PlainValues, Record
from kgrec.evaluate.report.wording import ACCURACY_TERMS, NOT_SIGNIFICANT, aim, beyond

#: buckets that separate new items from known ones
NEW_AND_KNOWN_BUCKETS = ("among new items", "among known items", "items: new", "items: known")

#: stages of a system, in the order in which it runs them
_STAGES = ("tune", "train", "recommend")
#: largest number of columns beside the names of the systems
_MAX_COLUMNS = 7
#: metrics shown beside the aim of an option of lists
_BESIDE = ("ndcg", "recall", "coverage", "novelty")


@dataclass(frozen=True)
class Cell:
    """Text, with smaller text below it."""

    text: str
    small: str = ""
    #: "best" for the best value of a column, "word" for text that is not a number, or ""
    mark: str = ""


@dataclass(frozen=True)
class ReportRow:
    """One system, with a cell per column."""

    name: str
    kind: str
    cells: list[Cell]


@dataclass(frozen=True)
class ReportTable:
    """Rows, and a heading per column; the first column has the names of the systems."""

    head: list[str]
    rows: list[ReportRow]

    @property
    def pieces(self) -> list[ReportTable]:
        """Tables with few enough columns to fit on a page, each with the names of the systems."""
        n = len(self.head) - 1
        if n <= _MAX_COLUMNS:
            return [self]
        size = -(-n // -(-n // _MAX_COLUMNS))  # pieces of about equal width
        parts = [slice(start, start + size) for start in range(0, n, size)]
        return [
            ReportTable(
                [self.head[0], *self.head[1:][part]],
                [ReportRow(row.name, row.kind, row.cells[part]) for row in self.rows],
            )
            for part in parts
        ]


def overview(record: Record) -> ReportTable:
    """The primary metric of all systems, best first, and whether each differs significantly from kgrec, or otherwise from the first."""
    assert record.subject is not None
    subject = record.subject["name"]
    rows = [
        ReportRow(
            system["name"],
            system["kind"],
            [
                Cell(_standing(record, subject, system["name"]), mark="word"),
                Cell(seconds(record.seconds(system))),
                *_metric_cells(record, system, [(record.primary_metric, "")]),
            ],
        )
        for system in record.ran
    ]
    return ReportTable(["system", f"against {subject}", "CPU seconds", record.primary_metric], rows)


def accuracy(record: Record, k: int) -> ReportTable:
    """Accuracy of all systems for another list length."""
    columns = [(f"{metric}@{k}", "") for metric in record.metrics(ACCURACY_TERMS, k)]
    return _metric_table(record, record.ran, columns, [name for name, _ in columns])


def comparisons(record: Record, metric: str) -> ReportTable:
    """kgrec, or otherwise the first system, compared with each other system on one metric."""
    subject = record.subject
    assert subject is not None
    name = subject["name"]
    head = [
        f"{name} minus",
        f"difference of {metric}",
        f"{record.results['level']:.0%} interval",
        "effect",
        "p, Holm",
        "higher",
    ]
    rows = []
    for system in record.ran:
        found = record.comparison(metric, name, system["name"])
        if found is not None and system["name"] != name:
            cells = [
                Cell(signed(found.difference)),
                Cell(interval(found.low, found.high) or NONE),
                Cell(signed(found.effect)),
                Cell(probability(found.p_holm)),
                Cell(found.higher or NOT_SIGNIFICANT, mark="word"),
            ]
            rows.append(ReportRow(system["name"], system["kind"], cells))
    return ReportTable(head, rows)


def ablations(record: Record) -> ReportTable | None:
    """kgrec, and kgrec without some source; None without ablations."""
    systems = [s for s in record.ran if s["kind"] in ("kgrec", "ablation")]
    if not any(s["kind"] == "ablation" for s in systems):
        return None
    places = [(record.primary_metric, ""), (f"recall@{record.k}", "")]
    places += [
        (record.primary_metric, bucket)
        for bucket in NEW_AND_KNOWN_BUCKETS
        if record.has(record.metric, record.k, bucket)
    ]
    return _metric_table(record, systems, places, [f"{name} {bucket}".strip() for name, bucket in places])


def new_and_known(record: Record) -> ReportTable | None:
    """The primary metric and recall for new and for known items; None without new items."""
    names = dict.fromkeys((record.primary_metric, f"recall@{record.k}"))
    places = [
        (name, bucket)
        for bucket in NEW_AND_KNOWN_BUCKETS
        for name in names
        if record.has(*record.metric_and_k(name), bucket)
    ]
    if not any(bucket.endswith(("new items", ": new")) for _, bucket in places):
        return None
    return _metric_table(record, record.ran, places, [f"{name} {bucket}" for name, bucket in places])


def buckets(record: Record, names: Sequence[str]) -> ReportTable:
    """The primary metric and recall of all systems in some buckets."""
    metrics = dict.fromkeys((record.primary_metric, f"recall@{record.k}"))
    places = [(metric, name) for metric in metrics for name in names]
    return _metric_table(record, record.ran, places, [f"{metric} {name}" for metric, name in places])


def beyond_accuracy(record: Record) -> ReportTable | None:
    """Metrics of lists beyond accuracy; None if there are none."""
    metrics = beyond(record)
    if not metrics:
        return None
    rows = [
        ReportRow(s["name"], s["kind"], [Cell(number(record.value(s["name"], m, record.k))) for m in metrics])
        for s in record.ran
    ]
    return ReportTable(["system", *(metric.replace("_", " ") for metric in metrics)], rows)


def strengths(record: Record) -> ReportTable | None:
    """Accuracy and the metrics beyond it for each option of lists at each strength; None without trade-offs."""
    rows = []
    for option, by_strength in record.strengths.items():
        metrics = [*_BESIDE, aim(option, by_strength[0.0])]
        for strength, values in sorted(by_strength.items()):
            cells = [Cell(f"{strength:g}"), *(Cell(number(values.get(metric))) for metric in metrics)]
            rows.append(ReportRow(option, "kgrec", cells))
    head = ["option", "strength", *(f"{metric}@{record.k}" for metric in _BESIDE), "what the option aims at"]
    return ReportTable(head, rows) if rows else None


def exposure(record: Record) -> dict[str, ReportTable]:
    """Node type -> shares of attention of its largest groups, plain and by strength of the option exposure."""
    tables: dict[str, ReportTable] = {}
    for row in record.results.get("exposure", []):
        head = [row["type"], "of the catalogue", "plain", *(f"exposure {one}" for one in row["strengths"])]
        table = tables.setdefault(row["type"], ReportTable(head, []))
        shares = (row["catalogue"], row["plain"], *row["strengths"].values())
        table.rows.append(ReportRow(row["group"], "kgrec", [Cell(f"{share:.1%}") for share in shares]))
    return tables


def tuning(record: Record) -> ReportTable:
    """The description, options, tuning and CPU seconds of each system."""
    used = {stage for system in record.ran for stage in system["cpu_seconds"]}
    stages = [stage for stage in _STAGES if stage in used]
    rows = [
        ReportRow(
            system["name"],
            system["kind"],
            [
                Cell(system["description"] or NONE, mark="word"),
                Cell(system["options"] or NONE, mark="word"),
                Cell(count(system["trials"] or None)),
                Cell(seconds(system["cpu_budget"] or None)),
                *(Cell(seconds(system["cpu_seconds"].get(stage))) for stage in stages),
            ],
        )
        for system in record.ran
    ]
    head = ["system", "description", "options", "trials", "budget, s", *(f"{stage}, s" for stage in stages)]
    return ReportTable(head, rows)


def _metric_table(
    record: Record, systems: Sequence[PlainValues], places: Sequence[tuple[str, str]], head: list[str]
) -> ReportTable:
    rows = [ReportRow(s["name"], s["kind"], list(_metric_cells(record, s, places))) for s in systems]
    return ReportTable(["system", *head], rows)


def _metric_cells(record: Record, system: PlainValues, places: Sequence[tuple[str, str]]) -> Iterator[Cell]:
    for name, bucket in places:
        values = record.metric_values(system["name"], *record.metric_and_k(name), bucket)
        best = _best(record, name, bucket) if values["value"] is not None else None
        mark = (
            "best"
            if best is not None and record.value(system["name"], *record.metric_and_k(name), bucket) == best
            else ""
        )
        yield Cell(number(values["value"]), interval(values["low"], values["high"]), mark)


def _best(record: Record, name: str, bucket: str) -> float | None:
    """The highest value among all systems."""
    values = [record.value(system["name"], *record.metric_and_k(name), bucket) for system in record.ran]
    return max((value for value in values if value is not None), default=None)


def _standing(record: Record, subject: str, system: str) -> str:
    """Whether a system is significantly higher or lower than the subject on the primary metric."""
    found = record.comparison(record.primary_metric, subject, system) if system != subject else None
    if found is None:
        return NONE
    if not found.higher:
        return NOT_SIGNIFICANT
    return "higher" if found.higher == system else "lower"
