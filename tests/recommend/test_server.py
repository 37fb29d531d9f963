"""A recommender that several threads, processes and folders of work share."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from text_encoders import BagOfWords, tiny

import kgrec
from kgrec.encode.text import TextProgress
from kgrec.errors import KgrecError
from kgrec.model.model import Model

TESTS = Path(__file__).parents[1]
CONFIG = kgrec.Config(
    text=kgrec.TextConfig(model="none"),
    encoder=kgrec.EncoderConfig(dim=8),
    train=kgrec.TrainConfig(epochs=2, temperature=0.1, threads=1, valid_share=0, learning_rate=0.05),
)
USERS = ["u1", "u2", "u3", "u4", "u5", "u6", "u1", "u2"]
FILMS = [f"f{n}" for n in range(1, 7)]
PICKLED = "Save it, send the folder's path to the workers, and call Recommender.load(folder) in each of them."


def film(id_: str, title: str = "Moon Base") -> pd.DataFrame:
    columns = {"id": [id_], "title": [title], "plot": [""], "genres": ["Romance"], "director": ["Ada"]}
    return pd.DataFrame(columns)


def lists(rec: kgrec.Recommender, users: Sequence[str] = USERS) -> list[tuple[str, str]]:
    frame = rec.recommend(users, k=9, exclude_seen=False)
    return list(zip(frame["user_id"], frame["item_id"], strict=True))


def error(call: Callable[..., Any], *args: Any, **options: Any) -> tuple[str, str]:
    """Both lines of the error."""
    with pytest.raises(KgrecError) as raised:
        call(*args, **options)
    return raised.value.problem, raised.value.remedy


@pytest.fixture(scope="module")
def graph(shared_catalogue: Path) -> kgrec.KnowledgeGraph:
    return kgrec.build_graph(shared_catalogue / "kgrec.yaml")


@pytest.fixture(scope="module")
def folder(graph: kgrec.KnowledgeGraph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model/, which no test changes."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    kgrec.Recommender(CONFIG).fit(graph).save(folder)
    return folder


@pytest.fixture
def rec(folder: Path) -> kgrec.Recommender:
    return kgrec.Recommender.load(folder)


# threads


def test_items_that_threads_add_at_one_time_are_all_there(rec: kgrec.Recommender):
    ids = [f"n{n:02}" for n in range(20)]
    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(lambda id_: rec.add_items(film(id_)).ids, ids))
    assert added == [[id_] for id_ in ids]
    assert sorted(rec.item_embeddings.ids.tolist()) == FILMS + ids
    assert sorted(rec.similar_items(["f1"], k=50)["similar_id"]) == FILMS[1:] + ids


def test_changes_of_all_kinds_at_one_time_are_all_made(rec: kgrec.Recommender, tmp_path: Path):
    with ThreadPoolExecutor(4) as pool:
        changes = [
            pool.submit(rec.add_items, film("n1")),
            pool.submit(rec.remove_items, ["f2"]),
            pool.submit(rec.update_items, film("f3", "Green Planet")),
            pool.submit(rec.save, tmp_path / "between"),
            pool.submit(rec.add_items, film("n2")),
            pool.submit(rec.remove_items, ["f5"]),
        ]
        for change in changes:
            change.result()
    assert sorted(rec.item_embeddings.ids.tolist()) == ["f1", "f3", "f4", "f6", "n1", "n2"]
    assert rec.label("f3") == "Green Planet"
    between = set(kgrec.Recommender.load(tmp_path / "between").item_embeddings.ids.tolist())
    assert between <= {*FILMS, "n1", "n2"}


def test_a_change_waits_for_a_training_and_is_made_to_its_model(
    graph: kgrec.KnowledgeGraph, rec: kgrec.Recommender
):
    training, waiting = threading.Event(), threading.Event()

    def on_epoch(*_: object) -> None:
        training.set()
        assert waiting.wait(60)

    with ThreadPoolExecutor(2) as pool:
        fitted = pool.submit(rec.fit, graph, on_epoch=on_epoch)
        assert training.wait(60)
        added = pool.submit(rec.add_items, film("n1"))
        waiting.set()
        assert (added.result().ids, fitted.result()) == (["n1"], rec)
    assert rec.item_embeddings.ids.tolist() == [*FILMS, "n1"]


class Gate:
    """A text encoder that waits before it answers."""

    def __init__(self) -> None:
        self.asked, self.answer = threading.Event(), threading.Event()
        self.answer.set()

    def encode(self, texts: Sequence[str], progress: TextProgress | None = None) -> np.ndarray:
        if progress:
            progress(0, len(texts))
        self.asked.set()
        assert self.answer.wait(60)
        return np.tile(np.array([[0.6, 0.8]], np.float32), (len(texts), 1))


def test_queries_do_not_wait_for_a_change_and_see_it_whole(graph: kgrec.KnowledgeGraph):
    gate = Gate()
    config = CONFIG.model_copy(update={"text": kgrec.TextConfig()})
    rec = kgrec.Recommender(config, text_encoder=gate).fit(graph)
    gate.asked.clear()
    gate.answer.clear()
    with ThreadPoolExecutor(1) as pool:
        added = pool.submit(rec.add_items, film("n1"))
        assert gate.asked.wait(60)
        try:
            assert sorted(rec.recommend(["u1"], k=9, exclude_seen=False)["item_id"]) == FILMS
            assert rec.item_embeddings.ids.tolist() == FILMS
        finally:
            gate.answer.set()
        assert added.result().ids == ["n1"]
    assert sorted(rec.recommend(["u1"], k=9, exclude_seen=False)["item_id"]) == [*FILMS, "n1"]


def test_a_change_within_a_change_is_refused(graph: kgrec.KnowledgeGraph, rec: kgrec.Recommender):
    refused: list[tuple[str, str]] = []

    def on_epoch(*_: object) -> None:
        refused.append(error(rec.remove_items, ["f1"]))

    rec.fit(graph, on_epoch=on_epoch)
    assert set(refused) == {
        (
            "A change of this recommender is in progress in this thread, so another one cannot begin.",
            "Make the second change after the first has returned.",
        )
    }
    rec.remove_items(["f1"])
    assert rec.item_embeddings.ids.tolist() == FILMS[1:]


class Counted(kgrec.Recommender):
    """Counts how often its model is read."""

    reads = 0

    @property
    def model(self) -> Model:
        self.reads += 1
        return super().model


QUERIES: dict[str, Callable[[kgrec.Recommender], object]] = {
    "recommend": lambda rec: rec.recommend(["u1"], where="genres = Romance", deny=["f6"]),
    "recommend_for_history": lambda rec: rec.recommend_for_history(
        [["f1"]], dislikes=[["f4"]], users=["u2"], candidates=["f2", "f5"]
    ),
    "recommend_for_text": lambda rec: rec.recommend_for_text(["a crew in space"]),
    "similar_items": lambda rec: rec.similar_items(["f1"]),
    "similar_users": lambda rec: rec.similar_users(["u1"]),
    "item_embeddings": lambda rec: rec.item_embeddings,
    "user_embeddings": lambda rec: rec.user_embeddings,
    "embed_histories": lambda rec: rec.embed_histories([["f1"]]),
    "embed_items": lambda rec: rec.embed_items(film("n1")),
    "explain": lambda rec: rec.explain("u1", "f4"),
    "explain_history": lambda rec: rec.explain_history(["f1"], "f4", dislikes=["f5"]),
    "label": lambda rec: rec.label("f1"),
    "add_items": lambda rec: rec.add_items(film("n1")),
    "update_items": lambda rec: rec.update_items(film("f1")),
    "remove_items": lambda rec: rec.remove_items(["f1"]),
}


@pytest.fixture(scope="module")
def with_texts(graph: kgrec.KnowledgeGraph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    tiny(folder / "encoder")
    text = kgrec.TextConfig(model=str(folder / "encoder"), cache=False)
    kgrec.Recommender(CONFIG.model_copy(update={"text": text})).fit(graph).save(folder / "model")
    return folder / "model"


@pytest.mark.parametrize("name", QUERIES)
def test_a_call_reads_the_model_once(name: str, with_texts: Path):
    rec = Counted.load(with_texts)
    assert isinstance(rec, Counted)
    QUERIES[name](rec)
    assert rec.reads == 1


# forks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_loaded_recommender_works_in_a_forked_child(graph: kgrec.KnowledgeGraph, tmp_path: Path):
    """Of any kind of index, with FAISS's number of threads and with its own."""
    folders = []
    for kind, threads in (("flat", None), ("flat", 2), ("hnsw", None), ("ivf", 2), ("ivfpq", None)):
        options = {"index": kgrec.IndexConfig(kind=kind, threads=threads)}
        folders.append(tmp_path / f"{kind}-{threads}")
        kgrec.Recommender(CONFIG.model_copy(update=options)).fit(graph).save(folders[-1])
    command = [sys.executable, Path(__file__).with_name("forking.py"), *folders]
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert (done.stdout.splitlines(), done.returncode) == ([str(folder) for folder in folders], 0), (
        done.stderr
    )


