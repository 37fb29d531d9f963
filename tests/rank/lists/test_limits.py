"""Caps and quotas hold, and lists are compared with the best of all lists that keep to them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from kgrec.rank.candidates import Candidates
from kgrec.rank.lists.diversify import Diversity
from kgrec.rank.lists.limits import Cap, Quota
from kgrec.rank.lists.policy import ListPolicy
from kgrec.rank.lists.pool import Pool

N = 7


def pool_of(rng: np.random.Generator) -> Candidates:
    rows = rng.permutation(N)[None]
    return Candidates(rows, -np.sort(-rng.random((1, N)).astype(np.float32), axis=1))


def shortfall(items: tuple[int, ...], quotas: list[Quota]) -> int:
    return sum(max(min(q.least, int(q.items.sum())) - int(q.items[list(items)].sum()), 0) for q in quotas)


def keeps(items: tuple[int, ...], caps: list[Cap]) -> bool:
    return all((cap.nodes[list(items)].sum(axis=0) <= cap.most).all() for cap in caps)


def best(pool: Candidates, k: int, caps: list[Cap], quotas: list[Quota]) -> tuple[int, int, float]:
    """Least shortfall, then greatest length, then greatest sum of relevance, of all lists within the caps."""
    relevance = Pool.of(pool.rows, pool.scores, k).relevance[0]
    worth = dict(zip(pool.rows[0].tolist(), relevance.tolist(), strict=True))
    found = [
        (-shortfall(items, quotas), size, sum(worth[i] for i in items))
        for size in range(k + 1)
        for items in combinations(range(N), size)
        if keeps(items, caps)
    ]
    return max(found)


def reached(pool: Candidates, k: int, caps: list[Cap], quotas: list[Quota]) -> tuple[int, int, float]:
    listed = ListPolicy(caps=caps, quotas=quotas).rerank(pool, k)
    items = tuple(row for row in listed.rows[0].tolist() if row >= 0)
    assert len(set(items)) == len(items) and keeps(items, caps)
    assert (np.diff(listed.scores[0, : len(items)]) <= 0).all(), (
        "without wishes, a list is in the order of scores"
    )
    relevance = Pool.of(pool.rows, pool.scores, k).relevance[0]
    worth = dict(zip(pool.rows[0].tolist(), relevance.tolist(), strict=True))
    return -shortfall(items, quotas), len(items), sum(worth[i] for i in items)


SEEDS = st.integers(0, 100_000)


@given(seed=SEEDS, k=st.integers(1, 6), most=st.integers(1, 2))
@settings(max_examples=60, deadline=None)
def test_a_cap_of_one_node_per_item_gives_the_best_list(seed: int, k: int, most: int):
    rng = np.random.default_rng(seed)
    pool, of = pool_of(rng), rng.integers(0, 3, N)
    caps = [Cap(csr_matrix(np.eye(3, dtype=np.float32)[of]), most)]
    assert reached(pool, k, caps, []) == pytest.approx(best(pool, k, caps, []))


@given(seed=SEEDS, k=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_quotas_without_a_common_item_give_the_best_list(seed: int, k: int):
    rng = np.random.default_rng(seed)
    pool, kind = pool_of(rng), rng.integers(0, 3, N)
    quotas = [Quota(kind == n, int(rng.integers(1, 3)), str(n)) for n in range(2)]
    assert reached(pool, k, [], quotas) == pytest.approx(best(pool, k, [], quotas))


@given(seed=SEEDS, k=st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_caps_come_first_and_quotas_and_lengths_are_the_best_possible(seed: int, k: int):
    rng = np.random.default_rng(seed)
    pool = pool_of(rng)
    caps = [
        Cap(csr_matrix((rng.random((N, 4)) < 0.4).astype(np.float32)), int(rng.integers(1, 3)))
        for _ in range(2)
    ]
    quotas = [Quota(rng.random(N) < 0.4, int(rng.integers(1, 3)), str(n)) for n in range(2)]
    found, exact = reached(pool, k, caps, quotas), best(pool, k, caps, quotas)
    assert found[:2] == exact[:2]
    most_nodes = int(np.sum([cap.nodes.getnnz(axis=1) for cap in caps], axis=0).max())
    if not (quotas[0].items & quotas[1].items).any():
        assert found[2] >= exact[2] / (most_nodes + 1) - 1e-9


@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_limits_hold_whatever_is_wished(seed: int):
    rng = np.random.default_rng(seed)
    pool = pool_of(rng)
    vectors = rng.normal(size=(N, 3))
    wish = Diversity(0.8, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))
    caps = [Cap(csr_matrix((rng.random((N, 3)) < 0.5).astype(np.float32)), 2)]
    quotas = [Quota(rng.random(N) < 0.4, 2, "some")]
    items = tuple(r for r in ListPolicy([wish], caps, quotas).rerank(pool, 4).rows[0].tolist() if r >= 0)
    assert keeps(items, caps)
    assert -shortfall(items, quotas) == best(pool, 4, caps, quotas)[0]


def test_lists_that_miss_a_quota_are_counted():
    policy = ListPolicy(
        quotas=[Quota(np.array([True, False, False]), 1, "new"), Quota(np.ones(3, bool), 1, "any")]
    )
    assert policy.unmet(np.array([[0, 1], [1, 2], [2, -1]])) == {"new": 2}


def test_a_quota_is_filled_as_far_as_a_user_has_candidates():
    pool = Candidates(
        np.array([[0, 1, 2], [0, 1, -1]]), np.array([[0.9, 0.5, 0.1], [0.9, 0.5, -np.inf]], np.float32)
    )
    quota = Quota(np.array([False, False, True]), 1, "last")
    assert ListPolicy(quotas=[quota]).rerank(pool, 2).rows.tolist() == [[0, 2], [0, 1]]
