r"""The network ranker: a user tower and an item tower, and their crossing, as plain arrays.

Enters: features of candidates. Leaves: a correction, which has no exact parts. Nothing is written.

Features of the user and of the item go through a tower each. Their product is the generalised matrix factorisation of He et al. 2017
(neural collaborative filtering, eq. 9); both and the scores go through a layer of a multilayer perceptron (eq. 10) and through a cross
network (DCN V2, Wang et al. 2021, eq. 1): :math:`x_{l+1} = x_0 \odot (W_l x_l + b_l) + x_l`. A linear layer reads all three.
:mod:`kgrec.train.network_ranker` learns the arrays; this module needs numpy only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kgrec.rank.ranking_features import USER_FEATURES, n_scorers

#: width of a tower; width of the perceptron; number of layers of the cross network
TOWER, HIDDEN, CROSSINGS = 8, 16, 2


@dataclass(frozen=True)
class Network:
    """A small feed-forward network over standardised features."""

    #: names of the features
    names: tuple[str, ...]
    #: by name, with the shapes of `shapes`; float32
    weights: Mapping[str, np.ndarray]

    kind = "network"

    def corrections(self, features: np.ndarray) -> np.ndarray:
        """See `LearnedRanker`."""
        w, n = self.weights, n_scorers(self.names)
        x = standardised(features, w["mean"], w["inverse_deviation"])
        end = n + len(USER_FEATURES)
        user = np.maximum(x[:, n:end] @ w["user"].T + w["user_bias"], 0)
        item = np.maximum(x[:, end:] @ w["item"].T + w["item_bias"], 0)
        hidden = np.concatenate([x[:, :n], user, item], axis=1) @ w["hidden"].T + w["hidden_bias"]
        crossed = x
        for layer in range(CROSSINGS):
            crossed = x * (crossed @ w[f"cross{layer}"].T + w[f"cross{layer}_bias"]) + crossed
        both = np.concatenate([user * item, np.maximum(hidden, 0), crossed], axis=1)
        return np.asarray(both @ w["last"] * w["scale"], np.float32)

    def added_weights(self, features: np.ndarray) -> dict[str, float]:
        """See `LearnedRanker`."""
        del features
        return {}

    def shares(self, features: np.ndarray) -> dict[str, float]:
        """See `LearnedRanker`; a single part, because a network has no exact parts."""
        return {self.kind: float(self.corrections(features[None])[0])}

    def arrays(self) -> dict[str, np.ndarray]:
        """See `LearnedRanker`."""
        return {f"network.{name}": array for name, array in self.weights.items()}

    @classmethod
    def of_arrays(cls, names: tuple[str, ...], arrays: Mapping[str, np.ndarray]) -> Network:
        """The network with these arrays.

        Raises:
            ValueError: Arrays are missing, or their shapes do not match.
        """
        expected = shapes(names)
        weights = {name: arrays[f"network.{name}"] for name in expected if f"network.{name}" in arrays}
        if any(name not in weights or weights[name].shape != shape for name, shape in expected.items()):
            raise ValueError("has no arrays of a network for its features")
        return cls(names, weights)


def shapes(names: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Shape of each array, by name, of a network that reads these features."""
    n, users, width = n_scorers(names), len(USER_FEATURES), len(names)
    cross = {f"cross{layer}": (width, width) for layer in range(CROSSINGS)}
    cross_bias = {f"cross{layer}_bias": (width,) for layer in range(CROSSINGS)}
    return {
        "mean": (width,),
        "inverse_deviation": (width,),
        "user": (TOWER, users),
        "user_bias": (TOWER,),
        "item": (TOWER, width - n - users),
        "item_bias": (TOWER,),
        "hidden": (HIDDEN, n + 2 * TOWER),
        "hidden_bias": (HIDDEN,),
        **cross,
        **cross_bias,
        "last": (TOWER + HIDDEN + width,),
        "scale": (1,),
    }


def standardised(features: np.ndarray, mean: np.ndarray, inverse_deviation: np.ndarray) -> np.ndarray:
    """Features with mean 0 and deviation 1, clipped at 5 deviations; unknown values become 0, the mean."""
    scaled = np.clip((features - mean) * inverse_deviation, -5, 5)
    return np.asarray(np.nan_to_num(scaled, nan=0.0), np.float32)
