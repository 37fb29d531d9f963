"""Long runs: parts, shards, and going on after an interruption."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kgrec.cli.console import Bars

from .conftest import QUICK, Run


def everyone(model: Path, output: Path, *more: object) -> list[object]:
    """Three parts of two users."""
    return ["recommend", model, "--all-users", "-k", 3, "--batch", 2, "-o", output, *more]


@pytest.fixture
def cut_off(run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The output of a run that was stopped by Ctrl-C in its third part."""
    from kgrec.recommend.recommender import Recommender

    output, answer = tmp_path / "recs.parquet", Recommender.recommend

    def stopped(rec: Recommender, users: list[str], *rest: object, **options: object) -> object:
        if "u5" in users:
            raise KeyboardInterrupt
        return answer(rec, users, *rest, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Recommender, "recommend", stopped)
        found = run(*everyone(model, output))
    assert found.code == 130
    assert f"Finished parts are in {output}.parts: --resume goes on from them." in found.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["recs.parquet.parts"]
    assert sorted(p.name for p in Path(f"{output}.parts").iterdir()) == [
        *("000000.arrow", "000001.arrow"),
        "run.json",
    ]
    return output


def test_each_part_is_a_row_group_of_typed_columns(run: Run, model: Path, tmp_path: Path):
    output = tmp_path / "recs.parquet"
    said = run(*everyone(model, output)).out.splitlines()
    assert said[0] == f"Wrote 18 rows for 6 of 6 users to {output}."
    assert said[1].startswith("That took ") and said[1].endswith(" users a second.")
    file = pq.ParquetFile(output)
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [6, 6, 6]
    types = [pa.large_string(), pa.large_string(), pa.float32(), pa.int32()]
    assert file.schema_arrow.types == types
    told = json.loads(file.schema_arrow.metadata[b"kgrec.run"])
    assert (told["k"], told["batch"], told["shard"], told["exclude_seen"]) == (3, 2, "0 of 1", True)
    assert [p.name for p in tmp_path.iterdir()] == ["recs.parquet"]
    whole = tmp_path / "whole.parquet"
    run("recommend", model, "--all-users", "-k", 3, "-o", whole)
    assert pq.read_table(whole).equals(pq.read_table(output))


def test_a_run_goes_on_where_it_was_cut_off(run: Run, model: Path, cut_off: Path):
    parts = Path(f"{cut_off}.parts")
    # A run that has no part yet but began at the same time ends in the same file.
    other = cut_off.with_name("other.parquet")
    Path(f"{other}.parts").mkdir()
    shutil.copy(parts / "run.json", Path(f"{other}.parts"))
    assert run(*everyone(model, other, "--resume", "--json")).json["resumed"] == 0
    answer = run(*everyone(model, cut_off, "--resume"))
    assert answer.out.splitlines()[:2] == [
        "Resuming: 4 of 6 users are done.",
        f"Wrote 18 rows for 6 of 6 users to {cut_off}.",
    ]
    assert cut_off.read_bytes() == other.read_bytes()
    assert not parts.exists() and not Path(f"{other}.parts").exists()


def test_finished_parts_are_not_answered_again(run: Run, model: Path, cut_off: Path):
    place = Path(f"{cut_off}.parts") / "000000.arrow"
    with pa.OSFile(str(place)) as file:
        table = pa.ipc.open_file(file).read_all()
    with pa.OSFile(str(place), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table.slice(0, 1))
    said = run(*everyone(model, cut_off, "--resume", "--json")).json
    assert (said["rows"], said["resumed"]) == (13, 4)


def test_without_resume_it_starts_anew(run: Run, model: Path, cut_off: Path):
    (Path(f"{cut_off}.parts") / "000000.arrow").write_bytes(b"no part")
    said = run(*everyone(model, cut_off, "--json")).json
    assert (said["rows"], said["resumed"]) == (18, 0)
    assert not Path(f"{cut_off}.parts").exists()


