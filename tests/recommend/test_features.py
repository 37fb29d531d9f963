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


# boosts


def test_boosts_add_up_and_are_parts_of_the_explanation(rec):
    boosts = {
        "item_boost": {"f4": 0.25},
        "where_boost": {"genres = Romance": 0.5, "genres = Horror": -1, "not genres = Comedy": 0.125},
    }
    plain = rec.recommend(["u1"], 9, exclude_seen=False).set_index("item_id")["score"]
    frame = rec.recommend(["u1"], 9, exclude_seen=False, **boosts).set_index("item_id")["score"]
    expected = {"f1": -0.875, "f2": 0.125, "f3": 0.125, "f4": 0.75, "f5": 0.625, "f6": 0.5}
    np.testing.assert_allclose(frame[ITEMS] - plain[ITEMS], list(expected.values()), atol=1e-6)
    assert frame.is_monotonic_decreasing
    for item in ITEMS:
        explanation = rec.explain("u1", item, **boosts)
        assert explanation.score == pytest.approx(frame[item], abs=1e-5)
        assert explanation.sources["contribution"].sum() == pytest.approx(explanation.score, abs=1e-5)
        parts = explanation.sources.query("source == 'boost'")["contribution"].sum()
        assert parts == pytest.approx(expected[item])
        assert explanation.history["contribution"].sum() + parts == pytest.approx(explanation.score, abs=1e-5)
    sources = rec.explain("u1", "f4", **boosts).sources.query("source == 'boost'")
    assert rows(sources[["label", "contribution"]]) == [("genres = Romance", 0.5), ("", 0.25)]
    text = str(rec.explain("u1", "f4", **boosts))
    assert "+0.500  boost of items with genres = Romance" in text and "+0.250  boost of this item" in text


def test_an_explanation_takes_the_request_of_the_list(rec):
    request = kgrec.Request(k=1, where="genres = Romance", where_boost={"genres = Comedy": 0.3})
    best = rec.recommend(["u1"], request=request)
    explanation = rec.explain("u1", best["item_id"][0], request=request)
    assert explanation.score == pytest.approx(best["score"][0], abs=1e-5)
    history = rec.explain_history(["f1"], "f6", request=request)
    listed = rec.recommend_for_history(
        [["f1"]], request=kgrec.Request(9, where_boost={"genres = Comedy": 0.3})
    )
    assert history.score == pytest.approx(listed.set_index("item_id")["score"]["f6"], abs=1e-5)


def test_boosts_of_texts_and_similar_items(rec):
    plain = rec.recommend_for_text(["a crew in space"], 9).set_index("item_id")["score"]
    frame = rec.recommend_for_text(["a crew in space"], 9, where_boost={"genres = Comedy": 2}).set_index(
        "item_id"
    )
    assert set(frame.index[:2]) == {"f4", "f6"}
    np.testing.assert_allclose(frame["score"][["f4", "f1"]] - plain[["f4", "f1"]], [2, 0], atol=1e-6)
    near = rec.similar_items(["f1"], 2, item_boost={"f6": 3, "f5": 2})
    assert near["similar_id"].tolist() == ["f6", "f5"]


def test_a_least_score_counts_the_boost(rec):
    assert rec.recommend(["u1"], 9, item_boost={"f5": 5}, min_score=3)["item_id"].tolist() == ["f5"]


def test_unknown_items_and_values_of_boosts(rec):
    with pytest.raises(kgrec.UnknownId, match="There is no item 'f9' in the model"):
        rec.recommend(["u1"], item_boost={"f9": 1})
    with pytest.raises(kgrec.UnknownId, match="'Western' matches no neighbour"):
        rec.recommend(["u1"], where_boost={"genres = Western": 1})
    with pytest.raises(kgrec.UnknownId, match="There is no item 'f9' in the model"):
        rec.explain("u1", "f4", item_boost={"f9": 1})
    options = {"item_boost": {"f9": 1, "f5": 9}, "where_boost": {"genres = Western": 1}, "on_unknown": "skip"}
    assert rec.recommend(["u1"], 1, **options)["item_id"].tolist() == ["f5"]
    with pytest.raises(kgrec.ConfigError, match="item_boost does not apply to similar users"):
        rec.similar_users(["u1"], request=kgrec.Request(item_boost={"f1": 1}))


# lists of users


def test_each_user_has_candidates_and_denied_items_of_its_own(rec):
    own = {"u1": ["f4", "f6", "f1"], "u4": []}
    frame = rec.recommend(["u1", "u2", "u4"], 9, user_candidates=own)
    assert set(frame.query("user_id == 'u1'")["item_id"]) == {"f4", "f6"}, "u1 has seen f1"
    pd.testing.assert_frame_equal(
        frame.query("user_id == 'u2'").reset_index(drop=True), rec.recommend(["u2"], 9)
    )
    assert frame.query("user_id == 'u4'").empty
    alone = rec.recommend(["u1"], 9, candidates=own["u1"])
    pd.testing.assert_frame_equal(frame.query("user_id == 'u1'"), alone)
    both = rec.recommend(["u1"], 9, user_candidates=own, deny=["f6"], where="genres = Romance")
    assert both["item_id"].tolist() == ["f4"]
    denied = rec.recommend(["u1", "u2"], 9, user_deny=pd.DataFrame({"user_id": ["u1"], "item_id": ["f5"]}))
    assert set(denied.query("user_id == 'u1'")["item_id"]) == {"f4", "f6"}
    assert set(denied.query("user_id == 'u2'")["item_id"]) == {"f2", "f5", "f6"}


