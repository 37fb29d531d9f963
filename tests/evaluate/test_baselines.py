"""Every baseline keeps the same laws; closed forms are written out by hand, or held against numpy."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields, replace
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from grouped import grouped_halves
from text_encoders import BagOfWords

from kgrec.errors import ConfigError, SourceError, TrainingError
from kgrec.evaluate import baselines
from kgrec.evaluate.baselines.baseline_data import BaselineData, data_of, over_items_of
from kgrec.evaluate.baselines.bpr_sampling import NegativeSampler, TimeLimit
from kgrec.evaluate.baselines.content import ContentEmbedding, ContentTfidf
from kgrec.evaluate.baselines.ease import Ease
from kgrec.evaluate.baselines.factors import BPR, IALS
from kgrec.evaluate.baselines.hybrid import Hybrid
from kgrec.evaluate.baselines.item_knn import ItemKNN
from kgrec.evaluate.baselines.kgat import KGAT, KGATNetwork
from kgrec.evaluate.baselines.lightgcn import LightGCN, LightGCNNetwork
from kgrec.evaluate.baselines.nearest_neighbors import largest
from kgrec.evaluate.baselines.popularity import Popularity
from kgrec.evaluate.baselines.protocol import Baseline
from kgrec.evaluate.baselines.registry import BASELINES
from kgrec.evaluate.baselines.rp3 import P3alpha, RP3beta
from kgrec.evaluate.baselines.svd import PureSVD
from kgrec.evaluate.baselines.tune import quality, tune
from kgrec.evaluate.baselines.user_knn import UserKNN
from kgrec.graph.build import build_graph
from kgrec.graph.interactions import Interactions
from kgrec.graph.vocabulary import Vocabulary
from kgrec.metrics.topk import top

#: user, item: three users have item 0, two of these item 1 too, one has item 1 alone; nobody item 3
TAKEN = [[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]


def matrix(rows: list[list[int]] | np.ndarray) -> sp.csr_matrix:
    return sp.csr_matrix(np.asarray(rows, np.float32))


def triples_of(neighbors: sp.csr_matrix) -> np.ndarray:
    """Each neighbour by one of two relations."""
    item, entity = neighbors.nonzero()
    return np.column_stack([item, entity % 2, neighbors.shape[0] + entity])


def example_data(seed: int = 0, n_users: int = 40, n_items: int = 12) -> BaselineData:
    """Interactions at random, nobody takes the last item, the first user takes nothing; content of all kinds."""
    rng = np.random.default_rng(seed)
    dense = (rng.random((n_users, n_items)) < 0.3).astype(np.float32)
    dense[:, :2] = rng.permuted(np.tile([1, 0], (n_users, 1)), axis=1)
    dense[:, -1] = 0
    dense[0] = 0
    positives = matrix(dense)
    words = np.array(["space", "love", "crew", "rome", "war", "song"])
    neighbors = matrix(rng.random((n_items, 5)) < 0.4)
    return BaselineData(
        positives,
        sp.csr_matrix((rng.random(positives.nnz) * 400, positives.indices, positives.indptr), dense.shape),
        [" ".join(words[rng.random(6) < 0.5]) for _ in range(n_items)],
        neighbors,
        triples_of(neighbors),
        rng.normal(size=(n_items, 4)).astype(np.float32),
    )


#: small, so that a test is quick
SMALL = {
    "ials": {"dim": 4},
    "bpr": {"dim": 4, "iterations": 5},
    "pure-svd": {"dim": 4},
    "lightgcn": {"dim": 4, "epochs": 3},
}


def small(name: str) -> Baseline:
    return BASELINES[name](**SMALL.get(name, {}))


every = pytest.mark.parametrize("name", BASELINES)


@every
def test_scores_have_a_row_for_each_history_and_a_column_for_each_item(name: str):
    data = example_data()
    scores = small(name).fit(data).scores(data.positives[:7], np.arange(7))
    assert scores.shape == (7, 12) and scores.dtype == np.float32
    assert np.isfinite(scores).all()
    none = small(name).fit(data).scores(data.positives[:0])
    assert none.shape == (0, 12)


@every
def test_the_same_seed_gives_the_same_scores(name: str):
    data, users = example_data(), np.arange(40)
    one, other = (small(name).fit(data).scores(data.positives, users) for _ in range(2))
    assert one.tobytes() == other.tobytes()


@every
def test_scores_are_not_all_alike(name: str):
    data = example_data()
    scores = small(name).fit(data).scores(data.positives, np.arange(40))
    assert np.ptp(scores[1:], axis=1).min() > 0


@every
def test_an_empty_history_is_scored(name: str):
    """Popularity knows what to say, BPR its biases; others say nothing, and prefer nothing."""
    data = example_data()
    (scores,) = small(name).fit(data).scores(data.positives[:1])
    assert np.isfinite(scores).all()
    if name not in ("popularity", "bpr"):
        assert not scores.any()


@every
def test_an_item_that_nobody_took(name: str):
    """It is known by its content alone."""
    data = example_data()
    scores = small(name).fit(data).scores(data.positives, np.arange(40))[:, -1]
    if name in ("content-tfidf", "content-embedding", "hybrid", "kgat"):
        assert scores[1:].any()
    else:
        assert not scores.any()


@every
def test_a_history_is_scored_alone_and_in_any_order(name: str):
    data, order = example_data(), np.random.default_rng(1).permutation(40)
    fitted = small(name).fit(data)
    scores = fitted.scores(data.positives, np.arange(40))
    np.testing.assert_allclose(fitted.scores(data.positives[order], order), scores[order], atol=1e-5)
    np.testing.assert_allclose(fitted.scores(data.positives[[5]], np.array([5]))[0], scores[5], atol=1e-5)


@every
def test_a_user_is_the_history_alone_where_a_baseline_is_inductive(name: str):
    data = example_data()
    fitted = small(name).fit(data)
    known, new = (fitted.scores(data.positives, users) for users in (np.arange(40), None))
    assert (known.tobytes() == new.tobytes()) == small(name).INDUCTIVE


@every
def test_values_and_order_of_what_is_stored_do_not_matter(name: str):
    data = example_data()
    scores = small(name).fit(data).scores(data.positives, np.arange(40))
    other = data.positives.copy()
    other.data[:] = 5
    for start, stop in zip(other.indptr[:-1], other.indptr[1:], strict=True):
        other.indices[start:stop] = other.indices[start:stop][::-1].copy()
    other.has_sorted_indices = False
    again = small(name).fit(replace(data, ages=None, positives=other)).scores(other, np.arange(40))
    if name != "bpr":  # draws from what is stored, in its order
        np.testing.assert_allclose(again, scores, atol=1e-4)
    assert (other.data == 5).all()


@every
def test_scoring_leaves_histories_and_what_is_learned_as_they_are(name: str):
    data = example_data()
    before = data.positives.copy()
    fitted = small(name).fit(data)
    first = fitted.scores(data.positives, np.arange(40))
    kept = first.copy()
    first[:] = -np.inf
    assert fitted.scores(data.positives, np.arange(40)).tobytes() == kept.tobytes()
    assert (data.positives != before).nnz == 0


@every
def test_learning_leaves_the_data_as_they_are(name: str):
    """With hidden items, whose terms alone weigh nothing."""
    hidden = np.arange(12) >= 8
    taken, near = example_data().positives.toarray(), example_data().neighbors.toarray()  # type: ignore[union-attr]
    taken[:, hidden] = 0
    near[:, -1] = np.arange(12) == 9  # only a hidden item has the last entity
    data = replace(example_data(), positives=matrix(taken), ages=None, neighbors=matrix(near), hidden=hidden)
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
            assert np.isfinite(fitted.scores(data.positives, np.arange(40))).all(), (option, value)


@every
def test_what_goes_together_is_found(name: str):
    """Users keep to one of four groups of items: chance is a quarter of what a perfect list reaches."""
    training, valid = grouped_halves(200, 40, 4)
    groups = np.eye(4, dtype=np.float32)[np.arange(40) % 4]
    texts = [f"group{n % 4}" for n in range(40)]
    data = BaselineData(
        training, None, texts, sp.csr_matrix(groups), triples_of(sp.csr_matrix(groups)), groups
    )
    users = np.arange(200)
    longer = {"bpr": BPR(dim=4), "lightgcn": LightGCN(dim=8, batch_size=128), "kgat": KGAT(batch_size=256)}
    baseline = longer.get(name, small(name))
    _, recall = quality(baseline.fit(data), data, valid, users, 7)
    if name == "popularity":
        assert recall < 0.35
    else:
        assert recall > 0.5


# by hand


def test_popularity_by_hand():
    ages = sp.csr_matrix(np.array([[3, 9, 0, 0], [40, 5, 30, 0], [100, 0, 0, 0], [0, 1, 0, 0]], np.float32))
    data = BaselineData(matrix(TAKEN), ages)
    histories = matrix([[0, 0, 0, 0], [1, 0, 0, 0]])
    for window, expected in ((None, [3, 3, 1, 0]), (30.0, [1, 3, 1, 0]), (4.0, [1, 1, 0, 0])):
        assert Popularity(window).fit(data).scores(histories).tolist() == [expected] * 2
    assert Popularity(4.0).fit(BaselineData(matrix(TAKEN))).scores(histories)[0].tolist() == [3, 3, 1, 0]


@pytest.mark.parametrize(
    ("similarity", "shrinkage", "expected"),
    [
        # items 0 and 1 share two of three users each; item 2 has one, whom both have
        ("cosine", 0.0, [2 / 3, 1 / 3**0.5, 1 / 3**0.5]),
        ("cosine", 2.0, [2 / 5, 1 / (3**0.5 + 2), 1 / (3**0.5 + 2)]),
        ("jaccard", 0.0, [2 / 4, 1 / 3, 1 / 3]),
        ("jaccard", 1.0, [2 / 5, 1 / 4, 1 / 4]),
        # of 4 users: 2 - 9/4 is below zero; (1 - 3/4) / sqrt(3/4 * 3/4)
        ("pearson", 0.0, [0, 1 / 3, 1 / 3]),
        ("pearson", 1.0, [0, 1 / 7, 1 / 7]),
    ],
)
def test_item_knn_by_hand(similarity: str, shrinkage: float, expected: list[float]):
    fitted = ItemKNN(similarity, 10, shrinkage).fit(BaselineData(matrix(TAKEN)))
    a, b, c = expected
    scores = fitted.scores(matrix(np.eye(4)))
    np.testing.assert_allclose(scores, [[0, a, b, 0], [a, 0, c, 0], [b, c, 0, 0], [0, 0, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(fitted.scores(matrix([[1, 1, 0, 0]])), [[a, a, b + c, 0]], rtol=1e-6)


def test_an_item_keeps_its_nearest_neighbours():
    """Cosines: of 0 with 1: 2/3, with 2: .577; 2 is as near to 0 as to 1, and keeps the first."""
    fitted = ItemKNN("cosine", 1, 0.0).fit(BaselineData(matrix(TAKEN)))
    found = fitted.scores(matrix(np.eye(4)))
    np.testing.assert_allclose(
        found, [[0, 2 / 3, 1 / 3**0.5, 0], [2 / 3, 0, 0, 0], [0] * 4, [0] * 4], rtol=1e-6
    )


def test_user_knn_by_hand():
    """The history {0, 2} shares items with users 0, 1 and 2: cosines 1/2, 2/sqrt 6, 1/sqrt 2."""
    data, histories = BaselineData(matrix(TAKEN)), matrix([[1, 0, 1, 0]])
    a, b, c = 1 / 2, 2 / 6**0.5, 1 / 2**0.5
    scores = UserKNN("cosine", 10, 0.0).fit(data).scores(histories)
    np.testing.assert_allclose(scores, [[a + b + c, a + b, b, 0]], rtol=1e-6)
    np.testing.assert_allclose(
        UserKNN("cosine", 2, 0.0).fit(data).scores(histories), [[b + c, b, b, 0]], rtol=1e-6
    )


def test_rp3beta_by_hand():
    """Degrees of items 3, 3, 1; of users 2, 3, 1, 1."""
    scores = RP3beta(1.0, 1.0, 10).fit(BaselineData(matrix(TAKEN))).scores(matrix(np.eye(4)))
    # from 0 over user 0 (1/3 * 1/2) and user 1 (1/3 * 1/3), then by 1/3 for the popularity of 1
    there = (1 / 6 + 1 / 9) / 3
    to_2, from_2 = 1 / 9, 1 / 3 / 3
    expected = [[0, there, to_2, 0], [there, 0, to_2, 0], [from_2, from_2, 0, 0], [0] * 4]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_p3alpha_by_hand():
    scores = P3alpha(2.0, 10).fit(BaselineData(matrix(TAKEN))).scores(matrix(np.eye(4)))
    there = 1 / 36 + 1 / 81
    expected = [[0, there, 1 / 81, 0], [there, 0, 1 / 81, 0], [1 / 9, 1 / 9, 0, 0], [0] * 4]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_ease_by_hand():
    """Two items, three users each, two of them shared: the inverse of [[3 + 1, 2], [2, 3 + 1]] is [[4, -2], [-2, 4]] / 12."""
    scores = (
        Ease(1.0).fit(BaselineData(matrix([[1, 1], [1, 1], [1, 0], [0, 1]]))).scores(matrix([[1, 0], [1, 1]]))
    )
    np.testing.assert_allclose(scores, [[0, 1 / 2], [1 / 2, 1 / 2]], rtol=1e-6)


@pytest.mark.parametrize("n_items", [12, 1100])
def test_ease_is_what_its_definition_says(n_items: int):
    """1,100 items are more than one block of rows."""
    data = example_data(n_users=60, n_items=n_items)
    x = data.positives.toarray().astype(np.float64)
    inverse = np.linalg.inv(x.T @ x + 50.0 * np.eye(n_items))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    np.testing.assert_allclose(Ease(50.0).fit(data).scores(data.positives), x @ weights, atol=1e-4)


@pytest.mark.parametrize("shrinkage", [0.0, 10.0])
def test_item_knn_is_what_its_definition_says(shrinkage: float):
    data = example_data(n_items=60)
    x = data.positives.toarray().astype(np.float64)
    sizes = x.sum(axis=0)
    # equal cosines must be equal to the last bit, for ties to be settled alike
    cosine = x.T @ x / np.maximum(np.sqrt(np.outer(sizes, sizes)) + shrinkage, 1e-12)
    np.fill_diagonal(cosine, 0)
    for item in range(60):  # each column keeps the 7 nearest
        cosine[np.argsort(-cosine[:, item], kind="stable")[7:], item] = 0
    found = ItemKNN("cosine", 7, shrinkage).fit(data).scores(data.positives)
    np.testing.assert_allclose(found, x @ cosine, rtol=1e-5, atol=1e-6)


def test_pearson_is_the_correlation_of_the_columns():
    data = example_data()
    x = data.positives.toarray()[:, :-1]
    shared = x.T @ x > 0
    expected = np.where(shared, np.maximum(np.corrcoef(x.T), 0), 0)
    np.fill_diagonal(expected, 0)
    found = ItemKNN("pearson", 100, 0.0).fit(data).weights
    np.testing.assert_allclose(found.toarray()[:-1, :-1], expected, atol=1e-6)


def test_pure_svd_is_the_projection_on_the_first_factors():
    data = example_data()
    x = data.positives.toarray().astype(np.float64)
    right = np.linalg.svd(x)[2][:3]
    expected = x @ right.T @ right / np.maximum(x.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(PureSVD(3).fit(data).scores(data.positives), expected, atol=1e-5)


def test_pure_svd_with_all_factors_gives_the_history_back():
    data = example_data()
    lengths = np.maximum(np.diff(data.positives.indptr), 1)[:, None]
    found = PureSVD(500).fit(data).scores(data.positives)
    np.testing.assert_allclose(found * lengths, data.positives.toarray(), atol=1e-5)


def test_tfidf_by_hand():
    """Four items: `space` is in two of them, `war` in three; `crew` in none that is known."""
    texts = ["Space space, war", "war", "space war", "", "war crew"]
    hidden = np.array([False] * 4 + [True])
    data = BaselineData(matrix(np.zeros((1, 5))), None, texts, hidden=hidden)
    space, war = np.log(5 / 3), np.log(5 / 4)
    first = np.array([(1 + np.log(2)) * space, war])
    first, third = first / np.linalg.norm(first), np.array([space, war]) / np.hypot(space, war)
    scores = ContentTfidf("words").fit(data).scores(matrix([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0]]))
    to_first = np.array([1, first[1], first @ third, 0, first[1]])
    to_second = np.array([first[1], 1, third[1], 0, 1])
    np.testing.assert_allclose(scores, [to_first, (to_first + to_second) / 2], rtol=1e-5)


def test_words_and_graph_are_a_half_each():
    data = example_data()
    words, graph, both = (
        ContentTfidf(terms).fit(data).scores(data.positives) for terms in ("words", "graph", "both")
    )
    np.testing.assert_allclose(both, (words + graph) / 2, atol=1e-6)


def test_embeddings_by_hand():
    """The mean of the known items that have a text is (1, 1)."""
    vectors = np.array([[2, 1], [0, 1], [0, 0], [1, 5]], np.float32)
    data = BaselineData(
        matrix(np.zeros((1, 4))), vectors=vectors, hidden=np.array([False, False, False, True])
    )
    histories = matrix([[1, 0, 0, 0], [0, 0, 0, 1]])
    found = ContentEmbedding().fit(data).scores(histories)
    np.testing.assert_allclose(found, [[1, -1, 0, 0], [0, 0, 0, 1]], atol=1e-6)
    plain = ContentEmbedding(centred=False).fit(data).scores(histories)
    np.testing.assert_allclose(plain[0], [1, 1 / 5**0.5, 0, 7 / (5 * 26) ** 0.5], rtol=1e-6)


def test_a_hybrid_is_the_weighted_sum_of_its_scaled_parts():
    data = example_data()
    one, other = (part.fit(data).scores(data.positives) for part in (ItemKNN(), ContentTfidf()))
    found = Hybrid(share=0.3).fit(data).scores(data.positives)
    for user in range(1, 40):
        expected = 0.7 * one[user] / one[user].max() + 0.3 * other[user] / other[user].max()
        np.testing.assert_allclose(found[user], expected, rtol=1e-5)


def test_ials_minimises_what_it_says():
    """At the solution a user's factors satisfy the normal equations of Hu et al. 2008, eq. 4."""
    data, options = example_data(), IALS(dim=3, confidence=5.0, regularization=2.0)
    model = options.fit(data).model
    items, x = model.item_factors.astype(np.float64), data.positives.toarray()
    for user in range(5):
        weight = np.where(x[user] > 0, 5.0, 1.0)
        gram = (items * weight[:, None]).T @ items + 2.0 * np.eye(3)
        solved = np.linalg.solve(gram, (items * weight[:, None]).T @ x[user])
        found = options.fit(data).scores(data.positives[[user]])[0]
        np.testing.assert_allclose(found, items @ solved, atol=1e-3)


