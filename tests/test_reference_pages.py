"""The pages that the site writes from the code name every option, key and public name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import kgrec
from kgrec.cli import app

pytest.importorskip("sphinx")
sys.path.insert(0, str(Path(__file__).parents[1] / "docs" / "_site"))

from reference_pages import write_pages


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    write_pages(folder)
    return folder


def test_a_command_page_has_all_parameters_with_their_help(pages: Path):
    commands: dict[str, Any] = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    for name, command in commands.items():
        text = (pages / "commands" / f"{name}.md").read_text(encoding="utf-8")
        for parameter in command.params:
            assert f"`{parameter.opts[0]}`" in text, f"{name}: {parameter.name}"


def test_options_have_their_section_default_and_docstring(pages: Path):
    text = (pages / "options.md").read_text(encoding="utf-8")
    assert "| `encoder.dim` | `256` | `int` | Length of an embedding." in text
    for section, field in kgrec.Config.model_fields.items():
        for option in field.annotation.model_fields:  # type: ignore[union-attr]
            row = next(line for line in text.splitlines() if line.startswith(f"| `{section}.{option}` |"))
            assert not row.endswith("|  |"), row


def test_keys_of_a_table_include_those_of_its_format(pages: Path):
    nodes = (pages / "mapping-keys.md").read_text(encoding="utf-8").split("## NodeTable")[1].split("\n## ")[0]
    assert "| `key` | required |" in nodes
    assert "| `delimiter` |" in nodes
    edges = (pages / "mapping-keys.md").read_text(encoding="utf-8").split("## EdgeTable")[1].split("\n## ")[0]
    assert "| `from` | required |" in edges


def test_every_public_name_has_a_page(pages: Path):
    text = "\n".join(page.read_text(encoding="utf-8") for page in (pages / "api").glob("*.md"))
    for name in set(kgrec.__all__) - {"__version__"}:
        assert f":: kgrec.{name}\n" in text, name


def test_a_page_that_has_not_changed_is_not_written(pages: Path):
    before = {page: page.stat().st_mtime_ns for page in pages.rglob("*.md")}
    write_pages(pages)
    assert {page: page.stat().st_mtime_ns for page in pages.rglob("*.md")} == before
