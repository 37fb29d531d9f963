import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from models import with_vectors

import kgrec
from kgrec.encode.dense_features import TEXT
from kgrec.encode.featurizer import Featurizer
from kgrec.encode.label_tokens import LABEL_TOKEN
from kgrec.encode.transformer_user_encoder import TransformerUserEncoder
from kgrec.encode.user_encoder import MeanUserEncoder
from kgrec.graph.histories import Histories
from kgrec.model.model import Model, Parameters
from kgrec.rank.config import SCORERS, RescoreConfig
from kgrec.rank.rescorer import proportions
from kgrec.rank.scorers import ItemItemScorer
from kgrec.recommend.explain import explain
from kgrec.recommend.explanation_parts import edge_name
from kgrec.recommend.explanation_text import apportioned
from kgrec.recommend.feedback import relevance_profile
from kgrec.storage.segments import Rows
from kgrec.train.fit import fit_model
from kgrec.train.progress import TrainingWatcher

CONFIG = kgrec.Config(
    encoder=kgrec.EncoderConfig(dim=8),
    train=kgrec.TrainConfig(epochs=4, temperature=0.1, threads=1, valid_share=0, learning_rate=0.05),
)
NEW = pd.DataFrame(
    {
        "id": ["n1", "n2"],
        "title": ["Moon Base", "Spring Love"],
        "plot": ["a crew in space meets danger", "a couple falls in love in spring"],
        "genres": ["Science fiction", "Romance|Comedy"],
        "director": ["Ada", "Cy"],
    }
)
ITEMS = ["f1", "f2", "f3", "f4", "f5", "f6"]

# a tiny model, every number of it by hand

TINY = """\
version: 1
base: https://example.org/
nodes:
  film: {item: true, file: films.csv, key: id, columns: {title: label, genres: {as: node, type: genre, split: "|"}}}
"""


@pytest.fixture
def tiny(tmp_path):
    """Films a (genres x and y), b (x, and a residual) and c (y); x points along the first axis, y along the second.

    Both genres have two films, so both weigh the same; the relation has scale 2:
    a = 2 (x + y) / sqrt 2, of length 2; b = 2x + 2y, of which 2y is its residual, of length sqrt 8; c = 2y, of length 2.
    """
    (tmp_path / "kgrec.yaml").write_text(TINY, encoding="utf-8")
    (tmp_path / "films.csv").write_text("id,title,genres\na,Ape,x|y\nb,Bee,x\nc,,y\n", encoding="utf-8")
    graph = kgrec.build_graph(tmp_path / "kgrec.yaml")
    model = fit_model(graph, graph.interactions, CONFIG, None, TrainingWatcher())
    featurizer = Featurizer.learn(graph, graph.item_entities.astype(np.int64), {})
    assert featurizer.relations == ("genres", "^genres")
    arrays = {
        "dense": np.zeros((0, 2), np.float32),
        "entity": np.eye(2, dtype=np.float32),
        "relation_scale": np.array([2, 7], np.float32),
        "identity": np.array([[0, 0], [0, 2], [0, 0]], np.float32),
        "degree_exponent": np.array(0.5, np.float32),
    }
    half = math.sqrt(0.5)
    vectors = np.array([[half, half], [half, half], [0, 1]], np.float32)
    lengths = np.array([2, math.sqrt(8), 2], np.float32)
    return replace(
        with_vectors(model, vectors, lengths=lengths, trained=np.ones(3, bool)),
        # c has four users
        user_encoder=MeanUserEncoder(Rows.of(np.array([1, 1, 0.5], np.float32))),
        parameters=lambda: Parameters(arrays, featurizer),
        # the cosine of the embeddings is all of the score
        rescorer=replace(model.rescorer, weights=proportions({"embedding": 1})),
    )


def history_of(model: Model, *rows: int) -> Histories:
    return Histories.of_matrix(model.history_matrix([np.array(rows)]))