def test_bpr_knows_of_a_new_user_only_what_all_users_like():
    data = example_data()
    fitted = BPR(dim=4, iterations=5).fit(data)
    new = fitted.scores(data.positives[3:5], np.array([-1, 4]))
    assert new[0].tolist() == fitted.items[:, -1].tolist()
    np.testing.assert_allclose(new[1], fitted.users[4] @ fitted.items.T, rtol=1e-5)


def test_lightgcn_by_hand():
    """One layer: u0 has items 0 and 1, u1 item 0 alone; item 0 has degree 2, item 1 degree 1, item 2 none."""
    network = LightGCNNetwork(matrix([[1, 1, 0], [1, 0, 0]]), LightGCN(dim=1, layers=1))
    network.table.data = torch.tensor([[1.0], [2], [3], [4], [5]])
    half = 0.5**0.5
    above = [3 / 2 + 4 * half, 3 * half, 1 / 2 + 2 * half, half, 0]
    np.testing.assert_allclose(network.layers()[1, :, 0].detach(), above, rtol=1e-6)
    fitted = network.fitted()
    items = np.array([3 + above[2], 4 + above[3], 0]) / 2
    histories = matrix([[1, 1, 0], [0, 1, 0]])
    found = fitted.scores(histories, np.array([0, -1]))
    np.testing.assert_allclose(found[0], (1 + above[0]) / 2 * items, rtol=1e-6)
    # a new user with item 1: the zeroth embedding is zero
    np.testing.assert_allclose(found[1], 4 / 2 * items, rtol=1e-6)


