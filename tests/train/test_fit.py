import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import kgrec
from kgrec.encode.dense_features import TEXT
from kgrec.encode.transformer_user_encoder import PARAMETERS, TransformerUserEncoder
from kgrec.errors import ConfigError, TrainingError
from kgrec.graph.histories import Histories
from kgrec.graph.interactions import Interactions
from kgrec.graph.vocabulary import Vocabulary
from kgrec.model.item_updates import _link_counts, embed, read_features
from kgrec.train.fit import _splitter, fit_model
from kgrec.train.progress import TrainingWatcher

SMALL = kgrec.Config(
    encoder=kgrec.EncoderConfig(dim=8),
    train=kgrec.TrainConfig(epochs=4, temperature=0.1, threads=1, valid_share=0, learning_rate=0.05),
)

# quality, on a catalogue with structure

MAPPING = """\
version: 1
base: https://example.org/
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns:
      genres: {as: node, type: genre, split: "|"}
      director: {as: node, type: person, edge: directed_by}
"""
N_FILMS, N_USERS, N_GENRES = 150, 120, 8
DEFAULTS = kgrec.Config(
    text=kgrec.TextConfig(model="none"),
    encoder=kgrec.EncoderConfig(dim=32),
    train=kgrec.TrainConfig(threads=1),
)


def films(rng: np.random.Generator) -> pd.DataFrame:
    """Each film has one or two of 8 genres, and one of 24 directors, who each keep to one genre."""
    first = rng.integers(0, N_GENRES, N_FILMS)
    second = np.where(rng.random(N_FILMS) < 0.4, rng.integers(0, N_GENRES, N_FILMS), first)
    director = first * 3 + rng.integers(0, 3, N_FILMS)
    return pd.DataFrame(
        {
            "id": [f"f{n:03}" for n in range(N_FILMS)],
            "genres": [f"g{a}|g{b}" if a != b else f"g{a}" for a, b in zip(first, second, strict=True)],
            "director": [f"d{n}" for n in director],
        }
    )


