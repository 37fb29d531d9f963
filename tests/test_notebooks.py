"""The notebooks of the documentation run, and print what they are stored with, apart from figures."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import differences

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))


def cells(path: Path) -> list[dict[str, Any]]:
    return [
        cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"
    ]


def stored(cell: dict[str, Any]) -> str:
    return "".join("".join(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream")


def run(path: Path) -> list[str]:
    """What each cell prints; all share their names."""
    names: dict[str, Any] = {}
    printed = []
    for cell in cells(path):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile("".join(cell["source"]), path.name, "exec"), names)
        printed.append(out.getvalue())
    return printed


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_prints_what_it_is_stored_with(path: Path, tmp_path: Path):
    """In a process of its own, since it draws."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, str(path)],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for cell, printed in zip(cells(path), json.loads(done.stdout), strict=True):
        assert not differences(stored(cell), printed)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_with_pictures_and_without_errors(path: Path):
    outputs = [output for cell in cells(path) for output in cell["outputs"]]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output["output_type"] == "error"]


if __name__ == "__main__":
    json.dump(run(Path(sys.argv[1])), sys.stdout)
