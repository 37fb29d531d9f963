"""The contract of learned rankers, and what each of them learns."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from by_hand import rescorer, users
from ranking_examples import NAMES, corrected, examples, hits_at_1

from kgrec.errors import ConfigError
from kgrec.rank import boosted
from kgrec.rank.boosted import Boosted
from kgrec.rank.gate import Gate, fit_gate
from kgrec.rank.network import Network
from kgrec.rank.ranker import Ranker
from kgrec.rank.ranking_features import FeatureSource, GraphFeatures
from kgrec.storage.segments import Rows
from kgrec.train.ranker_search import FITTERS

KINDS = sorted(FITTERS)
#: feature that decides on the hit, in the world of each kind
WORLDS = {"gate": "gate", "boosted": "recent_popularity", "network": "age"}


@pytest.fixture(scope="module", params=KINDS)
def learned(request):
    return FITTERS[request.param](examples(400, follows=WORLDS[request.param]), 0)


def test_a_ranker_finds_what_the_fused_score_misses(learned):
    unseen = examples(200, follows=WORLDS[learned.kind], seed=1)
    alone, better = hits_at_1(unseen), hits_at_1(unseen, corrected(learned, unseen))
    assert better > alone + 0.1, (alone, better)


def test_the_parts_of_a_correction_sum_to_it(learned):
    features = examples(3, follows=None, seed=2).features[0]
    for one, correction in zip(features, learned.corrections(features), strict=True):
        added = learned.added_weights(one)
        by_scores = sum(weight * one[NAMES.index(name)] for name, weight in added.items())
        assert by_scores + sum(learned.shares(one).values()) == pytest.approx(float(correction), abs=1e-5)


def test_a_correction_depends_on_its_own_pair_alone(learned):
    features = examples(3, follows=None, seed=2).features.reshape(-1, len(NAMES))
    alone = np.concatenate([learned.corrections(one[None]) for one in features])
    np.testing.assert_allclose(learned.corrections(features), alone, atol=1e-6)
    assert learned.corrections(features).dtype == np.float32
    assert learned.corrections(features[:0]).shape == (0,)


def test_the_seed_decides(learned):
    again = FITTERS[learned.kind](examples(400, follows=WORLDS[learned.kind]), 0)
    features = examples(2, follows=None).features.reshape(-1, len(NAMES))
    np.testing.assert_array_equal(again.corrections(features), learned.corrections(features))


def test_the_gate_says_which_score_counts_for_popular_items():
    gate = fit_gate(examples(400, follows="gate"))
    features = np.zeros((2, len(NAMES)), np.float32)
    features[:, NAMES.index("popularity")] = [3, 0]
    popular, rare = (gate.added_weights(one) for one in features)
    assert popular["embedding"] > rare["embedding"] and popular["co_occurrence"] < rare["co_occurrence"]


def test_a_gate_by_hand():
    """Weights added: 0.5 for the embedding, and 0.1 per deviation of popularity, which is 2 around 1, for co-occurrence."""
    scaling = np.array([[0, 1, 0], [1, 0.5, 1]], np.float32)
    gate = Gate(NAMES, scaling, np.array([[0.5, 0, 0, 0], [0, 0, 0.1, 0]], np.float32))
    features = np.zeros((1, len(NAMES)), np.float32)
    features[0, :2], features[0, NAMES.index("popularity")] = (0.4, 0.3), 5
    assert gate.added_weights(features[0]) == pytest.approx({"embedding": 0.5, "co_occurrence": 0.2})
    assert gate.corrections(features) == pytest.approx([0.5 * 0.4 + 0.2 * 0.3])


def test_a_boosted_ranker_without_its_extra_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(ConfigError, match=r"pip install 'kgrec\[boosted\]'"):
        boosted.check_installed()


@pytest.mark.parametrize("text", ["", "a pickle", "tree\nnonsense"])
def test_a_text_that_is_no_model_is_refused(text):
    with pytest.raises(ValueError, match="is not a model of LightGBM"):
        Boosted.of_text(NAMES, text, 1.0)


def test_trees_of_other_features_are_refused():
    text = FITTERS["boosted"](examples(400, follows="age"), 0).text  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="has trees of 9 features, and there are 8"):
        Boosted.of_text(NAMES[1:], text, 1.0)


@pytest.mark.parametrize("kind", [Gate, Network])
def test_arrays_of_other_features_are_refused(kind):
    arrays = FITTERS[kind.kind](examples(20, follows=None), 0).arrays()
    with pytest.raises(ValueError, match="has no arrays of a"):
        kind.of_arrays((*NAMES, "more") if kind is Network else NAMES[1:], arrays)
    with pytest.raises(ValueError, match="has no arrays of a"):
        kind.of_arrays(NAMES, dict(list(arrays.items())[1:]))


class Popular:
    """Adds a hundredth of the popularity, and a tenth to the embedding's weight."""

    kind = "gate"
    at = 3

    def corrections(self, features):
        return (features[:, self.at] / 100 + features[:, 0] / 10).astype(np.float32)

    def added_weights(self, features):
        del features
        return {"embedding": 0.1}

    def shares(self, features):
        return {"popularity": float(features[self.at]) / 100}

    def arrays(self):
        return {}


