"""`kgrec score`, and boosts and lists of users on the command line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from .conftest import Run


def table(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_pairs_are_scored_as_lists_are(run: Run, model: Path, tmp_path: Path):
    pairs = table(tmp_path, "pairs.csv", "user_id,item_id\nu1,f4\nu1,f5\n")
    output = tmp_path / "scores.parquet"
    answer = run("score", model, pairs, "-o", output)
    assert (answer.code, answer.out) == (0, f"Wrote the scores of 2 of 2 pairs to {output}.\n")
    listed = run("recommend", model, "-u", "u1", "-k", 9, "--json").json["results"]
    scores = {row["item_id"]: row["score"] for row in listed}
    for row in pd.read_parquet(output).itertuples():
        assert row.score == pytest.approx(scores[row.item_id], abs=1e-6)


def test_unknown_ids_are_an_error_or_skipped(run: Run, model: Path, tmp_path: Path):
    pairs = table(tmp_path, "pairs.csv", "user_id,item_id\nu1,f4\nu1,f9\n")
    output = tmp_path / "scores.csv"
    assert (
        run("score", model, pairs, "-o", output).error[1] == f"{pairs}:3: there is no item 'f9' in the model."
    )
    said = run("score", model, pairs, "-o", output, "--skip-unknown", "--json").json
    assert (said["pairs"], said["rows"], said["skipped"]) == (2, 1, {"items": ["f9"]})
    assert "Skipped unknown items (1): f9" in run("score", model, pairs, "-o", output, "--skip-unknown").out


def test_boosts(run: Run, model: Path, tmp_path: Path):
    boosts = table(tmp_path, "boosts.csv", "item_id,boost\nf4,5\n")
    best = run("recommend", model, "-u", "u1", "-k", 1, "--item-boost", boosts, "--json").json["results"]
    assert best[0]["item_id"] == "f4"
    words = ("--where-boost", "genres = Comedy: 7", "--where-boost", "not genres = Comedy:-7")
    listed = run("recommend", model, "-u", "u1", "-k", 9, *words, "--json").json["results"]
    assert [row["item_id"] for row in listed][-1] == "f5"
    explained = run("explain", model, "-u", "u1", "-i", "f4", "--item-boost", boosts, *words, "--json").json
    boosted = {
        part["label"]: part["contribution"] for part in explained["sources"] if part["source"] == "boost"
    }
    assert boosted == {"genres = Comedy": 7, "": 5}
    near = run("similar", model, "-i", "f1", "-k", 1, "--item-boost", boosts, "--json").json["results"]
    assert near[0]["similar_id"] == "f4"


@pytest.mark.parametrize("value", ["genres = Comedy", "5", ": 5", "genres = Comedy: much"])
def test_boosts_that_cannot_be_read(run: Run, model: Path, value: str):
    code, problem, remedy = run("recommend", model, "-u", "u1", "--where-boost", value).error
    assert (code, problem) == (2, f"--where-boost is '{value}'.") and "'year >= 2000: 0.05'" in remedy


def test_lists_of_users(run: Run, model: Path, tmp_path: Path):
    own = table(tmp_path, "own.csv", "user_id,item_id\nu1,f4\nu1,f5\nu9,f1\n")
    deny = table(tmp_path, "deny.csv", "user_id,item_id\nu1,f4\nu3,f1\n")
    words = ("-u", "u1", "-u", "u3", "-k", 9, "--user-candidates", own, "--user-deny", deny, "--json")
    found = run("recommend", model, *words).json["results"]
    assert [row["item_id"] for row in found if row["user_id"] == "u1"] == ["f5"]
    assert {row["item_id"] for row in found if row["user_id"] == "u3"} == {"f2", "f3"}
    wrong = table(tmp_path, "wrong.csv", "user_id,item_id\nu1,f9\n")
    assert run("recommend", model, "-u", "u1", "--user-deny", wrong).error[1] == (
        "There is no item 'f9' in the model."
    )
    output = tmp_path / "recs.csv"
    answer = run("recommend", model, "-u", "u1", "--user-deny", wrong, "--skip-unknown", "-o", output)
    assert "Skipped unknown items of deny lists of users (1): f9" in answer.out
