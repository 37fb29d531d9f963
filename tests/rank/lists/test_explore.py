"""Exploration: what is drawn, and that propensities are the frequencies of draws."""

from __future__ import annotations

import numpy as np
import pytest

from kgrec.errors import ConfigError
from kgrec.rank.lists.explore import Drawn, Exploration, drawn

SCORES = np.array([0.9, 0.7, 0.6, 0.3, 0.2, 0.1])
USERS = np.array([9, 4, 0, 2, 0, 0])
METHODS = {
    "epsilon": Exploration(epsilon=0.4),
    "thompson": Exploration(method="thompson"),
    "new": Exploration(method="new", places=2),
}


def many(exploration: Exploration, k: int, draws: int = 20_000) -> list[Drawn]:
    rng = np.random.default_rng(7)
    return [drawn(exploration, SCORES, USERS, k, rng) for _ in range(draws)]


@pytest.mark.parametrize("name", ["epsilon", "new"])
def test_propensities_are_frequencies(name: str) -> None:
    """Of each item at each place, within four standard errors of its frequency."""
    made = many(METHODS[name], 3)
    times = np.zeros((len(SCORES), 3))
    said = np.full((len(SCORES), 3), np.nan)
    for positions, propensities in made:
        times[positions, range(3)] += 1
        before = said[positions, range(3)]
        assert ((before == propensities) | np.isnan(before)).all()
        said[positions, range(3)] = propensities
    there = times > 0
    assert np.nansum(said, axis=0) == pytest.approx([1, 1, 1])
    error = np.sqrt(said[there] * (1 - said[there]) / len(made))
    assert (np.abs(times[there] / len(made) - said[there]) <= 4 * error + 1e-12).all()


def test_inverse_propensities_of_thompson_have_the_mean_one() -> None:
    """The sum of 1/p over what is shown at a place is the number of items that can stand there."""
    made = many(METHODS["thompson"], 2, 2000)
    first = np.array([one.positions[0] for one in made])
    weight = np.array([1 / one.propensities[0] for one in made])
    held = (first == 0) * weight
    assert held.mean() == pytest.approx(1, abs=4 * held.std() / np.sqrt(len(made)))


def test_items_of_few_users_vary_most_with_thompson() -> None:
    scores, users = np.array([0.5, 0.5, 0.1]), np.array([10_000, 0, 10_000])
    rng = np.random.default_rng(1)
    places = [drawn(METHODS["thompson"], scores, users, 3, rng).positions.tolist() for _ in range(300)]
    assert {tuple(one) for one in places} >= {(0, 1, 2), (1, 0, 2), (0, 2, 1)}
    assert all(one.index(0) < one.index(2) for one in places)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("k", [1, 3, 6, 9])
def test_an_item_stands_once_in_a_list(name: str, k: int) -> None:
    for one in many(METHODS[name], k, 50):
        assert len(set(one.positions.tolist())) == len(one.positions) == min(k, 6)
        assert (one.propensities > 0).all()
        assert (one.propensities <= 1 + 1e-12).all()


def test_new_items_have_their_places() -> None:
    for positions, _ in many(METHODS["new"], 3, 100):
        assert (positions >= 3).sum() == 2
        assert (USERS[positions[positions >= 3]] == 0).all()
    without = drawn(METHODS["new"], SCORES, np.ones(6), 3, np.random.default_rng(0))
    assert without.positions.tolist() == [0, 1, 2]
    assert without.propensities.tolist() == [1, 1, 1]


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match="epsilon"):
        Exploration(epsilon=0)
    with pytest.raises(ConfigError, match="method"):
        Exploration(method="greedy")