def test_what_others_keep_under_that_name_stays(run: Run, model: Path, tmp_path: Path):
    folder = tmp_path / "recs.parquet.parts"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    assert run(*everyone(model, tmp_path / "recs.parquet")).code == 0
    assert [p.name for p in folder.iterdir()] == ["notes.txt"]
    (tmp_path / "near.csv.parts").write_text("mine")
    problem = run(*everyone(model, tmp_path / "near.csv")).error[1]
    assert problem.startswith(f"{tmp_path / 'near.csv.parts' / 'run.json'} cannot be written (")
    assert (tmp_path / "near.csv.parts").read_text() == "mine"


def test_a_damaged_part_is_refused(run: Run, model: Path, cut_off: Path):
    place = Path(f"{cut_off}.parts") / "000000.arrow"
    place.write_bytes(place.read_bytes()[:100])
    _, problem, remedy = run(*everyone(model, cut_off, "--resume")).error
    assert problem.startswith(f"{place} cannot be read (") and remedy == "Run again without --resume."
    (Path(f"{cut_off}.parts") / "run.json").write_text("[]")
    _, problem, remedy = run(*everyone(model, cut_off, "--resume")).error
    assert "run.json is not as it was written" in problem and remedy == "Run again without --resume."
    assert not cut_off.exists()


@pytest.mark.parametrize(
    ("options", "differs"),
    [
        (["-k", 2], "k (3 there, 2 here)"),
        (["--include-seen"], "exclude_seen (True there, False here)"),
        (["--min-score", 0.5], "min_score (None there, 0.5 here)"),
        (["--where", "genres = Horror"], "where (None there, genres = Horror here)"),
        (["--candidates", "ids.txt"], "candidates"),
        (["--batch", 3], "batch (2 there, 3 here)"),
    ],
)
def test_parts_of_other_options_are_refused(
    options: list[object], differs: str, run: Run, model: Path, cut_off: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(cut_off.parent)
    Path("ids.txt").write_text("f1\nf2\n")
    _, problem, remedy = run(*everyone(model, cut_off, "--resume", *options)).error
    assert problem == f"{cut_off}.parts holds parts of another run, which differs in {differs}."
    assert "without --resume" in remedy
    # and the parts are still there
    assert run(*everyone(model, cut_off, "--resume", "--json")).json["resumed"] == 4


def test_parts_of_other_users_or_another_model_are_refused(
    run: Run, graph: Path, model: Path, cut_off: Path, tmp_path: Path
):
    (tmp_path / "users.txt").write_text("u1\nu2\nu3\nu4\nu6\nu5\n")
    words = ["recommend", model, "--users-file", tmp_path / "users.txt", "-k", 3, "--batch", 2]
    problem = run(*words, "-o", cut_off, "--resume").error[1]
    assert problem == f"{cut_off}.parts holds parts of another run, which differs in users."
    assert run("train", graph, "-o", tmp_path / "model", *QUICK).code == 0
    problem = run(*everyone(tmp_path / "model", cut_off, "--resume")).error[1]
    assert problem == f"{cut_off}.parts holds parts of another run, which differs in model."


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_shards_together_are_the_whole(suffix: str, run: Run, model: Path, tmp_path: Path):
    def read(path: Path) -> pd.DataFrame:
        if suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path) if suffix == ".csv" else pd.read_json(path, lines=True)

    run(*everyone(model, tmp_path / f"whole{suffix}"))
    whole = read(tmp_path / f"whole{suffix}")
    shards = []
    for shard in range(4):
        said = run(*everyone(model, tmp_path / f"recs{suffix}", "--shards", 4, "--shard", shard, "--json"))
        place = tmp_path / f"recs-{shard:05}-of-00004{suffix}"
        assert said.json["output"] == str(place)
        shards.append(read(place))
    assert [list(dict.fromkeys(shard["user_id"])) for shard in shards] == [
        *(["u1", "u5"], ["u2", "u6"]),
        *(["u3"], ["u4"]),
    ]
    union = pd.concat(shards).sort_values(["user_id", "rank"], ignore_index=True)
    pd.testing.assert_frame_equal(union, whole)


