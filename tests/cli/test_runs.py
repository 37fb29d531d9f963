"""Options of long runs: parts, resuming, shards, workers."""

from __future__ import annotations

from pathlib import Path

import pytest

import kgrec

from .conftest import Run


def everyone(model: Path, output: Path, *more: object) -> list[object]:
    """Three parts of two users."""
    return ["recommend", model, "--all-users", "-k", 3, "--batch", 2, "-o", output, *more]


def interrupted(model: Path, output: Path) -> None:
    """A run of the library that is stopped after two of three parts."""

    def stop(_: str, done: int, __: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    request, options = kgrec.Request(k=3), kgrec.BatchOptions(batch=2)
    watcher = kgrec.RunWatcher(progress=stop)
    with pytest.raises(KeyboardInterrupt):
        kgrec.write_recommendations(model, output, request=request, options=options, watcher=watcher)


def test_a_run_of_several_parts_tells_its_speed(run: Run, model: Path, tmp_path: Path):
    output = tmp_path / "recs.csv"
    lines = run(*everyone(model, output)).out.splitlines()
    assert lines[0] == f"Wrote 18 rows for 6 of 6 users to {output}."
    assert lines[1].startswith("That took ") and lines[1].endswith(" users per second.")


def test_a_run_is_resumed(run: Run, model: Path, tmp_path: Path):
    output = tmp_path / "recs.parquet"
    interrupted(model, output)
    assert run(*everyone(model, output, "--resume")).out.splitlines()[:2] == [
        "Resuming: 4 of 6 users are done.",
        f"Wrote 18 rows for 6 of 6 users to {output}.",
    ]
    interrupted(model, output)
    assert run(*everyone(model, output, "--resume", "--json")).json["resumed"] == 4
    interrupted(model, output)
    assert run(*everyone(model, output, "--json")).json["resumed"] == 0


def test_parts_of_another_run_are_refused(run: Run, model: Path, tmp_path: Path):
    output = tmp_path / "recs.parquet"
    interrupted(model, output)
    assert run(*everyone(model, output, "--resume", "--include-seen")).error == (
        2,
        f"{output}.parts holds parts of another run, which differs in exclude_seen (stored: True, now: False).",
        "Repeat the options of the interrupted run, or run without resume, which starts over.",
    )


@pytest.mark.parametrize("more", [["--workers", 2], ["--executor", "processes"], ["--executor", "local"]])
def test_workers_write_the_same_file(more: list[object], run: Run, model: Path, tmp_path: Path):
    run(*everyone(model, tmp_path / "one.csv"))
    assert run(*everyone(model, tmp_path / "other.csv", *more)).code == 0
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "other.csv").read_bytes()
    near = ["similar", model, "--all-items", "-k", 2, "--batch", 4, "-o"]
    run(*near, tmp_path / "one.jsonl")
    assert run(*near, tmp_path / "other.jsonl", *more).code == 0
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "other.jsonl").read_bytes()


def test_workers_print_too(run: Run, model: Path):
    words = ["recommend", model, "-u", "u1", "-u", "u6", "-k", 2, "--batch", 1]
    assert run(*words, "--workers", 2).out == run(*words).out


def test_a_shard_names_its_file(run: Run, model: Path, tmp_path: Path):
    said = run(*everyone(model, tmp_path / "recs.csv", "--shards", 4, "--shard", 1, "--json")).json
    assert said["output"] == str(tmp_path / "recs-00001-of-00004.csv")
    assert (said["queries"], said["rows"]) == (2, 6)
    output = tmp_path / "near.csv"
    said = run(
        "similar", model, "--all-items", "-k", 2, "-o", output, "--shards", 2, "--shard", 1, "--json"
    ).json
    assert (said["queries"], said["rows"]) == (3, 6)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--resume"], "--resume, --shards and --shard apply only to an output file."),
        (["--shards", 2, "--shard", 1], "--resume, --shards and --shard apply only to an output file."),
        (["-o", "r.csv", "--shards", 2], "shards and shard must be given together."),
        (["-o", "r.csv", "--shard", 0], "shards and shard must be given together."),
        (["-o", "r.csv", "--shards", 2, "--shard", 2], "There is no shard 2 of 2."),
        (["--executor", "local", "--workers", 2], "The executor 'local' has one worker, not 2."),
        (["--executor", "spark"], "There is no executor 'spark'."),
    ],
)
def test_options_that_do_not_go_together(words: list[object], problem: str, run: Run, model: Path):
    for command in (["recommend", model, "--all-users"], ["similar", model, "--all-items"]):
        assert run(*command, *words).error[:2] == (2, problem)


def test_an_unknown_user_is_refused_before_the_first_part(run: Run, model: Path, tmp_path: Path):
    (tmp_path / "users.txt").write_text("u1\nu2\nu3\nzz\n")
    words = ["recommend", model, "--users-file", tmp_path / "users.txt", "--batch", 1]
    assert run(*words, "-o", tmp_path / "r.csv").error[1] == "There is no user 'zz' in the model."
    assert [p.name for p in tmp_path.iterdir()] == ["users.txt"]
