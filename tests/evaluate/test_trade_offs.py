"""Lists of kgrec with options about lists as a whole: measured, kept and drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kgrec.config import Config
from kgrec.evaluate.benchmark.benchmark_results import BenchmarkResults
from kgrec.evaluate.benchmark.run import KeptEntries, run_benchmark
from kgrec.evaluate.benchmark.systems import Kgrec
from kgrec.evaluate.benchmark.task import Task
from kgrec.evaluate.benchmark.trade_offs import STRENGTHS, Variant, variants
from kgrec.evaluate.folds import Fold
from kgrec.evaluate.report.page import page
from kgrec.evaluate.splits import given_split
from kgrec.graph.build import build_graph

CONFIG = Config.read(settings=["text.model=none", "epochs=2", "train.threads=1"])
TRAIN = [("a", "f1"), ("a", "f2"), ("b", "f1"), ("b", "f2"), ("b", "f4"), ("c", "f1"), ("c", "f4")]
TEST = [("a", "f4"), ("b", "f3"), ("c", "f2")]


def frame(rows: list[tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "item_id"])


@pytest.fixture(scope="module")
def fold(shared_catalogue: Path) -> Fold:
    return given_split(build_graph(shared_catalogue / "kgrec.yaml"), frame(TRAIN), frame(TEST))


def test_the_variants():
    chosen = variants(["genre"], (0.2, 0.5))
    assert [one.name for one in chosen] == [
        *("diversity (mmr) 0.2", "diversity (mmr) 0.5", "diversity (dpp) 0.2", "diversity (dpp) 0.5"),
        *("novelty 0.2", "novelty 0.5", "calibration of genre 0.2", "calibration of genre 0.5"),
        *("exposure of genre 0.2", "exposure of genre 0.5"),
    ]
    assert chosen[6].options == {"calibration": 0.2, "calibrate_by": "genre"}
    assert len(variants([])) == 3 * len(STRENGTHS)


def test_trade_offs_are_measured_kept_and_drawn(fold: Fold, tmp_path: Path):
    chosen = [
        Variant("novelty", 1.0, {"novelty": 1.0}),
        Variant("exposure of genre", 0.9, {"exposure": 0.9, "exposure_by": "genre"}),
    ]
    task, system = Task(fold, 3, ("genre",)), Kgrec(CONFIG, variants=chosen)
    (entry,) = run_benchmark([task], [system], [2, 3], KeptEntries(tmp_path / "kept", {}))
    frame = entry.trade_offs
    assert frame is not None and frame["option"].drop_duplicates().tolist() == [
        "",
        "novelty",
        "exposure of genre",
    ]
    value = frame.set_index(["option", "metric", "k"])["value"]
    # the strength 0 is the plain list, and only the order of wishes changes with the strength 1
    assert value["", "ndcg", 3] == pytest.approx(entry.evaluation["ndcg@3"])
    assert value["novelty", "novelty", 3] >= value["", "novelty", 3]
    assert 0 <= value["exposure of genre", "exposure gap of genre", 2] <= 1
    (again,) = run_benchmark([task], [system], [2, 3], KeptEntries(tmp_path / "kept", {}, resume=True))
    pd.testing.assert_frame_equal(again.trade_offs, frame)

    record = BenchmarkResults([fold], [entry], [3, 2], graph="films", created="then").record()
    shares = record["exposure"]
    assert {row["type"] for row in shares} == {"genre"} and len(shares) == 4
    assert sum(row["plain"] for row in shares) == pytest.approx(1)
    assert sum(row["strengths"]["0.9"] for row in shares) == pytest.approx(1)
    assert shares[0]["group"] in ("Romance", "Science fiction")
    document = page(record)
    assert "Lists as a whole" in document and "Attention by genre" in document
    assert "exposure gap of genre@3" in document


def test_without_variants_nothing_is_reported(fold: Fold):
    (entry,) = run_benchmark([Task(fold, 3)], [Kgrec(CONFIG)], [3])
    record = BenchmarkResults([fold], [entry], [3], graph="films", created="then").record()
    assert entry.trade_offs is None and record["trade_offs"] == record["exposure"] == []
    assert "Lists as a whole" not in page(record)
    assert np.isfinite(entry.evaluation["ndcg_snips@3"])
