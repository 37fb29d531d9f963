"""`kgrec demo`, with a training that takes seconds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kgrec.cli.console import Console
from kgrec.cli.demo import tour
from kgrec.config import Config

from .conftest import Run


@pytest.fixture(scope="module")
def quick() -> Config:
    return Config.read(settings=["text.model=none", "epochs=1", "temperature=0.1", "train.threads=1"])


def test_the_demo_runs_every_step(
    quick: Config, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    record = tour(tmp_path, 5, quick, Console(as_json=False, quiet=False))
    said = capsys.readouterr().out
    for heading in (
        "1. Build a graph from ",
        "2. Train a model",
        "3. Recommend films to three viewers",
        "4. Explain a recommendation",
        "5. Add films that were not in the training data",
    ):
        assert heading in said
    assert len(record["lists"]) == 3
    assert all(len(found) == 5 for found in record["lists"].values())
    film = next(iter(record["new"]))
    assert f"  {film}  " in said
    Console(as_json=True, quiet=False).result(record)
    assert json.loads(capsys.readouterr().out)["new"][film]
    assert run("inspect", tmp_path / "graph").code == 0
    assert (
        run(
            "recommend", tmp_path / "model", "--user", "viewer-001", "--candidates", _ids(tmp_path, film)
        ).code
        == 0
    )


def _ids(folder: Path, name: str) -> Path:
    (folder / "ids.txt").write_text(name)
    return folder / "ids.txt"
