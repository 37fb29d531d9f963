"""A killed process leaves the old folder or the new one, and a reader sees one of the two."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kgrec import KnowledgeGraph, Recommender
from kgrec.storage.kept import kept_beside, versions

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills children of a fork")

QUICK = [
    "--set",
    "text.model=none",
    "--set",
    "epochs=1",
    "--set",
    "temperature=0.1",
    "--set",
    "train.threads=1",
]
KILLED = -9

Child = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """Sends a request to dying.py and returns its answer."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "KGREC_CACHE": str(tmp_path_factory.mktemp("cache"))}
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("dying.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as driver:
        assert driver.stdin is not None and driver.stdout is not None

        def ask(**request: object) -> dict[str, Any]:
            driver.stdin.write(json.dumps(request) + "\n")
            driver.stdin.flush()
            answer: dict[str, Any] = json.loads(driver.stdout.readline())
            return answer

        yield ask
        driver.stdin.close()


class Case:
    """A command over an existing folder: before it the folder is in one state, after it in another."""

    def __init__(self, place: Path, kind: str, words: list[str], old: Path) -> None:
        self.place, self.kind, self.words, self.old = place, kind, words, old
        self.target = place / "target"
        #: whether the command keeps the version that it replaces
        self.keeps = words[0] != "add"
        self.reset()

    def reset(self) -> None:
        for folder in (self.target, kept_beside(self.target)):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.old, self.target)

    def state(self, folder: Path | None = None) -> list[str]:
        """The content of the folder, found by loading it and requesting lists."""
        folder = folder or self.target
        if self.kind == "graph":
            graph = KnowledgeGraph.load(folder)
            assert len(graph.neighbors("film", "f1")) == 3
            return graph.item_ids.tolist()
        recommender = Recommender.load(folder)
        everything = recommender.recommend(["u1"], 100, exclude_seen=False)
        items = recommender.item_embeddings.ids.tolist()
        assert sorted(everything["item_id"]) == items
        assert len(recommender.model.graph()) > len(items)
        assert recommender.explain("u1", items[-1]).score == pytest.approx(
            everything.set_index("item_id")["score"][items[-1]], abs=1e-5
        )
        seed = recommender.config.train.seed
        return [*items, f"seed {seed}"]

    def left_behind(self) -> list[str]:
        return sorted(
            p.name for p in self.place.iterdir() if p not in (self.target, kept_beside(self.target))
        )

    def kept(self) -> list[list[str]]:
        """The states of the kept versions, each of which is whole."""
        return [self.state(version.path) for version in versions(self.target)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, child: Child, shared_catalogue: Path) -> Path:
    """graph/, model/, and sources with one more film."""
    place = tmp_path_factory.mktemp("folders")
    shutil.copytree(shared_catalogue, place / "more")
    with (place / "more" / "films.csv").open("a") as file:
        file.write("f7,Last,the last film,Comedy,Di\n")
    for words in (
        ["build", f"{shared_catalogue}/kgrec.yaml", "-o", f"{place}/graph"],
        ["train", f"{place}/graph", "-o", f"{place}/model", *QUICK],
    ):
        answer = child(words=words)
        assert answer["code"] == 0, answer["said"]
    return place


@pytest.fixture
def case(command: str, folders: Path, shared_catalogue: Path, tmp_path: Path) -> Case:
    target = str(tmp_path / "target")
    if command == "build":
        return Case(
            tmp_path, "graph", ["build", f"{folders}/more/kgrec.yaml", "-o", target], folders / "graph"
        )
    if command == "train":
        words = ["train", f"{folders}/graph", "-o", target, *QUICK, "--seed", "1"]
        return Case(tmp_path, "model", words, folders / "model")
    return Case(tmp_path, "model", ["add", target, f"{shared_catalogue}/new"], folders / "model")


