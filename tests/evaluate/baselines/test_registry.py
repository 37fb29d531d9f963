"""Baselines by name, and their documentation."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from baseline_examples import every

from kgrec.errors import ConfigError
from kgrec.evaluate import baselines
from kgrec.evaluate.baselines.registry import BASELINES, QUICK_BASELINES, baseline_names


@every
def test_every_baseline_and_option_is_described(name: str):
    page = Path(__file__).parents[3].joinpath("docs", "baselines.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| {name} | `")]
    assert f"`{BASELINES[name].__name__}`" in row
    if name != "user-knn":  # as item-knn
        for option in fields(BASELINES[name]):  # type: ignore[arg-type]
            assert f"`{option.name}`" in row, option.name
    assert set(BASELINES[name].GRID) <= {option.name for option in fields(BASELINES[name])}  # type: ignore[arg-type]


def test_the_package_docstring_names_every_module():
    modules = {path.stem for path in Path(baselines.__file__).parent.glob("*.py")} - {"__init__"}
    assert {line.split()[0] for line in (baselines.__doc__ or "").splitlines()[2:-2]} == modules


def test_a_selection_of_names_and_groups():
    assert baseline_names(["quick"]) == list(QUICK_BASELINES)
    assert baseline_names(["quick"], ordered=True) == [*QUICK_BASELINES, "markov"]
    assert baseline_names(["all"]) == list(BASELINES)
    assert baseline_names(["ease", "none", "popularity", "ease"]) == ["ease", "popularity"]
    assert baseline_names(["none"]) == []
    with pytest.raises(ConfigError) as caught:
        baseline_names(["quick", "eas"])
    assert (caught.value.problem, caught.value.remedy) == (
        "There is no baseline 'eas'.",
        "Did you mean 'ease' or 'ials'?",
    )