def one_genre() -> BaselineData:
    """Two users; items 0 and 1 of one genre, item 2 hidden; user 0 has item 0."""
    triples = np.array([[0, 0, 3], [1, 0, 3], [2, 0, 3]])
    return BaselineData(
        matrix([[1, 0, 0], [0, 0, 0]]), triples=triples, hidden=np.array([False, False, True])
    )


def test_edges_of_kgat_go_both_ways_and_not_to_what_is_hidden():
    """Nodes: users 0 and 1, items 2, 3 and 4, the genre 5."""
    found = KGATNetwork(one_genre(), KGAT(dim=2)).edges.tolist()
    assert found == [[0, 0, 2], [2, 2, 5], [3, 2, 5], [2, 1, 0], [5, 3, 2], [5, 3, 3]]


def test_attention_of_kgat_by_hand():
    network = KGATNetwork(one_genre(), KGAT(dim=1))
    network.table.data = torch.tensor([[1.0], [0], [2], [3], [4], [5]])
    network.relation.data = torch.tensor([[0.1], [0.2], [0.3], [0.4]])
    network.projection.data = torch.tensor([[[1.0]], [[0.5]], [[0.1]], [[0.2]]])
    found = network.attention().matrix.to_dense().numpy()
    # item 0: to its user (0.5 * 1) tanh(0.5 * 2 + 0.2), to the genre (0.1 * 5) tanh(0.1 * 2 + 0.3)
    user, genre = np.exp(0.5 * np.tanh(1.2)), np.exp(0.5 * np.tanh(0.5))
    first, second = np.exp(0.4 * np.tanh(1.4)), np.exp(0.6 * np.tanh(1.4))
    expected = np.zeros((6, 6))
    expected[0, 2] = expected[3, 5] = 1
    expected[2, [0, 5]] = np.array([user, genre]) / (user + genre)
    expected[5, [2, 3]] = np.array([first, second]) / (first + second)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_losses_of_kgat_reach_every_parameter():
    network, rng = KGATNetwork(example_data(), KGAT(dim=4)), np.random.default_rng(0)
    one = torch.tensor([3])
    loss = network.preference_loss(network.attention(), one, one, one + 1)
    (loss + network.translation_loss(network.edges, rng)).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_kgat_knows_nothing_of_new_users_and_hidden_items():
    data = replace(example_data(), hidden=np.arange(12) == 11)
    fitted = KGAT(dim=4, epochs=2).fit(data)
    assert not fitted.scores(data.positives).any()
    scores = fitted.scores(data.positives, np.arange(40))
    assert scores[1:, :11].all() and not scores[:, 11].any()


