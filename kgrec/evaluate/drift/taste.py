"""Drift of taste: whether users moved away from what they used to like.

Enters: a `Model`, its training interactions and recent interactions. Leaves: a `Check`. Nothing is written.

The model's own vectors fit its training interactions, so recent ones would seem far away even without drift. Both are therefore
compared in a space that was fitted to neither: a truncated singular value decomposition of the older interactions alone (PureSVD; Cremonesi,
Koren and Turrin 2010). There, a user's older interactions are compared with the last training interactions, and with equally many recent ones.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import svds

from kgrec.evaluate.drift.findings import EFFECT, Check, Part
from kgrec.evaluate.drift.recent import Sample
from kgrec.evaluate.drift.shares import LEAST_USERS
from kgrec.graph.histories import Histories
from kgrec.graph.live_histories import LiveHistories
from kgrec.metrics.significance import effect_size, permutation_test
from kgrec.model.model import Model

NAME = "taste"
_NOTE = "Cosine of a user's older interactions with the last ones before, and with equally many recent ones."
#: largest and smallest number of compared interactions per user; at most a third of those before
_MOST, _LEAST, _PART = 20, 2, 3
_DIM = 32
#: number of compared users, drawn at random
_USERS = 5_000


def taste(model: Model, learned: Sample, recent: Sample, rng: np.random.Generator) -> Check:
    """Whether users moved away from what they liked by more than they moved before.

    Args:
        model: Gives vectors of users, for the note, and says whether interactions have an order; without an order, random interactions
            replace the last ones.
        learned: Training interactions, the rows of each user in order.
        recent: Recent interactions.
        rng: Draws users, interactions and signs.
    """
    n_users, n_items = len(model.users), len(model.items)
    known = recent.rows((recent.user < n_users) & (recent.item < n_items))
    known = known.rows(~known.is_in(learned))
    before, after = (np.bincount(sample.user, minlength=n_users) for sample in (learned, known))
    size = np.minimum(np.minimum(after, before // _PART), _MOST)
    users = np.flatnonzero(size >= _LEAST)
    if len(users) < LEAST_USERS:
        why = f"It needs {LEAST_USERS} users with {_LEAST} recent interactions and {_LEAST * _PART} before."
        return Check(NAME, EFFECT, None, None, why)
    size[np.setdiff1d(users, rng.permutation(users)[:_USERS])] = 0
    users = np.flatnonzero(size)
    is_last = _last(learned.user, size, None if LiveHistories.of(model.histories).ordered else rng)
    matrices = [
        _matrix(sample, n_users, n_items)
        for sample in (
            learned.rows(~is_last),
            learned.rows(is_last),
            known.rows(_last(known.user, size, rng)),
        )
    ]
    items = _item_vectors(matrices[0], rng)
    older, last, now = (matrix[users] @ items for matrix in matrices)
    near = [_cosines(older, other) for other in (last, now)]
    lost = near[0] - near[1]
    probability = permutation_test(lost, rng) if lost.mean() > 0 else 1.0
    parts = (Part("cosine with older interactions", float(near[0].mean()), float(near[1].mean())),)
    return Check(
        NAME, EFFECT, effect_size(lost), probability, f"{_NOTE} {_movement(model, known, users)}", parts
    )


def _movement(model: Model, recent: Sample, users: np.ndarray) -> str:
    """Distance of users' vectors from those of their recent interactions alone, in the space of the model."""
    matrix = _matrix(recent, len(model.users), len(model.items))[users]
    # rows of a sample are in order, and stamps begin at 1
    stamps = _matrix(recent, len(model.users), len(model.items), np.arange(1, len(recent) + 1))[users]
    now = model.user_vectors(Histories.of_matrix(matrix, stamps))
    cosines = _cosines(model.user_vectors(model.histories.take(users)), now)
    return (
        f"The model's vectors of {len(users):,} users have a median cosine of {np.median(cosines):.2f} "
        "with those of their recent interactions alone."
    )


def _last(user: np.ndarray, size: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
    """Mask of the last rows of each user, `size[user]` of them; of random rows if a generator is given."""
    order = np.argsort(user, kind="stable") if rng is None else np.lexsort((rng.random(len(user)), user))
    count = np.bincount(user, minlength=len(size))
    place = np.arange(len(user)) - (np.cumsum(count) - count)[user[order]]
    chosen = np.zeros(len(user), bool)
    chosen[order] = place >= (count - size)[user[order]]
    return chosen


def _item_vectors(older: sp.csr_matrix, rng: np.random.Generator) -> np.ndarray:
    """Vectors of items from older interactions, 0 for items without any; shape (n_items, dim), float64.

    Columns are divided by the square root of their sums; otherwise the first dimensions would show little more than popularity.
    """
    counts = np.asarray(older.sum(axis=0)).ravel()
    scaled = sp.csr_matrix(older @ sp.diags(1 / np.sqrt(np.maximum(counts, 1))))
    dim = min(_DIM, min(scaled.shape) - 1)
    _, _, vectors = svds(scaled.astype(np.float64), k=dim, v0=rng.random(min(scaled.shape)))
    return np.asarray(vectors.T)


def _cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Cosine of each pair of rows, 0 where one is 0; shape (n,), float64."""
    sizes = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / np.where(sizes > 0, sizes, 1), np.float64)


def _matrix(sample: Sample, n_users: int, n_items: int, values: np.ndarray | None = None) -> sp.csr_matrix:
    """Users by items, with these values, or ones."""
    values = np.ones(len(sample), np.float32) if values is None else values
    return sp.csr_matrix((values, (sample.user, sample.item)), (n_users, n_items))