def log(films: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Each user has 12 films, drawn by preference for two genres and by popularity."""
    has = np.stack(
        [films["genres"].str.split("|").map(lambda own, g=g: f"g{g}" in own) for g in range(N_GENRES)], 1
    )
    fame = rng.permutation(np.linspace(0, 2, N_FILMS))
    rows = []
    for user in range(N_USERS):
        liked = rng.choice(N_GENRES, 2, replace=False)
        wish = 3 * has[:, liked].any(axis=1) + fame + rng.gumbel(size=N_FILMS)
        rows += [(f"u{user:03}", films["id"][film]) for film in np.argsort(-wish)[:12]]
    return pd.DataFrame(rows, columns=["user_id", "item_id"])


def graph_of(folder: Path, films: pd.DataFrame) -> kgrec.KnowledgeGraph:
    folder.mkdir(parents=True)
    (folder / "kgrec.yaml").write_text(MAPPING, encoding="utf-8")
    films.to_csv(folder / "films.csv", index=False)
    return kgrec.build_graph(folder / "kgrec.yaml")


def recall(lists: pd.DataFrame, truth: pd.DataFrame) -> float:
    """Mean share of a user's items that are in the user's list."""
    hits = lists.merge(truth, on=["user_id", "item_id"]).groupby("user_id").size()
    return float(
        hits.reindex(truth["user_id"].unique(), fill_value=0).div(truth.groupby("user_id").size()).mean()
    )


@pytest.fixture(scope="module")
def world() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    catalogue = films(rng)
    return catalogue, log(catalogue, rng)


def test_the_model_beats_popularity_and_the_same_model_without_knowledge(world, tmp_path):
    catalogue, taken = world
    rng = np.random.default_rng(1)
    hidden = taken.groupby("user_id").sample(3, random_state=rng)
    rest = taken.drop(hidden.index).reset_index(drop=True)
    users = hidden["user_id"].unique().tolist()
    rec = kgrec.Recommender(DEFAULTS).fit(graph_of(tmp_path / "true", catalogue), interactions=rest)
    ours = recall(rec.recommend(users, k=20), hidden)

    counts = rest["item_id"].value_counts()
    seen = set(zip(rest["user_id"], rest["item_id"], strict=True))
    popular = [
        (user, item) for user in users for item in [i for i in counts.index if (user, i) not in seen][:20]
    ]
    popularity = recall(pd.DataFrame(popular, columns=["user_id", "item_id"]), hidden)

    bare = catalogue.assign(genres="", director="")
    alone = kgrec.Recommender(DEFAULTS).fit(graph_of(tmp_path / "bare", bare), interactions=rest)
    without = recall(alone.recommend(users, k=20), hidden)
    print(f"recall@20: {ours:.3f}, popularity {popularity:.3f}, without the graph {without:.3f}")
    assert ours > 1.35 * popularity
    assert ours > 1.15 * without


def test_true_knowledge_finds_hidden_items_and_shuffled_knowledge_does_not(world, tmp_path):
    """The promise of the product: a fifth of the films appears after training, and is recommended by its row alone."""
    catalogue, taken = world
    rng = np.random.default_rng(2)
    new = np.sort(rng.choice(N_FILMS, N_FILMS // 5, replace=False))
    order = rng.permutation(N_FILMS)
    shuffled = catalogue.assign(
        **{name: catalogue[name].to_numpy()[order] for name in ("genres", "director")}
    )
    is_new = taken["item_id"].isin(catalogue["id"][new])
    users = taken["user_id"][is_new].unique().tolist()
    figures = {}
    for name, rows in {"true": catalogue, "shuffled": shuffled}.items():
        graph = graph_of(tmp_path / name, rows.drop(new))
        rec = kgrec.Recommender(DEFAULTS).fit(graph, interactions=taken[~is_new].reset_index(drop=True))
        added = rec.add_items(rows.iloc[new].reset_index(drop=True))
        lists = rec.recommend(users, k=5, candidates=added.ids)
        figures[name] = recall(lists, taken[is_new])
    chance = 5 / len(new)
    print(f"recall@5 of {len(new)} new films: {figures}, by chance {chance:.3f}")
    assert figures["true"] > 2 * figures["shuffled"]
    assert figures["shuffled"] < 1.5 * chance


def test_films_without_interactions_rank_like_added_ones(world, tmp_path):
    """The same fifth of the films, in the catalogue from the beginning or added later."""
    catalogue, taken = world
    new = np.sort(np.random.default_rng(2).choice(N_FILMS, N_FILMS // 5, replace=False))
    ids = catalogue["id"][new].tolist()
    is_new = taken["item_id"].isin(ids)
    users, known = taken["user_id"][is_new].unique().tolist(), taken[~is_new].reset_index(drop=True)
    later = kgrec.Recommender(DEFAULTS).fit(graph_of(tmp_path / "later", catalogue.drop(new)), known)
    later.add_items(catalogue.iloc[new].reset_index(drop=True))
    whole = graph_of(tmp_path / "whole", catalogue)
    there = kgrec.Recommender(DEFAULTS).fit(whole, interactions=known)
    figures = {
        name: recall(rec.recommend(users, k=5, candidates=ids), taken[is_new])
        for name, rec in {"added": later, "there": there}.items()
    }
    print(f"recall@5 of {len(new)} new films: {figures}")
    assert figures["there"] > 0.85 * figures["added"]

    # training did not know them, and says what it thinks of such films
    without_interactions = ~np.isin(there.model.items.ids.labels.to_pylist(), known["item_id"])
    assert (there.model.items.trained == ~without_interactions).all()
    chosen = there.model.metrics["chosen"]
    assert (there.model.rescorer.prior.whole[~without_interactions] == 0).all()
    assert (
        there.model.rescorer.prior.whole[without_interactions]
        == pytest.approx(chosen["cold_offset"], abs=1e-4)
        and chosen["cold_offset"] <= 0
    )
    assert 0.05 < chosen["valid_new_share"] < 0.4
    # they go with what their likes go with
    if chosen["weights"]["co_occurrence"]:
        weights = there.model.rescorer.scorers["co_occurrence"].weights.whole
        dense = weights if isinstance(weights, np.ndarray) else weights.toarray()
        assert dense[without_interactions].any(axis=1).all()

    given = DEFAULTS.model_copy(update={"rescore": kgrec.RescoreConfig(cold_offset=-0.25)})
    sunk = kgrec.Recommender(given).fit(whole, interactions=known)
    assert sunk.model.rescorer.prior.whole[without_interactions].tolist() == [-0.25] * int(
        without_interactions.sum()
    )
    score = sunk.recommend(users[:1], k=N_FILMS).set_index("item_id")["score"]
    explained = sunk.explain(users[0], ids[0])
    assert explained.score == pytest.approx(score[ids[0]], abs=1e-5)
    assert explained.sources["contribution"].sum() == pytest.approx(explained.score, abs=1e-5)
    assert explained.sources.query("source == 'new'")["contribution"].tolist() == [-0.25]


# embeddings


def test_the_next_item_is_learned_where_the_log_has_an_order(world, tmp_path):
    """Each user watches on along the numbers of the films: f003 follows f000."""
    table, _ = world
    steps = [
        (f"u{user}", f"f{(user + 3 * step) % N_FILMS:03}", step + 1)
        for user in range(90)
        for step in range(8)
    ]
    frame = pd.DataFrame(steps, columns=["user_id", "item_id", "time"])
    whole = graph_of(tmp_path / "catalogue", table)
    known = Interactions.from_frame(frame, whole.item_ids, time="time")
    options = {
        "train": DEFAULTS.train.model_copy(update={"target": "next", "search_seconds": 0, "epochs": 10})
    }
    rec = kgrec.Recommender(DEFAULTS.model_copy(update=options)).fit(whole, interactions=known)
    assert rec.model.metrics["chosen"]["valid_k"] == 10
    forward, backward = ["f030", "f033", "f036"], ["f036", "f033", "f030"]
    lists = rec.recommend_for_history([forward, backward], 1)
    # f036 is the newest of the first history only
    assert lists["item_id"].tolist()[0] == "f039"
    ahead, behind = (rec.explain_history(one, "f039").score for one in (forward, backward))
    assert ahead == pytest.approx(lists["score"].iloc[0], abs=1e-5) and ahead > 1.02 * behind
    explained = rec.explain_history(forward, "f039")
    assert explained.history["contribution"].sum() == pytest.approx(explained.score, abs=1e-5)
    assert explained.sources["contribution"].sum() == pytest.approx(explained.score, abs=1e-5)
    rec.save(tmp_path / "model")
    again = kgrec.Recommender.load(tmp_path / "model").recommend_for_history([forward, backward], 1)
    pd.testing.assert_frame_equal(again, lists)
    for user in ("linear", "transformer"):
        asked = {"encoder": DEFAULTS.encoder.model_copy(update={"user": user})}
        with pytest.raises(ConfigError, match="the next item is not learned: the log has no order"):
            kgrec.Recommender(DEFAULTS.model_copy(update=asked)).fit(whole, interactions=frame)
    with pytest.raises(ConfigError, match="no order"):
        kgrec.Recommender(DEFAULTS.model_copy(update=options)).fit(whole, interactions=frame)


@pytest.mark.parametrize(
    ("target", "rated", "learned"),
    [("auto", False, "next"), ("auto", True, "any"), ("any", False, "any"), ("next", True, "next")],
)
def test_a_log_of_ratings_says_what_is_liked_and_other_logs_what_follows(
    world, tmp_path, target, rated, learned
):
    table, _ = world
    steps = [(f"u{user}", f"f{user + 3 * step:03}", step, 5 - step) for user in range(9) for step in range(4)]
    frame = pd.DataFrame(steps, columns=["user_id", "item_id", "time", "rating"])
    whole = graph_of(tmp_path / "catalogue", table)
    rating = {"value": "rating", "positive": ">= 3"} if rated else {}
    known = Interactions.from_frame(frame, whole.item_ids, time="time", **rating)
    options = {"target": target, "search_seconds": 0, "epochs": 2}
    config = DEFAULTS.model_copy(update={"train": DEFAULTS.train.model_copy(update=options)})
    rec = kgrec.Recommender(config).fit(whole, interactions=known)
    assert rec.model.metrics["chosen"]["target"] == learned


def walks_of(
    user: str,
    folder: Path,
    table: pd.DataFrame,
    order: str = "time: at",
    rescore: dict[str, float] | None = None,
) -> kgrec.Recommender:
    """A recommender with this user encoder; each user watches on along the numbers of the films."""
    folder.mkdir()
    table.to_csv(folder / "films.csv", index=False)
    steps = [
        (f"u{user}", f"f{(user + 3 * step) % N_FILMS:03}", step + 1)
        for user in range(60)
        for step in range(6)
    ]
    pd.DataFrame(steps, columns=["user_id", "item_id", "at"]).to_csv(folder / "log.csv", index=False)
    log = f"interactions: {{file: log.csv, user: user_id, item: item_id, {order}}}\n"
    (folder / "kgrec.yaml").write_text(MAPPING + log, encoding="utf-8")
    options = {
        "train": DEFAULTS.train.model_copy(update={"target": "next", "search_seconds": 0, "epochs": 2}),
        "encoder": DEFAULTS.encoder.model_copy(update={"user": user}),
        # the embeddings have the whole score, so that the user encoder shows in it
        "rescore": DEFAULTS.rescore.model_copy(
            update={"weights": {"embedding": 1.0}, "popularity": 0.0, **(rescore or {})}
        ),
    }
    return kgrec.Recommender(DEFAULTS.model_copy(update=options)).fit(
        kgrec.build_graph(folder / "kgrec.yaml")
    )


def test_popularity_is_part_of_the_score_and_of_its_explanation(world, tmp_path):
    """A factor that is given: the score of an item rises by it per unit of ln(1 + users), and a new item by nothing."""
    plain = walks_of("linear", tmp_path / "plain", world[0], rescore={"cold_offset": 0.0})
    given = walks_of("linear", tmp_path / "given", world[0], rescore={"cold_offset": 0.0, "popularity": 0.5})
    users = np.bincount(given.model.liked.indices, minlength=len(given.model.items))
    np.testing.assert_allclose(given.model.rescorer.prior.whole, 0.5 * np.log1p(users), rtol=1e-6)
    assert not plain.model.rescorer.prior.whole.any()
    item = given.recommend(["u1"], 1)["item_id"].item()
    row = int(given.model.items.rows([item])[0])
    explained = given.explain("u1", item)
    assert explained.score == pytest.approx(given.recommend(["u1"], 1)["score"].item(), abs=1e-5)
    popular = explained.sources.query("source == 'popularity'")["contribution"]
    assert popular.tolist() == pytest.approx([0.5 * np.log1p(users[row])])
    assert explained.sources["contribution"].sum() == pytest.approx(explained.score, abs=1e-5)
    assert explained.history["contribution"].sum() + popular.sum() == pytest.approx(explained.score, abs=1e-5)


@pytest.mark.parametrize(
    ("user", "order"),
    [("mean", "time: at"), ("linear", "time: at"), ("transformer", "time: at"), ("linear", "order: rows")],
)
def test_a_user_encoder_that_is_asked_for_is_learned_and_kept(world, tmp_path, user, order):
    rec = walks_of(user, tmp_path / "catalogue", world[0], order)
    assert rec.model.metrics["chosen"]["user"] == user
    rec.save(tmp_path / "model")
    assert (tmp_path / "model" / "user_encoder.safetensors").exists() == (user != "mean")
    loaded = kgrec.Recommender.load(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.recommend(["u1"], 5), rec.recommend(["u1"], 5))
    explained = loaded.explain("u1", "f070")
    assert explained.sources["contribution"].sum() == pytest.approx(explained.score, abs=1e-5)
    of_history = explained.history["contribution"].sum() + explained.joint
    assert of_history == pytest.approx(explained.score, abs=1e-5)
    assert explained.exact == (user != "transformer")
    assert ("attention" in explained.history) == (user == "transformer")


@pytest.fixture(scope="module")
def attentive(world, tmp_path_factory) -> kgrec.Recommender:
    """A recommender with a Transformer, which no test changes."""
    return walks_of("transformer", tmp_path_factory.mktemp("walks") / "catalogue", world[0])


FORWARD, BACKWARD = ["f030", "f033", "f036"], ["f036", "f033", "f030"]


def test_a_transformer_reads_given_histories_in_their_order(attentive, tmp_path):
    """A list is oldest first; the rows of a table may stand in any order, for they have times."""
    lists = attentive.recommend_for_history([FORWARD, BACKWARD], 5, users=["ahead", "back"])
    ahead, back = (lists[lists["user_id"] == user] for user in ("ahead", "back"))
    assert ahead["score"].tolist() != back["score"].tolist()
    rows = "ahead,f036,3\nback,f030,30\nahead,f030,1\nback,f036,10\nahead,f033,2\nback,f033,20\n"
    (tmp_path / "h.csv").write_text(f"user_id,item_id,at\n{rows}", encoding="utf-8")
    kgrec.write_recommendations_for_histories(
        attentive, tmp_path / "r.csv", tmp_path / "h.csv", request=kgrec.Request(k=5)
    )
    written = pd.read_csv(tmp_path / "r.csv").set_index("user_id")
    for user, expected in (("ahead", ahead), ("back", back)):
        assert written.loc[user, "item_id"].tolist() == expected["item_id"].tolist()
        assert written.loc[user, "score"].tolist() == pytest.approx(expected["score"].tolist(), abs=1e-6)


def test_a_transformer_is_stored_by_its_arrays(attentive, tmp_path):
    from safetensors.numpy import load_file

    attentive.save(tmp_path / "model")
    arrays = load_file(tmp_path / "model" / "user_encoder.safetensors")
    assert set(arrays) == {f"order.{name}" for name in PARAMETERS}
    loaded = kgrec.Recommender.load(tmp_path / "model").model.user_encoder
    assert isinstance(loaded, TransformerUserEncoder)
    for name in PARAMETERS:
        np.testing.assert_array_equal(loaded.arrays[name], arrays[f"order.{name}"])


def test_a_transformer_goes_on_from_the_history_of_a_known_user(attentive):
    """u1 took f001 to f016 in the log."""
    whole = ["f001", "f004", "f007", "f010", "f013", "f016", "f030"]
    known = attentive.recommend_for_history([["f030"]], 5, users=["u1"])
    alone = attentive.recommend_for_history([whole], 5, users=["u1"], known_users="replace")
    assert known["item_id"].tolist() == alone["item_id"].tolist()
    assert known["score"].tolist() == pytest.approx(alone["score"].tolist(), abs=1e-6)


def test_a_new_item_is_recommended_and_counts_in_a_transformers_history(world, attentive):
    rec = copy.copy(attentive)
    assert rec.add_items(world[0].iloc[[36]].assign(id="new")).ids == ["new"]
    assert "new" in rec.recommend_for_history([FORWARD], N_FILMS)["item_id"].tolist()
    scores = rec.recommend_for_history([["f030", "new"], ["f030"]], 5, users=["a", "b"])["score"].tolist()
    assert scores[:5] != scores[5:]


def test_threads_get_the_same_lists_of_a_transformer(attentive):
    users = [f"u{user}" for user in range(60)]

    def answers() -> bytes:
        return attentive.recommend(users, k=5).drop(columns="score").to_csv().encode()

    expected = answers()
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: answers(), range(8))) == {expected}


@pytest.fixture
def graph(catalogue) -> kgrec.KnowledgeGraph:
    return kgrec.build_graph(catalogue / "kgrec.yaml")


@pytest.fixture
def rec(graph, bag_of_words) -> kgrec.Recommender:
    return kgrec.Recommender(SMALL, text_encoder=bag_of_words).fit(graph)


def contents(rec, graph, entities, bag_of_words) -> np.ndarray:
    """The encoder's output without residual, before normalisation."""
    parameters = rec.model.parameters()
    return embed(parameters, SMALL, read_features(parameters, graph, entities, bag_of_words))


def by_the_formula(rec, text: str, neighbours: list[tuple[str, str, str]], bag_of_words) -> np.ndarray:
    """W t + sum_r s_r sum_j a_rj E_j, unnormalised; neighbours are (relation, type, key)."""
    parameters = rec.model.parameters()
    arrays, featurizer = parameters.arrays, parameters.featurizer
    spread = featurizer.whitenings[TEXT]
    white = (bag_of_words.encode([text])[0] - spread.mean) @ spread.map
    vector = white / np.linalg.norm(white) @ arrays["dense"]
    for relation in {relation for relation, _, _ in neighbours}:
        rows = featurizer.entities.ids([f"{type_}/{key}" for r, type_, key in neighbours if r == relation])
        idf = featurizer.idf[rows]
        scale = arrays["relation_scale"][featurizer.relations.index(relation)]
        vector = vector + scale * (idf / np.linalg.norm(idf)) @ arrays["entity"][rows]
    return vector


def test_a_known_item_is_its_content_and_its_residual(rec, graph, bag_of_words):
    model = rec.model
    entities = graph.item_entities.astype(np.int64)
    content = contents(rec, graph, entities, bag_of_words)
    raw = content + model.parameters().arrays["identity"]
    lengths = np.linalg.norm(raw, axis=1)
    np.testing.assert_allclose(model.items.lengths, lengths, rtol=1e-5)
    np.testing.assert_allclose(model.items.vectors, raw / lengths[:, None], rtol=1e-4, atol=1e-6)
    # f4 shares Cy with f5, Romance with f5 and f6, Comedy with f6
    expected = by_the_formula(
        rec,
        "Paris Waltz. two dancers fall in love",
        [("genres", "genre", "Romance"), ("genres", "genre", "Comedy"), ("directed_by", "person", "Cy")],
        bag_of_words,
    )
    np.testing.assert_allclose(content[3], expected, rtol=1e-4, atol=1e-6)
    # Horror and Bo and Di belong to one film each, and have no parameter
    features = read_features(model.parameters(), graph, entities, bag_of_words)
    assert _link_counts(model.parameters().featurizer, features) == [2, 2, 1, 3, 2, 2]


def test_an_item_left_out_of_training_and_added_back_is_its_content_alone(catalogue, bag_of_words):
    path = catalogue / "films.csv"
    header, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text(header + "".join(lines[1:]), encoding="utf-8")
    taken = (catalogue / "log.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (catalogue / "log.csv").write_text(
        "".join(line for line in taken if ",f1," not in line), encoding="utf-8"
    )
    rec = kgrec.Recommender(SMALL, text_encoder=bag_of_words).fit(kgrec.build_graph(catalogue / "kgrec.yaml"))
    assert "f1" not in rec.item_embeddings.ids.tolist()

    (catalogue / "new" / "films.csv").write_text(header + lines[0], encoding="utf-8")
    assert rec.add_items(catalogue / "new").ids == ["f1"]
    model = rec.model
    # f1 is by Ada, as f2 alone is now: no parameter; Science fiction is shared by f2 and f3
    expected = by_the_formula(
        rec,
        "Alien Dawn. a crew meets a creature in space",
        [("genres", "genre", "Science fiction")],
        bag_of_words,
    )
    np.testing.assert_allclose(model.items.lengths[5], np.linalg.norm(expected), rtol=1e-5)
    np.testing.assert_allclose(
        model.items.vectors[5], expected / np.linalg.norm(expected), rtol=1e-4, atol=1e-6
    )
    same = contents(rec, model.graph(), model.items.entities[[5]], bag_of_words)[0]
    np.testing.assert_allclose(model.items.vectors[5], same / np.linalg.norm(same), rtol=1e-6)
    assert (
        not model.items.trained[5]
        and model.items.trained[:5].all()
        and model.user_encoder.history_weight[5] == 1
    )


def test_a_new_item_with_text_and_neighbours_of_a_known_one_ranks_beside_it(rec, bag_of_words):
    twin = pd.DataFrame(
        [
            {
                "id": "twin",
                "title": "Paris Waltz",
                "plot": "two dancers fall in love",
                "genres": "Comedy|Romance",
                "director": "Cy",
            }
        ]
    )
    rec.add_items(twin)
    model = rec.model
    both = contents(rec, model.graph(), model.items.entities[[3, 6]], bag_of_words)
    cosine = both[0] @ both[1] / np.linalg.norm(both[0]) / np.linalg.norm(both[1])
    assert cosine == pytest.approx(1, abs=1e-6)
    assert rec.similar_items(["twin"], k=1)["similar_id"].tolist() == ["f4"]
    order = rec.recommend(["u1"], k=9, exclude_seen=False)["item_id"].tolist()
    assert abs(order.index("twin") - order.index("f4")) == 1


def test_embedding_one_item_or_many_gives_the_same(rec, graph, bag_of_words):
    entities = graph.item_entities.astype(np.int64)
    together = contents(rec, graph, entities, bag_of_words)
    for row, entity in enumerate(entities):
        alone = contents(rec, graph, np.array([entity]), bag_of_words)
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-4, atol=1e-6)
    assert contents(rec, graph, entities[:0], bag_of_words).shape == (0, 8)