def test_pairs_have_each_interaction_once_and_items_that_were_not_taken():
    data = example_data()
    pairs = NegativeSampler(data.positives, np.arange(11), np.random.default_rng(0))
    found = [np.concatenate(part) for part in zip(*pairs.epoch(7), strict=True)]
    assert sorted(zip(found[0], found[1], strict=True)) == sorted(zip(*data.positives.nonzero(), strict=True))
    assert not np.asarray(data.positives[found[0], found[2]]).any()
    assert set(found[2].tolist()) == set(range(11))


# what is refused


def test_a_descent_that_would_take_too_long_is_refused_after_its_first_steps():
    ticks = count(0, 2)  # seconds: 2 a step
    pace = TimeLimit("KGAT", 100, 150, clock=lambda: next(ticks))
    for _ in range(4):
        pace.step()
    with pytest.raises(TrainingError, match="KGAT would take about 200 CPU seconds; the limit is 150"):
        pace.step()
    in_time = TimeLimit("KGAT", 100, 200, clock=lambda: next(ticks))
    for _ in range(100):
        in_time.step()
    assert in_time.done == 100


@pytest.mark.parametrize("kind", [LightGCN, KGAT])
def test_a_limit_of_time_changes_nothing_but_the_time(kind: type):
    assert kind(limit=1.0) == kind() and repr(kind(limit=1.0)) == repr(kind())
    with pytest.raises(TrainingError, match="would take about"):
        kind(limit=0.0).fit(example_data())


