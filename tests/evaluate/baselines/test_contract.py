"""Every baseline keeps the contract of `Baseline` and `FittedBaseline`."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields, replace

import numpy as np
import pytest
import scipy.sparse as sp
from baseline_examples import ORDERED, TAKEN, every, example_data, matrix, places_at_random, small, triples_of
from grouped import grouped_halves

from kgrec.errors import ConfigError, TrainingError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.content import ContentEmbedding, ContentTfidf
from kgrec.evaluate.baselines.ease import Ease
from kgrec.evaluate.baselines.factors import BPR
from kgrec.evaluate.baselines.gru4rec import GRU4Rec
from kgrec.evaluate.baselines.hybrid import Hybrid
from kgrec.evaluate.baselines.item_knn import ItemKNN
from kgrec.evaluate.baselines.kgat import KGAT
from kgrec.evaluate.baselines.lightgcn import LightGCN
from kgrec.evaluate.baselines.markov import MarkovChain
from kgrec.evaluate.baselines.popularity import Popularity
from kgrec.evaluate.baselines.protocol import Baseline
from kgrec.evaluate.baselines.registry import BASELINES
from kgrec.evaluate.baselines.sasrec import SASRec
from kgrec.evaluate.baselines.session_knn import SessionKNN
from kgrec.evaluate.baselines.svd import PureSVD
from kgrec.evaluate.baselines.tune import quality
from kgrec.evaluate.baselines.user_knn import UserKNN
from kgrec.evaluate.baselines.vae import MultVAE
from kgrec.graph.histories import Histories


@every
def test_scores_have_one_row_per_history_and_one_column_per_item(name: str):
    data = example_data()
    scores = small(name).fit(data).scores(data.histories.take(np.arange(7)), np.arange(7))
    assert scores.shape == (7, 12) and scores.dtype == np.float32
    assert np.isfinite(scores).all()
    none = small(name).fit(data).scores(data.histories.take(np.arange(0)))
    assert none.shape == (0, 12)


@every
def test_the_same_seed_gives_the_same_scores(name: str):
    data, users = example_data(), np.arange(40)
    one, other = (small(name).fit(data).scores(data.histories, users) for _ in range(2))
    assert one.tobytes() == other.tobytes()


@every
def test_scores_differ_between_items(name: str):
    data = example_data()
    scores = small(name).fit(data).scores(data.histories, np.arange(40))
    assert np.ptp(scores[1:], axis=1).min() > 0


@every
def test_an_empty_history_is_scored(name: str):
    """Popularity knows what to say, BPR its biases; others say nothing, and prefer nothing."""
    data = example_data()
    (scores,) = small(name).fit(data).scores(data.histories.take(np.arange(1)))
    assert np.isfinite(scores).all()
    if name not in ("popularity", "bpr"):
        assert not scores.any()


@every
def test_an_item_without_interactions_scores_zero_or_by_content(name: str):
    """It is known by its content alone."""
    data = example_data()
    scores = small(name).fit(data).scores(data.histories, np.arange(40))[:, -1]
    if name in ("content-tfidf", "content-embedding", "hybrid", "kgat", "vae"):
        assert scores[1:].any()
    else:
        assert not scores.any()


@every
def test_scores_of_a_history_do_not_depend_on_other_histories(name: str):
    data, order = example_data(), np.random.default_rng(1).permutation(40)
    fitted = small(name).fit(data)
    scores = fitted.scores(data.histories, np.arange(40))
    np.testing.assert_allclose(fitted.scores(data.histories.take(order), order), scores[order], atol=1e-5)
    np.testing.assert_allclose(
        fitted.scores(data.histories.take(np.array([5])), np.array([5]))[0], scores[5], atol=1e-5
    )


@every
def test_only_baselines_with_vectors_of_users_score_a_known_user_by_more_than_the_history(name: str):
    data = example_data()
    fitted = small(name).fit(data)
    known, new = (fitted.scores(data.histories, users) for users in (np.arange(40), None))
    assert (known.tobytes() == new.tobytes()) == (name not in ("bpr", "lightgcn", "kgat"))


@every
def test_stored_values_and_their_order_do_not_matter(name: str):
    data = example_data()
    scores = small(name).fit(data).scores(data.histories, np.arange(40))
    other = data.positives.copy()
    other.data[:] = 5
    for start, stop in zip(other.indptr[:-1], other.indptr[1:], strict=True):
        other.indices[start:stop] = other.indices[start:stop][::-1].copy()
    other.has_sorted_indices = False
    changed = replace(data, ages=None, positives=other)
    again = small(name).fit(changed).scores(changed.histories, np.arange(40))
    if name != "bpr":  # draws from what is stored, in its order
        np.testing.assert_allclose(again, scores, atol=1e-4)
    assert (other.data == 5).all()


@every
def test_scoring_modifies_neither_histories_nor_the_fitted_baseline(name: str):
    data = example_data()
    before = data.positives.copy()
    fitted = small(name).fit(data)
    first = fitted.scores(data.histories, np.arange(40))
    kept = first.copy()
    first[:] = -np.inf
    assert fitted.scores(data.histories, np.arange(40)).tobytes() == kept.tobytes()
    assert (data.positives != before).nnz == 0


@every
def test_fitting_does_not_modify_the_data(name: str):
    """With hidden items, whose terms alone weigh nothing."""
    hidden = np.arange(12) >= 8
    taken, near = example_data().positives.toarray(), example_data().neighbors.toarray()  # type: ignore[union-attr]
    taken[:, hidden] = 0
    near[:, -1] = np.arange(12) == 9  # only a hidden item has the last entity
    shown = matrix(taken)
    order = places_at_random(shown, np.random.default_rng(2))
    data = replace(
        example_data(), positives=shown, ages=None, neighbors=matrix(near), hidden=hidden, places=order
    )
    before = deepcopy(data)
    small(name).fit(data)
    for field in fields(data):
        one, other = getattr(data, field.name), getattr(before, field.name)
        if sp.issparse(one):
            for part in ("data", "indices", "indptr"):
                assert getattr(one, part).tobytes() == getattr(other, part).tobytes(), (field.name, part)
        elif isinstance(one, np.ndarray):
            assert one.tobytes() == other.tobytes(), field.name
        else:
            assert one == other, field.name


@every
def test_every_value_of_the_grid_can_be_fitted(name: str):
    data = example_data()
    for option, values in small(name).GRID.items():
        for value in values if option not in ("epochs", "iterations") else ():
            fitted = replace(small(name), **{option: value}).fit(data)  # type: ignore[type-var]
            assert np.isfinite(fitted.scores(data.histories, np.arange(40))).all(), (option, value)


@every
def test_items_of_a_user_s_group_are_recommended(name: str):
    """Users keep to one of four groups of items: chance is a quarter of what a perfect list reaches."""
    training, valid = grouped_halves(200, 40, 4)
    groups = np.eye(4, dtype=np.float32)[np.arange(40) % 4]
    texts = [f"group{n % 4}" for n in range(40)]
    data = BaselineData(
        training,
        None,
        texts,
        sp.csr_matrix(groups),
        triples_of(sp.csr_matrix(groups)),
        groups,
        places=places_at_random(training, np.random.default_rng(3)),
    )
    users = np.arange(200)
    longer = {"bpr": BPR(dim=4), "lightgcn": LightGCN(dim=8, batch_size=128), "kgat": KGAT(batch_size=256)}
    longer |= {
        "vae": MultVAE(dim=8, batch_size=64, epochs=30),
        "gru4rec": GRU4Rec(dim=16, epochs=12, learning_rate=0.01, batch_size=32),
    }
    longer["sasrec"] = SASRec(dim=16, epochs=12, learning_rate=0.01, batch_size=32)
    baseline = longer.get(name, small(name))
    _, recall = quality(baseline.fit(data), data, valid, users, 7)
    if name == "popularity":
        assert recall < 0.35
    else:
        assert recall > 0.5


@pytest.mark.parametrize("name", sorted(set(BASELINES) - {"content-tfidf", "content-embedding", "hybrid"}))
def test_without_interactions_scores_are_zero_or_fitting_fails(name: str):
    empty = sp.csr_matrix((3, 4), dtype=np.float32)
    if name in ("ials", "bpr", "lightgcn", "kgat", "vae", *ORDERED):
        with pytest.raises(TrainingError, match="no positive interactions"):
            small(name).fit(BaselineData(empty))
    else:
        assert not small(name).fit(BaselineData(empty)).scores(Histories.of_matrix(empty)).any()


@pytest.mark.parametrize("name", ORDERED)
def test_without_an_order_what_reads_it_cannot_learn(name: str):
    with pytest.raises(TrainingError, match="the interactions have no order") as caught:
        small(name).fit(replace(example_data(), places=None))
    assert "leave this baseline out" in caught.value.remedy


@every
def test_only_what_reads_the_order_scores_by_it(name: str):
    data = example_data()
    turned = data.places.copy()  # type: ignore[union-attr]
    turned.data = 1 + np.repeat(turned.max(axis=1).toarray().ravel(), np.diff(turned.indptr)) - turned.data
    fitted = small(name).fit(data)
    backward = replace(data, places=turned).histories
    same = (
        fitted.scores(data.histories, np.arange(40)).tobytes()
        == fitted.scores(backward, np.arange(40)).tobytes()
    )
    assert same == (name not in ORDERED)


@pytest.mark.parametrize("name", ORDERED)
def test_what_follows_the_last_item_is_learned(name: str):
    """Users go round a circle of twelve items: after the last three of them comes the next one."""
    steps = (np.arange(120)[:, None] + np.arange(5)) % 12
    user, item = np.repeat(np.arange(120), 5), steps.ravel()
    positives = sp.csr_matrix((np.ones(600, np.float32), (user, item)), (120, 12))
    order = sp.csr_matrix((np.tile(np.arange(1, 6), 120), (user, item)), (120, 12))
    longer = {
        "gru4rec": GRU4Rec(dim=16, epochs=10, batch_size=16),
        "sasrec": SASRec(dim=16, epochs=10, batch_size=16),
    }
    fitted = longer.get(name, small(name)).fit(BaselineData(positives, places=order))
    asked = matrix(np.eye(12)[[3, 8]] + np.eye(12)[[4, 9]] + np.eye(12)[[5, 10]])
    stamps = sp.csr_matrix((np.tile([1, 2, 3], 2), (np.repeat([0, 1], 3), [3, 4, 5, 8, 9, 10])), (2, 12))
    scores = fitted.scores(Histories.of_matrix(asked, stamps))
    scores[asked.toarray() > 0] = -np.inf
    assert (
        scores.argmax(axis=1).tolist() == [6, 11] if name != "session-knn" else (scores[0, 6] > scores[0, 1])
    )


@pytest.mark.parametrize(
    ("baseline", "error", "said"),
    [
        (ItemKNN("cosin"), ConfigError, "There is no similarity 'cosin'.\n  Did you mean 'cosine'"),
        (UserKNN("jacard"), ConfigError, "There is no similarity 'jacard'"),
        (ItemKNN(neighbors=0), ConfigError, "neighbors is 0"),
        (ItemKNN(shrinkage=-1.0), ConfigError, "shrinkage is -1"),
        (Popularity(0.0), ConfigError, "window is 0 days"),
        (Ease(0.0), ConfigError, "penalty is 0"),
        (PureSVD(0), ConfigError, "dim is 0"),
        (Hybrid(share=1.5), ConfigError, "share is 1.5"),
        (ContentTfidf("tags"), ConfigError, "no terms 'tags'"),
        (ContentTfidf(), TrainingError, "no item has a term"),
        (KGAT(), TrainingError, "the graph has no edges"),
        (ContentEmbedding(), TrainingError, "no item has a text vector"),
        (MarkovChain(decay=1.5), ConfigError, "decay is 1.5"),
        (SessionKNN(neighbors=0), ConfigError, "neighbors=0"),
        (GRU4Rec(dropout=1.0), ConfigError, "dropout=1.0"),
        (SASRec(dim=5), ConfigError, "dim is 5, with 2 heads"),
        (MultVAE(beta=-1.0), ConfigError, "beta=-1.0"),
    ],
)
def test_invalid_options_and_missing_data_are_errors(baseline: Baseline, error: type[Exception], said: str):
    with pytest.raises(error) as caught:
        baseline.fit(BaselineData(matrix(TAKEN))).scores(Histories.of_matrix(matrix(TAKEN)))
    assert said in str(caught.value)


@pytest.mark.parametrize("kind", [LightGCN, KGAT, MultVAE, GRU4Rec, SASRec])
def test_the_time_limit_is_no_option_of_the_method(kind: type):
    assert kind(limit=1.0) == kind() and repr(kind(limit=1.0)) == repr(kind())
    with pytest.raises(TrainingError, match="would take about"):
        kind(limit=0.0).fit(example_data())
