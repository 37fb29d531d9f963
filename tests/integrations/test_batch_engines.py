"""Callable classes over Arrow batches, as engines call them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from text_encoders import tiny

import kgrec
from kgrec import Request
from kgrec.encode.text import SentenceEncoder, TextConfig
from kgrec.errors import ArtifactError, ConfigError, SourceError, UnknownId
from kgrec.integrations.batch import Encode, Recommend


@pytest.fixture(scope="module")
def model(shared_catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    config = kgrec.Config.read(settings=["text.model=none", "epochs=2", "train.threads=1"])
    folder = tmp_path_factory.mktemp("models") / "model"
    kgrec.Recommender(config).fit(graph).save(folder)
    return folder


USERS = pa.table({"user_id": ["u3", "u1"], "country": ["de", "fr"]})


# Recommend


def test_lists_are_those_of_the_recommender(model: Path):
    rec = kgrec.Recommender.load(model)
    found = Recommend(model, k=2, where="genres = Romance")(USERS)
    expected = rec.recommend(["u3", "u1"], 2, where="genres = Romance", arrow=True)
    assert found.schema.equals(Recommend.SCHEMA)
    assert found.to_pylist() == expected.to_pylist()


def test_histories_in_a_column(model: Path):
    rec = kgrec.Recommender.load(model)
    batch = pa.record_batch({"user_id": ["new", "u1", "x"], "items": [["f1", "f2"], ["f4"], None]})
    expected = rec.recommend_for_history([["f1", "f2"], ["f4"], []], 2, users=["new", "u1", "x"], arrow=True)
    assert Recommend(model, k=2)(batch).to_pylist() == expected.to_pylist()


def test_each_as_spark_calls_it(model: Path):
    recommend = pickle.loads(pickle.dumps(Recommend(str(model), k=1)))
    batches = USERS.to_batches(max_chunksize=1)
    found = list(recommend.each(iter(batches)))
    assert all(isinstance(batch, pa.RecordBatch) for batch in found)
    assert [batch["user_id"].to_pylist() for batch in found] == [["u3"], ["u1"]]
    again = pickle.loads(pickle.dumps(recommend))  # what was loaded stays here
    assert vars(again) == {"folder": model, "request": Request(k=1)}


def test_an_empty_batch_has_the_columns(model: Path):
    assert Recommend(model)(USERS.slice(0, 0)).schema.equals(Recommend.SCHEMA)


def test_unknown_users(model: Path):
    batch = pa.table({"user_id": ["u1", "nobody"]})
    with pytest.raises(UnknownId, match="'nobody'"):
        Recommend(model)(batch)
    found = Recommend(model, request=Request(1, on_unknown="skip"))(batch)
    assert found["user_id"].to_pylist() == ["u1"]


def test_batches_that_cannot_be_used(model: Path, tmp_path: Path):
    with pytest.raises(SourceError) as caught:
        Recommend(model)(pa.table({"userid": ["u1"]}))
    assert (caught.value.problem, caught.value.remedy) == (
        "The batch has no column 'user_id'.",
        "Did you mean 'userid'?",
    )
    with pytest.raises(ArtifactError):
        Recommend(tmp_path / "absent")(USERS)
    with pytest.raises(ConfigError, match=r"^k and where are options of the request\."):
        Recommend(model, k=3, request=Request())


# Encode


def test_vectors_stand_beside_the_columns(tmp_path: Path):
    name = tiny(tmp_path / "tiny")
    batch = pa.table({"id": [1, 2, 3], "text": ["red ship", None, "love"]})
    found = Encode(name)(batch)
    expected = SentenceEncoder(TextConfig(model=name, cache=False)).encode(["red ship", "love"])
    assert found.column_names == ["id", "text", "vector"]
    assert found.schema.field("vector").type == pa.list_(pa.float32())
    one, none, other = found["vector"].to_pylist()
    assert none is None
    np.testing.assert_array_equal(np.float32([one, other]), expected)
    assert Encode(name, into="text")(batch).column_names == ["id", "text"]


def test_encode_as_spark_calls_it(tmp_path: Path):
    encode = pickle.loads(pickle.dumps(Encode(tiny(tmp_path / "tiny"), "title", "embedding")))
    batches = pa.table({"title": ["love", "space", None]}).to_batches(max_chunksize=2)
    found = list(encode.each(batches))
    assert [len(batch) for batch in found] == [2, 1]
    assert found[1]["embedding"].to_pylist() == [None]


@pytest.mark.parametrize(
    ("options", "batch", "problem"),
    [
        ({}, {"title": ["love"]}, "The batch has no column 'text'."),
        ({}, {"text": [1, 2]}, "The column 'text' of the batch has the type int64."),
    ],
)
def test_texts_that_are_none(options: dict[str, Any], batch: dict[str, Any], problem: str):
    with pytest.raises(SourceError) as caught:
        Encode("none-is-loaded", **options)(pa.table(batch))
    assert caught.value.problem == problem


def test_options_that_exclude_each_other():
    with pytest.raises(ConfigError, match=r"^model is an option of the config\."):
        Encode("minilm", config=TextConfig())
