r"""Negatives of the sampled softmax: the items of a large catalogue that represent the others in a training step.

Enters: popularity of the items and, for adversarial negatives, the current scores of the model. Leaves: rows of items, and the log
of the weight of each. Nothing is written.

Each draw gives an item with probability :math:`p_i`. Its weight is the inverse of the probability that `n` draws include it,
:math:`1 - (1 - p_i)^n` (Horvitz and Thompson 1952), so the denominator of the softmax is unbiased for any distribution.

- "popularity": :math:`p_i` is proportional to the number of users of an item to the power .75 (Mikolov et al. 2013).
- "adversarial": half of the draws go to items that the model itself recommends, like the generator of IRGAN (Wang et al. 2017):
  :math:`p_i` is proportional to the mean softmax of the item over some users, with the parameters at the start of the epoch. The
  other half is uniform.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

#: exponent of popularity
_POWER = 0.75
#: share of uniform draws among adversarial ones, so that every item can be drawn
_UNIFORM = 0.5


class NegativeSampler:
    """Draws items from a distribution.

    Args:
        probabilities: probability of each item per draw; they sum to 1; shape (n_items,).
    """

    def __init__(self, probabilities: np.ndarray) -> None:
        self._probabilities = probabilities
        self._cumulative = np.cumsum(probabilities)

    @classmethod
    def by_popularity(cls, counts: np.ndarray) -> NegativeSampler:
        """Probabilities by number of users; an item without users is treated as if it had one."""
        mass = np.maximum(counts, 1) ** _POWER
        return cls(mass / mass.sum())

    @classmethod
    @torch.no_grad()
    def adversarial(cls, users: Tensor, items: Tensor, temperature: float) -> NegativeSampler:
        """Probabilities by the model's own scores.

        Args:
            users: vectors of some users; shape (n_users, dim).
            items: vectors of the items; shape (n_items, dim).
            temperature: divisor of the cosines.
        """
        mass = torch.softmax(users @ items.T / temperature, dim=1).mean(dim=0).double().cpu().numpy()
        return cls((1 - _UNIFORM) * mass / mass.sum() + _UNIFORM / len(mass))

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Distinct rows among `n` draws with replacement, increasing."""
        drawn = np.searchsorted(self._cumulative, rng.random(n) * self._cumulative[-1], side="right")
        return np.unique(np.minimum(drawn, len(self._cumulative) - 1))

    def log_weights(self, rows: np.ndarray, n: int) -> np.ndarray:
        """Log of the inverse probability that `n` draws include each row; shape (len(rows),), float32."""
        # log(1 - (1 - p) ** n), precise for small p
        missed = n * np.log1p(-np.minimum(self._probabilities[rows], 1 - 1e-12))
        return np.asarray(-np.log(-np.expm1(missed)), np.float32)