def test_another_text_encoder_than_that_of_training_is_refused(rec, graph):
    class Short:
        def encode(self, texts, progress=None):  # noqa: ARG002
            return np.ones((len(texts), 5), np.float32)

    with pytest.raises(ConfigError) as raised:
        contents(rec, graph, graph.item_entities[:1].astype(np.int64), Short())
    assert (
        raised.value.problem == "The text encoder gives vectors of 5 numbers; the model was trained with 32."
    )
    assert raised.value.remedy == "Use the text encoder that the model was trained with."


# what may be absent


def changed(catalogue: Path, name: str, *pairs: tuple[str, str]) -> kgrec.KnowledgeGraph:
    """The graph after replacements in a file."""
    path = catalogue / name
    text = path.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return kgrec.build_graph(catalogue / "kgrec.yaml")


def assert_works(rec: kgrec.Recommender, new: int = 2) -> None:
    """Lists, similar items, additions and a round trip to values are finite and whole."""
    n = len(rec.model.items)
    assert np.isfinite(rec.item_embeddings.vectors).all() and np.isfinite(rec.user_embeddings.vectors).all()
    frame = rec.recommend_for_history([[]], k=n)
    assert len(frame) == n and np.isfinite(frame["score"]).all()
    assert len(rec.similar_items([rec.model.items.ids[0]], k=n)) == n - 1
    rows = pd.DataFrame(
        {
            "id": ["n1", "n2"],
            "title": ["Moon Base", "Spring Love"],
            "plot": ["a crew in space", "a couple falls in love"],
            "genres": ["Science fiction", "Romance"],
            "director": ["Ada", "Cy"],
        }
    )
    assert rec.add_items(rows[:new]).ids == ["n1", "n2"][:new]
    assert np.isfinite(rec.item_embeddings.vectors).all()
    assert rec.explain_history([rec.model.items.ids[0]], "n1").score <= 1 + 1e-6


