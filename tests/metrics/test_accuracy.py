"""Metrics of ranked lists, compared with values computed by hand, plain Python, PyG and scipy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from torch_geometric import metrics as pyg

from kgrec.metrics import accuracy
from kgrec.metrics.accuracy import ranking_quality

N_ITEMS = 30
NAMES = {
    "precision": pyg.LinkPredPrecision,
    "recall": pyg.LinkPredRecall,
    "f1": pyg.LinkPredF1,
    "average_precision": pyg.LinkPredMAP,
    "ndcg": pyg.LinkPredNDCG,
    "reciprocal_rank": pyg.LinkPredMRR,
    "hit": pyg.LinkPredHitRatio,
}


def drawn(seed: int, n_users: int = 40) -> tuple[np.ndarray, list[set[int]], list[list[int]]]:
    """Scores with many ties, positives of which some are none, and lists of which some are short or empty."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (n_users, N_ITEMS)).astype(float)
    truth = [set(np.flatnonzero(rng.random(N_ITEMS) < rng.choice([0, 0.1, 0.6])).tolist()) for _ in scores]
    truth[0] = set()
    lengths = rng.choice([0, 3, N_ITEMS], n_users)
    lengths[:3] = [3, 0, N_ITEMS]
    truth[1] = {4}
    order = np.argsort(-scores, axis=1, kind="stable")
    return scores, truth, [row[:n].tolist() for row, n in zip(order, lengths, strict=True)]


def gains_of(lists: list[list[int]], truth: list[set[int]], k: int) -> tuple[np.ndarray, np.ndarray]:
    gains = np.zeros((len(lists), k), bool)
    for row, (items, true) in enumerate(zip(lists, truth, strict=True)):
        for rank, item in enumerate(items[:k]):
            gains[row, rank] = item in true
    return gains, np.array([len(true) for true in truth])


def test_lists_of_three_by_hand():
    """Lists of three, of users with 2, 1, 4, 1 and no positives."""
    gains = np.array([[1, 0, 1], [0, 0, 0], [1, 0, 1], [0, 1, 0], [0, 0, 0]], bool)
    positives = np.array([2, 1, 4, 1, 0])
    second, third = 1 / math.log2(3), 1 / 2
    expected = {
        "recall": [1, 0, 1 / 2, 1],
        "precision": [2 / 3, 0, 2 / 3, 1 / 3],
        "f1": [4 / 5, 0, 4 / 7, 2 / 4],
        "hit": [1, 0, 1, 1],
        "ndcg": [(1 + third) / (1 + second), 0, (1 + third) / (1 + second + third), second],
        "average_precision": [(1 + 2 / 3) / 2, 0, (1 + 2 / 3) / 3, 1 / 2],
        "reciprocal_rank": [1, 0, 1, 1 / 2],
    }
    for name, values in expected.items():
        found = getattr(accuracy, name)(gains, positives)
        np.testing.assert_allclose(found, [*values, np.nan], rtol=0, atol=1e-12, err_msg=name)
    quality = ranking_quality(gains[:4], positives[:4])
    assert quality == pytest.approx((np.mean(expected["ndcg"]), np.mean(expected["recall"])))


def test_auc_by_hand():
    """Of eight candidates, five negatives: a list n P n P, and one positive that is not in it."""
    gains = np.array([[0, 1, 0, 1]], bool)
    one = accuracy.auc(gains, np.array([3]), np.array([4]), np.array([8]))
    # the first has 4 of 5 behind it, the second 3, the third half of the 3 that are not listed
    assert one.tolist() == pytest.approx([(4 + 3 + 1.5) / 15])
    # a candidate that counts as neither: the first of the list
    without = accuracy.auc(
        gains, np.array([3]), np.array([4]), np.array([8]), np.array([[1, 0, 0, 0]], bool), np.array([1])
    )
    assert without.tolist() == pytest.approx([(4 + 3 + 1.5) / 12])
    every = accuracy.auc(gains, np.array([2]), np.array([4]), np.array([2]))
    assert np.isnan(every).all()


