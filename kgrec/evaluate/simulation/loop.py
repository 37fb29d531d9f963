"""The closed loop: lists, clicks, a new model, and again.

Enters: a world, a policy, a seed. Leaves: `Run`, the figures of all rounds. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kgrec.config import Config
from kgrec.evaluate.simulation.choices import SimulationConfig
from kgrec.evaluate.simulation.figures import FIGURES, figures_of
from kgrec.evaluate.simulation.policies import POLICIES, WITH_MODEL, Round, viewer_names
from kgrec.evaluate.simulation.viewers import Viewers
from kgrec.evaluate.simulation.world import World, drawn
from kgrec.graph.interactions import Interactions
from kgrec.graph.vocabulary import Vocabulary
from kgrec.metrics.beyond_accuracy import exposure_shares
from kgrec.recommend.recommender import Recommender


@dataclass(frozen=True)
class Run:
    """One policy with one seed."""

    #: in the order of `FIGURES`; shape (rounds, n_figures), float64
    figures: np.ndarray
    #: share of the attention that each provider got in the last third of the rounds; shape (n_providers,)
    providers: np.ndarray


def run_of(world: World, policy: str, config: SimulationConfig, model: Config, seed: int) -> Run:
    """Simulate all rounds.

    Args:
        world: The items; their qualities and rounds are drawn here.
        policy: A name in `POLICIES`.
        config: Size and choice model.
        model: How the recommender is trained, anew after each round, on all clicks so far.
        seed: Runs with the same seed have the same items, viewers and start, whatever the policy.
    """
    # one generator for what all policies share, one for what follows from the lists
    shared, rng = (np.random.default_rng([seed, part]) for part in range(2))
    world = drawn(world, config.new_share, config.rounds, shared)
    viewers = Viewers.drawn(world, config.viewers, config.choices, shared)
    for _ in range(config.start):
        _shown(viewers, "random", 0, config, None, shared)
    viewers.active[:] = True  # the rounds begin with all viewers
    rows, shares = [], []
    for number in range(1, config.rounds + 1):
        if not viewers.active.any():
            rows.append(_nobody())
            continue
        recommender = _trained(viewers, model) if policy in WITH_MODEL else None
        lists, clicked, utility = _shown(viewers, policy, number, config, recommender, rng)
        rows.append(list(figures_of(viewers, number, lists, clicked, utility).values()))
        if number > config.rounds * 2 / 3:
            shares.append(exposure_shares(lists, world.providers))
    return Run(
        np.array(rows), np.mean(shares, axis=0) if shares else np.full(world.providers.shape[1], np.nan)
    )


def _shown(
    viewers: Viewers,
    policy: str,
    number: int,
    config: SimulationConfig,
    recommender: Recommender | None,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lists, clicks and utilities of a round."""
    who = np.flatnonzero(viewers.active)
    now = Round(config, viewers, who, viewers.world.release <= number, rng, recommender)
    lists = POLICIES[policy](now)
    return lists, *viewers.respond(who, lists, rng)


def _trained(viewers: Viewers, config: Config) -> Recommender:
    """A recommender that knows all clicks so far."""
    graph = viewers.world.graph
    user, item = np.nonzero(viewers.seen)
    names = Vocabulary(viewer_names(len(viewers.seen)))
    log = Interactions(
        *(names, graph.item_ids, user.astype(np.int32), item.astype(np.int32)),
        *(np.ones(len(user), bool), np.ones(len(user), np.int32)),
    )
    return Recommender(config).fit(graph, log)


def _nobody() -> list[float]:
    """The figures of a round without viewers."""
    return [0.0 if name == "retention" else np.nan for name in FIGURES]