def test_ease_refuses_what_does_not_fit_into_memory():
    data = BaselineData(sp.csr_matrix((3, 50_000), dtype=np.float32))
    with pytest.raises(TrainingError, match=r"EASE of 50,000 items needs 20\.0 GB of memory; 8\.0 GB may"):
        Ease(memory=8.0).fit(data)


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
        (ContentEmbedding(), TrainingError, "no item has a vector"),
    ],
)
def test_what_cannot_be_done_is_said(baseline: Baseline, error: type[Exception], said: str):
    with pytest.raises(error) as caught:
        baseline.fit(BaselineData(matrix(TAKEN))).scores(matrix(TAKEN))
    assert said in str(caught.value)


@pytest.mark.parametrize("name", sorted(set(BASELINES) - {"content-tfidf", "content-embedding", "hybrid"}))
def test_without_interactions_nothing_is_preferred(name: str):
    empty = sp.csr_matrix((3, 4), dtype=np.float32)
    if name in ("ials", "bpr", "lightgcn", "kgat"):
        with pytest.raises(TrainingError, match="no positive interactions"):
            small(name).fit(BaselineData(empty))
    else:
        assert not small(name).fit(BaselineData(empty)).scores(empty).any()


# what is read of a graph


def test_what_a_graph_holds(shared_catalogue: Path, bag_of_words: BagOfWords):
    graph = build_graph(shared_catalogue / "kgrec.yaml")
    log = pd.DataFrame(
        {"user_id": ["u", "u", "v"], "item_id": ["f1", "f3", "f1"], "day": [0, 86_400, 5 * 86_400]}
    )
    interactions = Interactions.from_frame(log, graph.item_ids, time="day")
    found = data_of(graph, interactions, text_encoder=bag_of_words, hidden=np.array([5]))
    assert found.positives.toarray().tolist() == [[1, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]]
    assert found.ages is not None and found.ages.toarray().tolist() == [[5, 0, 4, 0, 0, 0], [0] * 6]
    assert found.ages.indices.tolist() == [0, 2, 0]
    assert found.texts[0] == "Alien Dawn. a crew meets a creature in space"
    # Horror, Science fiction, Ada; the director alone is shared with f2 beside the second
    assert found.neighbors is not None
    assert (found.neighbors @ found.neighbors.T).toarray()[0].tolist() == [3, 2, 1, 0, 0, 0]
    assert found.triples is not None and len(found.triples) == len(graph.triples)
    heads = found.triples[found.triples[:, 0] < 6]
    assert np.bincount(heads[:, 0]).tolist() == [3, 2, 2, 3, 2, 3] and (heads[:, 2] >= 6).all()
    assert found.vectors is not None and found.vectors.shape == (6, 32)
    assert found.known.tolist() == [0, 1, 2, 3, 4]
    assert over_items_of(graph, interactions) is interactions
    fewer = replace(interactions, items=Vocabulary(["f3", "f1"]), item=np.array([1, 0, 1], np.int32))
    assert over_items_of(graph, fewer).item.tolist() == interactions.item.tolist() == [0, 2, 0]
    with pytest.raises(SourceError, match="The graph has no item 'f9', which is in the interactions"):
        over_items_of(graph, replace(fewer, items=Vocabulary(["f3", "f9"])))
    plain = data_of(graph)
    assert plain.ages is None and plain.vectors is None and plain.known.tolist() == [0, 1, 2, 3, 4, 5]
    assert plain.positives.nnz == 14  # u2 gave f4 one star


