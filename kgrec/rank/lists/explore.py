r"""Exploration: lists that are partly drawn at random, so that a log shows how other items would have performed.

Enters: scores of candidates, best first. Leaves: the drawn candidates, and for each the probability of its position. Nothing is
written.

The probability that an item is at its position, over all possible draws, is its propensity :math:`p`. Off-policy estimates
divide by it (`kgrec.evaluate.off_policy`). It is exact for all methods here:

"epsilon"
    Each place keeps its item with probability :math:`1 - \epsilon`. The other places are filled by a draw without replacement from the
    candidates that were not kept (epsilon-greedy; Sutton and Barto 2018, section 2.2).
"thompson"
    A list for each of 200 draws of all scores, and one of these lists by chance (Thompson 1933; for scores with normal noise, Agrawal and
    Goyal 2013). The noise of an item with n users has the deviation :math:`\sigma / \sqrt{1 + n}`, where :math:`\sigma` is `scale` times the
    deviation of the scores of the list. So items that few users have rise and fall most. Propensities are shares of the 200 lists.
"new"
    Some places, chosen by chance, get items without users, drawn among the candidates below the first k. The other places get the first
    candidates, in their order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from kgrec.arguments.sections import Section

#: lists of which "thompson" shows one; no propensity is smaller than 1 / _DRAWS
_DRAWS = 200


class Exploration(Section, frozen=True):
    """How lists are partly drawn."""

    method: Literal["epsilon", "thompson", "new"] = "epsilon"
    """"epsilon": some places get random candidates; "thompson": scores get noise, more for items that few users have; "new": some places
    get items without users."""
    epsilon: float = Field(0.1, gt=0, le=1)
    """With "epsilon": probability that a place is drawn."""
    scale: float = Field(1.0, gt=0, le=100)
    """With "thompson": deviation of the noise of an item without users, relative to the deviation of the scores."""
    places: int = Field(1, ge=1, le=100)
    """With "new": places of a list for items without users."""
    pool: int = Field(50, ge=2, le=1000)
    """Candidates to draw from: the best of the model."""


class Drawn(NamedTuple):
    """A list drawn from candidates."""

    #: of the candidates, from 0; shape (k,), int64
    positions: np.ndarray
    #: probability of each item at its place; shape (k,), float64, above 0
    propensities: np.ndarray


def drawn(
    exploration: Exploration, scores: np.ndarray, users: np.ndarray, k: int, rng: np.random.Generator
) -> Drawn:
    """Draw a list.

    Args:
        exploration: The method.
        scores: Of the candidates, falling; shape (n,).
        users: Number of users of each candidate; shape (n,).
        k: Number of items in the list, if there are that many candidates.
        rng: Makes all random choices.
    """
    return _METHODS[exploration.method](exploration, scores, users, min(k, len(scores)), rng)


def _epsilon(
    exploration: Exploration, scores: np.ndarray, _: np.ndarray, k: int, rng: np.random.Generator
) -> Drawn:
    n, epsilon = len(scores), exploration.epsilon
    is_drawn = rng.random(k) < epsilon
    positions = np.arange(k)
    rest = np.delete(np.arange(n), positions[~is_drawn])
    positions[is_drawn] = rng.choice(rest, int(is_drawn.sum()), replace=False)
    own, other = _chance(n, k - 1, epsilon), _chance(n, k - 2, epsilon)
    # one of the first k stands at another place only if its own place is drawn, too
    moved = np.where(positions < k, epsilon**2 * other, epsilon * own)
    at_home = positions == np.arange(k)
    return Drawn(positions, np.where(at_home, 1 - epsilon + epsilon * own, moved))


def _chance(n: int, others: int, epsilon: float) -> float:
    """Mean of 1 / (n - B), the chance of one candidate at a drawn place, if B of `others` places keep their items."""
    others = max(others, 0)
    return sum(
        math.comb(others, kept) * (1 - epsilon) ** kept * epsilon ** (others - kept) / (n - kept)
        for kept in range(others + 1)
    )


def _thompson(
    exploration: Exploration, scores: np.ndarray, users: np.ndarray, k: int, rng: np.random.Generator
) -> Drawn:
    deviation = exploration.scale * scores.std() / np.sqrt(1 + users)
    noisy = scores + deviation * rng.standard_normal((_DRAWS, len(scores)))
    lists = np.argsort(-noisy, axis=1)[:, :k]
    chosen = lists[rng.integers(_DRAWS)]
    return Drawn(chosen, (lists == chosen).mean(axis=0))


def _new(
    exploration: Exploration, _: np.ndarray, users: np.ndarray, k: int, rng: np.random.Generator
) -> Drawn:
    new = k + np.flatnonzero(users[k:] == 0)
    reserved = min(exploration.places, len(new), k)
    positions, propensities = np.arange(k), np.ones(k)
    if not reserved:
        return Drawn(positions, propensities)
    is_new = np.zeros(k, bool)
    is_new[rng.choice(k, reserved, replace=False)] = True
    positions[is_new] = rng.choice(new, reserved, replace=False)
    positions[~is_new] = np.arange(k - reserved)
    propensities[is_new] = reserved / k / len(new)
    for place in np.flatnonzero(~is_new).tolist():
        before = place - int(positions[place])  # reserved places above this one
        propensities[place] = (
            math.comb(place, before) * math.comb(k - 1 - place, reserved - before) / math.comb(k, reserved)
        )
    return Drawn(positions, propensities)


_METHODS: dict[str, Callable[..., Drawn]] = {"epsilon": _epsilon, "thompson": _thompson, "new": _new}