def test_the_tiny_model_by_hand(tiny):
    """u = (b + c / 2) / length, with b = (h, h), c = (0, 1), h = sqrt 1/2."""
    h = math.sqrt(0.5)
    length = math.hypot(h, h + 0.5)
    u = (h / length, (h + 0.5) / length)
    found = explain(tiny, history_of(tiny, 1, 2), 0, "me")
    assert (found.user, found.item, found.label) == ("me", "a", "Ape")
    assert found.score == pytest.approx(h * (u[0] + u[1]), abs=1e-6)
    # what b and c carry: share times cosine with a
    assert found.history[["item_id", "label"]].values.tolist() == [["b", "Bee"], ["c", ""]]
    assert found.history["contribution"].tolist() == pytest.approx([1 / length, 0.5 / length * h], abs=1e-6)
    # a is half x and half y, and has no residual and no text
    assert found.sources.drop(columns="contribution").values.tolist() == [
        ["graph", "genres", "genre", "y", "y"],
        ["graph", "genres", "genre", "x", "x"],
    ]
    assert found.sources["contribution"].tolist() == pytest.approx([h * u[1], h * u[0]], abs=1e-6)
    # b and a share x: 1/length times (x's part of b, 1/sqrt 2) times (x's part of a, h)
    # c and a share y: .5/length times (y's part of c, 1) times (y's part of a, h)
    assert found.paths.drop(columns="contribution").values.tolist() == [
        ["b", "Bee", "genres", "genre", "x", "x", "genres"],
        ["c", "", "genres", "genre", "y", "y", "genres"],
    ]
    assert found.paths["contribution"].tolist() == pytest.approx([h * h / length, 0.5 * h / length], abs=1e-6)


@pytest.fixture
def attentive(tiny):
    """The tiny model with a user encoder that adds the newest item to the mean of the history."""
    arrays = {
        "gain": np.ones((1, 2, 2), np.float32),
        "position": np.zeros((1, 1, 3), np.float32),
        **dict.fromkeys(("query", "key", "expand", "contract"), np.zeros((1, 2, 2), np.float32)),
        **dict.fromkeys(("value", "output"), np.eye(2, dtype=np.float32)[None]),
    }
    return replace(tiny, user_encoder=TransformerUserEncoder(Rows.of(np.ones(3, np.float32)), arrays))


def test_without_exact_shares_each_history_item_is_left_out(attentive):
    """c, then b: u = b + (b + c) / 2 with b = (h, h) and c = (0, 1); its product with a = (h, h) is (1.5 + h / 2) / |u|."""
    h = math.sqrt(0.5)
    length = math.hypot(1.5 * h, 1.5 * h + 0.5)
    score = (1.5 + h / 2) / length
    stamps = sp.csr_matrix(np.array([[0, 2, 1]], np.float32))
    history = Histories.of_matrix((stamps > 0).astype(np.float32), stamps)
    found = explain(attentive, history, 0, "me")
    assert found.score == pytest.approx(score, abs=1e-6) and not found.exact
    # without b there is c alone, whose cosine with a is h; without c there is b alone, of cosine 1
    assert found.history["item_id"].tolist() == ["b", "c"]
    assert found.history["contribution"].tolist() == pytest.approx([score - h, score - 1], abs=1e-6)
    assert found.history["attention"].tolist() == pytest.approx([0.5, 0.5], abs=1e-6)
    assert found.joint == pytest.approx(score - (2 * score - h - 1), abs=1e-6)
    # what the candidate is made of has exact parts still; no path is exact
    assert found.sources["contribution"].sum() == pytest.approx(score, abs=1e-6)
    assert len(found.paths) == 0 and [*found.paths] == [
        *explain(attentive, history_of(attentive, 0), 2).paths
    ]
    *items, rest = found.parts(1)["history"]
    assert all(part.is_measured for part in items) and not rest.is_measured
    assert sum(part.contribution for part in (*items, rest)) == pytest.approx(score, abs=1e-6)
    assert found.to_dict()["parts"]["history"][0]["is_measured"] is True
    assert found.text().splitlines()[:9] == [
        f"Ape for me: score {score:.3f}",
        "  Because you liked Bee: the same genres (x).",
        "  by history item (not exact shares, but the change of the score when the item is left out; with the last line they sum to the score):",
        f"    {score - h:+.3f}  Bee",
        f"    {score - 1:+.3f}  c",
        "    +0.725  joint effect of these items",
        "  by source (these sum to the score):",
        "    +0.982  genres: y +0.585, x +0.397",
        "  attention of the newest history item (these are not parts of the score):",
    ]


