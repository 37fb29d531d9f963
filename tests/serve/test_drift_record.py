"""Figures of drift in the metrics of a server."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kgrec.errors import ArtifactError, CorruptArtifact
from kgrec.evaluate.drift.findings import PSI, Check, Drift
from kgrec.serve.drift_record import DriftFigure, read_drift
from kgrec.serve.http.metrics import Metrics
from kgrec.storage import artifacts


def look(verdict: Any, value: float) -> Drift:
    checks = (
        Check("new items", PSI, value, 0.001, "", p_holm=0.002, verdict=verdict),
        Check("activity", PSI, None, None, "It needs times."),
    )
    return Drift(verdict, checks, (), {"rows": 10})


def samples(folder: Path) -> dict[str, float]:
    """Name and check of each figure of drift -> its value."""
    items = type("Items", (), {"n_trained": 1, "removed": (), "__len__": lambda _: 2})()
    state = SimpleNamespace(model=SimpleNamespace(items=items, users=()), revision=0, written=0.0)
    registry = Metrics(lambda: cast("Any", state), lambda: 0, folder).registry
    return {
        f"{sample.name} {sample.labels.get('check', '')}".strip(): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name.startswith("kgrec_drift")
    }


def test_checks_that_were_measured_are_figures(tmp_path: Path):
    look("watch", 0.2).save(tmp_path / "drift")
    found = read_drift(tmp_path / "drift")
    assert (found.alarm, found.checks) == (1, (DriftFigure("new items", 0.2, 1),))


def test_the_metrics_follow_the_folder(tmp_path: Path):
    folder = tmp_path / "drift"
    assert samples(folder) == {"kgrec_drift_up": 0}
    look("stable", 0.01).save(folder)
    first = samples(folder)
    assert first.pop("kgrec_drift_age_seconds") >= 0
    assert first == {
        "kgrec_drift_up": 1,
        "kgrec_drift new items": 0.01,
        "kgrec_drift_alarm new items": 0,
        "kgrec_drift_verdict": 0,
    }
    look("retrain", 0.7).save(folder)
    assert samples(folder)["kgrec_drift_verdict"] == 2


@pytest.mark.parametrize("content", ['{"verdict": "stable"}', "[]", '{"verdict": "bad", "checks": []}'])
def test_a_file_without_the_figures_is_refused(tmp_path: Path, content: str):
    with artifacts.writing(tmp_path / "drift", kind="drift") as place:
        (place / "drift.json").write_text(content, encoding="utf-8")
    with pytest.raises(CorruptArtifact, match=r"drift\.json does not contain drift figures"):
        read_drift(tmp_path / "drift")
    assert samples(tmp_path / "drift") == {"kgrec_drift_up": 0}


def test_a_folder_of_another_kind_is_refused(tmp_path: Path):
    with artifacts.writing(tmp_path / "drift", kind="report") as place:
        (place / "drift.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ArtifactError, match="report"):
        read_drift(tmp_path / "drift")