# lists and search


def test_the_largest_of_each_row_of_equal_ones_the_first():
    found = largest(sp.csr_matrix(np.array([[1, 3, 3, 3], [0, -1, 2, 0], [0, 0, 0, 0]], np.float64)), 2)
    assert found.toarray().tolist() == [[0, 3, 3, 0], [0, 0, 2, 0], [0, 0, 0, 0]]


def test_the_first_items_of_equal_scores_in_their_order():
    scores = np.array([[1, 2, 2, 2, 0], [0, 0, 0, 0, 0], [5, 1, 7, 1, 1]], np.float32)
    assert top(scores, 3).tolist() == [[1, 2, 3], [0, 1, 2], [2, 0, 1]]
    assert top(scores, 9)[:, :5].tolist() == np.argsort(-scores, axis=1, kind="stable").tolist()
    assert (top(scores, 9)[:, 5:] == -1).all()


def test_quality_leaves_out_what_was_taken():
    """The most popular item is in both histories; the other one is at rank 1 for the first user, and 2 for the second."""
    data = BaselineData(matrix([[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]))
    truth = matrix([[0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]])
    ndcg, recall = quality(Popularity().fit(data), data, truth, np.array([0, 1]), 2)
    assert (ndcg, recall) == pytest.approx(((1 + 1 / np.log2(3)) / 2, 1.0))


def test_quality_leaves_out_what_was_met_and_not_liked():
    """The second user met item 1, so that item 2 comes first there, too."""
    taken = [[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    seen = matrix(np.array(taken) | np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]]))
    data = BaselineData(matrix(taken), seen=seen)
    truth = matrix([[0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]])
    assert quality(Popularity().fit(data), data, truth, np.array([0, 1]), 2) == pytest.approx((1, 1))


