"""The pages name what there is, and what they show compiles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel
from typer.testing import CliRunner

import kgrec
from kgrec.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "generated" not in path.parts),
]
COMMANDS: dict[str, Any] = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def section(text: str, name: str) -> str:
    """The part of a page below the heading that names a command."""
    parts = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)
    found = [
        body for title, body in zip(parts[1::2], parts[2::2], strict=True) if re.search(rf"\b{name}\b", title)
    ]
    return "\n".join(found)


def fields(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from (f"{name}.{below}" for below in fields(field.annotation))
        else:
            yield name


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_described(command: str):
    text = page("cli.md")
    part = section(text, command)
    assert part, f"docs/cli.md has no section for {command}"
    shared = {"--json", "--quiet", "-q", "--verbose", "-v", "--log-format", "--help"}
    for parameter in COMMANDS[command].params:
        for option in parameter.opts if parameter.param_type_name == "option" else [parameter.name]:
            named = rf"(?<![\w-]){re.escape(option)}(?![\w-])"
            where = text if option in shared else part
            assert re.search(named, where, re.IGNORECASE), f"{command}: {option}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_an_example(command: str):
    assert re.search(rf"Example: `kgrec {command} ?[^`]*`", COMMANDS[command].help)
    for parameter in COMMANDS[command].params:
        assert parameter.name == "help" or parameter.help, f"{command}: {parameter.name}"


def test_every_option_of_the_configuration_is_described():
    text = page("configuration.md")
    for name in fields(kgrec.Config):
        named = rf"`({re.escape(name)}|{re.escape(name.partition('.')[2])})`"
        assert re.search(named, text), name


def test_every_public_name_is_described():
    text = page("library.md")
    for name in set(kgrec.__all__) - {"__version__"}:
        assert re.search(rf"\b{name}\b", text), name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), f"{path.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, f"{path.name}: {target}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_python_in_the_pages_compiles(path: Path):
    for code in re.findall(
        r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    ):
        compile(code, str(path), "exec")


def test_the_page_about_rdf_shows_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its file and its mapping give what its commands are shown to print."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", page("how-to/rdf.md"), re.DOTALL | re.MULTILINE)
    parts = dict(blocks)
    (tmp_path / "films.ttl").write_text(parts["turtle"], encoding="utf-8")
    (tmp_path / "kgrec.yaml").write_text(parts["yaml"], encoding="utf-8")
    shown = re.findall(r"^\$ kgrec (.*)\n((?:(?!\$ ).*\n)*)", parts["console"], re.MULTILINE)
    assert [command.split()[0] for command, _ in shown] == ["build", "inspect"]
    for command, output in shown:
        assert CliRunner().invoke(app, command.split()).stdout == output, command


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
