"""Commands in a terminal: nothing is glued, nothing stays, and Ctrl-C says what is kept."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from .conftest import QUICK

if os.name != "posix":
    pytest.skip("needs a pseudo-terminal", allow_module_level=True)

from .terminal import Screen, on_screen, seen

#: a bar, a percentage or a rate that should have been drawn over
_DEAD = re.compile(r"━|\d+%|\d/s\b| left$")


def whole(screen: Screen, columns: int) -> str:
    """The text of a screen with lines that the terminal wrapped joined again."""
    joined = ""
    for line in screen.lines:
        joined += line if len(line) == columns else f"{line}\n"
    return joined


def test_the_terminal_of_the_tests_itself():
    assert seen("ab\rc\r\nlong line\r\x1b[2Kx\r\n", 4) == ["cb", "long", " lin", "x"]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_training_ends_clean_at_any_width(columns: int, graph: Path, tmp_path: Path):
    screen = on_screen(["train", graph, "-o", tmp_path / "model", *QUICK], columns)
    assert screen.code == 0
    assert "\r\x1b[2Kreading the graph folder" in screen.raw
    text = whole(screen, columns)
    assert text.startswith("Training on 6 items, 6 users, 15 interactions. Ahead: ")
    assert not [line for line in text.splitlines() if _DEAD.search(line) and "validation data" not in line]
    assert text.splitlines()[-1].startswith("Wrote ")


@pytest.mark.parametrize("columns", [40, 200])
def test_an_evaluation_ends_clean_and_tells_the_time_left(columns: int, graph: Path, tmp_path: Path):
    words = ["evaluate", graph, "-o", tmp_path / "report", "--baselines", "popularity", "--ablate", "graph"]
    screen = on_screen([*words, "--protocol", "folds", "--folds", 2, *QUICK], columns)
    assert screen.code == 0, screen.lines
    assert re.search(r"\d+%, [\d. a-z]+ left \| \[1/3\] kgrec, fold 2", screen.raw) or columns == 40
    lines = screen.lines
    assert [line for line in lines if line.startswith("[")] == [
        "[1/3] kgrec",
        "[2/3] popularity",
        "[3/3] kgrec without graph",
    ]
    assert not [line for line in lines if _DEAD.search(line) and "interval" not in line]


def test_verbose_leaves_a_line_per_stage(graph: Path, tmp_path: Path):
    screen = on_screen(["train", graph, "-o", tmp_path / "model", *QUICK, "-v"], 200)
    ends = [line for line in screen.lines if re.search(r" in [\d.]+ s$", line)]
    assert ends[0].startswith("reading the graph folder: done in ")
    assert any(line.startswith("final training: loss ") for line in ends)


def test_ctrl_c_in_a_training_without_a_checkpoint_cleans_up(graph: Path, tmp_path: Path):
    words = ["train", graph, "-o", tmp_path / "model", *QUICK, "--set", "epochs=2000000"]
    screen = on_screen([*words, "--set", "train.temperature=0.1"], 200, stop_at="trial 1")
    assert screen.code == 130
    assert screen.lines[-2:] == [
        "Stopped. Existing folders are unchanged.",
        "No part of the training is kept.",
    ]
    assert "Traceback" not in screen.raw
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_in_a_training_names_what_is_kept_and_how_to_continue(graph: Path, tmp_path: Path):
    output = tmp_path / "model"
    # a trial takes some seconds, and so does the final training
    words = ["train", graph, "-o", output, "--set", "text.model=none", "--set", "train.threads=1"]
    words += ["--set", "epochs=2500", "--set", "train.search_seconds=100000"]
    screen = on_screen(words, 200, stop_at="final training")
    assert screen.code == 130, screen.lines
    told = [line for line in whole(screen, 200).splitlines() if line]
    assert told[-3] == "Stopped. Existing folders are unchanged."
    assert re.fullmatch(
        re.escape(f"{output}.checkpoint keeps ") + r"\d finished trials? of the hyperparameter search.*\.",
        told[-2],
    )
    assert told[-1] == f"Continue with: kgrec {' '.join(map(str, words))} --resume"
    assert (tmp_path / "model.checkpoint").is_dir() and not output.exists()
