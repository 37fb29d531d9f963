"""The result of a drift check, for the metrics of a server.

Enters: a folder written by `kgrec drift`. Leaves: figures. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from kgrec.storage import artifacts
from kgrec.storage.files import corrupt, read_json

#: verdict -> number of the gauge
_ALARMS = {"stable": 0, "watch": 1, "retrain": 2}
#: largest number of bytes in drift.json, and of checks in it
_MOST_BYTES, _MOST_CHECKS = 4 << 20, 100


@dataclass(frozen=True)
class DriftFigure:
    """A check that could be measured."""

    name: str
    value: float
    #: 0 stable, 1 watch, 2 retrain
    alarm: int


@dataclass(frozen=True)
class DriftFigures:
    """The figures of one drift check."""

    #: as of `DriftFigure`
    alarm: int
    checks: tuple[DriftFigure, ...]
    #: seconds since 1970
    written: float


def read_drift(folder: Path) -> DriftFigures:
    """The figures in a folder of `kgrec drift`.

    Raises:
        ArtifactError: The folder is missing, of another kind or version, or corrupt.
    """
    return artifacts.reading(folder, "drift", _figures)


def _figures(place: Path, manifest: artifacts.Manifest) -> DriftFigures:
    path = place / "drift.json"
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        raise corrupt(path, f"is absent or larger than {_MOST_BYTES:,} bytes")
    written = datetime.fromisoformat(manifest.created).timestamp()
    try:
        return _of(read_json(path), written)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise corrupt(path, "does not contain drift figures") from None


def _of(record: dict[str, Any], written: float) -> DriftFigures:
    checks = tuple(
        DriftFigure(str(check["name"]), float(check["value"]), _ALARMS[check["verdict"]])
        for check in record["checks"][:_MOST_CHECKS]
        if check["verdict"] is not None and check["value"] is not None
    )
    return DriftFigures(_ALARMS[record["verdict"]], checks, written)
