"""`kgrec add`, `update` and `remove`."""

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
Added 2 items; they can be recommended now.
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
            {"item_id": "n1", "label": "Moon Base", "neighbors": 2, "words": 8, "bare": False},
            {"item_id": "n2", "label": "Spring Love", "neighbors": 3, "words": 9, "bare": False},
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


def test_known_items_change_nothing(run: Run, own: Path, shared_catalogue: Path, tmp_path: Path):
    run("add", own, shared_catalogue / "new")
    before = content(own)
    answer = run("add", own, shared_catalogue / "new")
    assert (answer.code, answer.out) == (
        0,
        f"{REPORT}There are no new items to add.\nSkipped, because they are already in the model (2): n1, n2\n",
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
        f"{REPORT.replace('films', 'mixed')}Added 1 item; they can be recommended now.\n"
        "  n3  Late: 1 known neighbour, 4 words of text\n"
        "Skipped, because they are already in the model (1): f1\n"
    )
    assert run("similar", own, "-i", "f1").out.startswith("f1  Alien Dawn\n")


def test_an_item_without_content_is_a_warning(run: Run, own: Path, tmp_path: Path):
    table = tmp_path / "bare.csv"
    table.write_text("id,title,plot,genres,director\nn9,,,,Nobody\n")
    lines = run("add", own, "--items", table).out.splitlines()
    assert lines[3] == "Added 1 item; they can be recommended now."
    assert lines[-1] == (
        "Warning: 1 item without any content that the model reads (known neighbours, texts, numbers or vectors): n9"
    )
    assert run("recommend", own, "-u", "u1", "--json").code == 0


def test_dropped_rows_are_reported(run: Run, own: Path, shared_catalogue: Path, tmp_path: Path):
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


CHANGED = "id,title,plot,genres,director\nf1,Dawn of Love,a waltz,Comedy|Romance,Cy\nf2,Star Drift,a crew lost in space,Science fiction,Ada\nx,New,,,\n"


def test_changed_rows_update_items(run: Run, own: Path, tmp_path: Path):
    table = tmp_path / "films.csv"
    table.write_text(CHANGED)
    answer = run("update", own, "--items", table)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == (
        f"{REPORT.replace('2            2', '3            3')}"
        "Updated 1 item.\n"
        "  f1  Dawn of Love: 3 known neighbours, 5 words of text\n"
        "Unchanged (1): f2\n"
        "Skipped, because they are not in the model (1): x\n"
    )
    assert run("similar", own, "-i", "f1").out.startswith("f1  Dawn of Love\n")
    before = content(own)
    again = run("update", own, "--items", table, "--json").json
    assert (again["updated"], again["same"], again["unknown"]) == ([], ["f1", "f2"], ["x"])
    assert content(own) == before
    assert "There is nothing to update.\n" in run("update", own, tmp_path).out


def test_removed_items_are_no_longer_recommended(run: Run, own: Path, shared_catalogue: Path, tmp_path: Path):
    (tmp_path / "gone.txt").write_text("f2\nf9\nf3\n")
    before = content(own)
    code, problem, _ = run("remove", own, "--items-file", tmp_path / "gone.txt").error
    assert (code, problem) == (2, "There is no item 'f9' in the model.")
    assert content(own) == before
    answer = run("remove", own, "--items-file", tmp_path / "gone.txt", "--skip-unknown")
    assert answer.out == "Removed 2 items.\nNot in the model (1): f9\n"
    assert everything(run, own) == {"f1", "f4", "f5", "f6"}
    after = content(own)
    again = run("remove", own, "-i", "f2", "-i", "f2", "--json").json
    assert again == {"model": str(own), "removed": [], "before": ["f2"], "unknown": []}
    assert content(own) == after
    run("remove", own, "-i", "f1", "-o", tmp_path / "smaller")
    assert everything(run, tmp_path / "smaller") == {"f4", "f5", "f6"}
    assert (
        run("add", own, "--items", shared_catalogue / "films.csv", "--json").json["added"][0]["item_id"]
        == "f2"
    )
    assert everything(run, own) == {"f1", "f2", "f3", "f4", "f5", "f6"}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["remove"], "It is not clear what to remove."),
        (["remove", "-i", "f1", "--items-file", "x"], "It is not clear what to remove."),
        (["update"], "It is not clear what to update."),
        (["add", "new", "--items", "x.csv"], "It is not clear what to add."),
    ],
)
def test_ambiguous_options_are_refused(run: Run, own: Path, words: list[str], problem: str):
    assert run(words[0], own, *words[1:]).error[:2] == (2, problem)


