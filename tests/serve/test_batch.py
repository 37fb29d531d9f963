"""Runs over many users or items: files, shards, streams; on every executor."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs import OPTIONS, REQUEST, USERS, Stop, resuming, write

import kgrec
from kgrec import BatchOptions, Request
from kgrec.errors import ArtifactError, ConfigError, UnknownId

HISTORIES = [("new", ["f1", "f2"]), ("u1", ["f4"]), ("other", [])]
EXECUTORS = {
    "local": OPTIONS,
    "one process": BatchOptions(batch=2, executor="processes"),
    "two processes": BatchOptions(batch=2, workers=2),
}
READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".parquet": pd.read_parquet,
    ".csv": pd.read_csv,
    ".jsonl": lambda path: pd.read_json(path, lines=True, dtype=False),
}


# files


@pytest.mark.parametrize("suffix", READERS)
def test_lists_of_all_users(suffix: str, model: Path, rec, tmp_path: Path):
    output = tmp_path / f"recs{suffix}"
    summary = write(model, output, BatchOptions())
    assert summary.seconds > 0
    assert (summary.output, summary.noun, summary.skipped) == (output, "users", {})
    assert (summary.queries, summary.rows, summary.lists, summary.resumed) == (6, 18, 6, 0)
    frame, expected = READERS[suffix](output), rec.recommend(USERS, 3)
    assert list(frame) == ["user_id", "item_id", "score", "rank"]
    assert frame["item_id"].tolist() == expected["item_id"].tolist()
    assert frame["score"].tolist() == pytest.approx(expected["score"].tolist())
    assert [path.name for path in tmp_path.iterdir()] == [output.name]


def test_each_part_is_a_row_group_of_typed_columns(model: Path, tmp_path: Path):
    output = tmp_path / "recs.parquet"
    write(model, output)
    file = pq.ParquetFile(output)
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [6, 6, 6]
    assert file.schema_arrow.types == [pa.large_string(), pa.large_string(), pa.float32(), pa.int32()]


def test_the_metadata_name_the_run_and_the_model(model: Path, tmp_path: Path):
    write(model, tmp_path / "recs.parquet")
    metadata = pq.read_metadata(tmp_path / "recs.parquet").metadata
    manifest = json.loads((model / "manifest.json").read_text())
    assert metadata[b"kgrec.model"].decode() == manifest["created"]
    assert metadata[b"kgrec.version"].decode() == kgrec.__version__
    assert b"kgrec.written" in metadata
    run = json.loads(metadata[b"kgrec.run"])
    assert run.pop("users").startswith("sha256:")
    assert run == {
        "kgrec": kgrec.__version__,
        "columns": ["user_id", "item_id"],
        "model": f"sha256:{manifest['seal']}",
        "batch": 2,
        "shard": "0 of 1",
        **Request(k=3).to_dict(),
    }


def test_a_list_counts_when_it_has_rows(model: Path, tmp_path: Path):
    summary = write(model, tmp_path / "r.csv", request=Request(candidates=["f1"]))
    # u1 and u2 have seen it
    assert (summary.queries, summary.rows, summary.lists) == (6, 4, 4)


def test_some_users_and_unknown_ones(model: Path, tmp_path: Path):
    output, heard = tmp_path / "r.csv", Stop()
    request = Request(k=1, on_unknown="skip")
    summary = write(model, output, users=["u6", "x1", "u6", "u1"], request=request, watcher=heard.watcher)
    assert pd.read_csv(output)["user_id"].tolist() == ["u6", "u1"]
    assert (summary.queries, summary.lists, summary.skipped) == (3, 2, {"users": ["x1"]})
    assert heard.notes == ["Skipped unknown users (1): x1"]
    with pytest.raises(UnknownId, match="There is no user 'x1'"):
        write(model, tmp_path / "other.csv", users=["u6", "x1"])
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]


def test_only_unknown_users_give_an_empty_file(model: Path, tmp_path: Path):
    write(model, tmp_path / "r.parquet", users=["x1"], request=Request(on_unknown="skip"))
    table = pq.read_table(tmp_path / "r.parquet")
    assert (table.column_names, len(table)) == (["user_id", "item_id", "score", "rank"], 0)


def test_lists_for_histories(model: Path, rec, tmp_path: Path):
    output, heard = tmp_path / "r.parquet", Stop()
    kgrec.write_recommendations_for_histories(
        model, output, HISTORIES, known_users="replace", request=REQUEST, watcher=heard.watcher
    )
    users, histories = zip(*HISTORIES, strict=True)
    expected = rec.recommend_for_history(histories, 3, users=users, known_users="replace", arrow=True)
    assert pq.read_table(output).equals(expected)
    assert heard.notes == ["1 of 3 users are known: their histories are replaced by these."]


def test_similar_items(model: Path, rec, tmp_path: Path):
    output = tmp_path / "near.parquet"
    summary = kgrec.write_similar_items(model, output, request=Request(k=2), options=BatchOptions(batch=4))
    assert (summary.noun, summary.queries, summary.rows) == ("items", 6, 12)
    assert pq.ParquetFile(output).num_row_groups == 2
    expected = [rec.similar_items(some, 2, arrow=True) for some in (["f1", "f2", "f3", "f4"], ["f5", "f6"])]
    assert pq.read_table(output).equals(pa.concat_tables(expected))


@pytest.mark.parametrize("suffix", READERS)
def test_every_executor_writes_the_same_bytes(suffix: str, model: Path, tmp_path: Path):
    written = {}
    for name, options in EXECUTORS.items():
        output = tmp_path / f"{name}{suffix}"
        Path(f"{output}.parts").mkdir()
        run = tmp_path / "run.json"
        if run.exists():  # so that all began at the same time
            shutil.copy(run, f"{output}.parts")
        stop = Stop(6)
        with pytest.raises(KeyboardInterrupt):
            write(
                model,
                output,
                resuming(executor=options.executor, workers=options.workers),
                watcher=stop.watcher,
            )
        shutil.copy(Path(f"{output}.parts") / "run.json", run)
        assert write(model, output, resuming()).resumed == 6
        written[name] = output.read_bytes()
    assert written["one process"] == written["two processes"] == written["local"]


# progress


def test_progress_counts_users(model: Path, tmp_path: Path):
    heard = Stop()
    write(model, tmp_path / "r.csv", watcher=heard.watcher)
    step = "computing lists"
    assert heard.steps == [(step, 0, 6), (step, 2, 6), (step, 4, 6), (step, 6, 6)]


# shards


@pytest.mark.parametrize("suffix", READERS)
def test_shards_together_are_the_whole(suffix: str, model: Path, tmp_path: Path):
    write(model, tmp_path / f"whole{suffix}")
    shards = []
    for shard in range(4):
        summary = write(model, tmp_path / f"recs{suffix}", BatchOptions(batch=2, shard=shard, shards=4))
        assert summary.output == tmp_path / f"recs-{shard:05}-of-00004{suffix}"
        shards.append(READERS[suffix](summary.output))
    users = [list(dict.fromkeys(shard["user_id"])) for shard in shards]
    assert users == [["u1", "u5"], ["u2", "u6"], ["u3"], ["u4"]]
    union = pd.concat(shards).sort_values(["user_id", "rank"], ignore_index=True)
    pd.testing.assert_frame_equal(union, READERS[suffix](tmp_path / f"whole{suffix}"))


def test_an_empty_shard_is_a_file_too(model: Path, tmp_path: Path):
    options = BatchOptions(shard=8, shards=9)
    users = write(model, tmp_path / "r.parquet", options, users=["u1"])
    histories = kgrec.write_recommendations_for_histories(
        model, tmp_path / "h.parquet", HISTORIES, options=options
    )
    for summary in (users, histories):
        assert (summary.queries, summary.rows) == (0, 0)
        table = pq.read_table(summary.output)
        assert (table.column_names, len(table)) == (["user_id", "item_id", "score", "rank"], 0)


# recommenders


def test_a_recommender_in_memory_is_a_model(model: Path, tmp_path: Path):
    rec = kgrec.Recommender.load(model)
    rec.remove_items(["f6"])
    kgrec.write_recommendations(rec, tmp_path / "r.parquet", request=Request(k=9), options=OPTIONS)
    table = pq.read_table(tmp_path / "r.parquet")
    assert "f6" not in table["item_id"].to_pylist()
    assert table.schema.metadata[b"kgrec.model"] == b""
    assert json.loads(table.schema.metadata[b"kgrec.run"])["model"] is None


def test_workers_refuse_a_model_with_unsaved_changes(model: Path, tmp_path: Path):
    rec = kgrec.Recommender.load(model)
    kgrec.write_recommendations(rec, tmp_path / "r.csv", options=resuming(workers=2))
    rec.remove_items(["f6"])
    with pytest.raises(ConfigError) as caught:
        kgrec.write_recommendations(rec, tmp_path / "r.csv", options=BatchOptions(workers=2))
    assert (
        caught.value.problem
        == "Workers load the model from its folder, but the model was never saved, or has changed since."
    )
    assert caught.value.remedy == "Save the recommender first."
    with pytest.raises(ConfigError, match=r"^Only runs of a saved model can be resumed"):
        kgrec.write_recommendations(rec, tmp_path / "r.csv", options=resuming())
    rec.save(tmp_path / "model")
    kgrec.write_recommendations(rec, tmp_path / "r.csv", options=resuming(workers=2))
    assert "f6" not in pd.read_csv(tmp_path / "r.csv")["item_id"].tolist()


def test_interrupted_runs_of_a_recommender_in_memory_keep_nothing(model: Path, tmp_path: Path):
    rec, stop = kgrec.Recommender.load(model), Stop(2)
    rec.remove_items(["f6"])
    with pytest.raises(KeyboardInterrupt):
        kgrec.write_recommendations(rec, tmp_path / "r.csv", options=OPTIONS, watcher=stop.watcher)
    assert list(tmp_path.iterdir()) == [] and stop.warnings == []


def test_the_output_is_checked_before_the_model_is_read(tmp_path: Path):
    with pytest.raises(ConfigError, match="has no suffix that names a format"):
        write(tmp_path / "no model", tmp_path / "recs")
    with pytest.raises(ArtifactError, match="there is no such folder"):
        write(tmp_path / "no model", tmp_path / "no folder" / "recs.csv")


# streams


@pytest.mark.parametrize("options", EXECUTORS.values(), ids=EXECUTORS)
def test_a_stream_is_the_file_in_parts(options: BatchOptions, model: Path, tmp_path: Path):
    write(model, tmp_path / "r.parquet")
    parts = list(kgrec.stream_recommendations(model, request=REQUEST, options=options))
    assert [part["user_id"].unique().to_pylist() for part in parts] == [USERS[:2], USERS[2:4], USERS[4:]]
    assert pa.concat_tables(parts).equals(pq.read_table(tmp_path / "r.parquet"))
    near = list(kgrec.stream_similar_items(model, ["f3", "f1", "f2"], request=REQUEST, options=options))
    assert [part["item_id"].unique().to_pylist() for part in near] == [["f3", "f1"], ["f2"]]


@pytest.mark.parametrize("options", EXECUTORS.values(), ids=EXECUTORS)
def test_a_stream_reads_histories_lazily(options: BatchOptions, model: Path, rec):
    drawn: list[int] = []

    def histories() -> Iterator[tuple[str, list[str]]]:
        while True:
            drawn.append(len(drawn))
            yield f"new{len(drawn)}", [f"f{1 + len(drawn) % 6}"]

    tables = kgrec.stream_recommendations_for_histories(model, histories(), request=REQUEST, options=options)
    assert drawn == []
    for number in range(3):
        users = [f"new{2 * number + 1}", f"new{2 * number + 2}"]
        items = [[f"f{1 + (2 * number + n) % 6}"] for n in (1, 2)]
        assert next(tables).equals(rec.recommend_for_history(items, 3, users=users, arrow=True))
        assert len(drawn) <= 2 * (number + 1 + 2 * options.workers)
    tables.close()


def test_a_stream_of_a_table_of_histories(model: Path, tmp_path: Path):
    (tmp_path / "h.csv").write_text("user_id,item_id\na,f1\nb,f2\na,f2\n")
    options = BatchOptions(batch=1)
    tables = list(kgrec.stream_recommendations_for_histories(model, tmp_path / "h.csv", options=options))
    pairs = [("a", ["f1", "f2"]), ("b", ["f2"])]
    again = list(kgrec.stream_recommendations_for_histories(model, pairs, options=options))
    assert tables == again and len(tables) == 2


def test_errors_of_a_stream_come_before_its_first_part(model: Path, tmp_path: Path):
    with pytest.raises(UnknownId):
        kgrec.stream_recommendations(model, ["u1", "x1"])
    with pytest.raises(ArtifactError):
        kgrec.stream_similar_items(tmp_path / "no model")
    with pytest.raises(ConfigError, match="known_users is 'add'"):
        kgrec.stream_recommendations_for_histories(model, HISTORIES, known_users="add")  # type: ignore[arg-type]
    rec = kgrec.Recommender.load(model)
    rec.remove_items(["f1"])
    with pytest.raises(ConfigError, match="Workers load the model from its folder"):
        kgrec.stream_recommendations(rec, options=BatchOptions(workers=2))


@pytest.mark.parametrize("options", [BatchOptions(resume=True), BatchOptions(shard=0, shards=2)])
def test_options_of_files_are_refused_for_streams(options: BatchOptions, model: Path):
    with pytest.raises(ConfigError) as caught:
        kgrec.stream_recommendations(model, options=options)
    assert caught.value.problem == "resume, shards and shard apply only to result files."


# lists chosen as a whole


@pytest.mark.parametrize("options", EXECUTORS.values(), ids=EXECUTORS)
def test_lists_chosen_as_a_whole_are_the_same_in_parts(
    options: BatchOptions, model: Path, rec, tmp_path: Path
):
    request = Request(
        k=3,
        diversity=0.4,
        calibration=0.2,
        calibrate_by="genre",
        at_most={"person": 1},
        at_least={"genres = Romance": 1},
    )
    output = tmp_path / "recs.parquet"
    kgrec.write_recommendations(model, output, USERS, request=request, options=options)
    expected = rec.recommend(USERS, request=request)
    pd.testing.assert_frame_equal(pd.read_parquet(output), expected, check_dtype=False)
    assert expected["item_id"].tolist() != rec.recommend(USERS, 3)["item_id"].tolist()


def test_an_unknown_type_is_refused_before_anything_is_written(model: Path, tmp_path: Path):
    with pytest.raises(UnknownId, match="There is no node of type 'genr'"):
        kgrec.write_recommendations(model, tmp_path / "recs.csv", request=Request(at_most={"genr": 1}))
    assert not [*tmp_path.iterdir()]
