"""Viewers: their tastes, their clicks, and how clicks change them; the formulas are in `choices`.

Enters: a world, lists. Leaves: clicks and utilities. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kgrec.evaluate.simulation.choices import Choices
from kgrec.evaluate.simulation.world import World

#: weights of taste, quality and whim: shares of the variance of utilities are their squares
_TASTE, _QUALITY, _WHIM = np.sqrt([0.6, 0.2, 0.2])
#: sum of the parameters of the Dirichlet distribution of tastes: small, so that a few nodes dominate a taste
_CONCENTRATION = 3.0
#: steepness of clicks, and the utility at which half of the items looked at are clicked
_SLOPE, _BAR = 2.0, 1.0
#: share of the memory that a round leaves, and of the trust that it replaces
_MEMORY, _TRUST = 0.7, 0.2


@dataclass
class Viewers:
    """The state of all viewers; `respond` changes it."""

    world: World
    choices: Choices
    #: shares of nodes, rows sum to 1; shape (n_viewers, n_nodes), float64
    taste: np.ndarray
    #: standard normal; shape (n_viewers, n_items), float32
    whim: np.ndarray
    #: h: mean content of what was clicked, older rounds less; shape (n_viewers, n_nodes), float64
    memory: np.ndarray
    #: 0 to 1; shape (n_viewers,)
    trust: np.ndarray
    #: whether a viewer has not left; shape (n_viewers,), bool
    active: np.ndarray
    #: whether a viewer has clicked an item; shape (n_viewers, n_items), bool
    seen: np.ndarray
    #: mean and deviation of the match of all viewers and items at the start
    scale: tuple[float, float]

    @classmethod
    def drawn(cls, world: World, n: int, choices: Choices, rng: np.random.Generator) -> Viewers:
        """Viewers at the start: tastes have the nodes of the catalogue in expectation."""
        shares = world.shares.sum(axis=0, dtype=np.float64)
        there = shares > 0
        taste = np.zeros((n, len(shares)))
        taste[:, there] = rng.dirichlet(_CONCENTRATION * shares[there] / shares.sum(), n)
        match = _units(taste) @ world.features.T
        return cls(
            world,
            choices,
            taste,
            rng.standard_normal((n, len(world)), np.float32),
            np.zeros_like(taste),
            np.full(n, 0.5),
            np.ones(n, bool),
            np.zeros((n, len(world)), bool),
            (float(match.mean()), float(match.std()) or 1.0),
        )

    def utility(self, who: np.ndarray) -> np.ndarray:
        """Utility of all items for some viewers; shape (len(who), n_items), float64."""
        mean, deviation = self.scale
        match = (_units(self.taste[who]) @ self.world.features.T - mean) / deviation
        bored = self.choices.boredom * (self.memory[who] @ self.world.features.T)
        return np.asarray(_TASTE * match + _QUALITY * self.world.quality + _WHIM * self.whim[who] - bored)

    def click_probability(self, who: np.ndarray, utility: np.ndarray) -> np.ndarray:
        """Probability that viewers click items at the positions of their lists; shape of `utility`, (len(who), k)."""
        looks = np.arange(1, utility.shape[1] + 1.0) ** -self.choices.position_bias
        trusted = utility - _BAR + self.choices.trust * self.trust[who, None]
        return np.asarray(looks * _sigmoid(_SLOPE * trusted))

    def respond(
        self, who: np.ndarray, lists: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Show lists to viewers, and let them click, learn, and leave.

        Args:
            who: Viewers, each once; shape (n,).
            lists: Rows of items, -1 for none; shape (n, k).
            rng: Draws clicks and departures.

        Returns:
            Whether each item was clicked, and its utility, nan for none; both of shape (n, k).
        """
        there = lists >= 0
        utility = np.where(there, np.take_along_axis(self.utility(who), np.maximum(lists, 0), 1), np.nan)
        chance = self.click_probability(who, np.where(there, utility, -np.inf))
        clicked = rng.random(lists.shape) < chance
        leaves = rng.random(len(who))
        self._learn(who, lists, clicked, utility)
        self.active[who[leaves < self.choices.leaving * (1 - self.trust[who])]] = False
        return clicked, utility

    def _learn(self, who: np.ndarray, lists: np.ndarray, clicked: np.ndarray, utility: np.ndarray) -> None:
        rows, places = np.nonzero(clicked)
        items = lists[rows, places]
        self.seen[who[rows], items] = True
        times = clicked.sum(axis=1)
        per_click = 1 / np.maximum(times, 1)[rows]
        content, nodes = np.zeros((len(who), self.taste.shape[1])), np.zeros((len(who), self.taste.shape[1]))
        np.add.at(content, rows, self.world.features[items] * per_click[:, None])
        np.add.at(nodes, rows, self.world.shares[items] * per_click[:, None])
        self.memory[who] = _MEMORY * self.memory[who] + (1 - _MEMORY) * content
        # items without nodes say nothing about tastes
        moved = self.choices.taste_drift * nodes.sum(axis=1, keepdims=True)
        self.taste[who] = (1 - moved) * self.taste[who] + self.choices.taste_drift * nodes
        satisfied = np.zeros(len(who))
        np.add.at(satisfied, rows, _sigmoid(_SLOPE * utility[rows, places]) * per_click)
        self.trust[who] += _TRUST * (satisfied - self.trust[who])


def _units(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -500, 500))))