#: `train` and `add` write a model by the same function, so each takes one of the ways to replace it
WAYS = [("build", True), ("build", False), ("train", True), ("add", False)]
COMMANDS = pytest.mark.parametrize("command", ["build", "train", "add"])


@pytest.mark.parametrize(("command", "exchange"), WAYS)
def test_a_death_at_any_change_of_a_file_leaves_the_old_or_the_new(case: Case, child: Child, exchange: bool):
    old = case.state()
    seen, code, event = [], KILLED, 0
    while code == KILLED:
        event += 1
        answer = child(words=case.words, event=event, watch=str(case.place), exchange=exchange)
        code = answer["code"]
        seen.append(case.state())
        # nothing of the old version is lost in any instant, unless it takes two renames
        assert seen[-1] == old or old in case.kept() or not case.keeps or not exchange
        if seen[-1] != old and code == KILLED:
            case.reset()
    assert code == 0, answer["said"]
    new = seen[-1]
    assert new != old and all(state in (old, new) for state in seen)
    assert event > 8 and old in seen and new in seen[:-1], "it died before and after the replacement"
    assert case.left_behind() == [] and case.kept() == ([old] if case.keeps else [])


@COMMANDS
def test_a_death_at_any_time_leaves_the_old_or_the_new(case: Case, child: Child):
    old = case.state()
    whole = child(words=case.words)
    new = case.state()
    assert whole["code"] == 0 and old != new
    draw = random.Random(0)
    for _ in range(5):
        case.reset()
        child(words=case.words, seconds=draw.uniform(0, 1.1 * whole["seconds"]))
        assert case.state() in (old, new)
    case.reset()
    assert child(words=case.words)["code"] == 0
    assert (case.state(), case.left_behind()) == (new, [])


@COMMANDS
def test_ctrl_c_stops_with_a_message_and_leaves_the_old(case: Case, child: Child):
    old = case.state()
    for event in (1, 3):
        answer = child(words=case.words, event=event, watch=str(case.place), signal=signal.SIGINT)
        assert answer["code"] == 130
        assert "Stopped. Existing folders are unchanged.\n" in answer["said"]
        assert "Traceback" not in answer["said"]
        # the state of the training is kept for --resume
        kept = {f"{case.target.name}.checkpoint"} if case.words[0] == "train" else set()
        assert case.state() == old and set(case.left_behind()) <= kept


@pytest.mark.parametrize("command", ["build", "add"])
def test_a_full_disk_leaves_the_old(case: Case, child: Child):
    old = case.state()
    limit, codes = 64, []
    while not codes or codes[-1] != 0:
        answer = child(words=case.words, bytes=limit)
        codes.append(answer["code"])
        if codes[-1]:
            lines = answer["said"].splitlines()
            assert codes[-1] == 2, answer["said"]
            assert lines[-2].startswith(f"Error: {case.target}: cannot be written (")
            assert lines[-1] == "  Check whether the disk is full; an older folder there is unchanged."
            assert case.state() == old
        assert case.left_behind() == []
        limit *= 3
    assert len(codes) > 3
    assert case.state() != old


@pytest.mark.parametrize("exchange", [True, False], ids=["exchanged", "renamed"])
def test_a_reader_sees_one_model_or_the_other(
    exchange: bool, child: Child, folders: Path, shared_catalogue: Path, tmp_path: Path
):
    target, larger = tmp_path / "target", tmp_path / "larger"
    added = child(words=["add", f"{folders}/model", f"{shared_catalogue}/new", "-o", str(larger)])
    assert added["code"] == 0, added["said"]
    shutil.copytree(folders / "model", target)
    known = {len(r.model.items): r for r in (Recommender.load(folders / "model"), Recommender.load(larger))}
    request = {"replace": [str(larger), str(folders / "model")], "target": str(target), "times": 20}
    counts = []
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(child, **request, exchange=exchange)
        while not counts or not writer.done():
            seen = Recommender.load(target)
            expected = known[len(seen.model.items)]
            assert np.array_equal(seen.model.items.vectors, expected.model.items.vectors)
            assert seen.recommend(["u1"], 5).equals(expected.recommend(["u1"], 5))
            assert len(KnowledgeGraph.load(target / "graph").item_ids) in known
            counts.append(len(seen.model.items))
    assert writer.result()["code"] == 0, writer.result()["said"]
    assert set(counts) == set(known)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["larger", "target"]