def test_a_score_of_all_parts_by_hand(tiny):
    """Half embedding, a quarter shared neighbours, a quarter taken together; the history is b and c.

    a is x and y, b is x, c is y, each a unit row: a . b = a . c = h. The history counts b once and c half, so its
    neighbours are (1, 1/2) / hypot(1, 1/2), and their cosine with a is h (1 + 1/2) / hypot(1, 1/2).
    b speaks for a with .8 and c with .2, over the root of two items.
    """
    h, root = math.sqrt(0.5), math.hypot(1, 0.5)
    together = sp.csr_matrix(np.array([[0, 0.8, 0.2], [0, 0, 0], [0, 0, 0]], np.float32))
    weights = proportions({"embedding": 2, "graph": 1, "co_occurrence": 1})
    scored = replace(tiny.rescorer, weights=weights)
    scored = scored.with_scorer("co_occurrence", ItemItemScorer(Rows.of(together)))
    fused = replace(tiny, rescorer=scored)
    assert fused.rescorer.scorers["graph"].neighbors.shape == (3, 2)
    history = history_of(tiny, 1, 2)
    alone, found = explain(tiny, history, 0), explain(fused, history, 0)
    graph, taken = h * 1.5 / root, 1 / math.sqrt(2)
    assert found.score == pytest.approx(alone.score / 2 + graph / 4 + taken / 4, abs=1e-6)
    parts = alone.history.set_index("item_id")["contribution"] / 2
    expected = {
        "b": parts["b"] + h / root / 4 + 0.8 * h / 4,
        "c": parts["c"] + 0.5 * h / root / 4 + 0.2 * h / 4,
    }
    assert found.history.set_index("item_id")["contribution"].to_dict() == pytest.approx(expected, abs=1e-6)
    sources = found.sources.set_index("key")["contribution"]
    own = alone.sources.set_index("key")["contribution"] / 2
    assert sources["x"] == pytest.approx(own["x"] + h / root / 4, abs=1e-6)
    assert sources["y"] == pytest.approx(own["y"] + 0.5 * h / root / 4, abs=1e-6)
    assert found.sources.set_index("source")["contribution"]["co_occurrence"] == pytest.approx(
        taken / 4, abs=1e-6
    )
    # the list says the same
    rows, scores = fused.ranked(history, 3)
    assert scores[0][rows[0].tolist().index(0)] == pytest.approx(found.score, abs=1e-6)


def test_a_dislike_is_a_negative_part_of_the_history(tiny):
    """b is liked; c is disliked, and counts .5 times -.2 / .5, so -.2. All four parts of the score, but for texts."""
    h, root = math.sqrt(0.5), math.hypot(1, 0.2)
    together = sp.csr_matrix(np.array([[0, 0.8, 0.2], [0, 0, 0], [0, 0, 0]], np.float32))
    weights = proportions({"embedding": 2, "graph": 1, "co_occurrence": 1})
    scored = replace(tiny.rescorer, weights=weights)
    scored = scored.with_scorer("co_occurrence", ItemItemScorer(Rows.of(together)))
    fused = replace(tiny, rescorer=scored)
    rows = (tiny.history_matrix([np.array([row])]) for row in (1, 2))
    history = Histories.of_matrix(relevance_profile(*rows, tiny.user_encoder.history_weight.whole))
    found = explain(fused, history, 0)
    # z_b is (h, h) and z_c is (0, 1): u is (h, h - .2), of length `length`, and z_a is (h, h)
    length = math.hypot(h, h - 0.2)
    expected = {
        "b": 0.5 / length + 0.25 * h / root + 0.25 * 0.8,
        "c": -0.5 * 0.2 * h / length - 0.25 * 0.2 * h / root - 0.25 * 0.4 * 0.2,
    }
    assert found.history.set_index("item_id")["contribution"].to_dict() == pytest.approx(expected, abs=1e-6)
    for parts in (found.history, found.sources):
        assert parts["contribution"].sum() == pytest.approx(found.score, abs=1e-6)
    # a shares x with b and y with c
    own = explain(tiny, history, 0).sources.set_index("key")["contribution"] / 2
    sources = found.sources.set_index("key")["contribution"]
    assert sources["x"] == pytest.approx(own["x"] + 0.25 * h / root, abs=1e-6)
    assert sources["y"] == pytest.approx(own["y"] - 0.25 * 0.2 * h / root, abs=1e-6)
    found, scores = fused.ranked(history, 3)
    assert scores[0][found[0].tolist().index(0)] == pytest.approx(sum(expected.values()), abs=1e-6)


