r"""Negatives of the sampled softmax: which items of a large catalogue stand for the others in a training step.

Enters: popularity of the items, and, for adversarial ones, the current scores of the model. Leaves: rows of items, and the log of the
weight of each. Nothing is written.

An item is drawn with the probability :math:`p_i` per draw. Its weight is the inverse of the probability that `n` draws have it,
:math:`1 - (1 - p_i)^n` (Horvitz and Thompson 1952), so the denominator of the softmax stays unbiased whatever the distribution is.

- "popularity": :math:`p_i` is proportional to the users of an item to the power .75 (Mikolov et al. 2013).
- "adversarial": half of the draws go to items that the model itself recommends, as the generator of IRGAN does (Wang et al. 2017):
  :math:`p_i` is proportional to the mean softmax of the item over some users, by the parameters at the start of the epoch. The other half
  is uniform.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

#: power of popularity
_POWER = 0.75
#: share of the draws that stay uniform among adversarial ones, so that every item has a chance
_UNIFORM = 0.5


class NegativeSampler:
    """Draws items by a distribution.

    Args:
        probabilities: per draw, of each item; they sum to 1; shape (n_items,).
    """

    def __init__(self, probabilities: np.ndarray) -> None:
        self._probabilities = probabilities
        self._cumulative = np.cumsum(probabilities)

    @classmethod
    def by_popularity(cls, counts: np.ndarray) -> NegativeSampler:
        """By users per item; an item without any has the chance of one with a single user."""
        mass = np.maximum(counts, 1) ** _POWER
        return cls(mass / mass.sum())

    @classmethod
    @torch.no_grad()
    def adversarial(cls, users: Tensor, items: Tensor, temperature: float) -> NegativeSampler:
        """By the model's own scores.

        Args:
            users: vectors of some users; shape (n_users, dim).
            items: vectors of the items; shape (n_items, dim).
            temperature: divisor of the cosines.
        """
        mass = torch.softmax(users @ items.T / temperature, dim=1).mean(dim=0).double().cpu().numpy()
        return cls((1 - _UNIFORM) * mass / mass.sum() + _UNIFORM / len(mass))

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Distinct rows of at most `n` draws with replacement, increasing."""
        drawn = np.searchsorted(self._cumulative, rng.random(n) * self._cumulative[-1], side="right")
        return np.unique(np.minimum(drawn, len(self._cumulative) - 1))

    def log_weights(self, rows: np.ndarray, n: int) -> np.ndarray:
        """Log of the inverse probability that `n` draws have each row; shape (len(rows),), float32."""
        # log(1 - (1 - p) ** n), precise for small p
        missed = n * np.log1p(-np.minimum(self._probabilities[rows], 1 - 1e-12))
        return np.asarray(-np.log(-np.expm1(missed)), np.float32)
