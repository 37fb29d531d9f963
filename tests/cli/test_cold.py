"""`kgrec add`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .conftest import Run

REPORT = """\
file              rows         used
films.csv            2            2

"""
SAID = """\
Added 2 items; recommendable from now on.
  n1  Moon Base: 2 known neighbours, 8 words of text
  n2  Spring Love: 3 known neighbours, 9 words of text
"""


@pytest.fixture
def own(model: Path, tmp_path: Path) -> Path:
    """A copy of the model, to be changed."""
    return Path(shutil.copytree(model, tmp_path / "model"))


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def everything(run: Run, model: Path) -> set[str]:
    found = run("recommend", model, "-u", "u1", "--include-seen", "-k", 100, "--json").json["results"]
    return {row["item_id"] for row in found}


def test_a_folder_of_new_items(run: Run, own: Path, shared_catalogue: Path):
    answer = run("add", own, shared_catalogue / "new")
    assert (answer.code, answer.out, answer.err) == (0, REPORT + SAID, "")
    assert everything(run, own) == {"f1", "f2", "f3", "f4", "f5", "f6", "n1", "n2"}
    near = run("similar", own, "-i", "n1", "-k", 2, "--json").json["results"]
    assert {row["similar_id"] for row in near} <= {"f1", "f2", "f3"}
    explained = run("explain", own, "-u", "u1", "-i", "n1", "--json").json
    assert {(part["type"], part["key"]) for part in explained["paths"]} == {
        ("genre", "Science fiction"),
        ("person", "Ada"),
    }
    assert run("recommend", own, "-u", "u1", "-k", 1, "--json").json["results"][0]["item_id"] == "n1"


def test_a_table_of_new_items(run: Run, own: Path, shared_catalogue: Path):
    said = run("add", own, "--items", shared_catalogue / "new" / "films.csv", "--json").json
    assert said.pop("report")["files"]["films.csv"]["used"] == 2
    assert said == {
        "model": str(own),
        "added": [
            {"item_id": "n1", "label": "Moon Base", "neighbors": 2, "words": 8},
            {"item_id": "n2", "label": "Spring Love", "neighbors": 3, "words": 9},
        ],
        "known": [],
    }
    assert {"n1", "n2"} <= everything(run, own)


def test_into_another_folder(run: Run, own: Path, shared_catalogue: Path, tmp_path: Path):
    before = content(own)
    answer = run("add", own, shared_catalogue / "new", "-o", tmp_path / "larger", "--quiet")
    assert (answer.code, answer.out) == (0, "")
    assert content(own) == before
    assert {"n1", "n2"} <= everything(run, tmp_path / "larger")


def test_items_that_are_known_change_nothing(run: Run, own: Path, shared_catalogue: Path, tmp_path: Path):
    run("add", own, shared_catalogue / "new")
    before = content(own)
    answer = run("add", own, shared_catalogue / "new")
    assert (answer.code, answer.out) == (
        0,
        f"{REPORT}There was no new item to add.\nKnown before, so these rows were left out (2): n1, n2\n",
    )
    assert run("add", own, shared_catalogue / "new", "--json").json["known"] == ["n1", "n2"]
    assert content(own) == before
    assert run("add", own, shared_catalogue / "new", "-o", tmp_path / "copy").code == 0
    assert everything(run, tmp_path / "copy") == everything(run, own)


def test_known_and_new_together(run: Run, own: Path, tmp_path: Path):
    table = tmp_path / "mixed.csv"
    table.write_text("id,title,plot,genres,director\nf1,Changed,,Comedy,Di\nn3,Late,a late film,Comedy,Di\n")
    answer = run("add", own, "--items", table)
    assert answer.out == (
        f"{REPORT.replace('films', 'mixed')}Added 1 item; recommendable from now on.\n"
        "  n3  Late: 1 known neighbour, 4 words of text\n"
        "Known before, so these rows were left out (1): f1\n"
    )
    assert run("similar", own, "-i", "f1").out.startswith("f1  Alien Dawn\n")


def test_an_item_that_nothing_places(run: Run, own: Path, tmp_path: Path):
    table = tmp_path / "bare.csv"
    table.write_text("id,title,plot,genres,director\nn9,,,,Nobody\n")
    lines = run("add", own, "--items", table).out.splitlines()
    assert lines[3] == "Added 1 item; recommendable from now on."
    assert lines[-1] == "1 item with neither a known neighbour nor text, so nothing places them: n9"
    assert run("recommend", own, "-u", "u1", "--json").code == 0


def test_rows_that_are_left_out_are_reported(run: Run, own: Path, shared_catalogue: Path, tmp_path: Path):
    table = tmp_path / "twice.csv"
    table.write_text((shared_catalogue / "new" / "films.csv").read_text())
    with table.open("a") as file:
        file.write("n2,Spring Love,a couple falls in love in spring,Romance|Comedy,Cy\n")
    said = run("add", own, "--items", table).out
    assert "  dropped: identical to an earlier row: 1 (first: twice.csv:4)\n" in said


def test_bad_rows_of_an_addition_are_refused_with_their_place(run: Run, own: Path, tmp_path: Path):
    table = tmp_path / "bad.csv"
    table.write_text("id,title,plot,genres,director\n,No key,,,\n,Nor here,,,\nn1,Good,,,Ada\n")
    before = content(own)
    code, problem, _ = run("add", own, "--items", table).error
    assert code == 3
    assert problem == "bad.csv: 2 of 3 rows are bad; 2 of them: has an empty key, first at bad.csv:2."
    assert content(own) == before


def test_a_bad_row_is_reported_and_the_others_are_added(run: Run, model: Path, tmp_path: Path):
    (tmp_path / "films.csv").write_text(
        "id,title,plot,genres,director\nn1,Moon Base,a crew in space,Horror,Ada\n,No key,x,Horror,Ada\n"
    )
    answer = run("add", model, "--items", tmp_path / "films.csv", "-o", tmp_path / "larger", "--json")
    assert [one["item_id"] for one in answer.json["added"]] == ["n1"]
    assert answer.json["report"]["files"]["films.csv"]["dropped"]["has an empty key"]["first"] == [
        "films.csv:3"
    ]