def test_the_search_finds_what_is_best_and_tells_its_budget():
    training, valid = grouped_halves(60, 24, 4)
    found = tune(ItemKNN(), BaselineData(training), valid, budget=1e9, k=5)
    by_hand = {
        trial.baseline: quality(
            trial.baseline.fit(BaselineData(training)), BaselineData(training), valid, np.arange(60), 5
        )
        for trial in found.trials
    }
    assert len(by_hand) == len(found.trials) >= 1 + 5 + 4 + 2
    assert found.best.ndcg == max(ndcg for ndcg, _ in by_hand.values())
    assert {trial.baseline: (trial.ndcg, trial.recall) for trial in found.trials} == by_hand
    assert "of 1,000,000,000 CPU seconds" in str(found) and str(found.best.baseline) in str(found)


@pytest.mark.parametrize(("budget", "trials"), [(0.0, 1), (19.0, 1), (20.0, 2), (55.0, 5)])
def test_no_trial_begins_that_would_pass_the_budget(budget: float, trials: int):
    training, valid = grouped_halves(20, 20, 4)
    ticks = count(0, 10)  # a trial looks twice: 10 s each
    found = tune(Ease(), BaselineData(training), valid, budget=budget, clock=lambda: next(ticks))
    assert len(found.trials) == trials and found.seconds == 10 * trials
    assert found.trials[0].baseline == Ease()


