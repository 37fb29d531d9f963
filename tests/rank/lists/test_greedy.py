"""Each step of a list is the best one by the formula of its paper, computed by brute force on pools of a few candidates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from kgrec.rank.candidates import Candidates
from kgrec.rank.lists.calibrate import SMOOTHING, Calibration
from kgrec.rank.lists.diversify import Diversity
from kgrec.rank.lists.exposure import Exposure, attention_at
from kgrec.rank.lists.novelty import Novelty, self_information
from kgrec.rank.lists.policy import ListPolicy
from kgrec.rank.lists.pool import Pool

#: rounding of vectors in single precision
CLOSE = 1e-4


def pool_of(seed: int, users: int, width: int, items: int = 8) -> tuple[np.random.Generator, Candidates]:
    """Candidates of some users, best first, the last of them absent for every second user."""
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.permutation(items)[:width] for _ in range(users)])
    scores = -np.sort(-rng.random((users, width)).astype(np.float32), axis=1)
    rows[1::2, -1], scores[1::2, -1] = -1, -np.inf
    return rng, Candidates(rows, scores)


def steps(listed: Candidates, pool: Candidates) -> Any:
    """User, what is listed before, what is listed next, and what else could be, for each entry of each list."""
    for user, row in enumerate(listed.rows.tolist()):
        for rank, item in enumerate(row):
            if item >= 0:
                before = row[:rank]
                yield user, before, item, [i for i in pool.rows[user].tolist() if i >= 0 and i not in before]


def relevance(pool: Candidates, user: int) -> dict[int, float]:
    scaled = Pool.of(pool.rows, pool.scores, 1).relevance[user]
    return dict(zip(pool.rows[user].tolist(), scaled.tolist(), strict=True))


SETTINGS = {"seed": st.integers(0, 10_000), "weight": st.sampled_from([0.1, 0.3, 0.5, 0.9, 1.0])}


@given(**SETTINGS)
@settings(max_examples=40, deadline=None)
def test_a_step_of_mmr_is_the_argmax_of_its_formula(seed: int, weight: float):
    rng, pool = pool_of(seed, 3, 6)
    vectors = unit(rng.normal(size=(8, 3)))
    listed = ListPolicy([Diversity(weight, vectors)]).rerank(pool, 4)
    for user, before, item, others in steps(listed, pool):
        rel = relevance(pool, user)

        def value(i: int, before: list[int] = before, rel: dict[int, float] = rel) -> float:
            likeness = max((float(vectors[i] @ vectors[j]) for j in before), default=0.0)
            return (1 - weight) * rel[i] - weight * likeness

        assert value(item) >= max(map(value, others)) - CLOSE


@given(**SETTINGS)
@settings(max_examples=40, deadline=None)
def test_a_step_of_the_dpp_is_the_argmax_of_the_determinant(seed: int, weight: float):
    rng, pool = pool_of(seed, 3, 6)
    vectors = unit(rng.normal(size=(8, 6)))
    listed = ListPolicy([Diversity(weight, vectors, "dpp")]).rerank(pool, 4)
    for user, before, item, others in steps(listed, pool):
        rel = relevance(pool, user)

        def log_det(items: list[int]) -> float:
            return float(np.linalg.slogdet(vectors[items].astype(float) @ vectors[items].astype(float).T)[1])

        def value(i: int, before: list[int] = before, rel: dict[int, float] = rel) -> float:
            return (1 - weight) * rel[i] + weight * (
                log_det([*before, i]) - (log_det(before) if before else 0.0)
            )

        assert value(item) >= max(map(value, others)) - 1e-3


def test_items_in_the_span_of_listed_ones_follow_by_relevance():
    """Three items in a plane: once two are listed, nothing is left of the others, and the list still gets its length."""
    vectors = unit(np.array([[1, 0], [0, 1], [1, 1], [1, 2]], float))
    pool = Candidates(np.array([[0, 1, 2, 3]]), np.array([[0.9, 0.8, 0.7, 0.6]], np.float32))
    assert ListPolicy([Diversity(0.5, vectors, "dpp")]).rerank(pool, 4).rows.tolist() == [[0, 1, 2, 3]]


@given(**SETTINGS)
@settings(max_examples=40, deadline=None)
def test_a_calibrated_step_is_the_argmax_of_the_objective(seed: int, weight: float):
    rng, pool = pool_of(seed, 3, 6)
    nodes = csr_matrix((rng.random((8, 4)) < 0.4).astype(np.float32))
    histories = csr_matrix((rng.random((3, 8)) < 0.4).astype(np.float32))
    k = 4
    listed = ListPolicy([Calibration(weight, nodes, histories)]).rerank(pool, k)
    for user, before, item, others in steps(listed, pool):
        rel = relevance(pool, user)

        def value(i: int, user: int = user, before: list[int] = before, rel: dict[int, float] = rel) -> float:
            items = [*before, i]
            divergence = kl(shares(nodes, histories[user].indices.tolist()), shares(nodes, items)) / -np.log(
                SMOOTHING
            )
            return (1 - weight) * sum(rel[j] for j in items) / k - weight * divergence

        assert value(item) >= max(map(value, others)) - 1e-9


@given(**SETTINGS)
@settings(max_examples=20, deadline=None)
def test_novelty_and_relevance_are_added(seed: int, weight: float):
    rng, pool = pool_of(seed, 3, 6)
    values = self_information(rng.integers(0, 30, 8), 30)
    listed = ListPolicy([Novelty(weight, values)]).rerank(pool, 4)
    for user, _, item, others in steps(listed, pool):
        rel = relevance(pool, user)
        worth = {i: (1 - weight) * rel[i] + weight * values[i] for i in others}
        assert worth[item] == pytest.approx(max(worth.values()))


def test_self_information_is_on_the_scale_of_relevance():
    np.testing.assert_allclose(self_information(np.array([0, 1, 4, 16]), 16), [1, 1, 0.5, 0])
    assert self_information(np.array([0, 1]), 1).tolist() == [0, 0]


def test_all_attention_of_equally_relevant_groups_is_balanced_over_users():
    """Group 0 has four items that all users score higher; with full strength both groups get about the same attention."""
    groups = csr_matrix(np.repeat(np.eye(2), 4, axis=0).astype(np.float32))
    users = 100
    pool = Candidates(
        np.tile(np.arange(8), (users, 1)), np.tile(np.linspace(1, 0, 8).astype(np.float32), (users, 1))
    )
    assert attention_share(ListPolicy().rerank(pool, 3), 4) == 1
    assert attention_share(ListPolicy([Exposure(0.9, groups)]).rerank(pool, 3), 4) == pytest.approx(
        0.5, abs=0.05
    )
    offered = np.array([True] * 4 + [True, False, False, False])
    by_catalogue = ListPolicy([Exposure(0.9, groups, "catalogue", offered)]).rerank(pool, 3)
    assert attention_share(by_catalogue, 4) == pytest.approx(4 / 5, abs=0.05)
    by_relevance = ListPolicy([Exposure(0.9, groups, "relevance")]).rerank(pool, 3)
    assert attention_share(by_relevance, 4) == pytest.approx(22 / 28, abs=0.05)


def test_wishes_share_the_weight_and_scores_stay():
    vectors, values = unit(np.random.default_rng(1).normal(size=(8, 3))), np.linspace(0, 1, 8)
    _, pool = pool_of(1, 40, 6)
    listed = ListPolicy([Diversity(0.4, vectors), Novelty(0.2, values)]).rerank(pool, 5)
    for user, before, item, others in steps(listed, pool):
        rel = relevance(pool, user)
        worth = {
            i: 0.6 * 0.8 * rel[i]
            + 0.2 * values[i]
            - 0.4 * max((float(vectors[i] @ vectors[j]) for j in before), default=0.0)
            for i in others
        }
        assert worth[item] >= max(worth.values()) - CLOSE
    score_of = [
        dict(zip(r, s, strict=True)) for r, s in zip(pool.rows.tolist(), pool.scores.tolist(), strict=True)
    ]
    for user, (rows, scores) in enumerate(zip(listed.rows.tolist(), listed.scores.tolist(), strict=True)):
        assert [score_of[user][row] for row in rows] == scores


def test_a_policy_without_wishes_keeps_the_order_and_drops_low_scores():
    _, pool = pool_of(3, 2, 5)
    assert ListPolicy().rerank(pool, 3).rows.tolist() == pool.first(3).rows.tolist()
    least = float(pool.scores[0, 1])
    listed = ListPolicy(min_score=least).rerank(pool, 3)
    assert listed.rows[0].tolist() == [*pool.rows[0, :2].tolist(), -1]
    assert ListPolicy().rerank(pool.first(0), 3).rows.shape == (2, 0)
    assert ListPolicy([Novelty(0.5, np.ones(8))]).rerank(pool, 9).rows.shape == (2, 5)


def attention_share(listed: Candidates, bound: int) -> float:
    """Share of the attention of items below a row."""
    discounts = np.array([attention_at(rank) for rank in range(listed.rows.shape[1])])
    return float(((listed.rows < bound) * discounts).sum() / (len(listed.rows) * discounts.sum()))


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def shares(nodes: csr_matrix, items: list[int]) -> np.ndarray:
    own = [nodes[i].toarray()[0].astype(float) / nodes[i].nnz for i in items if nodes[i].nnz]
    return np.mean(own, axis=0) if own else np.zeros(nodes.shape[1])


def kl(p: np.ndarray, q: np.ndarray) -> float:
    mixed = (1 - SMOOTHING) * q + SMOOTHING * p
    return float(sum(a * np.log(a / b) for a, b in zip(p, mixed, strict=True) if a > 0))
