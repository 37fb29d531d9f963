"""`kgrec embed`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kgrec.recommend.recommender import Recommender

from .conftest import Run

ITEMS = [f"f{n}" for n in range(1, 7)]
USERS = [f"u{n}" for n in range(1, 7)]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_vectors_of_items_and_users(suffix: str, run: Run, model: Path, tmp_path: Path):
    output = tmp_path / f"vectors{suffix}"

    def read() -> pd.DataFrame:
        if suffix == ".parquet":
            return pd.read_parquet(output)
        return pd.read_json(output, lines=True, dtype=False)

    answer = run("embed", model, "-o", output)
    assert answer.out == f"Wrote 6 vectors of length 256 to {output}.\n"
    frame = read()
    assert list(frame) == ["id", "type", "vector"]
    assert (frame["id"].tolist(), set(frame["type"])) == (ITEMS, {"item"})
    rec = Recommender.load(model)
    vectors = np.stack(frame["vector"].to_list())
    assert np.allclose(vectors, rec.item_embeddings.vectors, atol=1e-6)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    said = run("embed", model, "--users", "-o", output, "--json").json
    assert said == {"output": str(output), "count": 6, "dim": 256}
    assert (read()["id"].tolist(), set(read()["type"])) == (USERS, {"user"})
    assert run("embed", model, "--items", "--users", "-o", output, "--quiet").out == ""
    both = read()
    assert both["id"].tolist() == ITEMS + USERS
    assert both["type"].tolist() == ["item"] * 6 + ["user"] * 6
    users = np.stack(both["vector"].to_list())[6:]
    assert np.allclose(users, rec.user_embeddings.vectors, atol=1e-6)


def test_the_columns_are_typed(run: Run, model: Path, tmp_path: Path):
    output = tmp_path / "x.parquet"
    run("embed", model, "--items", "--users", "-o", output)
    schema = pq.read_schema(output)
    assert schema.field("vector").type == pa.list_(pa.float32(), 256)
    assert (schema.field("id").type, schema.field("type").type) == (pa.large_string(), pa.string())
    created = json.loads((model / "manifest.json").read_text())["created"]
    assert schema.metadata[b"kgrec.model"].decode() == created
    assert {b"kgrec.version", b"kgrec.written"} <= schema.metadata.keys()


def test_an_array_with_its_ids(run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # several batches of each
    monkeypatch.setattr("kgrec.cli.embed._BATCH", 4)
    output = tmp_path / "x.npy"
    assert run("embed", model, "--items", "--users", "-o", output).code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.ids.parquet", "x.npy"]
    vectors = np.load(output, mmap_mode="r")
    assert (vectors.shape, vectors.dtype) == ((12, 256), np.float32)
    rec = Recommender.load(model)
    assert np.array_equal(vectors[:6], rec.item_embeddings.vectors)
    assert np.allclose(vectors[6:], rec.user_embeddings.vectors, atol=1e-6)
    ids = pd.read_parquet(tmp_path / "x.ids.parquet")
    assert ids["id"].tolist() == ITEMS + USERS
    assert ids["type"].tolist() == ["item"] * 6 + ["user"] * 6


def test_a_format_without_vectors_is_refused(run: Run, model: Path, tmp_path: Path):
    assert run("embed", model, "-o", tmp_path / "x.csv").error == (
        2,
        f"{tmp_path / 'x.csv'}: CSV has no cells for vectors.",
        "Name it .parquet, .jsonl or .npy.",
    )
    _, problem, remedy = run("embed", model, "-o", tmp_path / "x.bin").error
    assert problem == f"{tmp_path / 'x.bin'} has no suffix that says its format."
    assert remedy == "Name it .parquet, .jsonl or .npy."
