"""The ordered learner: it finds what follows in a world where each item has one successor."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from grouped import grouped_items

from kgrec.config import TrainConfig
from kgrec.encode.config import EncoderConfig, UserEncoderName
from kgrec.encode.ordered_users import POSITIONS, OrderedUsers
from kgrec.encode.transformer_user_encoder import TransformerUserEncoder
from kgrec.encode.user_encoder import LinearUserEncoder
from kgrec.encode.user_encoders import user_encoder_of
from kgrec.graph.histories import Histories
from kgrec.storage.segments import Rows
from kgrec.train.data import Hyperparameters, TrainingData
from kgrec.train.learner import RunProgress
from kgrec.train.ordered_learner import _by_length
from kgrec.train.run import learn

N_ITEMS, N_USERS, LENGTH = 20, 120, 6


def walks() -> Histories:
    """Each user walks round the ring of items from somewhere: item i is followed by i + 7."""
    rng = np.random.default_rng(0)
    matrix, stamps = np.zeros((2, N_USERS, N_ITEMS), np.float32)
    for user, start in enumerate(rng.integers(N_ITEMS, size=N_USERS)):
        items = (start + 7 * np.arange(LENGTH)) % N_ITEMS
        matrix[user, items], stamps[user, items] = 1, np.arange(1, LENGTH + 1)
    return Histories.of_matrix(sp.csr_matrix(matrix), sp.csr_matrix(stamps))


def learned(epochs: int = 60, user: UserEncoderName = "linear"):
    config = EncoderConfig(dim=16, identity_dropout=0, heads=2, dropout=0.1)
    train = TrainConfig(threads=1, batch_size=32, device="cpu")
    data = TrainingData(*grouped_items(N_ITEMS, 2), config, train, ordered=True)
    options = Hyperparameters(0.1, 0.05, epochs, user)
    progress = RunProgress("select", options, lambda _: None)
    return learn(data, walks(), options, progress), data, progress


@pytest.mark.parametrize("user", ["linear", "transformer"])
def test_what_follows_is_found_and_the_loss_falls(user: UserEncoderName):
    encoder, data, progress = learned(user=user)
    losses = [record.loss for record in progress.records]
    assert losses[-1] < losses[0] / 2
    with torch.no_grad():
        items = encoder.items(data.inputs, encoder.identity).numpy()
    arrays = {name: value.detach().numpy() for name, value in encoder.state_dict().items()}
    users = user_encoder_of(arrays, np.ones(N_ITEMS, np.float32), 16)
    assert isinstance(users, LinearUserEncoder if user == "linear" else TransformerUserEncoder)
    histories = walks()
    scores = users.encode(histories, Rows.of(items)) @ items.T
    scores[histories.matrix().nonzero()] = -np.inf
    last = histories.item[histories.indptr[1:] - 1]
    assert (scores.argmax(axis=1) == (last + 7) % N_ITEMS).mean() > 0.9


@pytest.mark.parametrize("user", ["linear", "transformer"])
def test_a_run_is_the_same_for_a_seed(user: UserEncoderName):
    one, other = (learned(3, user)[0].state_dict() for _ in range(2))
    assert any(name.startswith("order.") for name in one)
    for name, value in one.items():
        assert torch.equal(value, other[name])


def test_users_in_torch_are_those_in_numpy():
    torch.manual_seed(0)
    order, vectors = OrderedUsers(4), torch.nn.functional.normalize(torch.randn(5, 4), dim=1)
    with torch.no_grad():
        before = order(vectors[None], torch.ones(1, 5), torch.ones(1, 4, dtype=torch.bool)).numpy()
    arrays = {f"order.{name}": value.detach().numpy() for name, value in order.state_dict().items()}
    encoder = user_encoder_of(arrays, np.ones(5, np.float32), 4)
    for position in range(1, 5):
        stamps = np.zeros((1, 5), np.float32)
        stamps[0, :position] = np.arange(1, position + 1)
        history = Histories.of_matrix(sp.csr_matrix((stamps > 0).astype(np.float32)), sp.csr_matrix(stamps))
        vector = encoder.encode(history, Rows.of(vectors.numpy()))
        np.testing.assert_allclose(vector[0], before[position - 1], rtol=1e-4, atol=1e-6)


def test_the_first_head_starts_as_a_mean_that_falls_slowly():
    order = OrderedUsers(8)
    weight = order.log_weight.exp().detach().numpy()
    assert weight.shape == (2, POSITIONS) and (np.diff(weight, axis=1) < 0).all()
    assert torch.equal(order.maps[0], torch.eye(8)) and weight[1, 3] < weight[0, 3]


def test_only_wanted_positions_are_computed_and_long_sequences_do_not_change_short_ones():
    torch.manual_seed(0)
    order, vectors = OrderedUsers(4), torch.randn(2, 5, 4)
    vectors[1, 2:], ones = 0, torch.ones(2, 5)
    wanted = torch.tensor([[True, False, True, True], [True, False, False, False]])
    with torch.no_grad():
        every = order(vectors, ones, torch.ones(2, 4, dtype=torch.bool)).reshape(2, 4, 4)
        some = order(vectors, ones, wanted)
        torch.testing.assert_close(some, every[wanted])
        torch.testing.assert_close(order(vectors[1:, :2], ones[1:, :2], wanted[1:, :1]), some[3:])


def test_sequences_of_like_length_are_computed_together():
    sequences = np.full((5, 30), -1)
    for row, length in enumerate((2, 30, 6, 7, 1)):
        sequences[row, :length] = 0
    groups = [(width, rows.tolist()) for width, rows in _by_length(sequences)]
    assert groups == [(6, [0, 2, 4]), (7, [3]), (30, [1])]