def test_a_residual_is_a_source_of_its_own(tiny):
    h = math.sqrt(0.5)
    found = explain(tiny, history_of(tiny, 2), 1)
    assert found.score == pytest.approx(h)
    # u = c = (0, 1): all of b's cosine comes from 2y of its residual, nothing from 2x
    parts = found.sources.set_index("source")["contribution"]
    assert parts.to_dict() == pytest.approx({"identity": h, "graph": 0})
    assert found.paths.empty


def test_the_words_of_an_explanation(tiny):
    found = explain(tiny, history_of(tiny, 1, 2), 0, "me")
    assert str(found).splitlines() == [
        "Ape for me: score 0.968",
        "  Because you liked Bee and c: the same genres (y and x).",
        "  by history item (these sum to the score):",
        "    +0.715  Bee",
        "    +0.253  c",
        "  by source (these sum to the score):",
        "    +0.968  genres: y +0.610, x +0.357",
        "  by shared node in the graph (already contained in the above):",
        "    +0.357  genres x: Bee",
        "    +0.253  genres y: c",
    ]
    assert found.text(1).splitlines()[5:] == [
        "  by source (these sum to the score):",
        # .6104 and .3572: in thousandths they sum to the score as it is printed
        "    +0.610  genres y",
        "    +0.358  genres x",
        "  by shared node in the graph (already contained in the above):",
        "    +0.357  Bee -genres- x -genres- Ape",
        "    +0.253  c -genres- y -genres- Ape",
    ]


# trained models


@pytest.fixture
def rec(catalogue, bag_of_words) -> kgrec.Recommender:
    return kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(
        kgrec.build_graph(catalogue / "kgrec.yaml")
    )


def text_part(rec, item: str, vector: np.ndarray, bag_of_words) -> float:
    """What an item's text adds to a score, from the formula: W t . u / length."""
    model, parameters = rec.model, rec.model.parameters()
    row = model.items.ids.tolist().index(item)
    facts = {name: dict(zip(NEW["id"], NEW[name], strict=True)) for name in NEW}
    graph = model.graph()
    plots = dict(zip(graph.text["id"].to_pylist(), graph.text["text"].to_pylist(), strict=True))
    text = (
        f"{facts['title'][item]}. {facts['plot'][item]}"
        if item in facts["title"]
        else f"{model.items.labels[row]}. {plots[int(model.items.entities[row])]}"
    )
    spread = parameters.featurizer.whitenings[TEXT]
    white = (bag_of_words.encode([text])[0] - spread.mean) @ spread.map
    white /= np.linalg.norm(white)
    return float(white @ parameters.arrays["dense"] @ vector / model.items.lengths[row])


def test_history_and_sources_sum_to_the_score_of_the_list(rec, bag_of_words):
    rec.add_items(NEW)
    for n, user in enumerate(rec.model.users):
        scores = rec.recommend([user], k=9, exclude_seen=False).set_index("item_id")["score"]
        vector = rec.user_embeddings.vectors[n]
        for item in [*ITEMS, "n1", "n2"]:
            found = rec.explain(user, item)
            assert found.score == pytest.approx(scores[item], abs=1e-5)
            assert found.history["contribution"].sum() == pytest.approx(found.score, abs=1e-5)
            assert found.sources["contribution"].sum() == pytest.approx(found.score, abs=1e-5)
            parts = found.sources.groupby("source")["contribution"].sum()
            # the text's part is what is left; that it is the text's own proves the account of the rest
            assert parts["text"] == pytest.approx(text_part(rec, item, vector, bag_of_words), abs=1e-5)
            assert ("identity" in parts) == (item in ITEMS)


