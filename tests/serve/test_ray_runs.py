"""Runs on a Ray cluster: the same files as without it, also after a worker was killed or Ctrl-C."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs import OPTIONS, REQUEST, USERS, Stop, resuming, write
from text_encoders import tiny

import kgrec
from kgrec import BatchOptions
from kgrec.encode.text import SentenceEncoder, TextConfig
from kgrec.errors import ArtifactError
from kgrec.evaluate.baselines.registry import BASELINES
from kgrec.evaluate.benchmark.run import KeptEntries, run_benchmark
from kgrec.evaluate.benchmark.systems import GivenLists, Kgrec, TunedBaseline
from kgrec.evaluate.benchmark.workers import TaskFolders, predict_by_workers
from kgrec.integrations.batch import Recommend
from kgrec.parallel import RayExecutor
from kgrec.recommend.queries import Queries
from kgrec.serve import requests
from kgrec.serve.batch_run import tables, write_query

RAY = {"executor": "ray", "workers": 2}
KILLED = """\
import os, signal, sys, threading, time
from pathlib import Path
from kgrec.cli import main

def interrupt():  # once the first part is kept
    while not list(Path(sys.argv[-1] + ".parts").glob("*.arrow")):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
main()
"""


def killed_once(folder: Path, lists: Callable[..., pa.Table], queries: Queries, part: Any) -> pa.Table:
    """The lists of a part; the worker that has the part of user u3 is killed the first time."""
    if "u3" in part and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return lists(queries, part)


def same_start(expected: Path, output: Path) -> None:
    """Have a run begin at the time of another one, which is in the metadata of the file."""
    parts = Path(f"{output}.parts")
    parts.mkdir()
    metadata = pq.read_metadata(expected).metadata
    run = json.loads(metadata[b"kgrec.run"])
    (parts / "run.json").write_text(json.dumps({"began": metadata[b"kgrec.written"].decode(), "run": run}))


@pytest.fixture(scope="module")
def expected(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a local run."""
    output = tmp_path_factory.mktemp("local") / "recs.parquet"
    write(model, output)
    return output


@pytest.mark.usefixtures("ray_cluster")
def test_files_are_those_of_a_local_run(model: Path, expected: Path, tmp_path: Path):
    same_start(expected, tmp_path / "recs.parquet")
    write(model, tmp_path / "recs.parquet", resuming(**RAY))
    assert (tmp_path / "recs.parquet").read_bytes() == expected.read_bytes()
    for name, options in {"local": OPTIONS, "ray": BatchOptions(2, **RAY)}.items():
        kgrec.write_similar_items(model, tmp_path / f"near-{name}.jsonl", request=REQUEST, options=options)
        kgrec.write_embeddings(model, tmp_path / f"{name}.npy", ["item", "user"], options=options)
    for one, other in (("near-local.jsonl", "near-ray.jsonl"), ("local.npy", "ray.npy")):
        assert (tmp_path / one).read_bytes() == (tmp_path / other).read_bytes()


@pytest.mark.usefixtures("ray_cluster")
def test_a_killed_worker_changes_nothing(rec, expected: Path, tmp_path: Path):
    query = requests.users_query(rec, None, REQUEST)
    query = replace(query, lists=partial(killed_once, tmp_path, query.lists))
    same_start(expected, tmp_path / "recs.parquet")
    write_query(rec, query, tmp_path / "recs.parquet", resuming(**RAY))
    assert (tmp_path / "died").exists()
    assert (tmp_path / "recs.parquet").read_bytes() == expected.read_bytes()


