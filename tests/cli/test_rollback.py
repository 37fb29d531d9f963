"""`kgrec rollback`, and `--keep`."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Run


@pytest.fixture
def own(run: Run, tmp_path: Path) -> Path:
    for count in (3, 2, 1):
        (tmp_path / "films.csv").write_text("id,title\n" + "".join(f"f{n},Film {n}\n" for n in range(count)))
        (tmp_path / "kgrec.yaml").write_text(
            "version: 1\nnodes: {film: {item: true, file: films.csv, key: id, columns: {title: label}}}\n"
        )
        assert run("build", tmp_path / "kgrec.yaml", "-o", tmp_path / "graph", "--keep", 3).code == 0
    return tmp_path / "graph"


def items(run: Run, folder: Path) -> int:
    return int(run("inspect", folder, "--json").json["stats"]["items"])


def test_a_rollback_and_back(run: Run, own: Path):
    assert items(run, own) == 1
    answer = run("rollback", own)
    assert answer.out.startswith(f"{own} is version 2") and items(run, own) == 2
    back = run("rollback", own, "--json").json
    assert (back["folder"], items(run, own)) == (str(own), 1)
    run("rollback", own, "--to", run("rollback", own, "--list", "--json").json["kept"][1]["version"])
    assert items(run, own) == 3


def test_versions_are_listed(run: Run, own: Path):
    lines = run("rollback", own, "--list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["present", "kept", "kept"]
    versions = [line.split()[1] for line in lines]
    assert versions == sorted(versions, reverse=True)
    said = run("rollback", own, "--list", "--json").json
    assert [said["present"]["version"], *(one["version"] for one in said["kept"])] == versions


def test_one_version_is_kept_by_default(run: Run, own: Path):
    assert run("build", own.parent / "kgrec.yaml", "-o", own).code == 0
    assert len(run("rollback", own, "--list", "--json").json["kept"]) == 1


def test_a_folder_without_versions(run: Run, model: Path):
    assert run("rollback", model).error == (
        2,
        f"No earlier version of {model} is kept.",
        "kgrec build and kgrec train keep earlier versions with --keep, for example --keep 3.",
    )
    assert run("rollback", model, "--list").out.splitlines()[1:] == ["No earlier version is kept."]
