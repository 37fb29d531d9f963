"""Drift of accuracy: NDCG by week, and whether a score still predicts the same hit rate.

Enters: a `Model` and recent interactions. Leaves: `Week`s and `Check`s. Nothing is written.

The lists are made once, from the model's histories, and are compared with later actions of the users. Interactions that the model
learned from would flatter it, so later recent time is compared with earlier recent time.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy import stats

from kgrec.evaluate.drift.findings import EFFECT, Check, Part, Week
from kgrec.evaluate.drift.recent import Sample
from kgrec.evaluate.drift.shares import LEAST_USERS, Binned, shift, unmeasured
from kgrec.graph.live_histories import LiveHistories
from kgrec.metrics.accuracy import quotient
from kgrec.metrics.significance import intervals
from kgrec.model.model import Model
from kgrec.model.retrieval import Filters

#: number of items per list whose scores are examined
DEPTH = 50
#: number of users with lists, drawn at random
_USERS = 5_000
_BLOCK = 512
_WEEK = 7 * 86_400
#: number of bins of the score
_BINS = 5


@dataclass(frozen=True)
class Lists:
    """Lists of users who have a history and recent interactions with other items known to the model."""

    #: rows of users, increasing; shape (n,)
    users: np.ndarray
    #: best first, padded with -1; shape (n, DEPTH)
    items: np.ndarray
    scores: np.ndarray
    #: recent interactions that the lists could contain: `user` counts rows of `users`
    hits: Sample

    def at(self, hits: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the interactions whose item is in the list, and the rank of each in its list, from 0."""
        equal = self.items[hits.user] == hits.item[:, None]
        found = np.flatnonzero(equal.any(axis=1))
        return found, equal[found].argmax(axis=1)


def lists_of(model: Model, recent: Sample, rng: np.random.Generator) -> Lists:
    """Lists of users from the model's histories, without the items in them."""
    histories = LiveHistories.of(model.histories)
    known = recent.rows((recent.user < len(model.users)) & (recent.item < len(model.items)))
    known = known.rows(histories.has_positive[known.user] & ~np.isin(known.item, model.items.removed))
    users = np.sort(rng.permutation(np.unique(known.user))[:_USERS])
    own = histories.take(users)
    seen = own.matrix(positive_only=False)
    known = known.rows(np.isin(known.user, users))
    row = np.searchsorted(users, known.user)
    fresh = np.asarray(seen[row, known.item]).ravel() == 0 if len(row) else np.zeros(0, bool)
    hits = Sample(row[fresh], known.item[fresh], None if known.time is None else known.time[fresh])
    items, scores = np.full((len(users), DEPTH), -1, np.int64), np.full((len(users), DEPTH), -np.inf)
    for start in range(0, len(users), _BLOCK):
        part = slice(start, start + _BLOCK)
        exclude = np.split(seen[part].indices, seen[part].indptr[1:-1])
        found, values = model.ranked(own.take(np.arange(len(users))[part]), DEPTH, Filters(exclude=exclude))
        width = min(found.shape[1], DEPTH)
        items[part, :width], scores[part, :width] = found[:, :width], values[:, :width]
    return Lists(users, items, scores, hits)


def weeks(lists: Lists, k: int, rng: np.random.Generator) -> tuple[tuple[Week, ...], Check]:
    """NDCG@k by week, and whether it fell from the first week to the last."""
    name, note = (
        f"ndcg@{k}",
        "NDCG of the last week compared with the first, per interaction, so that busy weeks compare with others.",
    )
    time = lists.hits.time
    if time is None or not len(time):
        whole = _ndcg(lists, np.ones(len(lists.hits), bool), k)
        value = f" Over all recent time it is {np.nanmean(whole):.4f}." if len(lists.hits) else ""
        return (), Check(name, EFFECT, None, None, f"{note} It needs times.{value}")
    start, end = int(time.min()), int(time.max()) + 1
    # of equal length, so that the last one is not a single day
    n = max(1, round((end - start) / _WEEK))
    edges = np.linspace(start, end, n + 1).astype(np.int64)
    week = np.clip(np.searchsorted(edges, time, side="right") - 1, 0, n - 1)
    values = np.column_stack([_ndcg(lists, week == number, k) for number in range(n)])
    low, high = intervals(values, rng)
    found = tuple(
        Week(int(edges[w]), int(edges[w + 1]), users, mean, *_ends(low[w], high[w], users))
        for w in range(n)
        if (users := int((~np.isnan(values[:, w])).sum()))
        for mean in [float(np.nanmean(values[:, w]))]
    )
    return found, _fall(name, note, values)