@pytest.mark.usefixtures("ray_cluster")
def test_a_model_that_workers_do_not_find_is_one_error(model: Path, tmp_path: Path):
    copy = tmp_path / "model"
    shutil.copytree(model, copy)
    recommender = kgrec.Recommender.load(copy)
    query = requests.users_query(recommender, None, REQUEST)
    computed = tables(recommender, query.lists, query.parts(2), RayExecutor(2))
    copy.rename(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError) as caught:
        list(computed)
    assert caught.value.problem.startswith("On the node ")
    assert str(copy) in caught.value.problem
    assert caught.value.remedy.endswith("Every node must have the folder at this path.")


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_keeps_the_finished_parts(ray_cluster: str, model: Path, expected: Path, tmp_path: Path):
    output = tmp_path / "recs.parquet"
    words = ["recommend", model, "--all-users", "-k", "3", "--batch", "2", "--executor", "ray", "-o", output]
    script = [sys.executable, "-c", KILLED, *map(str, words)]
    done = subprocess.run(
        script,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "RAY_ADDRESS": ray_cluster},
    )
    assert done.returncode == 130, done.stderr
    assert "run again with resume to continue" in done.stderr or "--resume" in done.stderr
    heard = Stop()
    assert write(model, output, resuming(), watcher=heard.watcher).resumed >= 2
    assert pq.read_table(output).equals(pq.read_table(expected))


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.filterwarnings("ignore")  # of Ray Data about its own options
def test_ray_data_calls_recommend(rec, model: Path):
    import ray.data

    users = ray.data.from_arrow(pa.table({"user_id": USERS}))
    lists = users.map_batches(
        Recommend, fn_constructor_args=[model, 3], batch_format="pyarrow", batch_size=2, concurrency=1
    )
    found = pa.concat_tables(ray.get(lists.to_arrow_refs()))
    expected = rec.recommend(USERS, 3, arrow=True)
    for table in (found, expected):
        assert len(table) == 18
    order = [("user_id", "ascending"), ("rank", "ascending")]
    assert (
        found.sort_by(order).drop(["score"]).to_pylist()
        == expected.sort_by(order).drop(["score"]).to_pylist()
    )


@pytest.mark.usefixtures("ray_cluster")
def test_a_benchmark_has_the_predictions_of_this_process(shared_catalogue: Path, tmp_path: Path):
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    graph.save(tmp_path / "graph")
    protocol = kgrec.Protocol(kind="folds", folds=2)
    kgrec.save_folds(kgrec.split_graph(graph, protocol), tmp_path / "split", protocol)
    folders = TaskFolders(tmp_path / "graph", tmp_path / "split", 3, (), TextConfig(model="none"))
    config = kgrec.Config.read(
        settings=["text.model=none", "epochs=1", "search_seconds=0", "train.threads=1"]
    )
    absent = GivenLists("absent", pa.table({"user_id": ["u1"], "item_id": ["f9"], "rank": [1]}))
    systems = [Kgrec(config, on_stage=print), TunedBaseline("popularity", BASELINES["popularity"]()), absent]
    kept = KeptEntries(tmp_path / "kept", {})
    failed = predict_by_workers(RayExecutor(), folders, systems, 2, kept)
    assert list(failed) == ["absent"] and "f9" in failed["absent"].problem
    for system in systems[:2]:
        for fold, task in enumerate(folders.tasks()):
            found = kept.get(system, fold)
            assert found is not None
            np.testing.assert_array_equal(found.lists, system.predict(task).lists)
    entries = run_benchmark(folders.tasks(), systems, [3], kept, failed=failed)
    assert [entry.error for entry in entries] == [None, None, failed["absent"]]


@pytest.mark.usefixtures("ray_cluster")
def test_texts_have_the_vectors_of_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = TextConfig(model=tiny(tmp_path / "tiny"), batch_size=2, cache=False)
    texts = [f"red ship {'space ' * n}" for n in range(5)] + ["love"]
    expected = SentenceEncoder(config).encode(texts)
    monkeypatch.setenv("KGREC_CACHE", str(tmp_path / "cache"))
    cached, told = config.model_copy(update={"cache": True}), list[tuple[int, int]]()
    for _ in range(2):  # the second time, all of them are in the cache
        encoder = SentenceEncoder(cached, RayExecutor())
        np.testing.assert_array_equal(encoder.encode(texts, lambda *count: told.append(count)), expected)
    assert told == [(0, 6), (2, 6), (4, 6), (6, 6)]


def test_a_worker_with_another_text_encoder_is_an_error(tmp_path: Path):
    from kgrec.encode.text.encoder import _batch_encoder

    config = TextConfig(model=tiny(tmp_path / "tiny"))
    fingerprint = SentenceEncoder(config)._fingerprint()
    assert _batch_encoder(config, fingerprint)(["love"]).shape == (1, 8)
    tiny(tmp_path / "tiny", seed=1)
    with pytest.raises(ArtifactError, match=r"differs from the caller.s"):
        _batch_encoder(config, fingerprint)