def test_without_interactions_a_model_ranks_by_content(catalogue, bag_of_words):
    graph = changed(
        catalogue,
        "kgrec.yaml",
        ('interactions: {file: log.csv, user: user, item: film, value: stars, positive: ">= 4"}', ""),
    )
    rec = kgrec.Recommender(
        SMALL.model_copy(update={"encoder": kgrec.EncoderConfig(dim=64)}), text_encoder=bag_of_words
    )
    rec.fit(graph)
    assert len(rec.user_embeddings.ids) == 0 and rec.model.metrics == {"chosen": {}, "n_items": 6, "log": []}
    # three films of science fiction, three of romance
    for three in (["f1", "f2", "f3"], ["f4", "f5", "f6"]):
        frame = rec.similar_items(three, k=2)
        assert [sorted({*part["similar_id"], item}) for item, part in frame.groupby("item_id")] == [three] * 3
    assert_works(rec)


def test_one_user(catalogue, bag_of_words):
    (catalogue / "log.csv").write_text("user,film,stars\nu1,f1,5\nu1,f2,5\nu1,f3,5\n", encoding="utf-8")
    rec = kgrec.Recommender(SMALL, text_encoder=bag_of_words).fit(kgrec.build_graph(catalogue / "kgrec.yaml"))
    assert sorted(rec.recommend(["u1"])["item_id"]) == ["f4", "f5", "f6"]
    assert_works(rec)