def calibration(lists: Lists, rng: np.random.Generator) -> Check:
    """Whether a score predicts the same hit rate in the later half of recent time as in the earlier half."""
    name, note = (
        "calibration",
        "Hits by score of the listed item, in the earlier and the later half of recent time.",
    )
    time = lists.hits.time
    if time is None:
        return unmeasured(name, "It needs times.", note)
    found, place = lists.at(lists.hits)
    score = lists.scores[lists.hits.user[found], place]
    listed = lists.scores[np.isfinite(lists.scores)]
    if not len(found) or not len(listed):
        return unmeasured(name, "No recent interaction is in a list.", note)
    edges = np.unique(np.quantile(listed, np.linspace(0, 1, _BINS + 1)[1:-1]))
    code = np.searchsorted(edges, score, side="right")
    bounds = [f"{edge:.3g}" for edge in edges]
    names = [f"below {bounds[0]}", *(f"{a} to {b}" for a, b in itertools.pairwise(bounds))]
    names.append(f"{bounds[-1]} and more")
    # each half has half of the interactions, so both have the same base rate of hits
    late = time[found] > np.median(time)
    bins = sp.csr_matrix((np.ones(len(code)), (np.arange(len(code)), code)), (len(code), len(names)))
    halves = [Binned(sp.csr_matrix(bins[half]), lists.hits.user[found][half]) for half in (~late, late)]
    return shift(name, note, halves[0], halves[1], names, rng)


def _ndcg(lists: Lists, chosen: np.ndarray, k: int) -> np.ndarray:
    """Mean NDCG@k with each chosen interaction as the only positive, nan for users without one; shape (len(lists.users),).

    With all of a week's positives at once, NDCG would depend on the number of interactions per user.
    """
    hits = lists.hits.rows(chosen)
    found, place = lists.at(hits)
    gain = np.where(place < k, 1 / np.log2(place + 2), 0)
    n = len(lists.users)
    return quotient(np.bincount(hits.user[found], gain, n), np.bincount(hits.user, minlength=n))


def _fall(name: str, note: str, values: np.ndarray) -> Check:
    """Compare the means of the first and the last column; users are the sampling unit, and a user with both values counts in both."""
    first, last = values[:, 0], values[:, -1]
    there = [~np.isnan(column) for column in (first, last)]
    sizes = [int(one.sum()) for one in there]
    if values.shape[1] < 2 or min(sizes) < LEAST_USERS:
        return Check(name, EFFECT, None, None, f"{note} It needs two weeks with {LEAST_USERS} users each.")
    means = [float(column[one].mean()) for column, one in zip((first, last), there, strict=True)]
    parts = [
        np.where(one, column - mean, 0) / size
        for column, one, mean, size in zip((first, last), there, means, sizes, strict=True)
    ]
    error = float(np.linalg.norm(parts[0] - parts[1]))
    # pooled standard deviation of both weeks
    spread = math.sqrt(
        sum(float(part @ part) * size**2 for part, size in zip(parts, sizes, strict=True)) / (sum(sizes) - 2)
    )
    fall = means[0] - means[1]
    value = fall / spread if spread else 0.0
    p = float(stats.t.sf(fall / error, min(sizes) - 1)) if error else 1.0
    return Check(
        name, EFFECT, value, p if fall > 0 else 1.0, note, (Part("NDCG, first and last week", *means),)
    )


def _ends(low: float, high: float, users: int) -> tuple[float | None, float | None]:
    return (float(low), float(high)) if users > 1 else (None, None)