def test_lists_of_users_hold_for_histories_by_their_names(rec):
    options = {"user_candidates": {"ann": ["f2", "f3"]}, "user_deny": {"ann": ["f3"], "1": ["f4"]}}
    frame = rec.recommend_for_history([["f1"], ["f1"]], 9, users=["ann", "bob"], **options)
    assert frame.query("user_id == 'ann'")["item_id"].tolist() == ["f2"]
    assert len(frame.query("user_id == 'bob'")) == 5
    unnamed = rec.recommend_for_history([["f1"], ["f1"]], 9, **options)
    assert "f4" not in unnamed.query("user_id == '1'")["item_id"].tolist()


def test_unknown_items_of_lists_of_users(rec):
    with pytest.raises(kgrec.UnknownId, match="There is no item 'f9' in the model"):
        rec.recommend(["u1"], user_candidates={"u1": ["f9"]})
    # of users who are not asked for nothing is looked up
    assert len(rec.recommend(["u1"], 9, user_deny={"u2": ["f9"]})) == 3
    skipped = rec.recommend(["u1"], 9, user_candidates={"u1": ["f9", "f4"]}, on_unknown="skip")
    assert skipped["item_id"].tolist() == ["f4"]
    with pytest.raises(kgrec.ConfigError, match="user_deny does not apply to similar items"):
        rec.similar_items(["f1"], request=kgrec.Request(user_deny={"f1": ["f2"]}))


def test_scores_of_pairs_are_those_of_explanations(rec):
    found = rec.score_pairs(["u1", "u4"], ["f4", "f4"], where_boost={"genres = Comedy": 0.5})
    for user, score in zip(found["user_id"], found["score"], strict=True):
        explained = rec.explain(user, "f4", where_boost={"genres = Comedy": 0.5})
        assert explained.score == pytest.approx(score, abs=1e-5)


# weights within a history


def test_only_the_ratios_of_weights_matter(rec):
    histories, weights = [["f1", "f4", "f5"], ["f2"]], [[4, 1, 1], [0.5]]
    plain = rec.recommend_for_history(histories, 9)
    frame = rec.recommend_for_history(histories, 9, weights=weights)
    larger = rec.recommend_for_history(histories, 9, weights=[[400, 100, 100], [7]])
    pd.testing.assert_frame_equal(frame, larger)
    pd.testing.assert_frame_equal(rec.recommend_for_history(histories, 9, weights=[[3, 3, 3], [1]]), plain)
    scores = [part.query("user_id == '0'").set_index("item_id")["score"] for part in (plain, frame)]
    # f2 is like f1, and f6 like f4 and f5
    assert scores[1]["f2"] > scores[0]["f2"] and scores[1]["f6"] < scores[0]["f6"]


def test_a_weighted_vector_is_the_weighted_sum_of_its_items(rec):
    """The first item has three times the weight of the second."""
    model = rec.model
    rows = model.items.rows(["f1", "f4"])
    vector = (np.array([3, 1]) * model.user_encoder.history_weight[rows]) @ model.items.vectors[rows]
    (found,) = rec.embed_histories([["f1", "f4"]], weights=[[30, 10]])
    np.testing.assert_allclose(found, vector / np.linalg.norm(vector), atol=1e-6)
    # of an item that is named twice the larger weight counts
    (again,) = rec.embed_histories([["f1", "f4", "f1"]], weights=[[1, 10, 30]])
    np.testing.assert_array_equal(again, found)


def test_a_weighted_history_is_explained_exactly(rec):
    listed = rec.recommend_for_history([["f1", "f4"]], 9, weights=[[5, 1]], dislikes=[["f3"]])
    for item, score in zip(listed["item_id"], listed["score"], strict=True):
        explained = rec.explain_history(["f1", "f4"], item, weights=[5, 1], dislikes=["f3"])
        assert explained.score == pytest.approx(score, abs=1e-5)
        assert explained.history["contribution"].sum() == pytest.approx(score, abs=1e-5)


def test_weights_of_a_known_user_join_the_stored_history(rec):
    """An item of average weight counts as a stored one does, the others by their ratios."""
    even = rec.recommend_for_history([["f4", "f5"]], 9, users=["u1"], weights=[[2, 2]])
    pd.testing.assert_frame_equal(even, rec.recommend_for_history([["f4", "f5"]], 9, users=["u1"]))
    heavy = rec.recommend_for_history([["f4", "f5"]], 9, users=["u1"], weights=[[9, 1]])
    assert heavy["score"].tolist() != even["score"].tolist()


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        ([[1, 1]], "There are 2 histories but 1 lists in `weights`."),
        ([[1], [1]], "weights[0] has 1 numbers for 2 items."),
        ([[1, 0], [1]], "weights[0][1] is 0."),
        ([[1, -1], [1]], "weights[0][1] is -1."),
        ([[1, float("nan")], [1]], "weights[0][1] is nan."),
        ([[1, "2"], [1]], "weights[0][1] is '2'."),
        ([1, 2], "weights[0] is 1."),
        ({"a": [1]}, "weights is {'a': [1]}."),
    ],
)
def test_weights_that_are_none(rec, weights, problem):
    with pytest.raises(kgrec.ConfigError) as caught:
        rec.recommend_for_history([["f1", "f2"], ["f3"]], weights=weights)
    assert caught.value.problem == problem


def test_weights_of_unknown_items_are_skipped_with_them(rec):
    found = rec.embed_histories([["f9", "f1", "f4"]], weights=[[100, 3, 1]], on_unknown="skip")
    np.testing.assert_array_equal(found, rec.embed_histories([["f1", "f4"]], weights=[[3, 1]]))
    empty = rec.embed_histories([["f9"], []], weights=[[1], []], on_unknown="skip")
    np.testing.assert_array_equal(empty[0], empty[1])
