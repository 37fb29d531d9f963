"""Metrics of a round, which become curves.

Enters: the lists of a round, clicks, viewers. Leaves: a number by name. Nothing is written.
"""

from __future__ import annotations

import numpy as np

from kgrec.evaluate.simulation.viewers import Viewers
from kgrec.metrics.beyond_accuracy import coverage, diversity, exposure_gap, exposure_shares, gini

#: number of rounds for which an item counts as new after it appears
NEW_ROUNDS = 5
#: name -> meaning, in the order of the page
FIGURES = {
    "clicks": "Clicks per list.",
    "satisfaction": "Mean utility of clicked items: 0 is an average item, 1 is one standard deviation better. Trust and places do not count.",
    "retention": "Share of all viewers who have not left.",
    "diversity": "Mean distance of two items of a list by their nodes, 0 to 1.",
    "gini": "Inequality of how often the items that have appeared are listed in the round; 0: equally often, near 1: one item only.",
    "coverage": "Share of the items that have appeared that are in a list of the round.",
    "concentration": "Mean over viewers of the sum of squared shares of their taste: near 0 for many nodes, 1 for one node.",
    "homogeneity": "Mean over pairs of viewers of what both have clicked so far, divided by what either has (Jaccard index).",
    "provider gap": "How far the attention that providers get is from equal parts (total variation distance), 0 to 1.",
    "new items": f"Share of listed items that appeared less than {NEW_ROUNDS} rounds ago.",
}


def figures_of(
    viewers: Viewers, now: int, lists: np.ndarray, clicked: np.ndarray, utility: np.ndarray
) -> dict[str, float]:
    """The metrics of a round, after the viewers responded.

    Args:
        viewers: All viewers.
        now: Number of the round, from 1.
        lists: Rows of items, -1 for none; shape (n, k).
        clicked: Whether each item was clicked; shape (n, k), bool.
        utility: Utility of each item before the clicks; shape (n, k).

    Returns:
        A number per name in `FIGURES`; nan if it is undefined, for example satisfaction in a round without clicks.
    """
    world = viewers.world
    released = world.release <= now
    listed = lists[lists >= 0]
    is_new = (world.release > 0) & (world.release > now - NEW_ROUNDS)
    shares = exposure_shares(lists, world.providers)
    providers = world.providers[np.flatnonzero(released)]
    return {
        "clicks": _mean(clicked.sum(axis=1)),
        "satisfaction": _mean(utility[clicked]),
        "retention": _mean(viewers.active),
        "diversity": _mean(diversity(lists, world.features)),
        "gini": gini(lists, released),
        "coverage": coverage(lists, released),
        "concentration": _mean((viewers.taste[viewers.active] ** 2).sum(axis=1)),
        "homogeneity": homogeneity(viewers.seen),
        "provider gap": exposure_gap(shares, providers),
        "new items": _mean(is_new[listed]),
    }


def homogeneity(seen: np.ndarray) -> float:
    r"""Mean Jaccard index of the item sets of all pairs of viewers (Chaney, Stewart and Engelhardt 2018, section 4); nan without pairs.

    .. math:: \frac{1}{|P|} \sum_{(v, w) \in P} \frac{|S_v \cap S_w|}{|S_v \cup S_w|}

    over the pairs of viewers who both have an item.

    Args:
        seen: Items of each viewer; shape (n_viewers, n_items), bool.
    """
    some = seen[seen.any(axis=1)].astype(np.float32)
    if len(some) < 2:
        return float("nan")
    both = some @ some.T
    sizes = np.diag(both)
    index = both / (sizes[:, None] + sizes[None] - both)
    return float((index.sum() - len(some)) / (len(some) * (len(some) - 1)))


def _mean(values: np.ndarray) -> float:
    there = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    return float(there.mean()) if len(there) else float("nan")
