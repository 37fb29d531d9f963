import numpy as np
import pytest
import scipy.sparse as sp

from kgrec.graph.histories import Histories
from kgrec.rank import cold_transfer
from kgrec.rank.cold_transfer import transfer_shares, transferred, with_transfer
from kgrec.rank.scorers import ItemItemScorer
from kgrec.retrieve import IndexConfig, VectorIndex
from kgrec.storage.segments import Rows
from kgrec.train.cold_holdout import chance_explains, hold_out_items


def log(
    n_items: int = 30, known: int = 20, density: float = 0.5
) -> tuple[sp.csr_matrix, sp.csr_matrix, np.ndarray]:
    """Interactions of 40 users with the first items, one per user held out; and which items are known."""
    rng = np.random.default_rng(0)
    training, valid = np.zeros((2, 40, n_items), np.float32)
    training[:, :known] = rng.random((40, known)) < density
    held = rng.integers(0, known, 40)
    valid[np.arange(40), held], training[np.arange(40), held] = 1, 0
    return sp.csr_matrix(training), sp.csr_matrix(valid), np.arange(n_items) < known


def held_out(
    training: sp.csr_matrix,
    valid: sp.csr_matrix,
    known: np.ndarray,
    rng: np.random.Generator,
) -> tuple[sp.csr_matrix, sp.csr_matrix, np.ndarray]:
    rest, found, new = hold_out_items(Histories.of_matrix(training), valid, known, rng)
    return rest.matrix(), found, new


def test_holding_items_out_loses_no_interaction():
    training, valid, known = log()
    rest, found, new = held_out(training, valid, known, np.random.default_rng(1))
    assert ((rest + found) != (training + valid)).nnz == 0 and rest.nnz + found.nnz == training.nnz + 40
    assert new.any() and not rest[:, new].nnz and not new[~known].any()
    # of the others the same is held out as before
    assert (found[:, ~new] != valid[:, ~new]).nnz == 0


@pytest.mark.parametrize(("n_items", "share"), [(400, 0), (500, 0.2), (600, 1 / 3), (800, 0.5), (4000, 0.5)])
def test_the_held_out_share_is_that_of_items_without_interactions(n_items, share):
    """One item fewer would be below the share, and no item is large; the share is at most a half."""
    training, valid, known = log(n_items, 400, density=0.02)
    _, found, new = held_out(training, valid, known, np.random.default_rng(1))
    theirs = found[:, new].nnz / found.nnz
    largest = found[:, new].sum(axis=0).max() if new.any() else 0
    assert share <= theirs <= share + largest / found.nnz
    assert largest <= 0.1 * share * valid.nnz or largest == 1


def test_where_each_item_has_too_many_interactions_the_least_taken_is_held_out():
    training, valid, known = log(21)
    counts = np.asarray((training + valid).sum(axis=0)).ravel()
    _, _, new = held_out(training, valid, known, np.random.default_rng(1))
    assert counts[new].tolist() == [counts[known].min()]


@pytest.mark.parametrize(
    ("once", "twice", "without", "explained"),
    [
        (0, 5, 1, False),  # each known item was taken twice and more: nothing was missed by chance
        (21, 20, 10, True),  # 21 * 20 / (2 * 21) = 10 items are missed by chance
        (21, 20, 11, False),
        (5, 0, 10, True),  # 5 * 4 / 2 = 10, where no item was taken twice
        (5, 0, 11, False),
        (0, 0, 0, True),
    ],
)
def test_a_log_misses_some_items_by_chance(once, twice, without, explained):
    counts = np.array([0] * without + [1] * once + [2] * twice + [9] * 30)
    assert chance_explains(counts, without) == explained


def test_held_out_interactions_count_one_whatever_their_weight():
    training, valid, known = log()
    training.data[:] = np.linspace(0.1, 0.9, training.nnz, dtype=np.float32)
    rest, found, _ = held_out(training, valid, known, np.random.default_rng(1))
    assert np.isin(rest.data, training.data).all() and (found.data == 1).all()


