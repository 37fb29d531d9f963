"""The learner of the network ranker.

Enters: examples of held-out queries. Leaves: a `Network`. Nothing is written.

The loss is the binary cross-entropy over hits and some other candidates of the same query (He et al. 2017, eq. 7). The logit is the
scaled fused score plus the network plus a constant. The constant is dropped afterwards: it is the same for all candidates and does
not affect their order.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, relu

from kgrec.rank.network import CROSSINGS, Network, shapes, standardised
from kgrec.rank.ranker import Examples
from kgrec.rank.ranking_features import USER_FEATURES, n_scorers

#: number of other candidates per hit
_NEGATIVES = 8
_EPOCHS, _BATCH, _RATE, _DECAY = 8, 512, 3e-3, 1e-3


def fit_network(examples: Examples, seed: int = 0) -> Network:
    """Fit a network to the examples, some of which have hits."""
    some, scale = examples.with_hits, examples.temperature()
    rng = np.random.default_rng(seed)
    names, allowed = some.names, some.allowed
    shown = some.features[allowed]
    with np.errstate(invalid="ignore"):
        known = ~np.isnan(shown)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, shown, 0).sum(axis=0) / count
        deviation = np.sqrt(np.where(known, (shown - mean) ** 2, 0).sum(axis=0) / count)
    inverse = np.where(deviation > 1e-6, 1 / np.maximum(deviation, 1e-6), 0)
    rows = _sampled(some, rng)
    x = torch.from_numpy(standardised(some.features[rows], mean, inverse))
    base = torch.from_numpy((some.scores[rows] * scale).astype(np.float32))
    truth = torch.from_numpy(some.hits[rows].astype(np.float32))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = _learned(names, x, base, truth, rng)
    fixed = {"mean": mean, "inverse_deviation": inverse, "scale": np.array([1 / scale])}
    arrays = weights | {name: array.astype(np.float32) for name, array in fixed.items()}
    return Network(names, arrays)


def _sampled(examples: Examples, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Query and column of all hits, and of some other candidates of the same queries."""
    hits, others = examples.hits, examples.allowed & ~examples.hits
    wanted = _NEGATIVES * hits.sum(axis=1) / np.maximum(others.sum(axis=1), 1)
    drawn = others & (rng.random(others.shape) < wanted[:, None])
    query, column = np.nonzero(hits | drawn)
    return query, column


def _learned(
    names: tuple[str, ...], x: Tensor, base: Tensor, truth: Tensor, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Arrays of a network, except the scaling arrays."""
    weights = {name: _initial(shape) for name, shape in shapes(names).items()}
    for fixed in ("mean", "inverse_deviation", "scale"):
        del weights[fixed]
    constant = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.AdamW([*weights.values(), constant], lr=_RATE, weight_decay=_DECAY)
    for _ in range(_EPOCHS):
        order = torch.from_numpy(rng.permutation(len(x)))
        for start in range(0, len(x), _BATCH):
            batch = order[start : start + _BATCH]
            logits = base[batch] + _forward(weights, x[batch], n_scorers(names)) + constant
            optimizer.zero_grad()
            binary_cross_entropy_with_logits(logits, truth[batch]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return {name: value.detach().numpy() for name, value in weights.items()}


def _initial(shape: tuple[int, ...]) -> Tensor:
    """Small random maps; zeros for biases and for the last layer, so that the network starts without a correction."""
    value = torch.zeros(shape)
    if len(shape) == 2:
        torch.nn.init.xavier_uniform_(value)
    return value.requires_grad_()


def _forward(w: dict[str, Tensor], x: Tensor, n: int) -> Tensor:
    """The same as `Network.corrections`, before scaling."""
    end = n + len(USER_FEATURES)
    user = relu(x[:, n:end] @ w["user"].T + w["user_bias"])
    item = relu(x[:, end:] @ w["item"].T + w["item_bias"])
    hidden = relu(torch.cat([x[:, :n], user, item], dim=1) @ w["hidden"].T + w["hidden_bias"])
    crossed = x
    for layer in range(CROSSINGS):
        crossed = x * (crossed @ w[f"cross{layer}"].T + w[f"cross{layer}_bias"]) + crossed
    return torch.cat([user * item, hidden, crossed], dim=1) @ w["last"]