def test_one_user_who_has_everything(catalogue, bag_of_words):
    rows = "".join(f"u1,f{n},5\n" for n in range(1, 7))
    (catalogue / "log.csv").write_text("user,film,stars\n" + rows, encoding="utf-8")
    config = SMALL.model_copy(update={"train": kgrec.TrainConfig(epochs=2, threads=1)})
    rec = kgrec.Recommender(config, text_encoder=bag_of_words).fit(
        kgrec.build_graph(catalogue / "kgrec.yaml")
    )
    assert rec.recommend(["u1"]).empty
    assert_works(rec)


def test_one_item(catalogue, bag_of_words):
    (catalogue / "films.csv").write_text("id,title,plot,genres,director\nf1,Dawn,a crew,Drama,Ada\n", "utf-8")
    (catalogue / "log.csv").write_text("user,film,stars\nu1,f1,5\nu2,f1,5\n", encoding="utf-8")
    rec = kgrec.Recommender(SMALL, text_encoder=bag_of_words).fit(kgrec.build_graph(catalogue / "kgrec.yaml"))
    assert rec.recommend(["u1"]).empty and rec.recommend(["u1"], exclude_seen=False)["item_id"].tolist() == [
        "f1"
    ]
    assert rec.similar_items(["f1"]).empty
    assert_works(rec)


