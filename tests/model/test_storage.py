"""The folder of a model in today's format: every part must be there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import kgrec
from kgrec import Config, Recommender, build_graph
from kgrec.errors import CorruptArtifact
from kgrec.model import storage
from kgrec.model.model import PARAMETERS
from kgrec.storage import artifacts
from kgrec.storage.files import read_json, read_table, write_json, write_table, write_tensors

REMEDY = "Make the folder again, or restore it from a copy."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, shared_catalogue: Path) -> Path:
    place = tmp_path_factory.mktemp("stored") / "model"
    config = Config.read(settings=["text.model=none", "epochs=1", "temperature=0.1", "train.threads=1"])
    Recommender(config).fit(build_graph(shared_catalogue / "kgrec.yaml")).save(place)
    return place


@pytest.fixture
def altered(folder: Path, tmp_path: Path) -> Callable[[str, Callable[[Path], None]], Path]:
    """Seals a copy of the folder in which one file was changed."""

    def sealed(name: str, change: Callable[[Path], None]) -> Path:
        other = tmp_path / "model"
        shutil.rmtree(other, ignore_errors=True)
        with artifacts.writing(other, kind="model") as place:
            shutil.copytree(folder, place, dirs_exist_ok=True)
            (place / artifacts.MANIFEST).unlink()
            change(place / name)
        return other

    return sealed


def without_key(key: str) -> Callable[[Path], None]:
    return lambda path: write_json({k: v for k, v in read_json(path).items() if k != key}, path)


def without_column(name: str) -> Callable[[Path], None]:
    return lambda path: write_table(read_table(path).drop_columns(name), path)


def without_array(name: str) -> Callable[[Path], None]:
    return lambda path: write_tensors({n: a for n, a in load_file(path).items() if n != name}, path)


def problem_of(load: Callable[[], Any]) -> str:
    with pytest.raises(CorruptArtifact) as raised:
        load()
    assert raised.value.remedy == REMEDY
    return raised.value.problem


def test_a_configuration_without_a_value_is_refused(folder: Path, altered: Any):
    keys = [
        *("config", "relations", "own_text_encoder", "n_items", "n_users", "dim"),
        *("index", "ordered"),
    ]
    assert list(read_json(folder / "config.json")) == keys
    for key in keys:
        other = altered("config.json", without_key(key))
        assert problem_of(lambda other=other: storage.load(other)) == (
            f"{other / 'config.json'} is not a model's configuration ({key}: field required)."
        )


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        (
            "items.parquet",
            ["item_id", "label", "entity", "length", "history_weight", "trained", "removed", "aliases"],
        ),
        ("users.parquet", ["user_id"]),
        ("history.parquet", ["user", "item", "positive", "weight", "count"]),
    ],
)
def test_a_table_without_a_column_is_refused(folder: Path, altered: Any, name: str, columns: list[str]):
    assert read_table(folder / name).column_names == columns
    for column in columns:
        other = altered(name, without_column(column))
        assert problem_of(lambda other=other: storage.load(other)) == (
            f"{other / name} has no column '{column}'."
        )


def test_a_rescorer_without_an_array_is_refused(folder: Path, altered: Any):
    for array in load_file(folder / "rescore.safetensors"):
        other = altered("rescore.safetensors", without_array(array))
        assert problem_of(lambda other=other: storage.load(other)) == (
            f"{other / 'rescore.safetensors'} has no array '{array}'."
        )


def test_parameters_without_an_array_are_refused_on_first_use(folder: Path, altered: Any):
    assert set(PARAMETERS) <= load_file(folder / "model.safetensors").keys()
    for array in PARAMETERS:
        model = storage.load(altered("model.safetensors", without_array(array)))
        assert problem_of(model.parameters) == (
            f"{model.origin[0] / 'model.safetensors'} has no array '{array}'."
        )


def test_a_history_weighs_one_without_a_half_life_and_has_no_order(folder: Path):
    history = read_table(folder / "history.parquet").to_pydict()
    assert history["user"] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 5]
    assert history["item"] == [0, 1, 2, 0, 2, 3, 3, 4, 5, 4, 5, 1, 2, 3, 4]
    assert history["positive"] == [True] * 5 + [False] + [True] * 9
    assert history["weight"] == [1.0] * 5 + [0.0] + [1.0] * 9 and history["count"] == [1] * 15
    assert read_json(folder / "config.json")["ordered"] is False


def test_nodes_without_a_column_are_refused_on_first_use(altered: Any):
    for column in ("kind", "name"):
        model = storage.load(altered("featurizer.parquet", without_column(column)))
        path = model.origin[0] / "featurizer.parquet"
        assert problem_of(model.parameters) == f"{path} has no column '{column}'."


def test_a_model_without_label_tokens_has_an_empty_array_of_them(folder: Path):
    token_idf = load_file(folder / "model.safetensors")["featurizer.token_idf"]
    assert token_idf.dtype == np.float32 and len(token_idf) == 0
    assert storage.load(folder).parameters().featurizer.label_tokens == ()


def test_histories_are_kept_in_the_order_of_time_with_counts(tmp_path: Path, catalogue: Path):
    """u1 met f3 first and f1 last, and f1 twice."""
    log = "user,film,time\nu1,f1,2020-01-02\nu1,f3,2020-01-01\nu1,f2,2020-01-02\nu1,f1,2020-01-04\nu2,f2,2020-01-03\n"
    (catalogue / "log.csv").write_text(log, encoding="utf-8")
    mapping = (catalogue / "kgrec.yaml").read_text(encoding="utf-8")
    head, _, _ = mapping.partition("interactions:")
    timed = "interactions: {file: log.csv, user: user, item: film, time: time, time_format: '%Y-%m-%d'}\n"
    (catalogue / "kgrec.yaml").write_text(head + timed, encoding="utf-8")
    config = kgrec.Config.read(settings=["text.model=none", "dim=4", "epochs=1", "train.threads=1"])
    rec = kgrec.Recommender(config).fit(kgrec.build_graph(catalogue / "kgrec.yaml"))
    rec.save(tmp_path / "model")
    loaded = storage.load(tmp_path / "model")
    for histories in (rec.model.histories, loaded.histories):
        own = histories.rows(0)
        assert histories.ordered
        assert [loaded.items.ids[row] for row in histories.item[own]] == ["f3", "f2", "f1"]
        assert histories.count[own].tolist() == [1, 1, 2]
        assert np.diff(histories.time[own]).tolist() == [86_400, 2 * 86_400]
    assert read_json(tmp_path / "model" / "config.json")["ordered"] is True
    lists = [one.recommend(["u1", "u2"], k=6) for one in (rec, kgrec.Recommender.load(tmp_path / "model"))]
    assert lists[0].equals(lists[1])
