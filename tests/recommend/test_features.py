"""What a trained recommender offers beside lists, end to end on six films."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kgrec

CONFIG = kgrec.Config(
    encoder=kgrec.EncoderConfig(dim=8),
    train=kgrec.TrainConfig(epochs=4, temperature=0.1, threads=1, valid_share=0, learning_rate=0.05),
)
ITEMS = ["f1", "f2", "f3", "f4", "f5", "f6"]
SINCE = pd.DataFrame(
    {"user": ["u1", "u1", "ann", "ann"], "film": ["f4", "f5", "f1", "f2"], "stars": [5, 1, 5, 4]}
)


@pytest.fixture(scope="module")
def stored(shared_catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of films with graph, texts and interactions; all scorers count."""
    from text_encoders import BagOfWords

    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    weights = {"embedding": 0.4, "graph": 0.2, "text": 0.2, "co_occurrence": 0.2}
    config = CONFIG.model_copy(update={"rescore": kgrec.RescoreConfig(weights=weights)})
    folder = tmp_path_factory.mktemp("features") / "model"
    kgrec.Recommender(config, text_encoder=BagOfWords()).fit(graph).save(folder)
    return folder


@pytest.fixture
def rec(stored: Path, bag_of_words) -> kgrec.Recommender:
    return kgrec.Recommender.load(stored, text_encoder=bag_of_words)


def rows(frame: pd.DataFrame) -> list[tuple]:
    return list(frame.itertuples(index=False, name=None))


# interactions since training


def test_added_interactions_count_as_a_merged_history(rec):
    """A known user's list is that of the stored history merged with the new likes; what was seen is left out."""
    merged = rec.recommend_for_history([["f4"]], 9, users=["u1"], deny=["f5"])
    new = rec.recommend_for_history([["f1", "f2"]], 9, users=["ann"])
    added = rec.add_interactions(SINCE)
    assert (added.rows, added.users, added.new_users) == (4, 2, ["ann"]) and len(added) == 4
    pd.testing.assert_frame_equal(rec.recommend(["u1"], 9), merged)
    pd.testing.assert_frame_equal(rec.recommend(["ann"], 9), new)
    assert set(rec.recommend(["u1"], 9, exclude_seen=False)["item_id"]) == set(ITEMS)
    assert rec.similar_users(["ann"], 9)["similar_id"].tolist()
    assert rec.user_embeddings.ids.tolist()[-1] == "ann"


def test_an_explanation_knows_added_interactions(rec):
    rec.add_interactions(SINCE)
    for user, history in (("u1", {"f1", "f2", "f3", "f4"}), ("ann", {"f1", "f2"})):
        best = rec.recommend([user], 1)
        explanation = rec.explain(user, best["item_id"][0])
        assert set(explanation.history["item_id"]) == history
        assert explanation.score == pytest.approx(best["score"][0], abs=1e-6)
        assert explanation.history["contribution"].sum() == pytest.approx(explanation.score, abs=1e-6)


def test_added_interactions_are_saved(rec, tmp_path, bag_of_words):
    rec.add_interactions(SINCE)
    assert rec.folder is None
    lists, near = rec.recommend(["u1", "ann", "u4"], 9), rec.similar_users(["ann"], 3)
    rec.save(tmp_path / "model")
    again = kgrec.Recommender.load(tmp_path / "model", text_encoder=bag_of_words)
    pd.testing.assert_frame_equal(again.recommend(["u1", "ann", "u4"], 9), lists)
    pd.testing.assert_frame_equal(again.similar_users(["ann"], 3), near)
    again.add_interactions(SINCE.assign(user="bob"))
    assert again.model.users.tolist()[-2:] == ["ann", "bob"]


def test_interactions_with_added_items_count(rec):
    new = pd.DataFrame(
        {
            "id": ["n1"],
            "title": ["Moon Base"],
            "plot": ["a crew in space"],
            "genres": ["Horror"],
            "director": ["Ada"],
        }
    )
    rec.add_items(new)
    rec.add_interactions(SINCE.assign(film="n1").head(1))
    history = rec.explain("u1", "f6").history
    assert "n1" in history["item_id"].tolist()
    later = rec.add_items(new.assign(id="n2"))
    assert later.ids == ["n2"] and "n2" in rec.recommend(["u1"], 9)["item_id"].tolist()


def test_a_refused_addition_changes_nothing(rec):
    before = rec.model
    with pytest.raises(kgrec.SourceError):
        rec.add_interactions(SINCE.assign(film="f9"))
    assert rec.model is before


def test_a_user_who_liked_nothing_gets_what_most_people_take(rec):
    rec.add_interactions(pd.DataFrame({"user": ["eve"], "film": ["f1"], "stars": [1]}))
    items = rec.recommend(["eve"], 9)["item_id"].tolist()
    assert len(items) == 5 and "f1" not in items
    assert np.isfinite(rec.recommend(["eve"])["score"]).all()
