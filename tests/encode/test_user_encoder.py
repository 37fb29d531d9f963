from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from kgrec.encode.transformer_user_encoder import TransformerUserEncoder
from kgrec.encode.user_encoder import (
    AdditiveUserEncoder,
    LinearUserEncoder,
    MeanUserEncoder,
    UserEncoder,
    units,
)
from kgrec.graph.histories import Histories
from kgrec.storage.segments import Rows

VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
WEIGHT = np.array([1, 0.5, 1], np.float32)


def bags(*rows: list[float]) -> Histories:
    return Histories.of_matrix(sp.csr_matrix(np.array(rows, np.float32)))


def test_the_mean_weighs_each_item():
    """a + b/2 is (1, .5); b/2 + c is (.6, 1.3)."""
    encoder = MeanUserEncoder(Rows.of(WEIGHT))
    users = encoder.encode(bags([1, 1, 0], [0, 1, 1]), Rows.of(VECTORS))
    expected = [np.array(v) / np.hypot(*v) for v in ([1, 0.5], [0.6, 1.3])]
    np.testing.assert_allclose(users, expected, rtol=1e-6)


def test_vectors_are_made_units_and_zero_stays():
    made, lengths = units(np.array([[3, 4], [0, 0]], np.float32))
    assert (made.tolist(), lengths.tolist()) == ([[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]], [5, 0])


# what every user encoder must hold


#: two heads: the second counts the newest item only, and turns it
POSITIONS = np.array([[1, 0.5, 0.25], [0.5, 0, 0]], np.float32)
MAPS = np.array([[[1, 0], [0, 1]], [[0, 1], [-1, 0]]], np.float32)


#: one block and head that attend by weight alone, and leave vectors as they are
ATTENTION = {
    "gain": np.ones((1, 2, 2), np.float32),
    "position": np.zeros((1, 1, 3), np.float32),
    **dict.fromkeys(("query", "key", "expand", "contract"), np.zeros((1, 2, 2), np.float32)),
    **dict.fromkeys(("value", "output"), np.eye(2, dtype=np.float32)[None]),
}
ENCODERS: dict[str, UserEncoder] = {
    "mean": MeanUserEncoder(Rows.of(WEIGHT)),
    "linear": LinearUserEncoder(Rows.of(WEIGHT), POSITIONS, MAPS),
    "transformer": TransformerUserEncoder(Rows.of(WEIGHT), ATTENTION),
}


@pytest.fixture(params=ENCODERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def encoder(name: str) -> UserEncoder:
    return ENCODERS[name]


def test_users_are_unit_vectors_in_the_space_of_the_items(encoder: UserEncoder):
    users = encoder.encode(bags([1, 1, 0], [0, 0, 0.25], [1, -0.2, 0]), Rows.of(VECTORS))
    assert (users.shape, users.dtype) == ((3, 2), np.float32)
    np.testing.assert_allclose(np.linalg.norm(users, axis=1), 1, rtol=1e-6)


def test_an_empty_history_is_zero(encoder: UserEncoder):
    assert not encoder.encode(bags([0, 0, 0]), Rows.of(VECTORS)).any()


def test_a_user_is_encoded_as_alone(encoder: UserEncoder):
    several = bags([1, 1, 0], [0, 1, 1], [1, 0, 0])
    together = encoder.encode(several, Rows.of(VECTORS))
    for user in range(3):
        alone = encoder.encode(several.take(np.array([user])), Rows.of(VECTORS))
        np.testing.assert_allclose(together[[user]], alone, rtol=1e-6)


@pytest.mark.parametrize("history", [[1, 1, 0], [0.25, 0, 1], [1, -0.2, 0], [0, 0, 0]])
@pytest.mark.parametrize("which", ["mean", "linear"])
def test_shares_of_the_items_sum_to_the_user(which: str, history: list[float]):
    one, encoder = bags(history), ENCODERS[which]
    assert isinstance(encoder, AdditiveUserEncoder)
    rows = one.matrix().indices
    added = encoder.added(one, Rows.of(VECTORS), np.arange(len(rows)), VECTORS[rows])
    np.testing.assert_allclose(added.sum(axis=0), encoder.encode(one, Rows.of(VECTORS))[0], atol=1e-6)
    # halves of the vectors add half
    halves = encoder.added(one, Rows.of(VECTORS), np.arange(len(rows)), VECTORS[rows] / 2)
    np.testing.assert_allclose(halves, added / 2, atol=1e-6)


def test_an_encoder_that_is_not_linear_has_no_shares():
    assert not isinstance(ENCODERS["transformer"], AdditiveUserEncoder)


def test_a_new_item_counts_for_one_and_the_others_stay(name: str, encoder: UserEncoder):
    vectors = Rows.of(VECTORS).with_rows(np.array([3]), np.array([[0, 1]], np.float32))
    larger = encoder.with_items(4)
    known = encoder.encode(bags([1, 1, 0]), Rows.of(VECTORS))
    np.testing.assert_allclose(larger.encode(bags([1, 1, 0, 0]), vectors), known, rtol=1e-6)
    alone = [np.array([-0.5, 1]) / np.sqrt(1.25)] if name == "linear" else [[0, 1]]
    np.testing.assert_allclose(larger.encode(bags([0, 0, 0, 1]), vectors), alone, atol=1e-6)
    for one in (larger, larger.merged()):
        assert (one.history_weight[3], len(one.history_weight)) == (1, 4)
    assert len(encoder.history_weight) == 3
