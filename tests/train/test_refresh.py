"""A model that goes on learning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from text_encoders import BagOfWords

import kgrec
from kgrec.encode.featurizer import Featurizer
from kgrec.errors import TrainingError
from kgrec.graph.live_histories import LiveHistories
from kgrec.model.model import WHITENING, Parameters
from kgrec.rank.slim import co_counts
from kgrec.train.continuation import choice_of, continued_encoder
from kgrec.train.fit import read_facts, training_data
from kgrec.train.progress import TrainingWatcher
from kgrec.train.refresh import refreshed

QUIET = TrainingWatcher()
SETTINGS = ["dim=8", "epochs=6", "train.threads=1", "valid_share=0", "temperature=0.1"]
#: user u7 is new, u1 has more, and f4 of u2 is liked now
NEW = pd.DataFrame(
    {"user": ["u7", "u7", "u7", "u1", "u2"], "film": ["f4", "f6", "n2", "f4", "f4"], "stars": [5, 5, 4, 5, 5]}
)


def fitted(catalogue: Path, *settings: str) -> kgrec.Recommender:
    graph = kgrec.build_graph(catalogue / "kgrec.yaml")
    config = kgrec.Config.read(settings=[*SETTINGS, *settings])
    return kgrec.Recommender(config, text_encoder=BagOfWords()).fit(graph)


@pytest.fixture(scope="module")
def parent(shared_catalogue: Path) -> kgrec.Recommender:
    weights = "rescore.weights={embedding: 1, graph: 1, co_occurrence: 2, random_walk: 1}"
    return fitted(shared_catalogue, weights, "exact_items=0")


@pytest.fixture(scope="module")
def grown(parent: kgrec.Recommender, shared_catalogue: Path) -> kgrec.Recommender:
    rec = parent.with_model(parent.model)
    rec.add_items(shared_catalogue / "new")
    rec.add_interactions(NEW)
    return rec


def learned(parent: kgrec.Recommender, grown: kgrec.Recommender, **options: Any) -> kgrec.Recommender:
    outcome = refreshed(parent.model, grown.model, BagOfWords(), QUIET, **options)
    assert outcome.model is not None
    return parent.with_model(outcome.model)


def node_names(featurizer: Featurizer) -> list[str]:
    bins = [f"{name} {at}" for name, values in featurizer.bins.items() for at in range(len(values))]
    return [*featurizer.entities, *bins, *featurizer.label_tokens]


def continued(parent: kgrec.Recommender, grown: kgrec.Recommender) -> tuple[Any, Featurizer]:
    model, parameters = grown.model, parent.model.parameters()
    widths = {name: len(one.mean) for name, one in parameters.featurizer.whitenings.items()}
    entities = np.asarray(model.items.entities.whole, np.int64)
    facts = read_facts(model.graph(), entities, model.config, BagOfWords(), QUIET, widths)
    featurizer = parameters.featurizer.grown(facts, True)
    whole = LiveHistories.of(model.histories).whole
    data = training_data(facts, featurizer, replace(whole, ordered=False), model.config)
    return continued_encoder(parameters, data, "mean"), featurizer


def test_parameters_are_those_of_the_parent_by_name(parent: kgrec.Recommender, grown: kgrec.Recommender):
    """In the grown graph more nodes are shared by two items, so that rows have other numbers."""
    encoder, featurizer = continued(parent, grown)
    before = parent.model.parameters()
    own = dict(zip(node_names(before.featurizer), before.arrays["entity"], strict=True))
    rows = dict(zip(node_names(featurizer), encoder.entity.detach().numpy(), strict=True))
    assert own.keys() <= rows.keys()
    for name, row in own.items():
        np.testing.assert_array_equal(rows[name], row, err_msg=name)
    for name in rows.keys() - own.keys():
        assert np.abs(rows[name]).max() > 0, name
    np.testing.assert_array_equal(encoder.dense.detach().numpy(), before.arrays["dense"])
    identity = encoder.identity.detach().numpy()
    np.testing.assert_array_equal(identity[:6], before.arrays["identity"])
    assert len(identity) == 8 and not identity[6:].any()


def test_a_node_that_a_second_item_shares_gets_parameters(catalogue: Path):
    """Bo directs one film; a second one joins two films by Bo."""
    parent = fitted(catalogue)
    grown = parent.with_model(parent.model)
    row = {"id": "n3", "title": "Red Moon", "plot": "a moon is red", "genres": "Horror", "director": "Bo"}
    grown.add_items(pd.DataFrame([row]))
    names = node_names(parent.model.parameters().featurizer)
    assert "person/Bo" not in names
    _, featurizer = continued(parent, grown)
    assert "person/Bo" in node_names(featurizer)


def test_a_whitening_is_taken_out_before_learning_goes_on(
    parent: kgrec.Recommender, grown: kgrec.Recommender
):
    before = parent.model.parameters()
    rng = np.random.default_rng(0)
    whitening = (np.eye(8) + 0.1 * rng.normal(size=(8, 8))).astype(np.float32)
    tables = {name: before.arrays[name] @ whitening for name in ("dense", "entity", "identity")}
    whitened = Parameters({**before.arrays, **tables, WHITENING: whitening}, before.featurizer)
    rec = parent.with_model(replace(parent.model, parameters=lambda: whitened))
    plain, _ = continued(parent, grown)
    encoder, _ = continued(rec, grown)
    for name in ("dense", "identity"):
        np.testing.assert_allclose(
            encoder.state_dict()[name].numpy(), plain.state_dict()[name].numpy(), atol=1e-5
        )


def test_the_whitening_of_a_model_is_kept_for_its_refresh(catalogue: Path):
    rec = fitted(catalogue, "valid_share=0.4")
    chosen = rec.model.metrics["chosen"]
    assert (WHITENING in rec.model.parameters().arrays) == bool(chosen["whitening"])


@pytest.mark.parametrize("exact", [0, 100], ids=["slim", "ease"])
def test_item_item_weights_are_those_of_a_full_training(catalogue: Path, exact: int):
    """The Gram matrix, and all that is made of it, is exact: only the encoder depends on where learning began."""
    weights = "rescore.weights={embedding: 1, co_occurrence: 2, random_walk: 1}"
    parent = fitted(catalogue, weights, f"exact_items={exact}")
    grown = parent.with_model(parent.model)
    grown.add_interactions(NEW[NEW["film"] != "n2"])
    after = learned(parent, grown).model
    log = pd.concat([pd.read_csv(catalogue / "log.csv"), NEW[NEW["film"] != "n2"]])
    log = log.drop_duplicates(["user", "film"], keep="last")
    log.to_csv(catalogue / "log.csv", index=False)
    full = fitted(catalogue, weights, f"exact_items={exact}").model
    rows = full.users.ids(after.users.tolist())
    np.testing.assert_array_equal(after.liked.toarray(), full.liked[rows].toarray())
    np.testing.assert_array_equal(co_counts(after.liked).toarray(), co_counts(full.liked).toarray())
    for name in ("co_occurrence", "random_walk"):
        own, other = (model.rescorer.scorers[name].arrays(name) for model in (after, full))
        assert own.keys() == other.keys()
        for array in own:
            np.testing.assert_allclose(own[array], other[array], atol=1e-5, err_msg=f"{name} {array}")
    np.testing.assert_allclose(after.rescorer.prior.whole, full.rescorer.prior.whole, atol=1e-6)


def test_a_refresh_learns_what_is_new(parent: kgrec.Recommender, grown: kgrec.Recommender):
    """n2 had no interactions: now it has a residual and a row of item-item weights of its own, and counts as known."""
    after = learned(parent, grown).model
    at = int(after.items.ids.ids(["n2"])[0])
    unmet = int(after.items.ids.ids(["n1"])[0])
    assert after.items.trained[at] and not after.items.trained[unmet]
    identity = after.parameters().arrays["identity"]
    assert identity[at].any() and not identity[unmet].any()
    weights = after.rescorer.scorers["co_occurrence"].weights  # type: ignore[attr-defined]
    with_n2 = set(after.items.ids.take(np.flatnonzero(weights[np.array([at])].toarray()[0] > 0)).to_pylist())
    assert with_n2 == {"f4", "f6"}, "u7 took them together"
    assert after.config == parent.model.config
    assert after.rescorer.weights == parent.model.rescorer.weights
    assert choice_hyperparameters(after) == choice_hyperparameters(parent.model)


def choice_hyperparameters(model: Any) -> Any:
    facts = read_facts(
        model.graph(), np.asarray(model.items.entities.whole), model.config, BagOfWords(), QUIET
    )
    data = training_data(
        facts, model.parameters().featurizer, replace(model.histories, ordered=False), model.config
    )
    return choice_of(model, data).hyperparameters


def test_the_same_refresh_gives_the_same_model(parent: kgrec.Recommender, grown: kgrec.Recommender):
    one, other = (learned(parent, grown).model for _ in range(2))
    np.testing.assert_array_equal(one.items.vectors.whole, other.items.vectors.whole)
    entries = [model.metrics["lineage"][0] | {"at": ""} for model in (one, other)]
    assert entries[0] == entries[1]


def test_replay_decides_which_old_histories_are_learned(parent: kgrec.Recommender, grown: kgrec.Recommender):
    none, whole = (learned(parent, grown, replay=share).model for share in (0.0, 1.0))
    assert np.abs(none.items.vectors.whole - whole.items.vectors.whole).max() > 1e-3
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(none.items.vectors.whole, parent.model.items.vectors.whole)


def test_the_lineage_names_parents_and_figures(
    tmp_path: Path, parent: kgrec.Recommender, grown: kgrec.Recommender
):
    parent.save(tmp_path / "model")
    first = learned(parent, grown)
    first.save(tmp_path / "next")
    again = first.with_model(first.model)
    again.add_interactions(pd.DataFrame({"user": ["u3"], "film": ["f1"], "stars": [5]}))
    second = learned(first, again).model
    lines = second.metrics["lineage"]
    assert [line["parent"] for line in lines] == [
        parent.model.origin[1].seal,  # type: ignore[index]
        first.model.origin[1].seal,  # type: ignore[index]
    ]
    assert [line["interactions"] for line in lines] == [5, 1]
    assert lines[0] | {"ndcg": None, "at": ""} == {
        "at": "",
        "parent_created": parent.model.version,
        "parent": parent.model.origin[1].seal,  # type: ignore[index]
        "interactions": 5,
        "users": 3,
        "new_users": 1,
        "new_items": 2,
        "newly_learned_items": 1,
        "ndcg": None,
        "replay": 0.2,
        "forced": False,
    }
    assert first.model.origin[1].config["lineage"] == lines[:1]  # type: ignore[index]


TASTES, ITEMS_OF_TASTE = 10, 20


def items_of(taste: int, rng: np.random.Generator, n: int) -> list[str]:
    first = ITEMS_OF_TASTE * (taste % TASTES)
    return [f"i{first + item:03}" for item in rng.choice(ITEMS_OF_TASTE, n, replace=False).tolist()]


def tastes(tmp_path: Path) -> Path:
    """200 items and 100 users of ten tastes, with eight items each."""
    rng = np.random.default_rng(0)
    rows = [
        (f"u{user:02}", item, 100 + at)
        for user in range(100)
        for at, item in enumerate(items_of(user, rng, 8))
    ]
    pd.DataFrame(rows, columns=["user", "item", "at"]).to_csv(tmp_path / "log.csv", index=False)
    pd.DataFrame({"id": [f"i{at:03}" for at in range(TASTES * ITEMS_OF_TASTE)]}).to_csv(
        tmp_path / "items.csv", index=False
    )
    mapping = "{version: 1, base: 'https://example.org/', nodes: {thing: {item: true, file: items.csv, key: id, columns: {}}}, "
    mapping += "interactions: {file: log.csv, user: user, item: item, time: at}}"
    (tmp_path / "kgrec.yaml").write_text(mapping)
    return tmp_path


def later(seen: pd.DataFrame, wrong: bool) -> pd.DataFrame:
    """Eight items of each of 100 new users, who mix two tastes if they are wrong, and after them two more of each known user."""
    rng = np.random.default_rng(1)
    rows = []
    for user in range(100):
        items = [*items_of(user, rng, 4), *items_of(user + 5 * wrong, rng, 4)]
        rows += [(f"n{user:02}", item, 200 + at) for at, item in enumerate(items)]
    for user, own in seen.groupby("user"):
        free = [item for item in items_of(int(user[1:]), rng, ITEMS_OF_TASTE) if item not in set(own["item"])]
        rows += [(user, item, 300 + at) for at, item in enumerate(free[:2])]
    return pd.DataFrame(rows, columns=["user", "item", "at"]).drop_duplicates(["user", "item"])


def tasted(tmp_path: Path, wrong: bool) -> tuple[kgrec.Recommender, kgrec.Recommender]:
    folder = tastes(tmp_path)
    config = kgrec.Config.read(
        settings=[
            "dim=8",
            "epochs=40",
            "learning_rate=0.05",
            "train.threads=1",
            "valid_share=0",
            "target=any",
        ]
    )
    parent = kgrec.Recommender(config).fit(kgrec.build_graph(folder / "kgrec.yaml"))
    grown = parent.with_model(parent.model)
    grown.add_interactions(later(pd.read_csv(folder / "log.csv"), wrong))
    return parent, grown


def test_a_refresh_that_ranks_worse_leaves_the_parent(tmp_path: Path):
    """Most of what came is of users who mix tastes, and then the known ones go on as before."""
    parent, grown = tasted(tmp_path, wrong=True)
    outcome = refreshed(parent.model, grown.model, None, QUIET, replay=0)
    assert outcome.comparison.is_worse and outcome.model is None and not outcome.accepted
    forced = refreshed(parent.model, grown.model, None, QUIET, replay=0, force=True)
    assert forced.model is not None and forced.lineage["forced"]
    assert forced.model.metrics["lineage"] == [forced.lineage]


def test_a_refresh_with_the_same_taste_is_accepted(tmp_path: Path):
    parent, grown = tasted(tmp_path, wrong=False)
    outcome = refreshed(parent.model, grown.model, None, QUIET)
    assert outcome.accepted and outcome.comparison.users == 100 and not outcome.lineage["forced"]


def test_nothing_new_is_an_error(parent: kgrec.Recommender):
    with pytest.raises(TrainingError, match="nothing to learn"):
        refreshed(parent.model, parent.model, BagOfWords(), QUIET)


def test_a_model_of_content_alone_cannot_be_continued(catalogue: Path):
    (catalogue / "log.csv").write_text("user,film,stars\n")
    parent = fitted(catalogue)
    grown = parent.with_model(parent.model)
    grown.add_interactions(NEW[NEW["film"] != "n2"])
    with pytest.raises(TrainingError, match="trained without interactions"):
        refreshed(parent.model, grown.model, BagOfWords(), QUIET)