def ranker(corrects_new: bool) -> Ranker:
    statistics = np.array([[1, 0, 0], [2, 0, 0], [0, 0, 0]], np.float32)
    source = FeatureSource(
        ("embedding",),
        Rows.of(statistics),
        GraphFeatures(("neighbors",), np.zeros((0, 3)), np.zeros(0, np.int64)),
    )
    return Ranker(source, Popular(), corrects_new)


def test_a_rescorer_adds_the_correction_and_accounts_for_it():
    plain, user = rescorer(), users([1, 1, 0])
    fused = replace(plain, ranker=ranker(corrects_new=False))
    candidates, cosines = np.array([[0, 1, 2, 0]]), np.array([[0.5, 0.4, 0.3, -np.inf]], np.float32)
    scores = fused.scores(user, candidates, cosines)[0]
    added = scores[:3] - plain.scores(user, candidates, cosines)[0, :3]
    # item 2 has no users, and is not corrected
    np.testing.assert_allclose(added, [0.06, 0.06, 0], atol=1e-6)
    assert scores[3] == -np.inf
    weights, rest = fused.account(user, 1, 0.4)
    assert weights["embedding"] == pytest.approx(0.5) and rest == pytest.approx({"popularity": 0.02})
    assert fused.account(user, 2, 0.3) == (
        {name: pytest.approx(float(w)) for name, w in plain.weights.items()},
        {},
    )
    assert not replace(rescorer(embedding=1), ranker=ranker(False)).is_idle
    assert fused.with_items(4).ranker.source.is_known(np.array([3])).tolist() == [False]


def test_new_items_are_corrected_where_validation_had_such():
    fused = replace(rescorer(), ranker=ranker(corrects_new=True))
    candidates, cosines = np.array([[2]]), np.array([[0.3]], np.float32)
    added = fused.scores(users([1, 1, 0]), candidates, cosines) - rescorer().scores(
        users([1, 1, 0]), candidates, cosines
    )
    np.testing.assert_allclose(added, [[0.03]], atol=1e-6)


def test_many_users_are_corrected_as_each_alone():
    rng = np.random.default_rng(0)
    histories = (rng.random((300, 3)) < 0.6).astype(float)
    items = rng.integers(0, 3, (300, 2))
    cosines = rng.random((300, 2)).astype(np.float32)
    one = ranker(corrects_new=False)
    neighbors = rescorer().scorers["graph"].neighbors  # type: ignore[attr-defined]
    whole = one.corrections(users(*histories.tolist()), items, {"embedding": cosines}, neighbors)
    for user in (0, 127, 128, 299):
        alone = one.corrections(
            users(histories[user].tolist()), items[[user]], {"embedding": cosines[[user]]}, neighbors
        )
        np.testing.assert_allclose(whole[[user]], alone, atol=1e-7)
