r"""The gate: weights of the scorers that depend on the user and the item.

Enters: features of candidates. Leaves: a correction that is linear in the scores. Nothing is written.

.. math::
    f(x_{ui}) = \sum_s \Big(a_{s0} + \sum_g a_{sg}\, g_{ui}\Big)\, \mathrm{scorer}_s(u, i)

`g` are the length of the history, the popularity of the item and its age, each standardised. It is attention over the scorers
(Bahdanau et al. 2015) without the softmax. The result is a sum of weighted scores, which is explained exactly, per history item.
The parameters minimise the listwise softmax loss (ListNet with top one, Cao et al. 2007) with an L2 penalty towards no correction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kgrec.rank.ranker import Examples, log_sum_exp
from kgrec.rank.ranking_features import n_scorers

#: features that the weights depend on
_GATES = ("history_length", "popularity", "age")
_L2 = 0.1
_ITERATIONS = 60


@dataclass(frozen=True)
class Gate:
    """Weights that are added to the weights of the scorers."""

    #: names of the features
    names: tuple[str, ...]
    #: mean and inverse deviation of each gate feature; shape (2, 3), float32
    scaling: np.ndarray
    #: per scorer: the constant, then one value per gate feature; shape (n_scorers, 4), float32
    weights: np.ndarray

    kind = "gate"

    def corrections(self, features: np.ndarray) -> np.ndarray:
        """See `LearnedRanker`."""
        scores = features[:, : len(self.weights)]
        return np.asarray((scores * (self._gates(features) @ self.weights.T)).sum(axis=1), np.float32)

    def added_weights(self, features: np.ndarray) -> dict[str, float]:
        """See `LearnedRanker`."""
        added = (self._gates(features[None]) @ self.weights.T)[0]
        return dict(zip(self.names[: len(added)], added.tolist(), strict=True))

    def shares(self, features: np.ndarray) -> dict[str, float]:
        """See `LearnedRanker`."""
        del features
        return {}

    def arrays(self) -> dict[str, np.ndarray]:
        """See `LearnedRanker`."""
        return {"gate.scaling": self.scaling, "gate.weights": self.weights}

    @classmethod
    def of_arrays(cls, names: tuple[str, ...], arrays: Mapping[str, np.ndarray]) -> Gate:
        """The gate with these arrays.

        Raises:
            ValueError: Arrays are missing, or their shapes do not match.
        """
        scaling, weights = arrays.get("gate.scaling"), arrays.get("gate.weights")
        shapes = ((2, len(_GATES)), (n_scorers(names), 1 + len(_GATES)))
        if scaling is None or weights is None or (scaling.shape, weights.shape) != shapes:
            raise ValueError("has no arrays of a gate for its features")
        return cls(names, scaling, weights)

    def _gates(self, features: np.ndarray) -> np.ndarray:
        """The constant 1 and the standardised gate features; shape (n, 4)."""
        return _standardised(features, self.names, self.scaling)


def fit_gate(examples: Examples, seed: int = 0) -> Gate:
    """Fit the gate to the examples, some of which have hits; the optimum is unique, so the seed has no effect."""
    from scipy.optimize import minimize

    del seed
    some, scale = examples.with_hits, examples.temperature()
    names, n = some.names, n_scorers(some.names)
    allowed = some.allowed
    shown = some.features[allowed]
    columns = [names.index(name) for name in _GATES]
    deviation = shown[:, columns].std(axis=0)
    inverse = np.where(deviation > 0, 1 / np.maximum(deviation, 1e-9), 0)
    scaling = np.stack([shown[:, columns].mean(axis=0), inverse]).astype(np.float32)
    unit = 1 / np.maximum(shown[:, :n].std(axis=0), 1e-9)
    flat = some.features.reshape(-1, len(names))
    gates = _standardised(flat, names, scaling)
    # every product of a score and a gate feature; shape (n_queries, width, n * 4)
    design = ((flat[:, :n] * unit)[:, :, None] * gates[:, None, :]).reshape(*allowed.shape, -1)
    base = some.scores * np.float32(scale)
    hits = (some.hits / some.hits.sum(axis=1, keepdims=True)).astype(np.float32)
    own, base_own = np.einsum("qw,qwf->qf", hits, design), (np.where(some.hits, base, 0) * hits).sum(axis=1)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        logits = base + design @ parameters.astype(np.float32)
        total = log_sum_exp(logits)
        predicted = np.exp(logits - total[:, None])
        value = (total - base_own - own @ parameters).mean() + _L2 * (parameters @ parameters)
        slope = (np.einsum("qw,qwf->qf", predicted, design) - own).mean(axis=0) + 2 * _L2 * parameters
        return float(value), slope.astype(np.float64)

    start = np.zeros(design.shape[-1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS}).x
    weights = found.reshape(n, -1) * unit[:, None] / scale
    return Gate(names, scaling, weights.astype(np.float32))


def _standardised(features: np.ndarray, names: tuple[str, ...], scaling: np.ndarray) -> np.ndarray:
    columns = [names.index(name) for name in _GATES]
    gates = (features[:, columns] - scaling[0]) * scaling[1]
    return np.concatenate([np.ones((len(gates), 1), np.float32), gates], axis=1)
