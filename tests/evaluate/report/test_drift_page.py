"""The page of a look for drift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_page import SCRIPT, Parsed

from kgrec.evaluate.drift.findings import EFFECT, PSI, Check, Drift, Part, Week
from kgrec.evaluate.report.drift_page import drift_page

COUNTS = {
    "rows": 1_200,
    "left out": 3,
    "positive pairs": 1_000,
    "known pairs": 0,
    "users": 90,
    "unknown users": 4,
    "items": 70,
    "unknown items": 2,
}


def look(name: str = "popularity") -> Drift:
    parts = (Part("0 to 3", 0.75, 0.25), Part(SCRIPT, 0.25, 0.75))
    checks = (
        Check(name, PSI, 1.099, 0.0001, "Interactions.", parts, 0.0002, "retrain"),
        Check("taste", EFFECT, 0.1, 0.5, "Cosine.", (Part("cosine", 0.5, 0.4),), 0.5, "stable"),
        Check("activity", PSI, None, None, "It needs times."),
    )
    weeks = (
        Week(1_700_000_000, 1_700_604_800, 40, 0.12, 0.1, 0.14),
        Week(1_700_604_800, 1_701_209_600, 1, 0.3, None, None),
    )
    return Drift("retrain", checks, weeks, COUNTS, "2026-01-02")


def test_the_page_states_verdict_checks_and_weeks():
    page = Parsed(drift_page(look().record()))
    assert "Alarms: popularity." in page.sections["verdict"]
    assert ["popularity", "retrain", "1.099", "0.1", "0.25", "< 0.001", "Interactions."] in page.rows
    assert ["taste", "stable", "0.1000", "0.2", "0.5", "0.500", "Cosine."] in page.rows
    assert [row[1] for row in page.rows if row[0] == "activity"] == ["not measured"]
    assert "Siddiqi" in page.sections["verdict"] and "Cohen" in page.sections["verdict"]
    assert ["2023-11-14 to 2023-11-21", "40", "0.1200 0.1000 to 0.1400"] in page.rows
    assert ["0 to 3", "0.7500", "0.2500"] in page.rows


def test_names_are_text():
    document = drift_page(look(SCRIPT).record())
    assert "<script" not in document
    assert "&lt;script" in document


def test_equal_content_gives_equal_pages():
    assert drift_page(look().record()) == drift_page(look().record())


def test_the_folder_has_the_page_and_the_values(tmp_path: Path):
    record = look().save(tmp_path / "drift", drift_page)
    assert (tmp_path / "drift" / "drift.html").read_text(encoding="utf-8") == drift_page(record)
    look().save(tmp_path / "drift")  # replaces it
    assert not (tmp_path / "drift" / "drift.html").exists()


@pytest.mark.parametrize("width", [1200, 390])
def test_nothing_is_wider_than_the_window(chromium: Any, tmp_path: Path, width: int):
    path = tmp_path / "drift.html"
    path.write_text(drift_page(look("categories: " + "long " * 20).record()), encoding="utf-8")
    page = chromium.new_page(viewport={"width": width, "height": 800})
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("svg").count() == 2
    assert problems == []
    page.close()