def test_a_boost_is_a_source_of_its_own(rec):
    rec.add_items(NEW)
    scores = rec.recommend(["u1"], k=9, exclude_seen=False, new_item_boost=0.05).set_index("item_id")["score"]
    for item in ["n1", "f1"]:
        found = rec.explain("u1", item, new_item_boost=0.05)
        assert found.score == pytest.approx(scores[item], abs=1e-5)
        assert found.sources["contribution"].sum() == pytest.approx(found.score, abs=1e-5)
        new = found.sources.query("source == 'new'")["contribution"].tolist()
        assert new == ([0.05] if item == "n1" else [])
        assert found.history["contribution"].sum() + sum(new) == pytest.approx(found.score, abs=1e-5)
    words = str(rec.explain_history(["f1"], "n1", new_item_boost=-0.05))
    assert words.count("-0.050  unknown to training") == 2, (
        "in the history's block, too, which sums to the score"
    )
    assert "new" not in rec.explain("u1", "n1").sources["source"].tolist()


def test_dislikes_are_explained_as_they_are_scored(rec):
    scores = rec.recommend_for_history([["f1", "f2"]], 9, dislikes=[["f4"]]).set_index("item_id")["score"]
    for item in ("f3", "f5", "f6"):
        found = rec.explain_history(["f1", "f2"], item, dislikes=["f4"])
        assert found.score == pytest.approx(scores[item], abs=1e-5)
        assert found.history["contribution"].sum() == pytest.approx(found.score, abs=1e-5)
        assert set(found.history["item_id"]) == {"f1", "f2", "f4"}


def test_a_history_that_fades_is_scored_explained_and_kept(catalogue, bag_of_words, tmp_path):
    graph = kgrec.build_graph(catalogue / "kgrec.yaml")
    days = {"u1": ["f1", "f2", "f4"], "u2": ["f1", "f3"], "u3": ["f4", "f5", "f6"]}
    log = [
        (user, item, f"2024-01-{n + 1:02}") for user, items in days.items() for n, item in enumerate(items)
    ]
    frame = pd.DataFrame(log, columns=["user_id", "item_id", "day"])
    interactions = kgrec.Interactions.from_frame(frame, graph.item_ids, time="day")
    config = CONFIG.model_copy(
        update={
            "encoder": kgrec.EncoderConfig(dim=8, half_life=1),
            "rescore": RescoreConfig(weights=dict.fromkeys(SCORERS, 1)),
        }
    )
    rec = kgrec.Recommender(config, text_encoder=bag_of_words).fit(graph, interactions)
    rec.save(tmp_path / "model")
    again = kgrec.Recommender.load(tmp_path / "model", text_encoder=bag_of_words)
    assert again.model.liked[[0]].toarray().tolist() == [[0.25, 0.5, 0, 1, 0, 0]]
    lists = rec.recommend(["u1"], 9)
    pd.testing.assert_frame_equal(lists, again.recommend(["u1"], 9))
    # the same items all at once are another history
    assert np.abs(rec.recommend_for_history([days["u1"]], 9)["score"].max() - lists["score"].max()) > 1e-3
    for item, score in zip(lists["item_id"], lists["score"], strict=True):
        found = again.explain("u1", item)
        assert found.score == pytest.approx(score, abs=1e-5)
        assert found.history["contribution"].sum() == pytest.approx(score, abs=1e-5)
        assert found.sources["contribution"].sum() == pytest.approx(score, abs=1e-5)


def test_events_of_different_weights_are_scored_and_explained(catalogue, bag_of_words, tmp_path):
    graph = kgrec.build_graph(catalogue / "kgrec.yaml")
    log = [("u1", "f1", "view"), ("u1", "f2", "buy"), ("u1", "f4", "view"), ("u2", "f1", "view")]
    log += [("u2", "f3", "view"), ("u3", "f4", "buy"), ("u3", "f5", "view"), ("u3", "f6", "drop")]
    frame = pd.DataFrame(log, columns=["user_id", "item_id", "kind"])
    events = {"view": 1, "buy": 5}
    interactions = kgrec.Interactions.from_frame(frame, graph.item_ids, event="kind", events=events)
    config = CONFIG.model_copy(update={"rescore": RescoreConfig(weights=dict.fromkeys(SCORERS, 1))})
    rec = kgrec.Recommender(config, text_encoder=bag_of_words).fit(graph, interactions)
    rec.save(tmp_path / "model")
    again = kgrec.Recommender.load(tmp_path / "model", text_encoder=bag_of_words)
    mean = (5 + 1 + 1 + 1 + 1 + 5 + 1) / 7
    assert again.model.liked[[0]].toarray()[0] == pytest.approx(np.array([1, 5, 0, 1, 0, 0]) / mean)
    lists = rec.recommend(["u1"], 9)
    pd.testing.assert_frame_equal(lists, again.recommend(["u1"], 9))
    for item, score in zip(lists["item_id"], lists["score"], strict=True):
        found = again.explain("u1", item)
        assert found.score == pytest.approx(score, abs=1e-5)
        assert found.history["contribution"].sum() == pytest.approx(score, abs=1e-5)
        assert found.sources["contribution"].sum() == pytest.approx(score, abs=1e-5)