@pytest.mark.parametrize("k", [1, 5, 20, N_ITEMS])
@pytest.mark.parametrize("seed", range(3))
def test_metrics_equal_pyg_s(k: int, seed: int):
    _, truth, lists = drawn(seed)
    gains, positives = gains_of(lists, truth, k)
    # PyG has no short lists: what is missing is an item that nobody took
    full = torch.tensor([items[:k] + [N_ITEMS] * (k - len(items[:k])) for items in lists])
    pairs = torch.tensor([(user, item) for user, true in enumerate(truth) for item in sorted(true)]).T
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        for name, metric in NAMES.items():
            theirs = metric(k)
            theirs.update(full, pairs)
            ours = getattr(accuracy, name)(gains, positives)
            assert np.isnan(ours).tolist() == (positives == 0).tolist()
            assert np.nanmean(ours) == pytest.approx(float(theirs.compute()), abs=1e-9), name
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("k", [1, 5, 20])
@pytest.mark.parametrize("seed", range(3))
def test_metrics_equal_plain_python(k: int, seed: int):
    _, truth, lists = drawn(seed)
    gains, positives = gains_of(lists, truth, k)
    found = {name: getattr(accuracy, name)(gains, positives) for name in NAMES}
    for row, (items, true) in enumerate(zip(lists, truth, strict=True)):
        hits = [item in true for item in items[:k]]
        if not true:
            assert all(np.isnan(found[name][row]) for name in NAMES)
            continue
        shares = sum(hits) / k, sum(hits) / len(true)
        at = [rank for rank, is_hit in enumerate(hits, 1) if is_hit]
        ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(true)) + 1))
        expected = {
            "precision": shares[0],
            "recall": shares[1],
            "f1": 2 * shares[0] * shares[1] / sum(shares) if at else 0,
            "hit": float(bool(at)),
            "ndcg": sum(1 / math.log2(rank + 1) for rank in at) / ideal,
            "average_precision": sum(n / rank for n, rank in enumerate(at, 1)) / min(k, len(true)),
            "reciprocal_rank": 1 / at[0] if at else 0,
        }
        for name, value in expected.items():
            assert found[name][row] == pytest.approx(value, abs=1e-9), name


@pytest.mark.parametrize("k", [3, N_ITEMS])
def test_auc_equals_the_rank_sum_statistic(k: int):
    """Scores by place in the list, and one score for all that is not in it."""
    _, truth, lists = drawn(0)
    gains, positives = gains_of(lists, truth, k)
    lengths = np.array([len(items[:k]) for items in lists])
    found = accuracy.auc(gains, positives, lengths, np.full(len(lists), N_ITEMS))
    for row, (items, true) in enumerate(zip(lists, truth, strict=True)):
        if not true:
            assert np.isnan(found[row])
            continue
        score = np.zeros(N_ITEMS)
        score[items[:k]] = np.arange(len(items[:k]), 0, -1)
        is_true = np.isin(np.arange(N_ITEMS), sorted(true))
        u = mannwhitneyu(score[is_true], score[~is_true], method="asymptotic").statistic
        assert found[row] == pytest.approx(u / (len(true) * (N_ITEMS - len(true))), abs=1e-9)
    assert found[1] == 0.5


@given(st.integers(1, 6), st.integers(1, 8), st.integers(0, 1000))
def test_a_list_of_positives_first_is_best_and_no_metric_exceeds_one(n_users, n_items, seed):
    rng = np.random.default_rng(seed)
    truth = rng.random((n_users, n_items)) < 0.5
    truth[:, 0] = True
    k = int(rng.integers(1, n_items + 1))
    positives = truth.sum(axis=1)
    best, other = np.sort(truth, axis=1)[:, ::-1][:, :k], rng.permuted(truth, axis=1)[:, :k]
    for name in ("ndcg", "average_precision", "reciprocal_rank", "hit"):
        assert getattr(accuracy, name)(best, positives) == pytest.approx(1)
    for name in NAMES:
        values = getattr(accuracy, name)(other, positives)
        assert ((values >= 0) & (values <= 1 + 1e-9)).all()


def test_no_users_and_empty_lists():
    for name in NAMES:
        assert getattr(accuracy, name)(np.zeros((0, 5), bool), np.zeros(0, int)).shape == (0,)
        nothing = getattr(accuracy, name)(np.zeros((2, 0), bool), np.array([1, 0]))
        assert np.isnan(nothing[1]) and not nothing[0] > 0, name
