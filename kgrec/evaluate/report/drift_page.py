"""The page of a drift analysis.

Enters: the content of drift.json. Leaves: an HTML document that loads no other files. Nothing is written.
Needs matplotlib and Jinja2 (`kgrec[report]`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kgrec.evaluate.report import plots
from kgrec.evaluate.report.formatting import interval, number, probability
from kgrec.evaluate.report.page import check_installed, rendered
from kgrec.evaluate.report.plots import Point
from kgrec.evaluate.report.report_tables import Cell, ReportRow, ReportTable

_VERDICTS = {
    "stable": "No change exceeds both the thresholds and chance.",
    "watch": "Something changed. Check again soon, with more recent interactions.",
    "retrain": "Much has changed. Train the model again with the recent interactions.",
}
NOT_MEASURED = "not measured"


def drift_page(record: Mapping[str, Any]) -> str:
    """Render a drift analysis as an HTML document; equal content gives equal documents.

    Args:
        record: The content of drift.json.

    Raises:
        ConfigError: A library of the extra `report` is not installed.
    """
    check_installed()
    measured = [check for check in record["checks"] if check["verdict"] is not None]
    return rendered(
        "drift.html",
        record=record,
        colours=plots.COLOURS,
        meaning=_VERDICTS[record["verdict"]],
        alarms=[check["name"] for check in measured if check["verdict"] != "stable"],
        counts=_counts(record["counts"]),
        overview=_overview(record["checks"]),
        sources=_sources(measured),
        weeks=_weeks(record["weeks"]),
        weeks_table=_weeks_table(record["weeks"]),
        details=[
            (check, _parts_table(check), _figure(check)) for check in measured if len(check["parts"]) > 1
        ],
    )


def _overview(checks: Sequence[Mapping[str, Any]]) -> ReportTable:
    rows = [
        ReportRow(
            check["name"],
            check["verdict"] or "unmeasured",
            [
                Cell(check["verdict"] or NOT_MEASURED, mark="word"),
                Cell(number(check["value"])),
                Cell(f"{check['thresholds']['watch']:g}"),
                Cell(f"{check['thresholds']['retrain']:g}"),
                Cell(probability(check["p_holm"])),
                Cell(check["note"], mark="word"),
            ],
        )
        for check in checks
    ]
    return ReportTable(
        ["check", "verdict", "value", "watch from", "retrain from", "p, Holm", "compared"], rows
    )


def _sources(checks: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Measure -> source of its thresholds."""
    return {check["measure"]: check["thresholds"]["source"] for check in checks}


def _parts_table(check: Mapping[str, Any]) -> ReportTable:
    rows = [
        ReportRow(part["name"], "baseline", [Cell(number(part["reference"])), Cell(number(part["recent"]))])
        for part in check["parts"]
    ]
    return ReportTable([check["name"], *_ends(check)], rows)


def _figure(check: Mapping[str, Any]) -> str:
    rows = [(part["name"], part["reference"], part["recent"]) for part in check["parts"]]
    return plots.pairs(rows, _ends(check), f"share, {check['name']}")


def _ends(check: Mapping[str, Any]) -> tuple[str, str]:
    return ("earlier half", "later half") if check["name"] == "calibration" else ("before", "recent")


def _weeks(weeks: Sequence[Mapping[str, Any]]) -> str:
    points = [Point(_days(week), "kgrec", week["ndcg"], week["low"], week["high"]) for week in weeks]
    return plots.dots(points, "NDCG") if points else ""


def _weeks_table(weeks: Sequence[Mapping[str, Any]]) -> ReportTable:
    rows = [
        ReportRow(
            _days(week),
            "kgrec",
            [Cell(f"{week['users']:,}"), Cell(number(week["ndcg"]), interval(week["low"], week["high"]))],
        )
        for week in weeks
    ]
    return ReportTable(["time", "users", "NDCG"], rows)


def _days(week: Mapping[str, Any]) -> str:
    """The first and the last day of a week, in UTC."""
    days = (datetime.fromtimestamp(seconds, UTC).date() for seconds in (week["start"], week["end"] - 1))
    return " to ".join(day.isoformat() for day in days)


def _counts(counts: Mapping[str, int]) -> str:
    unknown = [f"{counts[f'unknown {kind}']:,}" for kind in ("users", "items")]
    left_out = f" {counts['left out']:,} rows were left out." if counts["left out"] else ""
    known = f" The model already has {counts['known pairs']:,} of the pairs." if counts["known pairs"] else ""
    return (
        f"{counts['rows']:,} rows with {counts['positive pairs']:,} positive pairs of {counts['users']:,} users "
        f"({unknown[0]} unknown to the model) and {counts['items']:,} items ({unknown[1]} unknown).{known}{left_out}"
    )