def test_the_history_of_an_explanation_is_the_user_s(rec):
    assert sorted(rec.explain("u2", "f5").history["item_id"]) == ["f1", "f3"], "f4 was no positive"
    known, new = rec.explain("u1", "f4"), rec.explain_history(["f3", "f2", "f1"], "f4")
    assert (known.user, new.user) == ("u1", "")
    assert known.to_dict() | {"user": ""} == new.to_dict()


def test_paths_go_through_shared_neighbours_and_stay_below_the_graph_s_part(rec):
    rec.add_items(NEW)
    found = rec.explain("u1", "n1")
    shared = {(row.item_id, row.key) for row in found.paths.itertuples()}
    # n1 is science fiction by Ada; f1 both, f2 both, f3 the genre alone
    assert shared == {(f, key) for f in ("f1", "f2") for key in ("Ada", "Science fiction")} | {
        ("f3", "Science fiction")
    }
    assert {(row.type, row.history_relation, row.relation) for row in found.paths.itertuples()} == {
        ("genre", "genres", "genres"),
        ("person", "directed_by", "directed_by"),
    }
    assert found.paths["contribution"].is_monotonic_decreasing
    # a path is a product of two parts, of the item's through the neighbour and of the history's
    model = rec.model
    arrays, featurizer = model.parameters().arrays, model.parameters().featurizer
    names = dict(zip(featurizer.entities.tolist(), arrays["entity"], strict=True))
    genre = arrays["relation_scale"][featurizer.relations.index("genres")] * names["genre/Science fiction"]
    row, other = 6, 2  # n1, and f3: of its genre alone
    weights = model.user_encoder.history_weight[[0, 1, 2]]
    share = weights[2] / np.linalg.norm(weights @ model.items.vectors[[0, 1, 2]])
    path = found.paths[found.paths["item_id"] == "f3"]["contribution"].item()
    assert path == pytest.approx(
        share * genre @ genre / (model.items.lengths[row] * model.items.lengths[other]), rel=1e-4
    )


def test_a_user_without_a_history_is_explained_by_sources(rec):
    found = rec.explain_history([], "f4")
    assert found.history.empty and found.paths.empty
    assert found.sources["contribution"].sum() == pytest.approx(found.score, abs=1e-5)
    listed = rec.recommend_for_history([[]], k=9).set_index("item_id")["score"]
    assert found.score == pytest.approx(listed["f4"], abs=1e-5)
    assert str(found).startswith("Paris Waltz: score ") and "carried by the history" not in str(found)


def test_without_texts_there_is_no_text_part(catalogue):
    config = CONFIG.model_copy(update={"text": kgrec.TextConfig(model="none")})
    rec = kgrec.Recommender(config).fit(kgrec.build_graph(catalogue / "kgrec.yaml"))
    found = rec.explain("u1", "f4")
    assert set(found.sources["source"]) == {"graph", "identity"}
    assert found.sources["contribution"].sum() == pytest.approx(found.score, abs=1e-5)


def test_without_a_graph_there_are_no_paths(catalogue, bag_of_words):
    mapping = (catalogue / "kgrec.yaml").read_text(encoding="utf-8")
    mapping = mapping.replace('{as: node, type: genre, split: "|"}', "ignore")
    mapping = mapping.replace("{as: node, type: person, edge: directed_by}", "ignore")
    (catalogue / "kgrec.yaml").write_text(mapping, encoding="utf-8")
    rec = kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(
        kgrec.build_graph(catalogue / "kgrec.yaml")
    )
    found = rec.explain("u1", "f4")
    assert found.paths.empty and sorted(found.sources["source"]) == ["identity", "text"]
    assert found.sources["contribution"].sum() == pytest.approx(found.score, abs=1e-5)
    assert "through" not in str(found)


