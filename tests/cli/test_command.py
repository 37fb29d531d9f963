"""Help, environment variables and completion, which are alike for all commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from kgrec.cli import app
from kgrec.cli.command import GENERAL, PANELS, long_name

from .conftest import Run

COMMANDS: dict[str, Any] = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def options(command: str) -> list[Any]:
    return [one for one in COMMANDS[command].params if one.param_type_name == "option"]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_h_is_short_for_help(command: str, run: Run):
    words = [command] if command else []
    short, long = run(*words, "-h"), run(*words, "--help")
    assert (short.code, short.out) == (0, long.out) and "Usage:" in short.out


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize("width", [80, 200])
def test_help_names_values_and_no_types(width: int, command: str, run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", str(width))
    text = run(*([command] if command else []), "-h").out
    assert not re.search(r"<(bool|list|str|int|float)\b", text)
    assert all(len(line) <= width for line in text.splitlines())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_word_for_its_value(command: str):
    for option in options(command):
        assert option.is_flag == (option.metavar == ""), option.name
        assert option.metavar != "VALUE", f"{command} {option.name}: name its value in VALUES"


@pytest.mark.parametrize("command", COMMANDS)
def test_many_options_are_grouped(command: str):
    panels: dict[str | None, list[str]] = {}
    for option in options(command):
        panels.setdefault(option.rich_help_panel, []).append(long_name(option))
    assert max(map(len, panels.values())) <= 12
    assert len(panels.get(None, [])) <= 7
    assert {"--json", "--quiet"} <= set(panels[GENERAL])
    for panel, names in PANELS.get(command, {}).items():
        assert set(panels[panel]) == set(names), "PANELS names options that the command has"


def test_options_come_from_the_environment(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KGREC_RECOMMEND_K", "2")
    monkeypatch.setenv("KGREC_RECOMMEND_USER", "u1 u6")
    monkeypatch.setenv("KGREC_RECOMMEND_INCLUDE_SEEN", "1")
    monkeypatch.setenv("KGREC_MODEL", str(model))
    found = run("recommend", "--json").json["results"]
    assert [row["user_id"] for row in found] == ["u1", "u1", "u6", "u6"]
    assert len(run("recommend", "--k", 3, "--json").json["results"]) == 6
    monkeypatch.setenv("KGREC_JSON", "true")
    assert len(run("recommend").json["results"]) == 4
    assert run("recommend", "--deny", "none.txt").err.startswith('{"error": "SourceError"')
    monkeypatch.setenv("KGREC_SIMILAR_K", "3")  # of another command
    assert len(run("recommend").json["results"]) == 4


def test_a_wrong_value_in_the_environment_is_named(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KGREC_RECOMMEND_K", "many")
    code, problem, remedy = run("recommend", model, "-u", "u1").error
    assert code == 2 and problem.startswith("Invalid value for '-k' / '--k'")
    assert remedy.endswith("recommend --help. The environment has KGREC_RECOMMEND_K=many.")
    assert "environment" not in run("recommend", model, "-u", "u1", "-k", "several").error[2]


def test_variables_of_others_end_nothing(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("KGREC_VERSION", "KGREC_HELP", "KGREC_RECOMMEND_HELP"):
        monkeypatch.setenv(name, "1")
    assert len(run("recommend", model, "-u", "u1", "-k", 1, "--json").json["results"]) == 1


def completed(*words: str) -> list[str]:
    """What bash offers after these words."""
    environment = {
        "_KGREC_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["kgrec", *words]),
        "COMP_CWORD": str(len(words)),
    }
    code = "import sys; sys.argv = ['kgrec']; from kgrec.cli import app; app(prog_name='kgrec')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_the_shell_completes_commands_options_and_choices():
    assert completed("re") == ["refresh", "replay", "recommend", "remove"]
    assert completed("recommend", "--known") == ["--known-users"]
    assert completed("split", "graph", "--protocol", "cold") == ["cold-items", "cold-users"]
    assert completed("recommend", "model", "--known-users", "") == ["merge", "replace"]


def test_the_script_for_a_shell_is_shown():
    words = [sys.executable, "-m", "kgrec", "--show-completion", "bash"]
    done = subprocess.run(
        words,
        env=os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "complete_bash" in done.stdout