def test_new_items_can_be_boosted(run: Run, own: Path, shared_catalogue: Path):
    run("add", own, shared_catalogue / "new")
    boost = ("--new-item-boost", "3", "--json")
    best = run("recommend", own, "-u", "u1", "-k", 2, *boost).json["results"]
    assert {row["item_id"] for row in best} == {"n1", "n2"} and best[1]["score"] > 1
    sources = run("explain", own, "-u", "u1", "-i", "n1", *boost).json["sources"]
    assert [part["contribution"] for part in sources if part["source"] == "new"] == [3]
    assert run("recommend", own, "-t", "space", *boost).code == 2


# interactions since training

SINCE = "user,film,stars\nu1,f4,5\n,f5,5\nu1,f9,5\nann,f1,5\nann,f2,4\n"


def test_interactions_since_training(run: Run, own: Path, tmp_path: Path):
    since = tmp_path / "since.csv"
    since.write_text(SINCE, encoding="utf-8")
    answer = run("add", own, "--interactions", since)
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[1:] == [
        f"{since}            5            3",
        f"  dropped: has an empty user or item: 1 (first: {since}:3)",
        f'  dropped: names an unknown item: 1 (first: {since}:4: "f9")',
        f'  INTERACTIONS THAT NAME AN UNKNOWN ITEM: 1 (first: {since}:4: "f9")',
        "",
        "Added 3 interactions of 2 users; they take effect now.",
        "New users (1): ann",
    ]
    assert "f4" not in {row["item_id"] for row in run("recommend", own, "-u", "u1", "--json").json["results"]}
    listed = run("recommend", own, "-u", "ann", "-k", 9, "--json").json["results"]
    assert {row["item_id"] for row in listed} == {"f3", "f4", "f5", "f6"}
    history = run("explain", own, "-u", "ann", "-i", "f3", "--json").json["history"]
    assert {row["item_id"] for row in history} == {"f1", "f2"}


def test_items_and_interactions_in_one_command(run: Run, own: Path, shared_catalogue: Path, tmp_path: Path):
    since = tmp_path / "since.jsonl"
    since.write_text('{"user_id": "u1", "item_id": "n1"}\n', encoding="utf-8")
    said = run("add", own, shared_catalogue / "new", "--interactions", since, "--json").json
    assert [row["item_id"] for row in said["added"]] == ["n1", "n2"]
    assert said["interactions"]["rows"] == 1 and said["interactions"]["new_users"] == []
    assert "n1" not in {row["item_id"] for row in run("recommend", own, "-u", "u1", "--json").json["results"]}


def test_interactions_that_cannot_be_read_leave_the_model_as_it_was(run: Run, own: Path, tmp_path: Path):
    before, since = content(own), tmp_path / "since.csv"
    since.write_text("user,film,stars\nu1,f9,5\n", encoding="utf-8")
    code, problem, _ = run("add", own, "--interactions", since).error
    assert code == 2 and "none of 1 interactions can be used" in problem and "f9" in problem
    assert run("add", own, "--interactions", tmp_path / "no.csv").error[1].endswith("no.csv is not there.")
    assert content(own) == before


def test_an_update_of_some_columns(run: Run, own: Path, tmp_path: Path):
    table = tmp_path / "genres.csv"
    table.write_text("id,genres\nf1,Romance\n", encoding="utf-8")
    answer = run("update", own, "--items", table)
    assert answer.code == 0, answer.err
    assert "Columns of film that are not in the rows keep their values: title, plot, director" in answer.out
    listed = run("recommend", own, "-u", "u3", "-k", 9, "--where", "genres = Romance", "--json").json[
        "results"
    ]
    assert [row["item_id"] for row in listed] == ["f1"]
    (tmp_path / "again.csv").write_text("id,genres\nf1,Romance\n", encoding="utf-8")
    said = run("update", own, "--items", tmp_path / "again.csv", "--json").json
    assert said["same"] == ["f1"] and said["kept"] == {"film": ["title", "plot", "director"]}