def test_a_number_is_one_source_and_named_by_its_value(catalogue, bag_of_words):
    mapping = (catalogue / "kgrec.yaml").read_text(encoding="utf-8")
    (catalogue / "kgrec.yaml").write_text(
        mapping.replace("plot: text", "plot: text\n      year: number"), "utf-8"
    )
    lines = (catalogue / "films.csv").read_text(encoding="utf-8").splitlines()
    years = ["year", "1980", "1980", "1980", "2000", "2000", "2000"]
    (catalogue / "films.csv").write_text(
        "".join(f"{line},{year}\n" for line, year in zip(lines, years, strict=True)), "utf-8"
    )
    rec = kgrec.Recommender(CONFIG, text_encoder=bag_of_words).fit(
        kgrec.build_graph(catalogue / "kgrec.yaml")
    )
    found = rec.explain("u1", "f4")
    year = found.sources[found.sources["relation"] == "year"]
    assert year[["type", "label"]].values.tolist() == [["number", "2000"]]
    assert found.sources["contribution"].sum() == pytest.approx(found.score, abs=1e-5)
    shared = rec.explain("u1", "f3").paths
    assert set(shared[shared["relation"] == "year"]["item_id"]) == {"f1", "f2", "f3"}


def test_an_explanation_is_plain_values(rec):
    import json

    plain = rec.explain("u1", "f4").to_dict()
    assert json.loads(json.dumps(plain)) == plain
    own = ["user", "item", "label", "score", "exact", "joint", "because", "counterfactual"]
    assert [*plain] == [*own, "history", "sources", "paths", "donors", "parts", "in_list"]
    assert [*plain["parts"]] == ["history", "sources", "paths"]
    assert sum(part["contribution"] for part in plain["parts"]["sources"]) == pytest.approx(plain["score"])


def frame_of(**columns: list) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_a_new_item_inherits_what_users_of_similar_items_liked(catalogue, bag_of_words):
    """Only co-occurrence counts: nobody has taken the new film, so all of its score comes from its donors."""
    config = CONFIG.model_copy(
        update={"rescore": RescoreConfig(weights={"co_occurrence": 1, "embedding": 1})}
    )
    rec = kgrec.Recommender(config, text_encoder=bag_of_words).fit(
        kgrec.build_graph(catalogue / "kgrec.yaml")
    )
    rec.add_items(NEW)
    found = rec.explain("u1", "n1")
    sources = found.sources.set_index("source")["contribution"]
    assert "co_occurrence" not in sources
    assert found.donors["contribution"].sum() == pytest.approx(sources["inherited"], abs=1e-6)
    assert found.donors["contribution"].is_monotonic_decreasing
    assert found.donors["item_id"].iloc[0] in ("f1", "f2", "f3"), "science fiction, like the new film"
    assert set(found.donors["item_id"]) <= set(ITEMS)
    (part,) = [
        part for part in found.parts(1)["sources"] if part.name.startswith("liked by users of similar")
    ]
    assert [one.name for one in part.members] == found.donors["label"].tolist()
    assert "taken by the same users" not in str(found) and "liked by the same users" not in str(found)
    # an item with users of its own inherits nothing
    known = rec.explain("u1", "f4")
    assert "inherited" not in known.sources["source"].tolist() and known.donors.empty


