from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kgrec.train.negatives import NegativeSampler


def test_by_popularity_items_are_drawn_by_the_power_of_their_users():
    """Counts 0 and 1 have a mass of 1, 16 one of 8."""
    sampler = NegativeSampler.by_popularity(np.array([0, 1, 16]))
    np.testing.assert_allclose(
        sampler.log_weights(np.array([0, 1, 2]), 1), np.log([10, 10, 10 / 8]), rtol=1e-6
    )


def test_adversarial_draws_follow_the_models_own_scores():
    """One user, at whom the second item points: softmax of 0 and log 3 is 1/4 and 3/4, and half of the draws are uniform."""
    users, items = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    sampler = NegativeSampler.adversarial(users, items, float(1 / np.log(3)))
    np.testing.assert_allclose(np.exp(-sampler.log_weights(np.array([0, 1]), 1)), [0.375, 0.625], rtol=1e-5)


def test_draws_are_distinct_increasing_and_repeatable():
    sampler = NegativeSampler.by_popularity(np.arange(50))
    drawn = sampler.draw(np.random.default_rng(0), 40)
    assert (np.diff(drawn) > 0).all() and drawn.min() >= 0 and drawn.max() < 50 and len(drawn) <= 40
    np.testing.assert_array_equal(drawn, sampler.draw(np.random.default_rng(0), 40))


@given(st.lists(st.integers(0, 100), min_size=2, max_size=6), st.integers(1, 5))
def test_the_weighted_sum_of_the_draws_is_unbiased(counts, n):
    """Over all draws, the sum of value times weight is the sum of all values."""
    sampler = NegativeSampler.by_popularity(np.array(counts))
    value = np.arange(1.0, 1 + len(counts))
    rng, total, draws = np.random.default_rng(0), 0.0, 1500
    for _ in range(draws):
        rows = sampler.draw(rng, n)
        total += (value[rows] * np.exp(sampler.log_weights(rows, n))).sum()
    assert total / draws == pytest.approx(value.sum(), rel=0.25)


def test_a_certain_item_weighs_nothing():
    sampler = NegativeSampler(np.array([1.0, 0.0]))
    assert sampler.draw(np.random.default_rng(0), 3).tolist() == [0]
    assert sampler.log_weights(np.array([0]), 3) == pytest.approx([0], abs=1e-6)
