"""Lists under filters and boosts, against a computation of every score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from models import items, model, rescorer

from kgrec.model import retrieval
from kgrec.model.model import Model
from kgrec.model.retrieval import Filters

N_ITEMS, N_USERS, DIM = 24, 5, 4


def made(*, fused: bool, grown: bool = False) -> Model:
    """A model with random vectors; fused: all scorers have a weight; grown: a part of its items stands in a delta."""
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((N_ITEMS, DIM))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    histories = sp.random(N_USERS, N_ITEMS, 0.2, "csr", np.float32, rng=rng)
    histories.data[:] = 1
    scored = None
    if fused:
        unit = sp.random(N_ITEMS, 6, 0.3, "csr", np.float32, rng=rng)
        scored = rescorer(
            N_ITEMS,
            {"embedding": 0.4, "graph": 0.2, "text": 0.2, "co_occurrence": 0.2},
            graph=unit,
            text=rng.random((N_ITEMS, 3)).astype(np.float16),
            co_occurrence=sp.random(N_ITEMS, N_ITEMS, 0.2, "csr", np.float32, rng=rng),
        )
    trained = np.arange(N_ITEMS) % 5 != 0
    store = items(vectors.astype(np.float32), trained=trained)
    whole = model(store, histories, scored=scored)
    if grown:
        at = np.array([2, 9])
        store = store.with_vectors(at, store.vectors.whole[[9, 2]])
        whole = replace(whole, items=store, index=whole.index.with_vectors(store.vectors))
    return whole


MODELS = {
    "cosine": made(fused=False),
    "fused": made(fused=True),
    "grown": made(fused=False, grown=True),
}
ROWS = st.sets(st.integers(0, N_ITEMS - 1)).map(lambda rows: np.array(sorted(rows), np.int64))


def every_score(whole: Model) -> np.ndarray:
    """By users and items, without the retrieval."""
    users = whole.profiles(whole.histories)
    cosines = whole.user_vectors(whole.histories) @ whole.items.vectors.whole.T
    parts = {
        name: scorer.scores(users, np.arange(N_ITEMS)) for name, scorer in whole.rescorer.scorers.items()
    }
    weights = whole.rescorer.weights
    return weights["embedding"] * cosines + sum(weights[name] * part for name, part in parts.items())


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=60)
@given(
    k=st.integers(1, N_ITEMS + 2),
    only=st.none() | ROWS,
    exclude=st.none() | st.lists(ROWS, min_size=N_USERS, max_size=N_USERS),
    candidates=st.none() | st.lists(st.none() | ROWS, min_size=N_USERS, max_size=N_USERS),
    kinds=st.sampled_from([0, 1, 3, N_ITEMS]),
    seed=st.integers(0, 99),
)
def test_lists_are_the_best_of_what_is_allowed(name, k, only, exclude, candidates, kinds, seed):
    whole, boost = MODELS[name], None
    if kinds:
        rng = np.random.default_rng(seed)
        values = rng.uniform(-1, 1, kinds).round(2)
        boost = rng.choice(values, N_ITEMS).astype(np.float32)
    rows, scores = whole.ranked(whole.histories, k, Filters(only, exclude, candidates, boost))
    expected = every_score(whole) + (0 if boost is None else boost)
    for user in range(N_USERS):
        allowed = np.ones(N_ITEMS, bool) if only is None else np.isin(np.arange(N_ITEMS), only)
        if exclude is not None:
            allowed[exclude[user]] = False
        if candidates is not None and candidates[user] is not None:
            allowed &= np.isin(np.arange(N_ITEMS), candidates[user])
        best = sorted(np.flatnonzero(allowed), key=lambda row: -expected[user, row])[:k]
        found = rows[user][rows[user] >= 0]
        assert len(found) == len(best) and set(found) <= set(np.flatnonzero(allowed))
        np.testing.assert_allclose(scores[user][: len(best)], expected[user, best], atol=1e-5)
        np.testing.assert_allclose(expected[user, found], expected[user, best], atol=1e-5)


def test_many_different_boosts_are_found_among_all_though_few_are_compared(monkeypatch: pytest.MonkeyPatch):
    """In pieces, too."""
    whole = MODELS["cosine"]
    boost = np.linspace(0, 1, N_ITEMS).astype(np.float32)
    expected = whole.ranked(whole.histories, 3, Filters(boost=boost))
    monkeypatch.setattr(retrieval, "_CELLS", 1)
    found = whole.ranked(whole.histories, 3, Filters(boost=boost))
    assert found[0].tolist() == expected[0].tolist()


def test_a_boost_reaches_items_beyond_the_depth_of_the_search():
    """The farthest item of all is first by its boost, though only as many items as are listed are retrieved."""
    whole = MODELS["cosine"]
    far = int(every_score(whole)[0].argmin())
    boost = np.zeros(N_ITEMS, np.float32)
    boost[far] = 9
    assert whole.ranked(whole.histories, 1, Filters(boost=boost))[0][0].tolist() == [far]


@pytest.mark.parametrize("name", MODELS)
def test_scores_of_given_items_are_those_of_lists(name):
    whole = MODELS[name]
    rows = np.array([[3, -1, 7], [5, 5, -1], [-1, -1, 0], [1, 2, 3], [23, 0, 11]])
    scores = whole.scores(whole.histories, rows)
    expected = np.take_along_axis(every_score(whole), np.maximum(rows, 0), axis=1)
    np.testing.assert_allclose(scores[rows >= 0], expected[rows >= 0], atol=1e-5)


def test_nearest_items_are_ranked_with_their_boost():
    whole = MODELS["cosine"]
    vectors = whole.items.vectors[np.array([4])]
    cosines = (vectors @ whole.items.vectors.whole.T)[0]
    boost = np.where(np.arange(N_ITEMS) % 2 == 0, 0.5, 0).astype(np.float32)
    rows, scores = whole.nearest(vectors, 5, Filters(exclude=[np.array([4])], boost=boost))
    order = [row for row in np.argsort(-(cosines + boost)).tolist() if row != 4][:5]
    assert rows[0].tolist() == order
    np.testing.assert_allclose(scores[0], (cosines + boost)[order], atol=1e-6)
