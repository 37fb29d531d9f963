"""Benchmarks name modules and functions of the library: these tests show that they are there."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent / "benchmarks"


def test_scale_counts_every_stage_of_a_training():
    command = [
        sys.executable,
        BENCHMARKS / "scale.py",
        "2e3",
        "--set",
        "epochs=1",
        "--set",
        "search_seconds=0",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "200 items" in done.stdout
    calls = dict(re.findall(r"^  (\w[\w:, ]*?) +[\d.]+ s +[\d.]+% +(\d+) ", done.stdout, re.MULTILINE))
    assert calls.pop("rest") == "0"
    assert {name for name, count in calls.items() if count == "0"} == set()
    assert {
        "features: label tokens",
        "epochs: optimizer",
        "choice of weights",
        "ease",
        "random walks",
        "index",
        "save",
    } <= set(calls)


def kgrec_imports(script: Path) -> list[tuple[str, str]]:
    """Each name that the script takes from kgrec, inside functions too, with its module."""
    nodes = ast.walk(ast.parse(script.read_text(encoding="utf-8")))
    imports = [
        node for node in nodes if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kgrec")
    ]
    return [(node.module or "", name.name) for node in imports for name in node.names]


@pytest.mark.parametrize("script", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.name)
def test_what_a_benchmark_imports_is_there(script):
    for module, name in kgrec_imports(script):
        found = importlib.import_module(module)
        submodule = hasattr(found, "__path__") and importlib.util.find_spec(f"{module}.{name}") is not None
        assert submodule or hasattr(found, name), f"{module} has no {name}"
