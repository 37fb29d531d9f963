"""LightGCN, with values computed by hand."""

from __future__ import annotations

import numpy as np
import torch
from baseline_examples import matrix

from kgrec.evaluate.baselines.lightgcn import LightGCN, LightGCNNetwork
from kgrec.graph.histories import Histories


def test_lightgcn_by_hand():
    """One layer: u0 has items 0 and 1, u1 item 0 alone; item 0 has degree 2, item 1 degree 1, item 2 none."""
    network = LightGCNNetwork(matrix([[1, 1, 0], [1, 0, 0]]), LightGCN(dim=1, layers=1))
    network.table.data = torch.tensor([[1.0], [2], [3], [4], [5]])
    half = 0.5**0.5
    above = [3 / 2 + 4 * half, 3 * half, 1 / 2 + 2 * half, half, 0]
    np.testing.assert_allclose(network.layers()[1, :, 0].detach(), above, rtol=1e-6)
    fitted = network.fitted()
    items = np.array([3 + above[2], 4 + above[3], 0]) / 2
    histories = matrix([[1, 1, 0], [0, 1, 0]])
    found = fitted.scores(Histories.of_matrix(histories), np.array([0, -1]))
    np.testing.assert_allclose(found[0], (1 + above[0]) / 2 * items, rtol=1e-6)
    # a new user with item 1: the zeroth embedding is zero
    np.testing.assert_allclose(found[1], 4 / 2 * items, rtol=1e-6)