class Lists:
    """A run of three parts with a fixed start, so that two runs end in the same bytes."""

    def __init__(self, place: Path, model: Path, suffix: str, begun: Path) -> None:
        self.place, self.output, self._begun = place, place / f"recs{suffix}", begun
        self.parts = place / f"recs{suffix}.parts"
        self.words = [*("recommend", str(model), "--all-users", "-k", "3", "--batch", "2", "--resume")]
        self.words += ["-o", str(self.output)]

    def reset(self) -> None:
        """A run that has started and has no part yet."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.parts.mkdir(parents=True)
        shutil.copy(self._begun, self.parts)


@pytest.fixture(scope="module")
def begun(child: Child, folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of a run's start, left by a run that was killed."""
    place = tmp_path_factory.mktemp("begun")
    words = Lists(place, folders / "model", ".parquet", place).words
    run, event = place / "recs.parquet.parts" / "run.json", 0
    while not run.exists():
        event += 1
        assert child(words=words, event=event, watch=str(place))["code"] == KILLED
    return run


@pytest.mark.parametrize(("suffix", "step"), [(".parquet", 1), (".csv", 5), (".jsonl", 7)])
def test_lists_that_are_killed_and_resumed_end_in_the_same_bytes(
    suffix: str, step: int, child: Child, folders: Path, begun: Path, tmp_path: Path
):
    lists = Lists(tmp_path / "lists", folders / "model", suffix, begun)
    lists.reset()
    assert child(words=lists.words)["code"] == 0
    whole = lists.output.read_bytes()
    assert [p.name for p in lists.place.iterdir()] == [lists.output.name]
    event, resumed = 1, set()
    while True:
        lists.reset()
        if child(words=lists.words, event=event, watch=str(lists.place))["code"] == 0:
            break
        # the parts may be gone only when the file is whole
        known = (lists.parts / "run.json").exists()
        assert known or lists.output.exists()
        assert not lists.output.exists() or lists.output.read_bytes() == whole
        answer = child(words=lists.words)
        assert answer["code"] == 0, answer["said"]
        resumed.update(answer["said"].splitlines())
        assert not known or lists.output.read_bytes() == whole
        assert [p.name for p in lists.place.iterdir()] == [lists.output.name]
        event += step
    assert event > 10
    assert {f"Resuming: {done} of 6 users are done." for done in (2, 4, 6)} & resumed


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_a_full_disk_under_lists_is_reported_and_the_run_resumed(
    suffix: str, child: Child, folders: Path, begun: Path, tmp_path: Path
):
    lists = Lists(tmp_path / "lists", folders / "model", suffix, begun)
    lists.reset()
    limit, codes = 64, []
    while not codes or codes[-1] != 0:
        answer = child(words=lists.words, bytes=limit)
        codes.append(answer["code"])
        if codes[-1]:
            assert codes[-1] == 2, answer["said"]
            error, remedy = answer["said"].splitlines()[-2:]
            assert error.startswith(f"Error: {lists.output}") and "cannot be written (" in error
            assert remedy.endswith("finished parts are kept for resume.")
            assert [p.name for p in lists.place.iterdir()] == [lists.parts.name]
            assert "Traceback" not in answer["said"] and "ignored" not in answer["said"]
        limit *= 2
    assert len(codes) > 2
    resumed = lists.output.read_bytes()
    lists.reset()
    assert child(words=lists.words)["code"] == 0
    assert lists.output.read_bytes() == resumed
