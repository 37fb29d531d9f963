from __future__ import annotations

import numpy as np
import torch
from ranking_examples import NAMES, examples

from kgrec.rank.network import Network, shapes
from kgrec.rank.ranking_features import n_scorers
from kgrec.train.network_ranker import _forward, fit_network


def test_torch_learns_what_numpy_computes():
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes(NAMES).items()}
    weights |= {
        "mean": np.zeros(len(NAMES), np.float32),
        "inverse_deviation": np.ones(len(NAMES), np.float32),
    }
    weights["scale"] = np.ones(1, np.float32)
    features = np.clip(rng.normal(size=(7, len(NAMES))), -3, 3).astype(np.float32)
    tensors = {name: torch.from_numpy(value) for name, value in weights.items()}
    expected = _forward(tensors, torch.from_numpy(features), n_scorers(NAMES)).numpy()
    np.testing.assert_allclose(Network(NAMES, weights).corrections(features), expected, rtol=1e-3, atol=1e-3)


def test_what_is_unknown_counts_as_the_mean():
    learned = fit_network(examples(60, follows="age"))
    features = examples(1, follows=None).features[0, :2].copy()
    features[:, NAMES.index("year")] = np.nan, learned.weights["mean"][NAMES.index("year")]
    features[1, :-1] = features[0, :-1]
    first, second = learned.corrections(features)
    assert np.isfinite(first) and abs(first - second) < 1e-5


def test_the_state_of_torch_is_left_as_it_was():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    fit_network(examples(20, follows=None))
    assert torch.equal(before, torch.random.get_rng_state())