def test_no_item_is_an_error(graph, bag_of_words):
    empty = replace(graph, item_types=())
    with pytest.raises(TrainingError) as raised:
        fit_model(empty, kgrec.Interactions.none(empty.item_ids), SMALL, bag_of_words, TrainingWatcher())
    assert raised.value.problem == "The graph has no items."


def test_texts_may_be_left_out(graph):
    rec = kgrec.Recommender(SMALL.model_copy(update={"text": kgrec.TextConfig(model="none")})).fit(graph)
    assert rec.model.parameters().arrays["dense"].shape == (0, 8)
    assert_works(rec)


def test_a_catalogue_may_have_no_text_and_new_items_some(catalogue, bag_of_words):
    """Without a text in training there is no map for texts: those of new items are left out."""
    graph = changed(
        catalogue, "kgrec.yaml", ("title: label", "title: ignore"), ("plot: text", "plot: ignore")
    )
    assert_works(kgrec.Recommender(SMALL, text_encoder=bag_of_words).fit(graph))
    lines = (catalogue / "films.csv").read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in lines[1:]]
    blank = "\n".join([lines[0], *(f"{row[0]},,,{row[3]},{row[4]}" for row in rows)])
    (catalogue / "films.csv").write_text(blank + "\n", encoding="utf-8")
    graph = changed(
        catalogue, "kgrec.yaml", ("title: ignore", "title: label"), ("plot: ignore", "plot: text")
    )
    assert_works(kgrec.Recommender(SMALL, text_encoder=bag_of_words).fit(graph))