# pickles and copies


def test_a_loaded_recommender_is_pickled_as_its_folder(rec: kgrec.Recommender):
    stored = pickle.dumps(rec)
    assert len(stored) < 1000
    again = pickle.loads(stored)
    assert lists(again) == lists(rec) and again.config == rec.config
    assert again.add_items(film("n1")).ids == ["n1"]
    assert rec.item_embeddings.ids.tolist() == FILMS


def test_a_saved_recommender_is_pickled_as_its_folder(graph: kgrec.KnowledgeGraph, tmp_path: Path):
    rec = kgrec.Recommender(CONFIG).fit(graph)
    rec.add_items(film("n1"))
    assert error(pickle.dumps, rec) == ("This recommender has no folder, so it cannot be pickled.", PICKLED)
    rec.save(tmp_path / "model")
    assert lists(pickle.loads(pickle.dumps(rec))) == lists(rec)


def test_a_recommender_goes_to_a_process_that_is_spawned(rec: kgrec.Recommender):
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        frame = pool.submit(rec.recommend, USERS, 3).result()
    pd.testing.assert_frame_equal(frame, rec.recommend(USERS, 3))


def test_changes_that_are_not_saved_are_not_pickled(rec: kgrec.Recommender):
    rec.remove_items(["f1"])
    assert error(pickle.dumps, rec) == (
        "This recommender has unsaved changes, so it cannot be pickled.",
        PICKLED,
    )