def test_a_shard_of_nobody_is_a_file_too(run: Run, model: Path, tmp_path: Path):
    history = tmp_path / "history.csv"
    history.write_text("user_id,item_id\nnew,f1\n")
    for words in (["-u", "u1"], ["--like", "f1"], ["--history", history]):
        answer = run(
            "recommend", model, *words, "-o", tmp_path / "r.parquet", "--shards", 9, "--shard", 8, "--json"
        )
        assert (answer.json["asked"], answer.json["rows"]) == (0, 0)
        table = pq.read_table(tmp_path / "r-00008-of-00009.parquet")
        assert (table.column_names, len(table)) == (["user_id", "item_id", "score", "rank"], 0)


def test_items_near_every_item(run: Run, model: Path, tmp_path: Path):
    output = tmp_path / "near.parquet"
    answer = run("similar", model, "--all-items", "-k", 2, "--batch", 4, "-o", output)
    assert answer.out.splitlines()[0] == f"Wrote 12 rows for 6 of 6 items to {output}."
    assert pq.ParquetFile(output).num_row_groups == 2
    found = pd.read_parquet(output)
    names = [f"f{n}" for n in range(1, 7)]
    one_by_one = [run("similar", model, "-i", name, "-k", 2, "--json").json["results"] for name in names]
    expected = [row for rows in one_by_one for row in rows]
    assert found["similar_id"].tolist() == [row["similar_id"] for row in expected]
    assert found["score"].tolist() == pytest.approx([row["score"] for row in expected])
    shard = ["--shards", 2, "--shard", 1, "--json"]
    said = run("similar", model, "--all-items", "-k", 2, "-o", output, *shard).json
    assert (said["asked"], said["rows"]) == (3, 6)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--resume"], "--resume, --shards and --shard are about a file that is written."),
        (["--shards", 2, "--shard", 1], "--resume, --shards and --shard are about a file that is written."),
        (["-o", "r.csv", "--shards", 2], "--shards and --shard belong together."),
        (["-o", "r.csv", "--shard", 0], "--shards and --shard belong together."),
        (["-o", "r.csv", "--shards", 2, "--shard", 2], "There is no shard 2 of 2."),
    ],
)
def test_options_that_do_not_go_together(words: list[object], problem: str, run: Run, model: Path):
    assert run("recommend", model, "--all-users", *words).error[:2] == (2, problem)


def test_an_unknown_user_is_refused_before_the_first_part(run: Run, model: Path, tmp_path: Path):
    (tmp_path / "users.txt").write_text("u1\nu2\nu3\nzz\n")
    words = ["recommend", model, "--users-file", tmp_path / "users.txt", "--batch", 1]
    assert run(*words, "-o", tmp_path / "r.csv").error[1] == "There is no user 'zz' in the model."
    assert [p.name for p in tmp_path.iterdir()] == ["users.txt"]


class Display:
    """What a bar was told, in place of a terminal."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def add_task(self, description: str, **fields: Any) -> int:
        self.told.append({"description": description, **fields})
        return len(self.told)

    def remove_task(self, _: int) -> None:
        pass

    def update(self, _: int, **fields: Any) -> None:
        self.told.append(fields)


def test_a_bar_counts_its_rate_from_where_a_run_goes_on():
    display = Display()
    show = Bars(display).step("writing lists")
    show(40_000, 100_000)
    show(70_000, 100_000)
    first, _, last = display.told
    assert (first["completed"], first["rate"]) == (40_000, "")
    assert (last["completed"], last["total"]) == (70_000, 100_000)
    rate = re.fullmatch(r"([\d,]+)/s", last["rate"])
    assert rate and int(rate[1].replace(",", "")) > 0
