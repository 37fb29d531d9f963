"""The page of a simulation.

Enters: the content of simulation.json. Leaves: an HTML document that loads nothing. Nothing is written.
Needs matplotlib and Jinja2 (`kgrec[report]`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgrec.evaluate.report import plots
from kgrec.evaluate.report.formatting import interval, number, signed
from kgrec.evaluate.report.page import check_installed, rendered
from kgrec.evaluate.report.report_tables import Cell, ReportRow, ReportTable


def simulation_page(record: Mapping[str, Any]) -> str:
    """Render a simulation as an HTML document; equal content gives equal documents.

    Args:
        record: The content of simulation.json.

    Raises:
        ConfigError: A library of the extra `report` is not installed.
    """
    check_installed()
    return rendered(
        "simulation.html",
        record=record,
        colours=plots.COLOURS,
        options=_options(record["config"]),
        late=_late(record),
        differences=_differences(record),
        details=[
            (name, meaning, _curves(record, name), _rounds(record, name))
            for name, meaning in record["figures"].items()
        ],
        providers=_providers(record),
    )


def _late(record: Mapping[str, Any]) -> ReportTable:
    """Means over the last third of the rounds."""
    rows = [
        ReportRow(name, _kind(record, name), [Cell(number(policy["late"][one])) for one in record["figures"]])
        for name, policy in record["policies"].items()
    ]
    return ReportTable(["policy", *record["figures"]], rows)


def _differences(record: Mapping[str, Any]) -> list[tuple[str, ReportTable]]:
    """Differences from the base, in the first and in the last third of the rounds."""
    others = {name: policy for name, policy in record["policies"].items() if name != record["base"]}
    if not others:
        return []
    return [
        (
            part,
            ReportTable(
                ["policy", *record["figures"]],
                [
                    ReportRow(
                        name,
                        "baseline",
                        [_difference(policy[f"{part} difference"][one]) for one in record["figures"]],
                    )
                    for name, policy in others.items()
                ],
            ),
        )
        for part in ("early", "late")
    ]


def _difference(one: Mapping[str, Any]) -> Cell:
    sure = one["low"] is not None and (one["low"] > 0 or one["high"] < 0)
    return Cell(signed(one["mean"]), interval(one["low"], one["high"]), "best" if sure else "")


def _curves(record: Mapping[str, Any], figure: str) -> str:
    lines = {
        name: tuple(policy["curves"][figure][part] for part in ("mean", "low", "high"))
        for name, policy in record["policies"].items()
    }
    return plots.timelines(lines, "round", figure)


def _rounds(record: Mapping[str, Any], figure: str) -> ReportTable:
    """Values by round."""
    policies = record["policies"]
    rows = [
        ReportRow(
            str(at + 1),
            "baseline",
            [Cell(number(policy["curves"][figure]["mean"][at])) for policy in policies.values()],
        )
        for at in range(record["config"]["rounds"])
    ]
    return ReportTable(["round", *policies], rows)


def _providers(record: Mapping[str, Any]) -> ReportTable:
    rows = [
        ReportRow(
            one["name"],
            "baseline",
            [
                Cell(number(one["items"])),
                *(Cell(number(one["attention"][name])) for name in record["policies"]),
            ],
        )
        for one in record["providers"]
    ]
    return ReportTable([record["world"]["provider"], "share of items", *record["policies"]], rows)


def _options(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Names and values of all options, sections last."""
    plain = [(prefix + name, str(one)) for name, one in config.items() if not isinstance(one, Mapping)]
    for name, one in config.items():
        if isinstance(one, Mapping):
            plain += _options(one, f"{prefix}{name}.")
    return plain


def _kind(record: Mapping[str, Any], name: str) -> str:
    return "kgrec" if name == record["base"] else "baseline"
