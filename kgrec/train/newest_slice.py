"""The newest slice: the latest of some new interactions, on which a new model is compared with its predecessor.

Enters: histories before and after new interactions, and two models. Leaves: which rows are new and which are held out, and a
`Comparison`. Nothing is written.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from kgrec.graph.histories import Histories
from kgrec.graph.interactions import Interactions
from kgrec.graph.live_histories import LiveHistories
from kgrec.metrics.accuracy import ndcg
from kgrec.metrics.significance import intervals, permutation_test
from kgrec.metrics.topk import gains, some_of
from kgrec.model.model import Model
from kgrec.model.retrieval import Filters
from kgrec.train.validation import MAX_QUERIES

#: length of the compared lists
LISTED = 20
#: share of the new positive interactions that is held out
HELD_OUT_SHARE = 0.2
#: p value below which a difference counts as significant
_LEVEL = 0.05
#: number of users whose lists are computed at once
_USERS = 512


@dataclass(frozen=True)
class Comparison:
    """NDCG of a model and of its parent on the same held-out interactions."""

    #: length of the lists
    k: int
    #: number of users with held-out interactions and an earlier history
    users: int
    #: mean NDCG of the parent, and of the refreshed model; nan without users
    before: float
    after: float
    #: 95 % bootstrap interval over users of the difference; nan without users
    low: float
    high: float
    #: p value of the difference: Fisher's randomisation test over users; nan without users
    p: float

    def record(self) -> dict[str, float | None]:
        """Plain values by name, None for nan."""
        return {name: None if math.isnan(value) else value for name, value in vars(self).items()}

    @property
    def is_worse(self) -> bool:
        """Whether the refreshed model ranks significantly worse; with fewer than six users the test can never show it."""
        return self.after < self.before and self.p < _LEVEL


def new_rows(before: Histories, after: Histories) -> np.ndarray:
    """Which rows of `after` are new: pairs of user and item that `before` lacks, or has with the opposite preference.

    Args:
        before: Its users and items are the first ones of `after`.
        after: The later histories, with n rows.

    Returns:
        shape (n,), bool.
    """
    return np.isin(_keys(after, after.n_items), _keys(before, after.n_items), invert=True)


def newest(histories: Histories, new: np.ndarray, share: float) -> np.ndarray:
    """Which new rows are the newest: by time, or by position in the history if there are no times.

    Args:
        histories: Histories with n rows.
        new: Which rows are new; shape (n,), bool.
        share: Share of the new positive rows, rounded up; none if there is only one.

    Returns:
        shape (n,), bool; only positive rows.
    """
    rows = np.flatnonzero(new & histories.positive)
    until_end = histories.indptr[histories.users()[rows].astype(np.int64) + 1] - rows
    stamp = -until_end if histories.time is None else histories.time[rows]
    order = np.lexsort((-until_end, stamp))
    count = math.ceil(share * len(rows)) if len(rows) > 1 else 0
    held = np.zeros(len(new), bool)
    held[rows[order[len(rows) - count :]]] = True
    return held


def compared(
    before: Model, after: Model, shown: Histories, held: np.ndarray, whole: Histories, seed: int
) -> Comparison:
    """Compare two models on held-out interactions; no list contains items that were shown.

    Args:
        before: The parent.
        after: The refreshed model.
        shown: `whole` without the held-out rows; both models make lists from them.
        held: Which rows of `whole` are held out; shape (n,), bool.
        whole: All histories.
        seed: Draws the users, if there are more than MAX_QUERIES, and the resamples.
    """
    truth = whole.of_rows(held).matrix(positive_only=False)
    asked = np.flatnonzero((np.diff(truth.indptr) > 0) & shown.has_positive)
    asked = some_of(asked, MAX_QUERIES, seed)
    positives = np.diff(truth[asked].indptr)
    old, new = (_ndcg(model, shown.take(asked), truth[asked], positives) for model in (before, after))
    return _comparison(old, new, seed)


def compared_by_name(before: Model, after: Model, held: Interactions, seed: int) -> Comparison:
    """Compare two models that number users and items differently; each uses its own histories.

    Args:
        before: The current model.
        after: The model that is to replace it.
        held: Interactions unknown to both models; a positive one with an item that a model lacks counts as a miss of that model.
        seed: As in `compared`.
    """
    truth = held.matrix()
    rows = np.stack([model.users.ids(held.users.labels) for model in (before, after)])
    asked = np.flatnonzero((np.diff(truth.indptr) > 0) & (rows >= 0).all(axis=0))
    for model, own in zip((before, after), rows, strict=True):
        asked = asked[model.histories.has_positive[own[asked]]]
    asked = some_of(asked, MAX_QUERIES, seed)
    positives, quality = np.diff(truth[asked].indptr), []
    for model, own in zip((before, after), rows, strict=True):
        histories = LiveHistories.of(model.histories).take(own[asked])
        columns = model.items.rows(held.items.tolist())
        wanted = truth[asked].tocoo()
        there = columns[wanted.col] >= 0
        at = wanted.row[there], columns[wanted.col[there]]
        renumbered = sp.csr_matrix((wanted.data[there], at), (len(asked), len(model.items)))
        quality.append(_ndcg(model, histories, renumbered, positives))
    return _comparison(quality[0], quality[1], seed)


def _comparison(before: np.ndarray, after: np.ndarray, seed: int) -> Comparison:
    """The metrics, from NDCG per user."""
    if not len(before):
        return Comparison(LISTED, 0, math.nan, math.nan, math.nan, math.nan, math.nan)
    differences, rng = after - before, np.random.default_rng(seed)
    low, high = intervals(differences[:, None], rng)
    p = permutation_test(differences, rng)
    old, new = float(before.mean()), float(after.mean())
    return Comparison(LISTED, len(before), old, new, float(low[0]), float(high[0]), p)


def _ndcg(model: Model, histories: Histories, truth: sp.csr_matrix, positives: np.ndarray) -> np.ndarray:
    """NDCG per user; shape (len(histories),), float64."""
    found = []
    for start in range(0, len(histories), _USERS):
        some = np.arange(start, min(start + _USERS, len(histories)))
        own = histories.take(some)
        seen = [own.item[own.rows(user)].astype(np.int64) for user in range(len(own))]
        rows, _ = model.ranked(own, LISTED, Filters(exclude=seen))
        found.append(ndcg(gains(rows[:, :LISTED], truth[some]), positives[some]))
    return np.concatenate([np.zeros(0), *found])


def _keys(histories: Histories, n_items: int) -> np.ndarray:
    """A number per user, item and preference (liked or not); shape (n,), int64."""
    pair = histories.users().astype(np.int64) * n_items + histories.item
    return np.asarray(2 * pair + histories.positive)