def test_what_a_hybrid_is_made_of_is_tuned_before_in_its_share_of_the_budget():
    training, valid = grouped_halves(60, 24, 4)
    data = BaselineData(training, texts=[f"word{n % 4}" for n in range(24)])
    found = tune(Hybrid(), data, valid, budget=1e9, k=5)
    item_knn, content = (tune(part, data, valid, budget=1e9, k=5) for part in (ItemKNN(), ContentTfidf()))
    assert [part.best.baseline for part in found.parts] == [item_knn.best.baseline, content.best.baseline]
    # there is no graph to take terms from, which ends no search
    assert {trial.baseline.terms for trial in content.trials} == {"both", "words"}  # type: ignore[attr-defined]
    first = found.trials[0].baseline
    assert first == Hybrid(item_knn.best.baseline, content.best.baseline)
    assert found.n_trials == len(found.trials) + len(item_knn.trials) + len(content.trials)
    assert f"{found.n_trials} trials" in str(found)
    ticks = count(0, 10)
    short = tune(Hybrid(), data, valid, budget=60, k=5, clock=lambda: next(ticks))
    # two of 20 s each for the parts
    assert [len(part.trials) for part in short.parts] == [2, 2] and short.seconds == 60
    assert len(short.trials) == 2


def test_nothing_can_be_tuned_on_nothing():
    training, _ = grouped_halves(20, 20, 4)
    with pytest.raises(TrainingError, match="no validation interactions"):
        tune(Ease(), BaselineData(training), sp.csr_matrix(training.shape, dtype=np.float32))


@every
def test_every_baseline_and_option_is_described(name: str):
    page = Path(__file__).parents[2].joinpath("docs", "baselines.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| {name} |")]
    assert f"`{BASELINES[name].__name__}`" in row
    if name != "user-knn":  # as item-knn
        for option in fields(BASELINES[name]):  # type: ignore[arg-type]
            assert f"`{option.name}`" in row, option.name
    assert set(BASELINES[name].GRID) <= {option.name for option in fields(BASELINES[name])}  # type: ignore[arg-type]


def test_all_are_told_of_in_the_package():
    modules = {path.stem for path in Path(baselines.__file__).parent.glob("*.py")} - {"__init__"}
    assert {line.split()[0] for line in (baselines.__doc__ or "").splitlines()[2:-2]} == modules