def test_a_folder_that_was_replaced_is_not_pickled_nor_read(graph: kgrec.KnowledgeGraph, tmp_path: Path):
    folder = tmp_path / "model"
    kgrec.Recommender(CONFIG).fit(graph).save(folder)
    rec = kgrec.Recommender.load(folder)
    stored = pickle.dumps(rec)
    other = kgrec.Recommender.load(folder)
    other.remove_items(["f1"])
    other.save(folder)
    replaced = f"{folder} was replaced after this recommender was loaded from it or saved to it."
    remedy = "Reload the recommender, or load the folder again, and pickle it then."
    assert error(pickle.dumps, rec) == (replaced, remedy)
    assert error(pickle.loads, stored) == (replaced, remedy)
    assert rec.reload() and lists(pickle.loads(pickle.dumps(rec))) == lists(other)


def test_a_recommender_with_a_text_encoder_of_its_own_is_not_pickled(
    graph: kgrec.KnowledgeGraph, tmp_path: Path
):
    config = CONFIG.model_copy(update={"text": kgrec.TextConfig()})
    rec = kgrec.Recommender(config, text_encoder=Gate()).fit(graph)
    rec.save(tmp_path / "model")
    assert error(pickle.dumps, rec) == (
        "This recommender has a custom text encoder, so it cannot be pickled.",
        "Save it, send the folder's path to the workers, and call Recommender.load(folder, text_encoder=...) "
        "in each of them.",
    )


def test_an_untrained_recommender_is_pickled_with_its_options():
    assert pickle.loads(pickle.dumps(kgrec.Recommender(CONFIG))).config == CONFIG
    with_encoder = pickle.loads(pickle.dumps(kgrec.Recommender(text_encoder=BagOfWords())))
    assert with_encoder.config == kgrec.Config() and isinstance(with_encoder._text_encoder, BagOfWords)


def test_a_model_says_how_to_send_it(rec: kgrec.Recommender):
    assert error(pickle.dumps, rec.model) == (
        "A model cannot be pickled: it reads its graph and its parameters from its folder when they are needed.",
        PICKLED,
    )


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_goes_its_own_way(copied: Callable[[Any], Any], rec: kgrec.Recommender):
    rec.add_items(film("n1"))
    other = copied(rec)
    assert lists(other) == lists(rec)
    other.remove_items(["f1"])
    rec.add_items(film("n2"))
    assert other.item_embeddings.ids.tolist() == ["f2", "f3", "f4", "f5", "f6", "n1"]
    assert rec.item_embeddings.ids.tolist() == [*FILMS, "n1", "n2"]


def test_a_copy_of_a_model_is_the_model(rec: kgrec.Recommender):
    """It never changes."""
    assert copy.deepcopy(rec.model) is copy.copy(rec.model) is rec.model


# another working folder


def test_a_relative_path_means_the_same_folder_after_a_change_of_the_working_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    kgrec.Recommender.load(folder).save("model")
    rec = kgrec.Recommender.load("model")
    monkeypatch.chdir("elsewhere")
    assert sorted(rec.recommend(["u1"], where="genres = Romance", exclude_seen=False)["item_id"]) == [
        "f4",
        "f5",
        "f6",
    ]
    assert rec.add_items(film("n1")).ids == ["n1"]
    assert not rec.reload()
    rec.save("of the new folder")
    assert Path("of the new folder/manifest.json").exists()
    assert kgrec.Recommender.load("of the new folder").item_embeddings.ids.tolist() == [*FILMS, "n1"]
    monkeypatch.chdir(tmp_path)
    assert not rec.reload()
    rec.save("elsewhere/of the new folder")
    assert kgrec.Recommender.load("model").item_embeddings.ids.tolist() == FILMS


def test_a_relative_folder_of_another_model_is_reloaded(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    kgrec.Recommender.load(folder).save("model")
    rec = kgrec.Recommender.load("model")
    monkeypatch.chdir("elsewhere")
    other = kgrec.Recommender.load(tmp_path / "model")
    other.remove_items(["f1"])
    other.save(tmp_path / "model")
    assert rec.reload() and rec.item_embeddings.ids.tolist() == FILMS[1:]
    assert lists(pickle.loads(pickle.dumps(rec))) == lists(other)


def test_a_text_encoder_in_a_relative_folder_is_found(
    graph: kgrec.KnowledgeGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    tiny(Path("encoder"))
    text = kgrec.TextConfig(model="encoder", cache=False)
    kgrec.Recommender(CONFIG.model_copy(update={"text": text})).fit(graph).save("model")
    rec = kgrec.Recommender.load("model")
    monkeypatch.chdir("elsewhere")
    assert rec.add_items(film("n1")).ids == ["n1"]
    assert len(rec.recommend_for_text(["a crew in space"], k=3)) == 3
