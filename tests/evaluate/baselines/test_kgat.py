"""KGAT, with values computed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from baseline_examples import example_data, matrix

from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.kgat import KGAT, KGATNetwork


def one_genre() -> BaselineData:
    """Two users; items 0 and 1 of one genre, item 2 hidden; user 0 has item 0."""
    triples = np.array([[0, 0, 3], [1, 0, 3], [2, 0, 3]])
    return BaselineData(
        matrix([[1, 0, 0], [0, 0, 0]]), triples=triples, hidden=np.array([False, False, True])
    )


def test_edges_of_kgat_go_both_ways_and_skip_hidden_items():
    """Nodes: users 0 and 1, items 2, 3 and 4, the genre 5."""
    found = KGATNetwork(one_genre(), KGAT(dim=2)).edges.tolist()
    assert found == [[0, 0, 2], [2, 2, 5], [3, 2, 5], [2, 1, 0], [5, 3, 2], [5, 3, 3]]


def test_attention_of_kgat_by_hand():
    network = KGATNetwork(one_genre(), KGAT(dim=1))
    network.table.data = torch.tensor([[1.0], [0], [2], [3], [4], [5]])
    network.relation.data = torch.tensor([[0.1], [0.2], [0.3], [0.4]])
    network.projection.data = torch.tensor([[[1.0]], [[0.5]], [[0.1]], [[0.2]]])
    found = network.attention().matrix.to_dense().numpy()
    # item 0: to its user (0.5 * 1) tanh(0.5 * 2 + 0.2), to the genre (0.1 * 5) tanh(0.1 * 2 + 0.3)
    user, genre = np.exp(0.5 * np.tanh(1.2)), np.exp(0.5 * np.tanh(0.5))
    first, second = np.exp(0.4 * np.tanh(1.4)), np.exp(0.6 * np.tanh(1.4))
    expected = np.zeros((6, 6))
    expected[0, 2] = expected[3, 5] = 1
    expected[2, [0, 5]] = np.array([user, genre]) / (user + genre)
    expected[5, [2, 3]] = np.array([first, second]) / (first + second)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_losses_of_kgat_reach_every_parameter():
    network, rng = KGATNetwork(example_data(), KGAT(dim=4)), np.random.default_rng(0)
    one = torch.tensor([3])
    loss = network.preference_loss(network.attention(), one, one, one + 1)
    (loss + network.translation_loss(network.edges, rng)).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_kgat_scores_zero_for_new_users_and_hidden_items():
    data = replace(example_data(), hidden=np.arange(12) == 11)
    fitted = KGAT(dim=4, epochs=2).fit(data)
    assert not fitted.scores(data.histories).any()
    scores = fitted.scores(data.histories, np.arange(40))
    assert scores[1:, :11].all() and not scores[:, 11].any()
