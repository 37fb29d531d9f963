"""Arguments and outputs that the nearest kgrec.yaml decides."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .conftest import QUICK, Run


@pytest.fixture
def project(catalogue: Path, graph: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder is below the project's."""
    shutil.copytree(graph, catalogue / "graph")
    shutil.copytree(model, catalogue / "model")
    (catalogue / "below").mkdir()
    monkeypatch.chdir(catalogue / "below")
    return catalogue


def test_folders_are_found_upwards(project: Path, run: Run):
    assert run("recommend", "-u", "u1", "-k", 1, "--json").json["results"][0]["user_id"] == "u1"
    assert run("inspect", "../graph", "--json").json["stats"]["items"] == 6
    assert run("build").out.endswith("Wrote ../graph. Next: kgrec train ../graph -o ../model/\n")
    assert run("split").out.startswith("../split/0: interactions")
    assert not list((project / "below").iterdir())


def test_training_writes_the_project_s_model(project: Path, run: Run):
    shutil.rmtree(project / "model")
    assert run("train", *QUICK, "--json").json["model"] == "../model"
    assert run("recommend", "-u", "u1", "--json").code == 0


def test_output_of_other_input_is_written_here(project: Path, run: Run, shared_catalogue: Path):
    assert run("build", shared_catalogue / "kgrec.yaml").out.endswith(
        "Wrote graph. Next: kgrec train graph -o model/\n"
    )
    assert (project / "below" / "graph" / "manifest.json").is_file()


def test_a_single_argument_of_add_is_the_rows(project: Path, run: Run):
    added = run("add", project / "new", "--json").json
    assert added["model"] == "../model" and {row["item_id"] for row in added["added"]} == {"n1", "n2"}
    assert run("similar", "-i", "n1", "-k", 1).code == 0
    assert run("add", "../model").error[1] == "It is not clear what to add."


@pytest.mark.parametrize(
    ("words", "problem", "remedy"),
    [
        (
            ["build"],
            "No mapping was given, and there is no kgrec.yaml here or in a folder above.",
            "Give a mapping, or draft one: kgrec init FILES.",
        ),
        (
            ["recommend", "-u", "u1"],
            "No model folder was given, and there is no model.",
            "Give one, or make it with kgrec train.",
        ),
        (
            ["train"],
            "No graph folder was given, and there is no graph.",
            "Give one, or make it with kgrec build.",
        ),
        (
            ["inspect"],
            "No model folder was given, and there is no model.",
            "Give one, or make it with kgrec train.",
        ),
    ],
)
def test_without_a_project_arguments_are_needed(
    words: list[str], problem: str, remedy: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert run(*words).error == (2, problem, remedy)
