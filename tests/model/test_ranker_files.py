"""Models with a learned ranker: their folder, their lists, and their explanations."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from kgrec import Config, Recommender, build_graph
from kgrec.errors import CorruptArtifact
from kgrec.graph.live_histories import LiveHistories
from kgrec.model import storage
from kgrec.model.model import Model
from kgrec.rank.ranker import Examples, Ranker
from kgrec.rank.ranking_features import FeatureSource
from kgrec.storage import artifacts
from kgrec.storage.files import read_json, write_json, write_tensors
from kgrec.train.ranker_search import FITTERS

KINDS = sorted(FITTERS)
USERS = ["u1", "u2", "u3"]


@pytest.fixture(scope="module")
def plain(shared_catalogue: Path) -> Recommender:
    options = ["text.model=none", "epochs=1", "temperature=0.1", "train.threads=1", "valid_share=0"]
    weights = "rescore.weights={embedding: 2, graph: 1, co_occurrence: 1}"
    return Recommender(Config.read(settings=[*options, weights])).fit(
        build_graph(shared_catalogue / "kgrec.yaml")
    )


def with_ranker(model: Model, kind: str, corrects_new: bool = False) -> Model:
    """The model with a ranker that random hits taught: it corrects something, no matter what."""
    rescorer, featurizer = model.rescorer, model.parameters().featurizer
    source = FeatureSource.of(
        rescorer.active, rescorer.scorers["graph"], LiveHistories.of(model.histories).whole, featurizer
    )
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 30, len(source.names))).astype(np.float32)
    scores = rng.normal(size=(60, 30)).astype(np.float32)
    hits = features[..., 0] + features[..., source.names.index("popularity")] > 2
    learned = FITTERS[kind](Examples(source.names, features, scores, hits), 0)
    return replace(model, rescorer=replace(rescorer, ranker=Ranker(source, learned, corrects_new)))


@pytest.fixture(scope="module", params=KINDS)
def folder(
    request: pytest.FixtureRequest, plain: Recommender, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    place = tmp_path_factory.mktemp(request.param) / "model"
    storage.save(with_ranker(plain.model, request.param), place)
    return place


def test_a_stored_ranker_gives_the_same_scores(folder: Path, plain: Recommender):
    model = storage.load(folder)
    kind = model.rescorer.ranker.learned.kind
    there = {"ranker.json", "ranker.safetensors"} | ({"ranker.txt"} if kind == "boosted" else set())
    assert {path.name for path in folder.glob("ranker.*")} == there
    rows = np.tile(np.arange(6), (6, 1))
    before = with_ranker(plain.model, kind).scores(plain.model.histories, rows)
    np.testing.assert_array_equal(model.scores(model.histories, rows), before)
    assert not np.array_equal(before, plain.model.scores(plain.model.histories, rows))


def test_a_model_without_a_ranker_has_no_file_of_one(plain: Recommender, tmp_path: Path):
    storage.save(plain.model, tmp_path / "model")
    assert not list((tmp_path / "model").glob("ranker.*"))
    assert storage.load(tmp_path / "model").rescorer.ranker is None


def test_lists_pairs_and_explanations_have_one_score(folder: Path):
    kg = Recommender.load(folder)
    lists = kg.recommend(USERS, k=3)
    pairs = kg.score_pairs(lists[["user_id", "item_id"]])
    np.testing.assert_allclose(pairs["score"], lists["score"], atol=1e-6)
    for user, item, score in lists[["user_id", "item_id", "score"]].itertuples(index=False):
        why = kg.explain(user, item)
        assert why.score == pytest.approx(score, abs=1e-5)
        assert why.sources["contribution"].sum() == pytest.approx(score, abs=1e-4)
        by_ranker = why.sources.loc[why.sources["source"] == "ranker", "contribution"].sum()
        assert why.history["contribution"].sum() + by_ranker == pytest.approx(score, abs=1e-4)
        parts = why.parts()["history"]
        assert sum(part.contribution for part in parts) == pytest.approx(score, abs=1e-4)


def test_an_explanation_names_what_the_ranker_read(folder: Path):
    kg = Recommender.load(folder)
    sources = kg.explain("u1", "f4").sources
    labels = set(sources.loc[sources["source"] == "ranker", "label"])
    kind = kg.model.rescorer.ranker.learned.kind
    if kind == "gate":
        assert not labels
    elif kind == "network":
        assert labels == {"network"} and "learned ranker: network" in kg.explain("u1", "f4").text()
    else:
        assert "popularity" in labels and "learned ranker: popularity" in kg.explain("u1", "f4").text(1)


def test_an_added_item_is_not_corrected(folder: Path, plain: Recommender, tmp_path: Path):
    rows = pd.DataFrame(
        {"id": ["n1"], "title": ["Moon"], "plot": [""], "genres": ["Romance"], "director": ["Cy"]}
    )
    shutil.copytree(folder, tmp_path / "model")
    kg = Recommender.load(tmp_path / "model")
    kg.add_items(rows)
    storage.save(plain.model, tmp_path / "plain")
    other = Recommender.load(tmp_path / "plain")
    other.add_items(rows)
    pairs = pd.DataFrame({"user_id": USERS, "item_id": ["n1"] * 3})
    expected = other.score_pairs(pairs)["score"]
    np.testing.assert_allclose(kg.score_pairs(pairs)["score"], expected, atol=1e-6)
    kg.save(tmp_path / "model")
    again = Recommender.load(tmp_path / "model").score_pairs(pairs)["score"]
    np.testing.assert_allclose(again, expected, atol=1e-6)


def test_filters_and_boosts_come_after_the_correction(folder: Path):
    kg = Recommender.load(folder)
    plain = kg.recommend(["u1"], k=6).set_index("item_id")["score"]
    boosted = kg.recommend(["u1"], k=6, item_boost={"f4": 0.5}).set_index("item_id")["score"]
    assert boosted["f4"] - plain["f4"] == pytest.approx(0.5, abs=1e-5)
    only = kg.recommend(["u1"], k=6, candidates=["f5"])
    assert only["score"].tolist() == pytest.approx([plain["f5"]], abs=1e-6)
    bound = float(plain.median())
    kept = kg.recommend(["u1"], k=6, min_score=bound)["score"]
    assert (kept >= bound).all() and len(kept) == (plain >= bound).sum()


def altered(folder: Path, other: Path, change) -> str:
    """What loading says of a sealed copy in which something was changed."""
    with artifacts.writing(other, kind="model") as place:
        shutil.copytree(folder, place, dirs_exist_ok=True)
        (place / artifacts.MANIFEST).unlink()
        change(place)
    with pytest.raises(CorruptArtifact) as raised:
        storage.load(other)
    return raised.value.problem


def test_a_ranker_that_lacks_something_is_refused(folder: Path, tmp_path: Path):
    for array in load_file(folder / "ranker.safetensors"):

        def without(place: Path, array: str = array) -> None:
            arrays = load_file(place / "ranker.safetensors")
            del arrays[array]
            write_tensors(arrays, place / "ranker.safetensors")

        assert "ranker.safetensors has no array" in altered(folder, tmp_path / array, without)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"kind": "forest"}, "does not describe a ranker (input should be 'gate', 'boosted' or 'network')"),
        ({"graph": ["neighbors"] * 3}, "features of the graph"),
        ({"more": 1}, "does not describe a ranker (extra inputs are not permitted)"),
        ({"scorers": ["embedding", "graph", "sequence"]}, "has no scorer 'sequence'"),
    ],
)
def test_another_description_is_refused(folder: Path, tmp_path: Path, values, problem):
    def change(place: Path) -> None:
        write_json({**read_json(place / "ranker.json"), **values}, place / "ranker.json")

    assert problem in altered(folder, tmp_path / "model", change)


def test_trees_that_cannot_be_read_are_refused(folder: Path, tmp_path: Path):
    if not (folder / "ranker.txt").exists():
        pytest.skip("only trees have a text")
    for number, change in enumerate(
        [
            lambda place: (place / "ranker.txt").unlink(),
            lambda place: (place / "ranker.txt").write_text("cos\nsystem"),
            lambda place: (place / "ranker.txt").write_bytes(b"tree\n\xff\xfe"),
        ]
    ):
        assert "ranker" in altered(folder, tmp_path / str(number), change)
