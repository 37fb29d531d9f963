"""`Recommender.refresh`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from text_encoders import BagOfWords

import kgrec
from kgrec.errors import ConfigError, SourceError, TrainingError
from kgrec.train import refresh as refresh_module
from kgrec.train.newest_slice import Comparison

NEW = pd.DataFrame(
    {"user": ["u7", "u7", "u7", "u1"], "film": ["f4", "f6", "n2", "f4"], "stars": [5, 5, 4, 5]}
)


@pytest.fixture(scope="module")
def trained(shared_catalogue: Path) -> kgrec.Recommender:
    config = kgrec.Config.read(settings=["dim=8", "epochs=4", "train.threads=1"])
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    return kgrec.Recommender(config, text_encoder=BagOfWords()).fit(graph)


@pytest.fixture
def rec(trained: kgrec.Recommender) -> kgrec.Recommender:
    return trained.with_model(trained.model)


def test_new_users_and_items_are_learned(rec: kgrec.Recommender, shared_catalogue: Path):
    stages: list[str] = []
    epochs: list[tuple[str, int, int]] = []
    done = rec.refresh(
        NEW,
        items=shared_catalogue / "new",
        on_stage=stages.append,
        on_epoch=lambda record, made, planned: epochs.append((record.stage, made, planned)),
    )
    assert (done.accepted, done.interactions, done.users) == (True, 4, 2)
    assert (done.new_items, done.newly_learned_items) == (2, 1)
    assert done.added is not None and done.added.ids == ["n1", "n2"]
    assert done.added_interactions is not None and done.added_interactions.new_users == ["u7"]
    assert rec.recommend(["u7"], 9)["item_id"].tolist() != [] and "n2" not in set(
        rec.recommend(["u7"], 9)["item_id"]
    )
    assert (
        stages[-1] == "building the index"
        and "comparing with the parent on the newest interactions" in stages
    )
    assert [made for _, made, _ in epochs] == list(range(1, epochs[0][2] + 1))
    assert {stage for stage, _, _ in epochs} == {"refresh"}


def test_it_survives_the_disk_and_goes_on(rec: kgrec.Recommender, tmp_path: Path, shared_catalogue: Path):
    rec.refresh(NEW, items=shared_catalogue / "new")
    rec.save(tmp_path / "model")
    again = kgrec.Recommender.load(tmp_path / "model", text_encoder=BagOfWords())
    pd.testing.assert_frame_equal(again.recommend(["u1", "u7"], 5), rec.recommend(["u1", "u7"], 5))
    again.refresh(pd.DataFrame({"user": ["u7"], "film": ["n1"], "stars": [5]}))
    assert again.model.items.trained.whole.all()
    assert [entry["parent"] for entry in again.model.metrics["lineage"]] == ["", rec.model.origin[1].seal]  # type: ignore[index]


def test_what_was_added_before_is_learned_with_the_parent_named(rec: kgrec.Recommender):
    parent = rec.model
    rec.add_interactions(NEW[NEW["film"] != "n2"])
    with pytest.raises(TrainingError, match="nothing to learn"):
        rec.refresh()
    done = rec.refresh(parent=parent)
    assert done.accepted and done.interactions == 3 and done.added_interactions is None


def test_removed_items_stay_removed(rec: kgrec.Recommender):
    rec.remove_items(["f5"])
    rec.refresh(NEW[NEW["film"] != "n2"])
    assert "f5" not in set(rec.recommend(["u7"], 9)["item_id"])


def test_a_rejected_refresh_changes_nothing(rec: kgrec.Recommender, monkeypatch: pytest.MonkeyPatch):
    """Whatever the lists are, the comparison says that they are worse."""
    worse = Comparison(20, 9, 0.5, 0.4, -0.2, -0.1, 0.01)
    monkeypatch.setattr(refresh_module, "compared", lambda *_, **__: worse)
    model = rec.model
    done = rec.refresh(NEW[NEW["film"] != "n2"])
    assert not done.accepted and rec.model is model
    assert (done.before, done.after, done.high, done.compared_users) == (0.5, 0.4, -0.1, 9)
    assert rec.refresh(NEW[NEW["film"] != "n2"], force=True).accepted and rec.model is not model


@pytest.mark.parametrize(
    ("options", "error", "problem"),
    [
        ({"replay": 1.5}, ConfigError, "replay is 1.5"),
        ({"replay": -1}, ConfigError, "replay is -1"),
        ({"parent": 3}, ConfigError, "parent is 3"),
        ({"force": 1}, ConfigError, "force is 1"),
        ({"items": "nowhere"}, SourceError, "nowhere"),
    ],
)
def test_wrong_arguments(rec: kgrec.Recommender, options: dict[str, Any], error: Any, problem: str):
    model = rec.model
    with pytest.raises(error, match=problem):
        rec.refresh(NEW, **options)
    assert rec.model is model


def test_an_unknown_item_leaves_the_model(rec: kgrec.Recommender):
    model = rec.model
    with pytest.raises(SourceError, match="none of 1 interactions"):
        rec.refresh(pd.DataFrame({"user": ["u7"], "film": ["x9"], "stars": [5]}))
    assert rec.model is model


def test_explanations_sum_to_scores_after_a_refresh(rec: kgrec.Recommender):
    rec.refresh(NEW[NEW["film"] != "n2"])
    best = rec.recommend(["u7"], 1)
    parts = rec.explain("u7", best["item_id"][0])
    assert np.isclose(parts.sources["contribution"].sum(), parts.score, atol=1e-4)
    assert np.isclose(parts.score, best["score"][0], atol=1e-4)
