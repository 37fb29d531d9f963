"""`kgrec recommend`, `similar` and `explain`."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from text_encoders import tiny

from kgrec.recommend.recommender import Recommender

from .conftest import QUICK, Run

SEEN = {"u1": {"f1", "f2", "f3"}, "u2": {"f1", "f3", "f4"}, "u6": {"f4", "f5"}}


def items(found: list[dict[str, object]]) -> list[object]:
    return [row["item_id"] for row in found]


# recommend


def test_lists_are_readable(run: Run, model: Path):
    answer = run("recommend", model, "--user", "u1", "-u", "u6", "-k", 2)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert [lines[0], lines[3]] == ["u1", "u6"]
    assert all(
        re.fullmatch(r"    [12]\. [+-][01]\.\d{3}  f\d  [A-Z][a-z]+ [A-Z][a-z]+", line)
        for line in lines[1:3] + lines[4:]
    )
    assert run("recommend", model, "--user", "u1", "-u", "u6", "-k", 2, "--quiet").out == answer.out


def test_a_reader_that_has_enough_is_no_error(model: Path):
    words = [sys.executable, "-m", "kgrec", "recommend", str(model), "--all-users"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None and command.stderr is not None
        command.stdout.close()
        assert command.stderr.read() == ""
    assert command.returncode == 1


def test_lists_for_machines(run: Run, model: Path):
    found = run("recommend", model, "-u", "u6", "--json").json["results"]
    assert list(found[0]) == ["user_id", "item_id", "score", "rank"]
    assert [row["rank"] for row in found] == [1, 2, 3, 4]
    assert set(items(found)) == {"f1", "f2", "f3", "f6"}
    scores = [row["score"] for row in found]
    assert scores == sorted(scores, reverse=True)


def test_the_command_says_what_the_library_says(run: Run, model: Path):
    expected = Recommender.load(model).recommend(["u1", "u2"], 3).to_dict("records")
    assert run("recommend", model, "-u", "u1", "-u", "u2", "-k", 3, "--json").json["results"] == expected


def test_results_are_written_to_a_file(run: Run, model: Path, tmp_path: Path):
    output = tmp_path / "recs.csv"
    answer = run("recommend", model, "--all-users", "-k", 3, "-o", output)
    assert (answer.code, answer.out) == (0, f"Wrote 18 rows for 6 of 6 users to {output}.\n")
    frame = pd.read_csv(output)
    expected = Recommender.load(model).recommend([f"u{n}" for n in range(1, 7)], 3)
    assert frame["item_id"].tolist() == expected["item_id"].tolist()
    said = run("recommend", model, "--all-users", "-k", 3, "-o", output, "--json").json
    assert said.pop("seconds") >= 0
    assert said == {"output": str(output), "queries": 6, "rows": 18, "lists": 6, "resumed": 0}
    assert run("recommend", model, "--all-users", "-o", output, "-q").out == ""


def test_seen_items_are_left_out_unless_asked_for(run: Run, model: Path):
    for user, seen in SEEN.items():
        assert not seen & set(items(run("recommend", model, "-u", user, "--json").json["results"]))
        everything = run("recommend", model, "-u", user, "--include-seen", "--json").json["results"]
        assert len(everything) == 6


def test_only_candidates_are_ranked(run: Run, model: Path, tmp_path: Path):
    (tmp_path / "ids.txt").write_text("\ufefff2\n\n f6 \nf4\n", encoding="utf-8")
    words = ["recommend", model, "-u", "u1", "--candidates", tmp_path / "ids.txt", "--json"]
    assert set(items(run(*words).json["results"])) == {"f4", "f6"}
    assert set(items(run(*words, "--include-seen").json["results"])) == {"f2", "f4", "f6"}


def test_denied_items_are_left_out(run: Run, model: Path, tmp_path: Path):
    (tmp_path / "deny.txt").write_text("f4\nf5\n")
    (tmp_path / "ids.txt").write_text("f4\nf6\n")
    words = ["recommend", model, "-u", "u1", "--deny", tmp_path / "deny.txt", "--json"]
    assert items(run(*words).json["results"]) == ["f6"]
    assert set(items(run(*words, "--include-seen").json["results"])) == {"f1", "f2", "f3", "f6"}
    assert items(run(*words, "--include-seen", "--candidates", tmp_path / "ids.txt").json["results"]) == [
        "f6"
    ]
    (tmp_path / "deny.txt").write_text("")
    assert len(run(*words).json["results"]) == 3
    (tmp_path / "deny.txt").write_text("zz\nf4\n")
    said = run(*words, "--skip-unknown").json
    assert said["skipped"] == {"items of the deny list": ["zz"]} and set(items(said["results"])) == {
        "f5",
        "f6",
    }


def test_conditions_choose_items(run: Run, model: Path, tmp_path: Path):
    space = "genres = 'Science fiction' and not directed_by = Ada"
    assert items(run("recommend", model, "-u", "u4", "--where", space, "--json").json["results"]) == ["f3"]
    output = tmp_path / "recs.csv"
    run("recommend", model, "--all-users", "--include-seen", "--where", space, "-o", output)
    assert pd.read_csv(output)["item_id"].tolist() == ["f3"] * 6
    near = run("similar", model, "-i", "f1", "--where", "genres in (Romance, Horror)", "--json").json[
        "results"
    ]
    assert {row["similar_id"] for row in near} == {"f4", "f5", "f6"}
    nothing = run("recommend", model, "-u", "u4", "--where", "genres = Western", "--skip-unknown")
    assert nothing.out == "There is nothing to recommend: every item is excluded.\n"


def test_scores_may_have_to_reach_something(run: Run, model: Path):
    found = run("recommend", model, "-u", "u6", "--json").json["results"]
    least = (found[1]["score"] + found[2]["score"]) / 2
    assert run("recommend", model, "-u", "u6", "--min-score", least, "--json").json["results"] == found[:2]
    near = run("similar", model, "-i", "f1", "--json").json["results"]
    least = (near[0]["score"] + near[1]["score"]) / 2
    assert run("similar", model, "-i", "f1", "--min-score", least, "--json").json["results"] == near[:1]


def test_a_list_for_what_is_liked_and_disliked(run: Run, model: Path, tmp_path: Path):
    words = ["recommend", model, "--like", "f1", "--like", "f2", "--dislike", "f5"]
    expected = Recommender.load(model).recommend_for_history([["f1", "f2"]], dislikes=[["f5"]], users=[""])
    assert run(*words, "--json").json["results"] == expected.to_dict("records")
    assert set(expected["item_id"]) == {"f3", "f4", "f6"}
    lines = run(*words, "-k", 2).out.splitlines()
    assert len(lines) == 2 and all(line.startswith(f"    {n}. ") for n, line in enumerate(lines, 1))
    skipped = run(*words, "--dislike", "zz", "--like", "yy", "--skip-unknown", "--json").json
    assert skipped["skipped"] == {"items": ["yy", "zz"]} and skipped["results"] == expected.to_dict("records")
    output = tmp_path / "recs.csv"
    assert run(*words, "-o", output).out == f"Wrote 3 rows for 1 of 1 users to {output}.\n"
    only = run("recommend", model, "--dislike", "f5", "--json").json["results"]
    assert {row["item_id"] for row in only} == {"f1", "f2", "f3", "f4", "f6"}


def test_lists_for_texts(run: Run, graph: Path, tmp_path: Path):
    model = tmp_path / "model"
    options = [*QUICK[2:], "--set", f"text.model={tiny(tmp_path / 'encoder')}"]
    assert run("train", graph, "-o", model, *options).code == 0
    words = [
        "recommend",
        model,
        "--text",
        "Alien Dawn. a crew meets a creature in space",
        "-t",
        "love",
        "-k",
        2,
    ]
    lines = run(*words).out.splitlines()
    assert [lines[0], lines[3]] == ["Alien Dawn. a crew meets a creature in space", "love"]
    found = run(*words, "--json").json["results"]
    assert list(found[0]) == ["text", "item_id", "score", "rank"]
    expected = Recommender.load(model).recommend_for_text([words[3], words[5]], 2)
    assert found == expected.to_dict("records")
    love = run(*words, "--where", "genres = Comedy", "--json").json["results"]
    assert {row["item_id"] for row in love} == {"f4", "f6"}
    output = tmp_path / "found.parquet"
    assert run(*words, "-o", output).out == f"Wrote 4 rows for 2 of 2 texts to {output}.\n"
    assert pd.read_parquet(output)["item_id"].tolist() == expected["item_id"].tolist()


def test_users_come_from_a_file_each_once(run: Run, model: Path, tmp_path: Path):
    (tmp_path / "users.txt").write_text("u6\nu1\nu6\n")
    found = run("recommend", model, "--users-file", tmp_path / "users.txt", "-k", 1, "--json").json
    assert [row["user_id"] for row in found["results"]] == ["u6", "u1"]


def test_unknown_users_and_items_are_skipped_and_counted(run: Run, model: Path, tmp_path: Path):
    (tmp_path / "users.txt").write_text("x1\nu1\nx2\n")
    (tmp_path / "ids.txt").write_text("f4\nzz\n")
    words = ["recommend", model, "--users-file", tmp_path / "users.txt", "--skip-unknown"]
    words += ["--candidates", tmp_path / "ids.txt"]
    lines = run(*words).out.splitlines()
    assert lines[:2] == [
        "Skipped unknown candidates (1): zz",
        "Skipped unknown users (2): x1, x2",
    ]
    assert lines[2] == "u1" and lines[3].split()[2] == "f4" and len(lines) == 4
    said = run(*words, "--json").json
    assert said["skipped"] == {"candidates": ["zz"], "users": ["x1", "x2"]}
    assert items(said["results"]) == ["f4"]
    answer = run(*words, "-o", tmp_path / "recs.csv")
    assert answer.out.endswith(f"Wrote 1 rows for 1 of 3 users to {tmp_path / 'recs.csv'}.\n")
    assert len(run(*words, "--quiet").out.splitlines()) == 2


def test_histories_of_new_users(run: Run, model: Path, tmp_path: Path):
    path = tmp_path / "history.csv"
    path.write_text("user_id,item_id\nnew,f1\nother,f4\nnew,f2\n")
    found = run("recommend", model, "--history", path, "-k", 2, "--json").json["results"]
    expected = Recommender.load(model).recommend_for_history(
        [["f1", "f2"], ["f4"]], 2, users=["new", "other"]
    )
    assert found == expected.to_dict("records")


def test_a_low_rating_in_a_history_is_no_like(run: Run, model: Path, tmp_path: Path):
    path = tmp_path / "history.csv"
    path.write_text("user_id,item_id,stars\nnew,f1,5\nnew,f4,1\n")
    answer = run("recommend", model, "--history", path, "-k", 6)
    assert answer.out.splitlines()[0] == "1 of 2 rows are not positive, so they count only as seen."
    found = run("recommend", model, "--history", path, "-k", 6, "--json").json["results"]
    liked = Recommender.load(model).recommend_for_history([["f1"]], 6, users=["new"], deny=["f4"])
    assert found == liked.to_dict("records")


def test_unknown_items_of_a_history_are_skipped(run: Run, model: Path, tmp_path: Path):
    (tmp_path / "h.csv").write_text("user_id,item_id\nnew,f1\nnew,f99\nnew,f98\n")
    words = ["recommend", model, "--history", tmp_path / "h.csv", "--skip-unknown"]
    assert run(*words).out.startswith("Skipped unknown items (2): f99, f98\nnew\n")
    assert run(*words, "--json").json["skipped"] == {"items": ["f99", "f98"]}


def test_a_history_may_be_a_table_of_any_kind(run: Run, model: Path, tmp_path: Path):
    frame = pd.DataFrame({"user_id": ["new", "new"], "item_id": ["f1", "f2"]})
    frame.to_parquet(tmp_path / "h.parquet")
    frame.to_json(tmp_path / "h.jsonl", orient="records", lines=True)
    frame.to_csv(tmp_path / "h.tsv.gz", sep="\t", index=False)
    found = [
        run("recommend", model, "--history", tmp_path / name, "--json").json
        for name in ("h.parquet", "h.jsonl", "h.tsv.gz")
    ]
    assert found[0] == found[1] == found[2]


def test_a_boost_is_for_lists_of_users(run: Run, model: Path):
    assert run("recommend", model, "-t", "space", "--new-item-boost", 0.1).error == (
        2,
        "new_item_boost does not apply to texts.",
        "Leave it out.",
    )


def test_fields_of_items_are_shown_and_written(run: Run, model: Path, tmp_path: Path):
    words = ["recommend", model, "-u", "u1", "-k", 1, "--where", "label = 'Paris Waltz'"]
    assert (
        run(*words, "--with", "label,genres")
        .out.splitlines()[1]
        .endswith("  f4  Paris Waltz  genres: Comedy, Romance")
    )
    row = run(*words, "--with", "label", "--with", "genres,directed_by", "--json").json["results"][0]
    assert (row["label"], row["genres"], row["directed_by"]) == ("Paris Waltz", ["Comedy", "Romance"], ["Cy"])
    run(*words, "--with", "label,genres", "-o", tmp_path / "recs.csv")
    assert pd.read_csv(tmp_path / "recs.csv")["genres"].tolist() == ["Comedy|Romance"]
    near = run("similar", model, "-i", "f5", "-k", 1, "--with", "label", "--json").json["results"][0]
    assert near["label"] == Recommender.load(model).label(near["similar_id"])
    assert run(*words, "--with", "genr").error[1:] == (
        "Items have no field 'genr'.",
        "Did you mean 'genre', 'genres' or '^genres'?",
    )


def test_the_history_is_shown_beside_the_list(run: Run, model: Path, tmp_path: Path):
    answer = run("recommend", model, "-u", "u2", "-k", 1, "--show-history")
    assert answer.out.splitlines()[:2] == ["u2", "  likes: Red Planet, Alien Dawn"]
    said = run("recommend", model, "-u", "u2", "--show-history", "--json").json
    assert said["histories"] == {
        "u2": [{"item_id": "f1", "label": "Alien Dawn"}, {"item_id": "f3", "label": "Red Planet"}]
    }
    (tmp_path / "h.csv").write_text("user,film,stars\nnew,f5,5\nnew,f4,1\n")
    answer = run("recommend", model, "--history", tmp_path / "h.csv", "--show-history", "-k", 1)
    assert answer.out.splitlines()[1:3] == ["new", "  likes: Rome Summer"]
    assert run("recommend", model, "-u", "u2", "--show-history", "-o", tmp_path / "r.csv").error[1] == (
        "--show-history applies only to lists on the screen."
    )


@pytest.mark.parametrize("words", [["recommend", "--all-users"], ["similar", "-i", "f1", "-i", "Red Planet"]])
def test_lists_go_to_a_pipe(words: list[str], run: Run, model: Path, tmp_path: Path):
    command, *rest = words
    run(command, model, *rest, "-k", 2, "-o", tmp_path / "lists.csv")
    answer = run(command, model, *rest, "-k", 2, "-o", "-", "--batch", 1)
    assert answer.out == (tmp_path / "lists.csv").read_text()
    assert answer.err == ("'Red Planet' is item f3 (Red Planet).\n" if command == "similar" else "")
    run(command, model, *rest, "-k", 2, "-o", tmp_path / "lists.jsonl")
    piped = run(command, model, *rest, "-k", 2, "-o", "-", "--format", "jsonl", "-q")
    assert (piped.out, piped.err) == ((tmp_path / "lists.jsonl").read_text(), "")
    assert run(command, model, *rest, "-o", "-", "--format", "parquet").error[1] == (
        "Parquet cannot be written to standard output."
    )
    assert run(command, model, *rest, "-o", "-", "--format", "xlsx").error[1] == "format is 'xlsx'."


def test_a_pipe_that_is_closed_is_no_error(model: Path):
    words = [sys.executable, "-m", "kgrec", "recommend", str(model), "--all-users", "-o", "-", "--batch", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None and command.stderr is not None
        command.stdout.close()
        assert command.stderr.read() == ""
    assert command.returncode == 1


def test_a_format_replaces_the_suffix(run: Run, model: Path, tmp_path: Path):
    assert (
        run("recommend", model, "--all-users", "-k", 1, "-o", tmp_path / "recs.dat", "--format", "csv").code
        == 0
    )
    assert len(pd.read_csv(tmp_path / "recs.dat")) == 6


# similar


def test_similar_items(run: Run, model: Path, tmp_path: Path):
    answer = run("similar", model, "--item", "f1", "-i", "f4", "-k", 1)
    lines = answer.out.splitlines()
    assert [lines[0], lines[2]] == ["f1  Alien Dawn", "f4  Paris Waltz"]
    assert re.fullmatch(r"    1\. \+0\.\d{3}  f2  Star Drift", lines[1])
    found = run("similar", model, "--item", "f1", "--json").json["results"]
    assert list(found[0]) == ["item_id", "similar_id", "score", "rank"]
    assert "f1" not in {row["similar_id"] for row in found} and len(found) == 5
    output = tmp_path / "near.csv"
    assert run("similar", model, "-i", "f1", "-i", "f4", "-k", 2, "-o", output).out == (
        f"Wrote 4 rows for 2 of 2 items to {output}.\n"
    )
    assert pd.read_csv(output)["item_id"].tolist() == ["f1", "f1", "f4", "f4"]


def test_unknown_ids_near_something_are_skipped(run: Run, model: Path, tmp_path: Path):
    (tmp_path / "deny.txt").write_text("f2\nzz\n")
    words = ["similar", model, "-i", "f1", "-i", "yy", "--deny", tmp_path / "deny.txt", "--skip-unknown"]
    said = run(*words, "--json").json
    assert said["skipped"] == {"items of the deny list": ["zz"], "items": ["yy"]}
    assert {row["similar_id"] for row in said["results"]} == {"f3", "f4", "f5", "f6"}
    nobody = run("similar", model, "-i", "yy", "--skip-unknown").out.splitlines()
    assert nobody == [
        "Skipped unknown items (1): yy",
        "There is nothing to recommend: none of these items is known.",
    ]
    found = run("similar", model, "-u", "u1", "-u", "x1", "-k", 1, "--skip-unknown", "--json").json
    assert found["skipped"] == {"users": ["x1"]} and len(found["results"]) == 1


def test_similar_users(run: Run, model: Path, tmp_path: Path):
    answer = run("similar", model, "--user", "u1", "-u", "u6", "-k", 1)
    lines = answer.out.splitlines()
    assert (lines[0], lines[2]) == ("u1", "u6")
    assert re.fullmatch(r"    1\. \+[01]\.\d{3}  u[25]", lines[1])
    found = run("similar", model, "-u", "u1", "--json").json["results"]
    assert list(found[0]) == ["user_id", "similar_id", "score", "rank"]
    assert found == Recommender.load(model).similar_users(["u1"]).to_dict("records")
    assert {row["similar_id"] for row in found} == {"u2", "u3", "u4", "u5", "u6"}
    output = tmp_path / "near.jsonl"
    assert run("similar", model, "-u", "u1", "-k", 2, "-o", output).out == (
        f"Wrote 2 rows for 1 of 1 users to {output}.\n"
    )


def test_conditions_on_items_are_not_for_users(run: Run, model: Path):
    assert run("similar", model, "-u", "u1", "--where", "has genres").error == (
        2,
        "where does not apply to similar users.",
        "Leave it out.",
    )


# lists as a whole


def test_lists_as_a_whole(run: Run, model: Path, tmp_path: Path):
    words = (
        "--diversity",
        0.4,
        "--at-most",
        "person=1",
        "--at-least",
        "genres = Romance=1",
        "--novelty",
        0.1,
    )
    words = (
        *words,
        "--calibration",
        0.2,
        "--calibrate-by",
        "genre",
        "--exposure",
        0.1,
        "--exposure-by",
        "person",
    )
    answer = run("recommend", model, "-u", "u1", "-u", "u6", "-k", 2, "--json", *words)
    assert answer.code == 0, answer.err
    found = answer.json["results"]
    assert len(found) == 4
    directors = {"f1": "Ada", "f2": "Ada", "f3": "Bo", "f4": "Cy", "f5": "Cy", "f6": "Di"}
    for user in ("u1", "u6"):
        own = [row["item_id"] for row in found if row["user_id"] == user]
        assert len({directors[item] for item in own}) == 2 and {"f4", "f5", "f6"} & set(own)
    recs = tmp_path / "recs.csv"
    assert run("recommend", model, "-u", "u1", "-u", "u6", "-k", 2, "-o", recs, *words).code == 0
    assert pd.read_csv(recs)["item_id"].tolist() == items(found)


def test_a_quota_that_some_lists_miss_is_counted(run: Run, model: Path):
    answer = run("recommend", model, "-u", "u1", "-u", "u6", "-k", 2, "--at-least", "genres = Horror=1")
    assert answer.code == 0
    # u1 has the only one
    assert "at_least 1 of 'genres = Horror': 1 of 2 lists have fewer" in answer.err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--at-most", "person"), "--at-most is 'person'."),
        (("--at-most", "person=two"), "--at-most is 'person=two'."),
        (("--at-most", "person=1", "--at-most", "person=2"), "--at-most has 'person' twice."),
        (("--at-most", "persn=1"), "There is no node of type 'persn' in the graph."),
        (("--at-least", "new=1"), "at_least requires 1 item of 'new', but 0 of the items"),
        (("--diversity", "2"), "diversity is 2."),
        (("--calibration", "0.2"), "calibration is 0.2, but calibrate_by is not given."),
        (("--diversity-method", "dpp"), "diversity_method is 'dpp', but diversity is 0"),
    ],
)
def test_bad_options_of_lists(run: Run, model: Path, words: tuple[str, ...], problem: str):
    answer = run("recommend", model, "-u", "u1", *words)
    assert answer.code != 0 and problem in answer.err


# explain


def test_an_explanation_says_where_an_option_moved_an_item(run: Run, model: Path):
    plain = run("recommend", model, "-u", "u2", "--json").json["results"]
    assert "in the list" not in run("explain", model, "-u", "u2", "-i", "f2").out
    said = run(
        "explain", model, "-u", "u2", "-i", plain[0]["item_id"], "--novelty", 0.9, "-k", 3, "--json"
    ).json
    lists = run("recommend", model, "-u", "u2", "-k", 3, "--novelty", 0.9, "--json").json["results"]
    rank = {row["item_id"]: row["rank"] for row in lists}.get(plain[0]["item_id"])
    first = {1: "rank 1 in the list of 3", None: "not in the list of 3; by score alone its rank is 1"}
    assert said["in_list"] == [
        first.get(rank, f"rank {rank} in the list of 3; by score alone its rank is 1"),
        "novelty 0.9: items with few users rise",
    ]
    assert said["score"] == pytest.approx(plain[0]["score"], abs=1e-5)


def test_an_explanation_is_readable(run: Run, model: Path):
    lines = run("explain", model, "--user", "u2", "--item", "f2").out.splitlines()
    assert re.fullmatch(r"Star Drift for u2: score -?\d\.\d{3}", lines[0])
    assert re.fullmatch(r"  Because you liked (Alien Dawn|Red Planet) and .*: .*Ada.*\.", lines[1])
    assert lines[2] == "  by history item (these sum to the score):"
    assert {line.split("  ")[-1] for line in lines[3:5]} == {"Alien Dawn", "Red Planet"}
    assert lines[5] == "  by source (these sum to the score):"
    assert any(line.endswith("  directed_by Ada: Alien Dawn") for line in lines)
    every = run("explain", model, "--user", "u2", "--item", "f2", "--all").out.splitlines()
    assert any(line.endswith("Alien Dawn -directed_by- Ada -directed_by- Star Drift") for line in every)
    assert not any("smaller parts" in line for line in every) and len(every) >= len(lines)


def test_reasons_of_a_list(run: Run, model: Path, tmp_path: Path):
    plain = run("recommend", model, "-u", "u2", "-k", 2, "--json").json["results"]
    rows = run("recommend", model, "-u", "u2", "-k", 2, "--explain", "--json").json["results"]
    assert [{name: row[name] for name in plain[0]} for row in rows] == plain
    assert rows[0]["evidence"].keys() == {"items", "shared", "sources"}
    lines = run("recommend", model, "-u", "u2", "-k", 2, "--explain").out.splitlines()
    assert [line.strip() for line in lines[2::2]] == [row["because"] for row in rows]
    run("recommend", model, "--all-users", "--explain", "-o", tmp_path / "recs.jsonl")
    written = [json.loads(line) for line in (tmp_path / "recs.jsonl").read_text().splitlines()]
    assert rows[0]["because"] in {row["because"] for row in written}


def test_an_explanation_as_a_page_and_what_keeps_an_item_listed(run: Run, model: Path, tmp_path: Path):
    first = run("recommend", model, "-u", "u2", "-k", 1, "--json").json["results"][0]["item_id"]
    why = ("explain", model, "-u", "u2", "-i", first, "-k", 1)
    said = run(*why, "--counterfactual", "--html", tmp_path / "why.html", "--json").json
    assert said["counterfactual"]["rank"] == 1
    page = (tmp_path / "why.html").read_text()
    assert page.startswith("<!doctype html>") and "Score" not in said["because"]["text"]
    assert f"without {said['counterfactual']['removed'][0]['label']}" in page.replace("Without", "without")
    refused = run(*why, "--html", tmp_path / "why.txt")
    assert (refused.code, "Name it .html." in refused.err) == (2, True)
    last = run("explain", model, "-u", "u2", "-i", "f6", "-k", 1, "--counterfactual")
    assert last.code == 2 and "'f6' is not in the list of 1, so nothing keeps it there." in last.err


def test_what_carries_the_scores_of_a_model(run: Run, model: Path):
    said = run("explain", model, "--global", "--sample", 3, "-k", 2, "--json").json
    assert (said["users"], said["k"]) == (3, 2)
    sources = [one["share"] for one in said["shares"] if (one["segment"], one["kind"]) == ("all", "source")]
    assert sum(sources) == pytest.approx(1)
    assert run("explain", model, "--global").out.splitlines()[1].startswith("all (")
    assert run("explain", model, "--global", "-i", "f2").code == 2
    assert "Give --item, or --global" in run("explain", model, "-u", "u2").err


def test_parts_of_an_explanation_sum_to_the_score(run: Run, model: Path):
    said = run("explain", model, "-u", "u2", "-i", "f2", "--json").json
    assert (said["user"], said["item"], said["label"]) == ("u2", "f2", "Star Drift")
    for parts in ("history", "sources"):
        assert sum(part["contribution"] for part in said[parts]) == pytest.approx(said["score"], abs=1e-5)
    found = run("recommend", model, "-u", "u2", "--json").json["results"]
    assert said["score"] == pytest.approx(next(r["score"] for r in found if r["item_id"] == "f2"), abs=1e-5)


def test_an_explanation_to_somebody_new(run: Run, model: Path):
    said = run("explain", model, "--like", "f1", "--like", "f3", "-i", "f2", "--json").json
    known = run("explain", model, "-u", "u2", "-i", "f2", "--json").json
    assert said["user"] == ""
    assert said["score"] == pytest.approx(known["score"], abs=1e-6)
    assert run("explain", model, "--like", "f1", "-i", "f2").out.startswith("Star Drift: score ")


def test_a_dislike_is_explained(run: Run, model: Path):
    said = run("explain", model, "--like", "f1", "--dislike", "f4", "-i", "f2", "--json").json
    assert sum(part["contribution"] for part in said["history"]) == pytest.approx(said["score"], abs=1e-5)
    assert {part["item_id"] for part in said["history"]} == {"f1", "f4"}
    found = run("recommend", model, "--like", "f1", "--dislike", "f4", "--json").json["results"]
    assert said["score"] == pytest.approx(next(r["score"] for r in found if r["item_id"] == "f2"), abs=1e-5)


def test_nobody_asked_for_is_known(run: Run, model: Path):
    answer = run("recommend", model, "-u", "ghost", "--skip-unknown")
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == "There is nothing to recommend: none of these users is known."


def test_what_a_killed_run_left_is_removed_by_the_next(run: Run, model: Path, tmp_path: Path):
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    left = tmp_path / f".recs.csv.{socket.gethostname()}.{child.stdout.strip()}.0123abcd.tmp"
    left.write_text("half a file")
    assert run("recommend", model, "-u", "u1", "-o", tmp_path / "recs.csv").code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["recs.csv"]


def test_histories_of_known_users(run: Run, model: Path, tmp_path: Path):
    table = tmp_path / "since.csv"
    table.write_text("user_id,item_id\nu1,f4\nnobody,f4\n")
    merged = run("recommend", model, "--history", table, "-k", 9)
    assert merged.out.startswith("1 of 2 users are known: their histories are merged with these.\nu1\n")
    lists: dict[str, set[str]] = {}
    for row in run("recommend", model, "--history", table, "-k", 9, "--json").json["results"]:
        lists.setdefault(row["user_id"], set()).add(row["item_id"])
    # u1 has had f1, f2 and f3
    assert lists == {"u1": {"f5", "f6"}, "nobody": {"f1", "f2", "f3", "f5", "f6"}}
    replaced = run("recommend", model, "--history", table, "-k", 9, "--known-users", "replace")
    assert replaced.out.startswith("1 of 2 users are known: their histories are replaced by these.\n")
    assert replaced.out.count("f1  Alien Dawn") == 2
    assert run("recommend", model, "--history", table, "--known-users", "add").error[0] == 2
