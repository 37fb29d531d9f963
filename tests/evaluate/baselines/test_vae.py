"""The variational autoencoder: its loss by hand, and items that it knows by their texts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from baseline_examples import matrix
from grouped import grouped_halves

from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.vae import MultVAE, MultVAENetwork
from kgrec.graph.histories import Histories


def test_the_loss_is_the_likelihood_and_the_weighted_divergence():
    """Layers of zeros: every item has the same chance, z has the mean 0 and the variance e^1."""
    network = MultVAENetwork(MultVAE(dim=2), np.ones(4, bool), None)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.moments.bias[2:] = 1.0
    taken = torch.tensor([[1.0, 1, 0, 0], [1, 0, 0, 0]])
    likelihood = 1.5 * np.log(4)  # of three items in two histories
    divergence = 2 * 0.5 * (np.e - 1 - 1)
    loss = network.loss(taken, network.items(), 0.3).item()
    assert loss == pytest.approx(likelihood + 0.3 * divergence, abs=1e-5)


def test_a_new_item_is_scored_by_its_text():
    """Items keep to one of four groups, by which their texts differ; nobody takes the last item of each group."""
    training, _ = grouped_halves(200, 40, 4)
    dense = training.toarray()
    dense[:, 36:] = 0
    vectors = np.eye(4, dtype=np.float32)[np.arange(40) % 4]
    data = BaselineData(matrix(dense), vectors=vectors)
    fitted = MultVAE(dim=8, batch_size=64, epochs=40).fit(data)
    scores = fitted.scores(Histories.of_matrix(matrix(dense[:40])))
    own = np.arange(40)[:, None] % 4 == np.arange(36, 40) % 4
    assert (scores[:, 36:].argmax(axis=1) == own.argmax(axis=1)).mean() > 0.9
    without = MultVAE(dim=8, batch_size=64, epochs=2).fit(BaselineData(matrix(dense)))
    assert not without.scores(Histories.of_matrix(matrix(dense[:5])))[:, 36:].any()
