"""The choice of a learned ranker on validation data.

Enters: examples of held-out queries. Leaves: the ranker that ranks them better than the fused score, if there is one. Nothing is
written.

Each kind is cross-fitted: the users are divided into four folds, and the candidates of each fold are ranked by a ranker fitted to the
other folds. A ranker is chosen only if its NDCG beats that of the fused score and a paired test over users is significant (Fisher's
randomisation test, corrected for the number of kinds by Holm 1979). The chosen kind is then fitted to all queries.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from kgrec.metrics.accuracy import ndcg
from kgrec.metrics.significance import holm, permutation_test
from kgrec.rank.boosted import fit_boosted, is_installed
from kgrec.rank.config import RankerName
from kgrec.rank.fusion_weights import MIN_GAIN
from kgrec.rank.gate import fit_gate
from kgrec.rank.ranker import Examples, LearnedRanker
from kgrec.train.network_ranker import fit_network

logger = logging.getLogger(__name__)

#: simplest first; among equal kinds the first is chosen
FITTERS: Mapping[str, Callable[[Examples, int], LearnedRanker]] = {
    "gate": fit_gate,
    "boosted": fit_boosted,
    "network": fit_network,
}
#: number of folds of users
_FOLDS = 4
#: p value from which on a ranker is rejected
_LEVEL = 0.05
#: smallest number of users with a hit among their candidates; with fewer, a test could not reach significance
_MIN_USERS = 50


@dataclass(frozen=True)
class RankerChoice:
    """A learned ranker, and how well the tried kinds ranked held-out interactions."""

    #: None: no ranker beats the fused score
    ranker: LearnedRanker | None = None
    #: NDCG of the fused score and of each cross-fitted kind; and the p value of the difference
    figures: dict[str, float] = field(default_factory=dict)


def tried_kinds(name: RankerName) -> tuple[str, ...]:
    """The kinds that an option includes; "auto" leaves out kinds that are not installed."""
    if name == "none":
        return ()
    if name != "auto":
        return (name,)
    return tuple(kind for kind in FITTERS if kind != "boosted" or is_installed())


def choose_ranker(
    name: RankerName, examples: Examples, positives: np.ndarray, users: np.ndarray, k: int, seed: int
) -> RankerChoice:
    """The ranker that beats the fused score on held-out interactions.

    Args:
        name: the kinds to try.
        examples: candidates of held-out queries.
        positives: number of held-out interactions of each query; shape (n_queries,).
        users: user of each query; shape (n_queries,).
        k: length of the lists.
        seed: draws the folds of the users, and the random numbers of the rankers.

    Raises:
        ConfigError: The named kind needs a library that is not installed.
    """
    kinds, with_hits = tried_kinds(name), len(np.unique(users[examples.hits.any(axis=1)]))
    if not kinds or with_hits < _MIN_USERS:
        logger.info("no ranker is learned: %d users have hits, and %d are needed", with_hits, _MIN_USERS)
        return RankerChoice()
    distinct, user = np.unique(users, return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(len(distinct)) % _FOLDS)[user]
    base = _quality(examples.scores, examples.hits, positives, k)
    reached, gained, p_values = {}, {}, []
    for kind in kinds:
        corrected = examples.scores + _cross_fitted(FITTERS[kind], examples, fold, seed)
        reached[kind] = _quality(corrected, examples.hits, positives, k)
        by_user = np.bincount(user, reached[kind] - base) / np.bincount(user)
        gained[kind] = float(by_user.mean())
        p_values.append(permutation_test(by_user, np.random.default_rng(seed)))
    figures = {"fused": float(base.mean())}
    better = {}
    for kind, p in zip(kinds, holm(p_values).tolist(), strict=True):
        mean = float(reached[kind].mean())
        figures |= {kind: mean, f"{kind}_p": p}
        logger.info("ranker %s: NDCG %.4f, fused score %.4f, p %.4f", kind, mean, figures["fused"], p)
        # the test is over users, and a user may have many queries: both means must be higher
        if p < _LEVEL and gained[kind] > 0 and mean > figures["fused"] * MIN_GAIN:
            better[kind] = mean
    if not better:
        return RankerChoice(None, figures)
    best = max(better, key=lambda kind: better[kind])
    return RankerChoice(FITTERS[best](examples, seed), figures)


def _cross_fitted(
    fit: Callable[[Examples, int], LearnedRanker], examples: Examples, fold: np.ndarray, seed: int
) -> np.ndarray:
    """Corrections of each query by the ranker fitted to the other folds; shape (n_queries, width), float32."""
    found = np.zeros(examples.scores.shape, np.float32)
    for number in range(_FOLDS):
        mine = fold == number
        learned = fit(examples.take(~mine), seed)
        features = examples.features[mine]
        values = learned.corrections(features.reshape(-1, features.shape[-1]))
        found[mine] = values.reshape(features.shape[:2])
    return found


def _quality(scores: np.ndarray, hits: np.ndarray, positives: np.ndarray, k: int) -> np.ndarray:
    """NDCG per query; shape (n_queries,)."""
    # candidates are in row order, so a stable sort breaks ties as lists do
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    listed = np.take_along_axis(hits, order, axis=1)
    return ndcg(np.pad(listed, ((0, 0), (0, max(0, k - listed.shape[1])))), positives)
