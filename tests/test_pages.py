"""The code in the pages runs, and prints what the pages show. `python tests/pages.py PAGE` mends a page."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import typer
from pages import FIGURE, ROOT, Reader, absent, blocks, catalogue, differences

from kgrec.cli import app

COMMANDS: dict[str, Any] = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if "generated" not in path.parts
)
#: page -> why its blocks are not run here
ELSEWHERE = {
    "docs/how-to/clusters.md": "tests/integrations/test_clusters_page.py",
    "docs/how-to/import.md": "reads data sets that are only described",
    "docs/how-to/large-runs.md": "tests/serve/test_how_to.py",
    "docs/how-to/rdf.md": "tests/test_docs.py",
    "docs/how-to/vector-databases.md": "tests/cli/test_vector_databases.py",
    "docs/mapping.md": "errors of mappings that are only described; tests/cli/test_build.py",
    "docs/benchmarks.md": "one line, of the library's",
}
RUN = [
    page for page in PAGES if page not in ELSEWHERE and blocks((ROOT / page).read_text(), "python", "console")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with catalogue(tmp_path_factory.mktemp("pages") / "all") as folder:
        yield folder


@pytest.mark.parametrize("name", RUN)
def test_a_page_prints_what_it_shows(name: str, folder: Path, tmp_path: Path):
    shutil.copytree(folder, tmp_path / "work")
    page = ROOT / name
    with chdir(tmp_path / "work"):
        shown, printed = page.read_text(encoding="utf-8"), Reader().page(page)
    assert not differences(shown, printed)
    if name == "docs/library.md":
        _same_figures(*(text.split("\n## Evaluation")[1].split("\n## ")[0] for text in (shown, printed)))


def _same_figures(shown: str, printed: str) -> None:
    """Words to the letter; figures of a model, which differ between machines, to a tenth."""
    assert FIGURE.sub("", printed).split() == FIGURE.sub("", shown).split()
    figures = [[float(figure[0]) for figure in FIGURE.finditer(text)] for text in (shown, printed)]
    assert figures[0] == pytest.approx(figures[1], abs=0.1, nan_ok=True)


@pytest.mark.parametrize("name", PAGES)
def test_commands_in_a_page_have_the_options_that_they_are_given(name: str):
    for line in "".join(blocks((ROOT / name).read_text(), "sh", "console")).splitlines():
        for command in re.findall(r"(?:^|[$&|;(] ?)kgrec ([a-z]+[^|;&>#]*)", line):
            word, *given = _words(command)
            assert word in COMMANDS, line
            known = {
                opt
                for parameter in COMMANDS[word].params
                for opt in parameter.opts + parameter.secondary_opts
            }
            assert {option.partition("=")[0] for option in given if re.match(r"--?[a-z]", option)} <= known, (
                line
            )


def _words(command: str) -> list[str]:
    """A command's words; a quotation that the pattern cut short is left out."""
    try:
        return shlex.split(command)
    except ValueError:
        return shlex.split(re.sub(r"""['"].*""", "", command))


def test_only_blocks_for_other_libraries_are_not_run():
    others = {"airflow", "lancedb", "lightfm", "qdrant_client", "ray", "recbole", "rectools", "surprise"}
    for page in RUN:
        for code in blocks((ROOT / page).read_text(encoding="utf-8"), "python"):
            assert absent(code) <= others, page


def test_every_page_that_is_left_out_is_there():
    assert set(ELSEWHERE) <= set(PAGES)


def test_a_page_may_differ_by_figures_only():
    assert not differences("Items: 3\n  1. 0.31  a\n  2. 0.12  b\n", "Items: 3\n  1. 0.29  b\n")
    assert "+Items: 4" in differences("Items: 3\n", "Items: 4\n")
