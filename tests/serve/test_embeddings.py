"""Embeddings as files and as streams."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kgrec
from kgrec import BatchOptions, RunWatcher
from kgrec.errors import ArtifactError, ConfigError, UnknownId

ITEMS = [f"f{n}" for n in range(1, 7)]
USERS = [f"u{n}" for n in range(1, 7)]
BOTH = ("item", "user")
#: two parts of each type
OPTIONS = BatchOptions(batch=4)
EXECUTORS = {
    "local": OPTIONS,
    "one process": BatchOptions(batch=4, executor="processes"),
    "two processes": BatchOptions(batch=4, workers=2),
}
READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".parquet": pd.read_parquet,
    ".jsonl": lambda path: pd.read_json(path, lines=True, dtype=False),
}


@pytest.mark.parametrize("suffix", READERS)
def test_vectors_of_items_and_users(suffix: str, model: Path, rec, tmp_path: Path):
    output = tmp_path / f"vectors{suffix}"
    summary = kgrec.write_embeddings(model, output, BOTH, options=OPTIONS)
    assert (summary.output, summary.count, summary.dim) == (output, 12, 256)
    frame = READERS[suffix](output)
    assert list(frame) == ["id", "type", "vector"]
    assert frame["id"].tolist() == ITEMS + USERS
    assert frame["type"].tolist() == ["item"] * 6 + ["user"] * 6
    vectors = np.stack(frame["vector"].to_list())
    assert np.allclose(vectors[:6], rec.item_embeddings.vectors, atol=1e-6)
    assert np.allclose(vectors[6:], rec.user_embeddings.vectors, atol=1e-6)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert kgrec.write_embeddings(model, output).count == 6
    assert READERS[suffix](output)["id"].tolist() == ITEMS
    assert kgrec.write_embeddings(model, output, ["user"]).count == 6
    assert READERS[suffix](output)["id"].tolist() == USERS


def test_the_columns_are_typed(model: Path, tmp_path: Path):
    kgrec.write_embeddings(model, tmp_path / "x.parquet", BOTH)
    schema = pq.read_schema(tmp_path / "x.parquet")
    assert schema.field("vector").type == pa.list_(pa.float32(), 256)
    assert (schema.field("id").type, schema.field("type").type) == (pa.large_string(), pa.string())
    created = json.loads((model / "manifest.json").read_text())["created"]
    assert schema.metadata[b"kgrec.model"].decode() == created
    assert {b"kgrec.version", b"kgrec.written"} <= schema.metadata.keys()


@pytest.mark.parametrize("options", EXECUTORS.values(), ids=EXECUTORS)
def test_an_array_with_its_ids(options: BatchOptions, model: Path, rec, tmp_path: Path):
    kgrec.write_embeddings(model, tmp_path / "x.npy", BOTH, options=options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.ids.parquet", "x.npy"]
    vectors = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert (vectors.shape, vectors.dtype) == ((12, 256), np.float32)
    assert np.array_equal(vectors[:6], rec.item_embeddings.vectors)
    assert np.allclose(vectors[6:], rec.user_embeddings.vectors, atol=1e-6)
    ids = pd.read_parquet(tmp_path / "x.ids.parquet")
    assert list(ids) == ["id", "type"]
    assert ids["id"].tolist() == ITEMS + USERS
    assert ids["type"].tolist() == ["item"] * 6 + ["user"] * 6


@pytest.mark.parametrize("options", EXECUTORS.values(), ids=EXECUTORS)
def test_every_executor_streams_the_same_tables(options: BatchOptions, model: Path, rec):
    tables = list(kgrec.stream_embeddings(model, BOTH, options=options))
    assert [table["id"].to_pylist() for table in tables] == [ITEMS[:4], ITEMS[4:], USERS[:4], USERS[4:]]
    assert pa.concat_tables(tables).equals(
        pa.concat_tables(kgrec.stream_embeddings(model, BOTH, options=OPTIONS))
    )
    vectors = np.stack(tables[0]["vector"].to_pylist())
    assert np.array_equal(vectors.astype(np.float32), rec.item_embeddings.vectors[:4])


def test_progress_counts_vectors(model: Path, tmp_path: Path):
    steps: list[tuple[str, int, int]] = []
    watcher = RunWatcher(progress=lambda *step: steps.append(step))
    kgrec.write_embeddings(model, tmp_path / "x.jsonl", BOTH, options=OPTIONS, watcher=watcher)
    assert steps == [("writing vectors", done, 12) for done in (4, 6, 10, 12)]


def test_invalid_requests_are_refused(model: Path, tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        kgrec.write_embeddings(model, tmp_path / "x.csv")
    assert caught.value.problem == f"{tmp_path / 'x.csv'}: CSV has no cells for vectors."
    assert caught.value.remedy == "Name it .parquet, .jsonl or .npy."
    with pytest.raises(ConfigError) as caught:
        kgrec.write_embeddings(model, tmp_path / "x.bin")
    assert caught.value.problem == f"{tmp_path / 'x.bin'} has no suffix that names a format."
    with pytest.raises(ArtifactError, match="there is no such folder"):
        kgrec.write_embeddings(tmp_path / "no model", tmp_path / "no folder" / "x.npy")
    with pytest.raises(ConfigError, match=r"types\[0\] is 'genre'"):
        kgrec.write_embeddings(model, tmp_path / "x.npy", ["genre"])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="apply only to result files"):
        kgrec.write_embeddings(model, tmp_path / "x.npy", options=BatchOptions(resume=True))
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_users(catalogue: Path, tmp_path: Path):
    mapping = catalogue / "kgrec.yaml"
    mapping.write_text(mapping.read_text().split("interactions:")[0])
    config = kgrec.Config.read(settings=["text.model=none", "epochs=1", "train.threads=1"])
    cold = kgrec.Recommender(config).fit(kgrec.build_graph(mapping))
    assert kgrec.write_embeddings(cold, tmp_path / "x.npy").count == 6
    with pytest.raises(UnknownId, match="The model knows no users"):
        kgrec.write_embeddings(cold, tmp_path / "x.npy", BOTH)
