"""Questions by free text: scores by hand on two numbers, and a model of films with an encoder without weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from models import items

import kgrec
from kgrec.errors import ConfigError, EncoderNotFound, UnknownId
from kgrec.model.model import Model
from kgrec.rank.scorers import TextScorer
from kgrec.recommend.text_query import TextQueries, encoded, ranked
from kgrec.storage.segments import Rows

CONFIG = kgrec.Config(
    encoder=kgrec.EncoderConfig(dim=8),
    train=kgrec.TrainConfig(epochs=4, temperature=0.1, threads=1, valid_share=0, learning_rate=0.05),
)
SPACE = "Star Drift. a crew lost in space"


@pytest.fixture(scope="module")
def graph(shared_catalogue) -> kgrec.KnowledgeGraph:
    return kgrec.build_graph(shared_catalogue / "kgrec.yaml")


@pytest.fixture
def rec(graph, bag_of_words) -> kgrec.Recommender:
    return kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(graph)


def by_hand(model: Model, texts: list[list[float]], vectors: list[list[float]]) -> Model:
    """The model with other vectors, of two numbers, of its first items."""
    text = TextScorer(Rows.of(np.array(texts, np.float16)))
    return replace(
        model, items=items(np.array(vectors, np.float32)), rescorer=model.rescorer.with_scorer("text", text)
    )


def asked(*texts: list[float], vectors: list[list[float]]) -> TextQueries:
    return TextQueries(slice(1, 3), np.array(texts, np.float32), np.array(vectors, np.float32))


def test_a_score_is_three_parts_text_and_one_part_embedding(rec):
    """The first column of the dense vectors is another block, which text has no part in."""
    texts = [[1, 1, 0], [0, 0.6, 0.8], [0, 0, 0], [0, 1, 0]]
    model = by_hand(rec.model, texts, [[0, 1], [1, 0], [0.8, 0.6], [-1, 0]])
    queries = asked([1, 0], [0, 1], vectors=[[1, 0], [0, -1]])
    found, scores = ranked(model, queries, 9)
    # .75 * (1, .6, 0, 1) + .25 * (0, 1, .8, -1), and .75 * (0, .8, 0, 0) + .25 * (-1, 0, -.6, 0)
    np.testing.assert_array_equal(found, [[0, 1, 3, 2], [1, 3, 2, 0]])
    np.testing.assert_allclose(scores, [[0.75, 0.7, 0.5, 0.2], [0.6, 0, -0.15, -0.25]], atol=1e-3)
    found, scores = ranked(model, queries, 2, only=np.array([1, 2]))
    np.testing.assert_array_equal(found, [[1, 2], [1, 2]])
    np.testing.assert_allclose(scores, [[0.7, 0.2], [0.6, -0.15]], atol=1e-3)
    assert ranked(model, queries, 3, only=np.zeros(0, np.int64))[0].shape == (2, 0)


def test_many_are_ranked_as_few_are_and_equal_ones_in_order(rec):
    """More queries, and more items, than are taken at once."""
    n = 60_000
    angles = np.arange(n) % 5
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    texts = np.concatenate([np.zeros((n, 1)), vectors[::-1]], axis=1)
    model = by_hand(rec.model, texts.tolist(), vectors.tolist())
    each = np.arange(20.0)
    queries = np.stack([np.cos(each), np.sin(each)], axis=1)
    found, scores = ranked(model, asked(*queries.tolist(), vectors=queries.tolist()), 4)
    for query in (0, 15, 16, 19):
        text = (
            np.float32(queries[query])
            @ model.rescorer.scorers["text"].vectors.whole[:, 1:].astype(np.float32).T
        )
        expected = 0.75 * text + 0.25 * (np.float32(queries[query]) @ model.items.vectors.whole.T)
        best = sorted(range(n), key=lambda row: (-round(float(expected[row]), 5), row))[:4]
        assert found[query].tolist() == best
        np.testing.assert_allclose(scores[query], expected[best], rtol=1e-5)


def test_the_item_that_says_it_comes_first(rec):
    frame = rec.recommend_for_text([SPACE, "Rome Summer. a couple falls in love in summer"], k=3)
    assert [*frame.columns] == ["text", "item_id", "score", "rank"]
    assert frame["text"].tolist()[::3] == [SPACE, "Rome Summer. a couple falls in love in summer"]
    assert frame["item_id"].tolist()[::3] == ["f2", "f5"] and frame["rank"].tolist() == [1, 2, 3] * 2
    assert set(frame["item_id"][:3]) == {"f1", "f2", "f3"}
    assert (frame["score"][[0, 3]] > 0.7).all() and frame["score"].max() <= 1


def test_a_text_is_encoded_as_that_of_an_item(rec, bag_of_words):
    model = rec.model
    queries = encoded(model, [SPACE], bag_of_words)
    np.testing.assert_allclose(
        queries.texts[0], model.rescorer.scorers["text"].vectors[1].astype(np.float32), atol=1e-3
    )
    projected = queries.texts[0] @ model.parameters().arrays["dense"]
    np.testing.assert_allclose(queries.vectors[0], projected / np.linalg.norm(projected), rtol=1e-4)


def test_vectors_beside_the_text_are_passed_over(catalogue, bag_of_words):
    films = (catalogue / "films.csv").read_text(encoding="utf-8").splitlines()
    rows = [line + f',"[{n % 2}, {n % 3}, 1]"' for n, line in enumerate(films[1:])]
    (catalogue / "films.csv").write_text("\n".join([films[0] + ",Amap", *rows]), encoding="utf-8")
    mapping = (catalogue / "kgrec.yaml").read_text(encoding="utf-8")
    (catalogue / "kgrec.yaml").write_text(
        mapping.replace("      plot: text\n", "      plot: text\n      Amap: vector\n")
    )
    rec = kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(
        kgrec.build_graph(catalogue / "kgrec.yaml")
    )
    assert list(rec.model.parameters().featurizer.whitenings) == ["", "Amap"]
    assert encoded(rec.model, [SPACE], bag_of_words).columns == slice(0, 32)
    assert rec.recommend_for_text(SPACE, k=1)["item_id"].tolist() == ["f2"]


def test_filters_hold(rec):
    everything = rec.recommend_for_text([SPACE], k=9)
    assert len(everything) == 6
    left = rec.recommend_for_text([SPACE], k=9, where="genres = Romance", deny=["f5"])
    assert set(left["item_id"]) == {"f4", "f6"}
    scores = everything.set_index("item_id")["score"]
    np.testing.assert_allclose(left["score"], scores[left["item_id"]], rtol=1e-6)
    assert rec.recommend_for_text(SPACE, k=1, candidates=["f6", "f4"]).shape == (1, 4)
    assert set(rec.recommend_for_text(SPACE, k=9, min_score=0.7)["item_id"]) == {"f2"}
    with pytest.raises(UnknownId):
        rec.recommend_for_text(SPACE, where="genres = Western")
    assert rec.recommend_for_text([]).empty


def test_new_items_are_found_by_their_text(rec, shared_catalogue, tmp_path, bag_of_words):
    """And meet conditions, before and after they were stored."""
    rec.add_items(shared_catalogue / "new")
    rec.save(tmp_path / "model")
    for one in (rec, kgrec.Recommender.load(tmp_path / "model", text_encoder=bag_of_words)):
        found = one.recommend_for_text("Moon Base. a crew in space meets danger", k=9)
        assert found["item_id"].tolist()[0] == "n1" and len(found) == 8
        ada = one.recommend_for_text("danger", k=9, where="directed_by = Ada")
        assert set(ada["item_id"]) == {"f1", "f2", "n1"}
        assert set(one.recommend(["u1"], 9, where="genres = Comedy")["item_id"]) == {"f4", "f6", "n2"}
        assert set(one.similar_items(["f1"], 9, where="title = 'Moon Base'")["similar_id"]) == {"n1"}


def test_a_model_without_text_says_so(graph):
    plain = CONFIG.model_copy(update={"text": kgrec.TextConfig(model="none")})
    without = kgrec.Recommender(plain).fit(graph)
    expected = (
        "This model was trained without text, so it cannot recommend by text.",
        "Train it on items that have labels or texts, with text.model other than 'none'.",
    )
    with pytest.raises(ConfigError) as raised:
        without.recommend_for_text(["space"])
    assert (raised.value.problem, raised.value.remedy) == expected


def test_texts_must_say_something_and_the_encoder_be_there(rec, tmp_path):
    with pytest.raises(ConfigError, match=r"Text 2 of 2 is empty"):
        rec.recommend_for_text(["space", " \n"])
    with pytest.raises(ConfigError, match="k is 0"):
        rec.recommend_for_text(["space"], k=0)
    rec.save(tmp_path / "model")
    with pytest.raises(EncoderNotFound, match="custom text encoder"):
        kgrec.Recommender.load(tmp_path / "model").recommend_for_text(["space"])


def test_another_encoder_than_that_of_training_is_refused(rec, tmp_path):
    class Short:
        def encode(self, texts, progress=None):  # noqa: ARG002
            return np.ones((len(texts), 3), np.float32)

    rec.save(tmp_path / "model")
    other = kgrec.Recommender.load(tmp_path / "model", text_encoder=Short())
    with pytest.raises(ConfigError, match="vectors of 3 numbers; the model was trained with 32"):
        other.recommend_for_text(["space"])
