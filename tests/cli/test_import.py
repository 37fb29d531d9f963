"""`kgrec import`, and the folder that it writes, through the whole pipeline."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import QUICK, Run

LOG = "".join(
    f"{user}\t{item}\t{5 if (user + item) % 2 else 2}\t{item}\n"
    for user in range(1, 7)
    for item in range(1, 9)
)
MOVIES = "".join(
    f"{n}|Film {n} (199{n})|01-Jan-199{n}||url|" + "|".join("01"[i % 8 == n - 1] for i in range(19)) + "\n"
    for n in range(1, 9)
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "ml"
    folder.mkdir()
    (folder / "u.data").write_text(LOG)
    (folder / "u.item").write_text(MOVIES)
    return folder


def test_import_build_train_recommend(run: Run, tmp_path: Path, source: Path):
    said = run("import", source, "-o", tmp_path / "out")
    assert said.code == 0, said.err
    assert said.out.startswith("Read as ml-100k, because there are u.data and u.item.\n")
    assert "u.data           48           48" in said.out
    assert "interactions.csv (48), movies.csv (8), kgrec.yaml" in said.out
    assert run("build", tmp_path / "out" / "kgrec.yaml", "-o", tmp_path / "graph").code == 0
    assert run("train", tmp_path / "graph", "-o", tmp_path / "model", *QUICK).code == 0
    listed = run("recommend", tmp_path / "model", "-u", "1", "-k", "3", "--include-seen", "--json").json
    assert {row["user_id"] for row in listed["results"]} == {"1"}
    assert len(listed["results"]) == 3


def test_import_in_json(run: Run, tmp_path: Path, source: Path):
    value = run("import", source, "-o", tmp_path / "out", "--json").json
    assert value["format"] == "ml-100k"
    assert value["written"] == {"interactions.csv": 48, "movies.csv": 8}


def test_import_quietly(run: Run, tmp_path: Path, source: Path):
    assert run("import", source, "-o", tmp_path / "out", "--quiet").out == ""


def test_errors_have_two_lines(run: Run, tmp_path: Path, source: Path):
    code, problem, remedy = run("import", source, "-o", tmp_path / "out", "--format", "ml-1m").error
    assert (code, problem) == (2, "There is no ratings.dat, which the format ml-1m needs.")
    assert remedy == "Found u.data, u.item."
    assert run("import", source, "-o", source).error[1].endswith("holds a source of the import.")
    assert run("import", tmp_path / "gone", "-o", tmp_path / "out").error[1].endswith("does not exist.")
    items = tmp_path / "items.txt"
    items.write_text("1")
    assert "Give --items" in run("import", source, "-o", tmp_path / "out", "--items", items).error[2]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("a")
    assert "--force" in run("import", source, "-o", tmp_path / "mine").error[2]
    assert run("import", source, "-o", tmp_path / "mine", "--force").code == 0


def test_leftovers_of_a_killed_import_are_removed_by_the_next(run: Run, tmp_path: Path):
    triples = tmp_path / "kg.tsv"
    triples.write_text("a\tlikes\tb\nb\tlikes\tc\n")
    (tmp_path / "items.txt").write_text("a\nb\n")
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    left = tmp_path / f".out.{socket.gethostname()}.{child.stdout.strip()}.0123abcd.tmp"
    left.mkdir()
    (left / "half.csv").write_text("half a file")
    answer = run("import", triples, "--items", tmp_path / "items.txt", "-o", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["items.txt", "kg.tsv", "out"]