def test_the_generator_draws_the_items():
    one, two, other = (held_out(*log(600, 400, 0.02), np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    assert (one != two).nnz == 0 and (one != other).nnz


def test_shares_are_fourth_powers_of_similarities():
    """Known items 0, 1 and 3; item 2 is the new one."""
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8], [-1, 0]], np.float32)
    neighbors = sp.csr_matrix(np.array([[1, 0], [0, 1], [1, 0], [0, 1]], np.float32))
    index = VectorIndex.build(vectors, IndexConfig(kind="flat"))
    known = np.array([0, 1, 3])
    shares = transfer_shares(index, vectors[[2]], neighbors[[2]], known, neighbors)
    # cosine and shared neighbours: .6 + 1, .8 + 0, and -.6, which is no likeness
    near = np.array([[1.6**4, 0.8**4, 0, 0]])
    np.testing.assert_allclose(shares.toarray(), near / near.sum(), rtol=1e-5)


def test_without_known_items_there_are_no_donors():
    vectors = np.eye(2, dtype=np.float32)
    index = VectorIndex.build(vectors, IndexConfig(kind="flat"))
    neighbors = sp.csr_matrix((2, 1), dtype=np.float32)
    shares = transfer_shares(index, vectors[:1], neighbors[:1], np.zeros(0, np.int64), neighbors)
    assert shares.shape == (1, 2) and not shares.nnz


def test_a_new_item_has_weights_for_its_donors_and_their_neighbours():
    co_occurrence = sp.csr_matrix(np.array([[0, 0.4, 0], [0.2, 0, 0], [0, 0, 0]], np.float32))
    shares = sp.csr_matrix(np.array([[0.75, 0.25, 0]], np.float32))
    rows = transferred(shares, Rows.of(co_occurrence))
    # .75 of (.5, .4) and .25 of (.2, .5)
    np.testing.assert_allclose(rows.toarray(), [[0.375 + 0.05, 0.3 + 0.125, 0]], rtol=1e-6)
    for weights in (co_occurrence, co_occurrence.toarray()):
        scorer = ItemItemScorer(Rows.of(weights))
        whole = with_transfer(scorer, np.array([2]), shares).weights.whole
        dense = whole if isinstance(whole, np.ndarray) else whole.toarray()
        expected = np.vstack([co_occurrence[:2].toarray(), rows.toarray()])
        np.testing.assert_allclose(dense, expected, rtol=1e-6)
        assert whole.dtype == np.float32
        assert with_transfer(scorer, np.zeros(0, np.int64), shares[:0]) is scorer


def test_many_new_items_are_compared_in_steps(monkeypatch):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    neighbors = sp.csr_matrix(np.eye(40, 5, dtype=np.float32) + np.eye(40, 5, k=-5, dtype=np.float32))
    index = VectorIndex.build(vectors, IndexConfig(kind="flat"))
    known, new = np.arange(25), np.arange(25, 40)
    arguments = index, vectors[new], neighbors[new], known, neighbors
    at_once = [transfer_shares(*arguments), transfer_shares(*arguments, unknown=new)]
    monkeypatch.setattr(cold_transfer, "_ITEMS_PER_STEP", 4)
    for whole, steps in zip(
        at_once, [transfer_shares(*arguments), transfer_shares(*arguments, unknown=new)], strict=True
    ):
        assert steps.shape == whole.shape == (15, 40) and steps.dtype == np.float32
        np.testing.assert_allclose(steps.toarray(), whole.toarray(), rtol=1e-5)


def test_a_scorer_of_few_weights_per_item_keeps_the_strongest_of_new_items(monkeypatch):
    monkeypatch.setattr(cold_transfer, "_WEIGHTS_PER_ITEM", 2)
    weights = sp.csr_matrix(
        np.array([[0, 0.4, -0.9, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], np.float32)
    )
    shares = sp.csr_matrix(np.array([[1, 0, 0, 0]], np.float32))
    whole = with_transfer(ItemItemScorer(Rows.of(weights)), np.array([3]), shares).weights.whole
    # the donor's own .5, .4 and -.9: the smallest is left out, whatever its sign
    np.testing.assert_allclose(whole.toarray()[3], [0.5, 0, -0.9, 0])
