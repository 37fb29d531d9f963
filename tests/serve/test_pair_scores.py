"""Scores of pairs from a table into a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import kgrec
from kgrec.errors import ConfigError, SourceError, UnknownId

PAIRS = pd.DataFrame({"user_id": ["u2", "u1", "u2"], "item_id": ["f6", "f4", "f1"], "n": [1, 2, 3]})


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_scores_of_a_table(model: Path, rec: kgrec.Recommender, tmp_path: Path, suffix: str):
    pairs = tmp_path / f"pairs{suffix}"
    if suffix == ".csv":
        PAIRS.to_csv(pairs, index=False)
    elif suffix == ".parquet":
        PAIRS.to_parquet(pairs)
    else:
        PAIRS.to_json(pairs, orient="records", lines=True)
    output = tmp_path / f"scores{suffix}"
    summary = kgrec.write_scores(model, output, pairs)
    assert (summary.pairs, summary.rows, summary.skipped) == (3, 3, {})
    read = {".csv": pd.read_csv, ".parquet": pd.read_parquet}.get(suffix)
    found = read(output) if read else pd.DataFrame(map(json.loads, output.read_text().splitlines()))
    expected = rec.score_pairs(PAIRS)
    assert found.columns.tolist() == ["user_id", "item_id", "score"]
    assert found.iloc[:, :2].to_numpy().tolist() == expected.iloc[:, :2].to_numpy().tolist()
    np.testing.assert_allclose(found["score"], expected["score"], atol=1e-6)


def test_columns_may_have_the_names_of_the_mapping_and_frames_are_read_too(model: Path, tmp_path: Path):
    renamed = PAIRS.rename(columns={"user_id": "user", "item_id": "film"})
    kgrec.write_scores(model, tmp_path / "a.parquet", renamed)
    kgrec.write_scores(model, tmp_path / "b.parquet", PAIRS)
    one, other = (pq.read_table(tmp_path / name) for name in ("a.parquet", "b.parquet"))
    assert one.equals(other) and b"kgrec.model" in one.schema.metadata
    (part,) = kgrec.stream_scores(model, PAIRS)
    assert part.to_pylist() == one.to_pylist()


def test_unknown_ids_are_named_by_line_or_skipped_and_counted(model: Path, tmp_path: Path):
    pairs, output = tmp_path / "pairs.csv", tmp_path / "scores.csv"
    pairs.write_text("user_id,item_id\nu1,f4\nx,f4\nu1,f9\nx,f5\n", encoding="utf-8")
    with pytest.raises(UnknownId) as caught:
        kgrec.write_scores(model, output, pairs)
    assert caught.value.problem == f"{pairs}:3: there is no user 'x' in the model." and not output.exists()
    summary = kgrec.write_scores(model, output, pairs, request=kgrec.Request(on_unknown="skip"))
    assert (summary.pairs, summary.rows) == (4, 1)
    assert summary.skipped == {"items": ["f9"], "users": ["x"]}


def test_boosts_count_and_options_of_lists_are_refused(model: Path, tmp_path: Path):
    plain, boosted = (
        next(kgrec.stream_scores(model, PAIRS, request=request)).to_pandas()
        for request in (None, kgrec.Request(item_boost={"f4": 1}))
    )
    np.testing.assert_allclose(boosted["score"] - plain["score"], [0, 1, 0], atol=1e-6)
    with pytest.raises(ConfigError, match="k does not apply to pairs"):
        kgrec.write_scores(model, tmp_path / "s.csv", PAIRS, request=kgrec.Request(k=3))


def test_tables_that_cannot_be_used(model: Path, tmp_path: Path):
    pairs, output = tmp_path / "pairs.csv", tmp_path / "scores.csv"
    for text, problem in {
        "user_id,item_id\nu1,\n": f"{pairs}:2: 'item_id' is empty.",
        "user_id,item\nu1,f4\n": f"{pairs} has no column 'item_id'.",
    }.items():
        pairs.write_text(text, encoding="utf-8")
        with pytest.raises(SourceError) as caught:
            kgrec.write_scores(model, output, pairs)
        assert caught.value.problem == problem
    pairs.write_text("user_id,item_id\n", encoding="utf-8")
    assert kgrec.write_scores(model, output, pairs).rows == 0
    assert output.read_text().strip().replace('"', "") == "user_id,item_id,score"