def test_a_catalogue_may_have_no_edges(catalogue, bag_of_words):
    graph = changed(
        catalogue,
        "kgrec.yaml",
        ('{as: node, type: genre, split: "|"}', "ignore"),
        ("{as: node, type: person, edge: directed_by}", "ignore"),
    )
    assert len(graph.triples) == 0
    assert_works(kgrec.Recommender(SMALL, text_encoder=bag_of_words).fit(graph))


def test_a_catalogue_may_have_neither_text_nor_edges(catalogue):
    graph = changed(
        catalogue,
        "kgrec.yaml",
        ('{as: node, type: genre, split: "|"}', "ignore"),
        ("{as: node, type: person, edge: directed_by}", "ignore"),
    )
    rec = kgrec.Recommender(SMALL.model_copy(update={"text": kgrec.TextConfig(model="none")})).fit(graph)
    assert_works(rec)


def test_fitting_reports_its_progress(graph, bag_of_words):
    texts, epochs = [], []
    kgrec.Recommender(SMALL, text_encoder=bag_of_words).fit(
        graph,
        on_text=lambda *done: texts.append(done),
        on_epoch=lambda line, *done: epochs.append((line.epoch, *done)),
    )
    assert texts == [(6, 6)] and epochs == [(1, 1, 4), (2, 2, 4), (3, 3, 4), (4, 4, 4)]


