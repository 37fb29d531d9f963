"""`kgrec embed`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from .conftest import Run

ITEMS = [f"f{n}" for n in range(1, 7)]
USERS = [f"u{n}" for n in range(1, 7)]


def test_items_users_or_both(run: Run, model: Path, tmp_path: Path):
    output = tmp_path / "vectors.parquet"
    assert run("embed", model, "-o", output).out == f"Wrote 6 vectors of length 256 to {output}.\n"
    assert pd.read_parquet(output)["id"].tolist() == ITEMS
    said = run("embed", model, "--users", "-o", output, "--json").json
    assert said == {"output": str(output), "count": 6, "dim": 256}
    assert pd.read_parquet(output)["id"].tolist() == USERS
    assert run("embed", model, "--items", "--users", "-o", output, "--quiet").out == ""
    assert pd.read_parquet(output)["id"].tolist() == ITEMS + USERS


@pytest.mark.parametrize("more", [["--workers", 2], ["--executor", "processes"]])
def test_workers_write_the_same_vectors(more: list[object], run: Run, model: Path, tmp_path: Path):
    for suffix in (".npy", ".jsonl"):
        run("embed", model, "--items", "--users", "-o", tmp_path / f"one{suffix}")
        assert run("embed", model, "--items", "--users", "-o", tmp_path / f"other{suffix}", *more).code == 0
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"other{suffix}").read_bytes()
    ids = [pq.read_table(tmp_path / f"{name}.ids.parquet") for name in ("one", "other")]
    assert ids[0].equals(ids[1])


def test_a_format_without_vectors_is_refused(run: Run, model: Path, tmp_path: Path):
    assert run("embed", model, "-o", tmp_path / "x.csv").error == (
        2,
        f"{tmp_path / 'x.csv'}: CSV has no cells for vectors.",
        "Name it .parquet, .jsonl or .npy.",
    )
    assert run("embed", model, "--workers", 2, "--executor", "local").error[1] == (
        "The executor 'local' has one worker, not 2."
    )


def test_embeddings_go_to_a_pipe(run: Run, model: Path, tmp_path: Path):
    run("embed", model, "--items", "--users", "-o", tmp_path / "e.jsonl")
    answer = run("embed", model, "--items", "--users", "-o", "-")
    assert (answer.out, answer.err) == ((tmp_path / "e.jsonl").read_text(), "")