def printed(text: str, heading: str) -> list[tuple[int, str]]:
    """The figures, in thousandths, and names of the block below a heading."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if heading in line) + 1
    block = []
    for line in lines[start:]:
        if not line.startswith("    "):
            break
        figure, _, name = line.strip().partition("  ")
        block.append((round(float(figure) * 1000), name))
    return block


@pytest.mark.parametrize("share", [0.5, 0.9, 1.0])
def test_printed_figures_sum_to_the_printed_score(rec, share):
    rec.add_items(NEW)
    for item in [*ITEMS, "n1", "n2"]:
        for user in ("u1", "u3"):
            found = rec.explain(user, item, new_item_boost=0.0123)
            text = found.text(share)
            score = round(float(text.splitlines()[0].rpartition(" ")[2]) * 1000)
            for heading in ("by history item", "by source"):
                assert sum(figure for figure, _ in printed(text, heading)) == score
            for name in ("history", "sources"):
                total = sum(part.contribution for part in found.parts(share)[name])
                assert total == pytest.approx(found.score, abs=1e-5)


def test_small_parts_are_summed_up_and_never_the_largest(rec):
    found = rec.explain("u1", "f4")
    seven = frame_of(item_id=[*"abcdefg"], label=[""] * 7, contribution=[7.0, 6, 5, 4, 3, 2, 1])
    shown = replace(found, history=seven, score=28.0, sources=found.sources[:0], paths=found.paths[:0])
    assert [(part.name, part.contribution) for part in shown.parts()["history"]] == [
        *zip("abcde", (7, 6, 5, 4, 3), strict=True),
        # the first five are 25 of 28, which is less than the share of .9, and a rest of one would save no line
        ("f", 2),
        ("g", 1),
    ]
    half = shown.parts(0.5)["history"]
    # 7 + 6 + 5 are more than half, and the rest of 10 would be larger than 7
    assert [(part.name, part.contribution) for part in half] == [
        *zip("abcd", (7, 6, 5, 4), strict=True),
        ("3 smaller parts", 6),
    ]
    assert [one.name for one in half[-1].members] == ["e", "f", "g"] and half[-1].is_rest
    equal = frame_of(item_id=[*"abcdefghij"], label=[""] * 10, contribution=[0.1] * 9 + [-0.1])
    parts = replace(shown, history=equal).parts(0.1)["history"]
    assert parts[-1].contribution <= max(part.contribution for part in parts[:-1])


def test_a_long_history_is_grouped_by_what_it_shares_with_the_item(rec):
    found = rec.explain("u1", "f4")
    ids = [f"h{n:02}" for n in range(60)]
    history = frame_of(item_id=ids, label=[f"H{n:02}" for n in range(60)], contribution=[0.01] * 60)
    paths = frame_of(
        item_id=[*ids[:40], ids[0]],
        item=[*(f"H{n:02}" for n in range(40)), "H00"],
        history_relation=["genres"] * 40 + ["starring"],
        type=["genre"] * 40 + ["person"],
        key=["Drama"] * 41,
        label=["Drama"] * 41,
        relation=["genres"] * 40 + ["starring"],
        contribution=[0.001] * 40 + [0.002],
    )
    shown = replace(found, history=history, paths=paths, score=0.6, sources=found.sources[:0])
    assert [(one.name, round(one.contribution, 6), len(one.members)) for one in shown.parts()["history"]] == [
        ("items that share genres with it", 0.39, 39),
        ("items that share nothing with it in the graph", 0.2, 20),
        # its largest path
        ("items that share starring with it", 0.01, 1),
    ]
    assert printed(str(shown), "by history item")[0] == (
        390,
        "items that share genres with it: H01 +0.010, H02 +0.010, H03 +0.010 and 36 others",
    )
    alone = replace(shown, paths=paths[:0]).parts()["history"]
    assert [(one.name, round(one.contribution, 6)) for one in alone] == [("history items", 0.6)]
    assert len(shown.parts(1)["history"]) == 60


def test_paths_that_round_to_nothing_are_left_out(tiny):
    found = explain(tiny, history_of(tiny, 1, 2), 0)
    small = found.paths.assign(contribution=[0.3, 0.0004])
    assert [part.name for part in replace(found, paths=small).parts()["paths"]] == ["genres x: Bee"]
    assert len(replace(found, paths=small).parts(1)["paths"]) == 2


def test_an_iri_without_a_label_is_readable(tiny):
    found = explain(tiny, history_of(tiny, 1, 2), 0)
    iri = "http://dbpedia.org/resource/Category:Films_about_caf%C3%A9s"
    sources = found.sources.assign(key=[iri, "http://a.example/b#Some_one/"], label="")
    names = [part.name for part in replace(found, sources=sources).parts(1)["sources"]]
    assert names == ["genres Category:Films about cafés", "genres Some one"]


def test_relations_in_words():
    assert edge_name("genres") == "genres"
    assert edge_name("^genres") == "genres of"
    assert edge_name(LABEL_TOKEN) == "words of names"


def test_thousandths_sum_to_the_whole():
    third = 1 / 3
    assert apportioned([third, third, third], 1000) == [334, 333, 333]
    assert apportioned([0.0004, 0.0004, 0.0002]) == [1, 0, 0]
    assert apportioned([0.5, -0.2499, -0.2501], 0) == [500, -250, -250]
    assert apportioned([]) == []
