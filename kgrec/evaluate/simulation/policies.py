"""Policies: the lists of a round.

Enters: `Round`. Leaves: rows of items. Nothing is written.

model        the plain recommender
diversity    the recommender with the option `diversity`
calibrated   the recommender with the option `calibration`
epsilon, thompson, new   the recommender with exploration, see `kgrec.rank.lists.explore`
popularity   the items that most viewers have clicked
random       random items
ideal        the items of largest utility, which no recommender knows: an upper bound for a round
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kgrec.evaluate.simulation.choices import SimulationConfig
from kgrec.evaluate.simulation.viewers import Viewers
from kgrec.rank.lists.explore import Exploration, drawn
from kgrec.recommend.recommender import Recommender
from kgrec.recommend.request import Request


@dataclass(frozen=True)
class Round:
    """The data that a policy may use."""

    config: SimulationConfig
    viewers: Viewers
    #: viewers who get a list; shape (n,)
    who: np.ndarray
    #: items that have appeared; shape (n_items,), bool
    released: np.ndarray
    #: makes all random choices
    rng: np.random.Generator
    #: trained on all clicks before the round; None for policies that are not in `WITH_MODEL`
    recommender: Recommender | None = None

    def best(self, scores: np.ndarray) -> np.ndarray:
        """The k unseen released items with the largest scores, padded with -1; `scores` of shape (n, n_items)."""
        k = min(self.config.k, scores.shape[1])
        open_ = self.released & ~self.viewers.seen[self.who]
        lists = np.argsort(-np.where(open_, scores, -np.inf), axis=1, kind="stable")[:, :k]
        return np.where(np.take_along_axis(open_, lists, 1), lists, -1)


def viewer_names(n: int) -> list[str]:
    """Names of viewers, in the order of their numbers and of the alphabet."""
    return [f"viewer-{number:06}" for number in range(n)]


def _popularity(now: Round) -> np.ndarray:
    counts = now.viewers.seen.sum(axis=0)
    # equally popular items, such as items without clicks, in random order
    return now.best(np.broadcast_to(counts + now.rng.random(len(counts)), (len(now.who), len(counts))))


def _random(now: Round) -> np.ndarray:
    return now.best(now.rng.random((len(now.who), len(now.released))))


def _ideal(now: Round) -> np.ndarray:
    return now.best(now.viewers.utility(now.who))


def _model(now: Round) -> np.ndarray:
    return _listed(now, _request(now))[0]


def _diversity(now: Round) -> np.ndarray:
    return _listed(now, _request(now, diversity=now.config.strength))[0]


def _calibrated(now: Round) -> np.ndarray:
    by = now.viewers.world.calibrate_by
    return _listed(now, _request(now, calibration=now.config.strength, calibrate_by=by))[0]


def _explored(now: Round, exploration: Exploration) -> np.ndarray:
    assert now.recommender is not None
    model, k = now.recommender.model, now.config.k
    width = max(exploration.pool, k)
    quota = {}
    if exploration.method == "new":
        available = int((now.released & ~model.items.trained.whole).sum())
        quota = {"new": min(width // 2, available)} if available else {}
    rows, scores = _listed(now, _request(now, k=width, at_least=quota or None))
    users = model.users_of_items
    lists = np.full((len(rows), k), -1)
    for viewer, (own, of_own) in enumerate(zip(rows, scores, strict=True)):
        order = np.argsort(-of_own, kind="stable")[: (own >= 0).sum()]
        found = drawn(exploration, of_own[order], users[own[order]], k, now.rng)
        lists[viewer, : len(found.positions)] = own[order][found.positions]
    return lists


POLICIES: dict[str, Callable[[Round], np.ndarray]] = {
    "model": _model,
    "popularity": _popularity,
    "random": _random,
    "diversity": _diversity,
    "calibrated": _calibrated,
    "epsilon": lambda now: _explored(now, now.config.epsilon),
    "thompson": lambda now: _explored(now, now.config.thompson),
    "new": lambda now: _explored(now, now.config.new),
    "ideal": _ideal,
}
#: policies that need a trained model
WITH_MODEL = frozenset(("model", "diversity", "calibrated", "epsilon", "thompson", "new"))


def _request(now: Round, k: int | None = None, **options: object) -> dict[str, object]:
    ids = now.viewers.world.graph.item_ids
    released = [ids[row] for row in np.flatnonzero(now.released).tolist()]
    return {"k": k or now.config.k, "candidates": released, **options}


def _listed(now: Round, options: dict[str, object]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of items, -1 for none, and scores, -inf for none, as the recommender lists them; both of shape (n, k)."""
    assert now.recommender is not None
    request = Request.from_dict(options)
    names = now.recommender.model.users.take(now.who)
    table = now.recommender.recommend(names, request=request, arrow=True)
    shape = (len(now.who), request.k)
    rows, scores = np.full(shape, -1), np.full(shape, -np.inf)
    users = now.recommender.model.users.ids(table["user_id"])
    at = np.searchsorted(now.who, users), table["rank"].to_numpy() - 1
    rows[at] = now.viewers.world.graph.item_ids.ids(table["item_id"])
    scores[at] = table["score"].to_numpy()
    return rows, scores