def test_a_validation_set_is_used_even_if_no_share_is_held_out(graph, bag_of_words):
    valid = pd.DataFrame({"user_id": ["u1", "u3"], "item_id": ["f4", "f1"]})
    rec = kgrec.Recommender(SMALL, text_encoder=bag_of_words).fit(graph, valid=valid)
    assert rec.model.metrics["chosen"]["epochs"] in (2, 4, 8)
    assert kgrec.Recommender(SMALL, text_encoder=bag_of_words).fit(graph).model.metrics["chosen"] == {}


@pytest.mark.parametrize("given", [False, True])
def test_disliked_items_are_in_no_validation_list(given):
    """User 0 likes items 0 to 8 and dislikes 9. Of 50 items without interactions chance explains 45, so another item is held out whole."""
    items = Vocabulary.of(pa.array([f"i{n:02d}" for n in range(60)]))
    item = np.arange(10, dtype=np.int32)
    user, count = np.zeros(10, np.int32), np.ones(10, np.int32)
    log = Interactions(Vocabulary.of(pa.array(["u"])), items, user, item, item < 9, count)
    held_out = log.rows(item == 4) if given else None
    left = log.rows(item != 4) if given else log
    known = np.arange(60) < 10
    learned = replace(Histories.of(left), ordered=False)
    parts = _splitter(left, learned, held_out, kgrec.Config(), known)(np.random.default_rng(0))
    assert parts.held_out_items.any() != given and not parts.training[0, 9]
    assert set(parts.seen.indices) == {*parts.training.indices, 9} - set(np.flatnonzero(parts.held_out_items))
