"""Which item-item scorers can be fitted, and with which options each is best alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from kgrec.graph.histories import Histories
from kgrec.rank.config import RescoreConfig
from kgrec.rank.ease import ease_weights
from kgrec.rank.item_item import ItemItemOptions, ItemItemSearch, names_of, profiles_of
from kgrec.rank.random_walk import walk_weights
from kgrec.rank.slim import co_counts


def log(n_users: int = 60, n_items: int = 12, seed: int = 0) -> sp.csr_matrix:
    dense = np.random.default_rng(seed).random((n_users, n_items)) < 0.4
    return sp.csr_matrix(dense.astype(np.float32))


def ordered(matrix: sp.csr_matrix) -> Histories:
    """Items in the order of their rows."""
    return Histories.of_matrix(matrix, sp.csr_matrix(matrix.multiply(np.arange(1, matrix.shape[1] + 1))))


def search(histories: Histories, config: RescoreConfig | None = None) -> ItemItemSearch:
    """Each user's item 0 to 3 that is absent is what followed."""
    seen = histories.matrix()
    truth = np.zeros(seen.shape, np.float32)
    truth[:, :4] = seen[:, :4].toarray() == 0
    return ItemItemSearch(histories, histories, sp.csr_matrix(truth), seen, 5, config or RescoreConfig())


def test_sequence_needs_an_order():
    assert names_of(Histories.of_matrix(log()), RescoreConfig()) == ("co_occurrence", "random_walk")
    assert names_of(ordered(log()), RescoreConfig()) == ("co_occurrence", "sequence", "random_walk")


@pytest.mark.parametrize(
    ("config", "names"),
    [
        (RescoreConfig(co_occurrence=False), ()),
        (RescoreConfig(weights={"embedding": 1}), ()),
        (RescoreConfig(weights={"random_walk": 1, "sequence": 1}), ("random_walk",)),
    ],
)
def test_only_what_the_configuration_wants_is_fitted(config: RescoreConfig, names: tuple[str, ...]):
    assert names_of(Histories.of_matrix(log()), config) == names


def test_exact_weights_are_those_of_ease_by_target():
    histories = Histories.of_matrix(log())
    scorer = ItemItemOptions("ease", 20.0, 1.0).fitted(histories, 100)
    expected = ease_weights(co_counts(histories.matrix()), 20.0)
    np.testing.assert_allclose(scorer.weights.whole, expected.T, rtol=1e-6)
    # beyond the largest catalogue that is allowed, only SLIM is tried
    one = search(histories, RescoreConfig(exact_items=11))
    assert one.best("co_occurrence")[0].method == "slim"


def test_random_walks_by_hand():
    """Users 0 and 1 have item 0, of degree 2; user 0 has item 1, too, and user 1 items 1 and 2."""
    matrix = sp.csr_matrix(np.array([[1, 1, 0], [1, 1, 1]], np.float32))
    walks = walk_weights(matrix, 1.0, 0.0, 10).toarray()
    # from item 0: half to user 0, then half to item 1; half to user 1, then a third to each
    np.testing.assert_allclose(walks[0], [0, 0.5 * 0.5 + 0.5 / 3, 0.5 / 3], rtol=1e-6)
    by_popularity = walk_weights(matrix, 1.0, 1.0, 10).toarray()
    np.testing.assert_allclose(by_popularity, walks / np.array([2, 2, 1]), rtol=1e-6)
    assert np.diff(walk_weights(matrix, 1.0, 0.0, 1).indptr).tolist() == [1, 1, 1]


def test_weights_of_walks_are_of_the_size_of_other_weights():
    scorer = ItemItemOptions("random_walk", 0.4, 1.0).fitted(Histories.of_matrix(log()), 5)
    largest = scorer.weights.whole.max(axis=1).toarray()
    assert largest[largest > 0].mean() == pytest.approx(0.25, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "config", "methods"),
    [
        ("co_occurrence", RescoreConfig(), ("ease", (30.0, 100.0, 300.0, 1000.0, 3000.0))),
        ("co_occurrence", RescoreConfig(exact_items=0), ("slim", (5.0, 20.0, 80.0, 320.0))),
        ("random_walk", RescoreConfig(), ("random_walk", (0.2, 0.4, 0.6, 0.8))),
    ],
)
def test_no_neighbour_of_the_best_strength_is_better(name, config, methods):
    one = search(Histories.of_matrix(log()), config)
    options, scorer = one.best(name)
    method, strengths = methods
    assert options.method == method
    at = strengths.index(options.strength)
    reached = [
        one.quality(replace(options, strength=strength).fitted(one.histories, config.neighbors))
        for strength in strengths[max(0, at - 1) : at + 2]
    ]
    assert one.quality(scorer) == max(reached)


def test_decays_are_tried_where_there_is_an_order():
    one = search(ordered(log()))
    for name in ("co_occurrence", "sequence", "random_walk"):
        options, scorer = one.best(name)
        at = (1.0, 0.9, 0.8, 0.6).index(options.decay)
        for decay in (1.0, 0.9, 0.8, 0.6)[max(0, at - 1) : at + 2]:
            other = replace(options, decay=decay).fitted(one.histories, one.config.neighbors)
            assert one.quality(other) <= one.quality(scorer)


def test_profiles_carry_the_order():
    matrix = sp.csr_matrix(np.array([[1, 0, 1], [0, 1, 0]], np.float32))
    assert profiles_of(Histories.of_matrix(matrix)).lags is None
    lags = profiles_of(ordered(matrix)).lags
    assert lags is not None and lags.tolist() == [1, 0, 0]
