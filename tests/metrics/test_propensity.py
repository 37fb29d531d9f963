"""Propensities and the metrics that weigh by their inverse, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from kgrec.metrics.accuracy import ndcg, recall
from kgrec.metrics.propensity import propensities, snips_ndcg, snips_recall
from kgrec.metrics.topk import gains


def test_a_propensity_is_a_power_of_popularity_and_bounded():
    counts = np.array([100, 25, 1, 0])
    assert propensities(counts, 0.5).tolist() == [1, 0.5, 0.1, 0.1]
    assert propensities(counts, 1).tolist() == [1, 0.25, 0.01, 0.01]
    assert propensities(counts, 0).tolist() == [1, 1, 1, 1]
    assert propensities(np.array([10_000, 1]), 1)[1] == 0.01
    assert propensities(np.zeros(0), 1).tolist() == []


def test_metrics_by_hand():
    # one user with the positives 0 and 2, another without any
    truth = sp.csr_matrix(np.array([[1, 0, 1], [0, 0, 0]]))
    lists = np.array([[1, 0, -1], [0, 1, 2]])
    propensity = np.array([1.0, 0.5, 0.25])
    hits = gains(lists, truth)
    # item 0 has the weight 1, item 2 the weight 4
    assert snips_recall(lists, hits, truth, propensity)[0] == pytest.approx(1 / 5)
    at = 1 / np.log2(np.arange(3) + 2)
    assert snips_ndcg(lists, hits, truth, propensity)[0] == pytest.approx(at[1] / (4 * at[0] + at[1]))
    assert np.isnan(snips_recall(lists, hits, truth, propensity)[1])
    assert np.isnan(snips_ndcg(lists, hits, truth, propensity)[1])


@given(st.integers(0, 10_000), st.integers(1, 5))
def test_equal_propensities_give_the_plain_metrics(seed: int, k: int):
    rng = np.random.default_rng(seed)
    truth = sp.csr_matrix((rng.random((4, 6)) < 0.4).astype(np.float32))
    lists = np.stack([rng.permutation(6)[:k] for _ in range(4)])
    hits, positives = gains(lists, truth), np.diff(truth.indptr)
    equal = np.full(6, 0.3)
    np.testing.assert_allclose(snips_recall(lists, hits, truth, equal), recall(hits, positives))
    np.testing.assert_allclose(snips_ndcg(lists, hits, truth, equal), ndcg(hits, positives))
