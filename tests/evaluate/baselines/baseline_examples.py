"""Small interactions with content of all kinds, and small options, for tests of baselines."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.protocol import Baseline
from kgrec.evaluate.baselines.registry import BASELINES
from kgrec.graph.histories import Histories

#: user, item: three users have item 0, two of these item 1 too, one has item 1 alone; nobody item 3
TAKEN = [[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]


def matrix(rows: list[list[int]] | np.ndarray) -> sp.csr_matrix:
    return sp.csr_matrix(np.asarray(rows, np.float32))


def triples_of(neighbors: sp.csr_matrix) -> np.ndarray:
    """Each neighbour by one of two relations."""
    item, entity = neighbors.nonzero()
    return np.column_stack([item, entity % 2, neighbors.shape[0] + entity])


def places_at_random(positives: sp.csr_matrix, rng: np.random.Generator) -> sp.csr_matrix:
    """A random order of each history."""
    values = np.concatenate([[], *(1 + rng.permutation(n) for n in np.diff(positives.indptr))])
    return sp.csr_matrix((values.astype(np.int64), positives.indices, positives.indptr), positives.shape)


def ordered_histories(items: list[list[int]], n_items: int) -> Histories:
    """Histories of these items, oldest first."""
    user = np.repeat(np.arange(len(items)), [len(one) for one in items])
    item = np.array([row for one in items for row in one], np.int64)
    place = np.array([n for one in items for n in range(1, len(one) + 1)], np.int64)
    shape = (len(items), n_items)
    ones = sp.csr_matrix((np.ones(len(item), np.float32), (user, item)), shape)
    return Histories.of_matrix(ones, sp.csr_matrix((place, (user, item)), shape))


def ordered_data(items: list[list[int]], n_items: int) -> BaselineData:
    """Interactions with these items, oldest first."""
    histories = ordered_histories(items, n_items)
    at = (histories.users(), histories.item)
    places = sp.csr_matrix((histories.time, at), (len(items), n_items))
    return BaselineData(histories.matrix(), places=places)


def example_data(seed: int = 0, n_users: int = 40, n_items: int = 12) -> BaselineData:
    """Interactions at random, nobody takes the last item, the first user takes nothing; content of all kinds."""
    rng = np.random.default_rng(seed)
    dense = (rng.random((n_users, n_items)) < 0.3).astype(np.float32)
    dense[:, :2] = rng.permuted(np.tile([1, 0], (n_users, 1)), axis=1)
    dense[:, -1] = 0
    dense[0] = 0
    positives = matrix(dense)
    words = np.array(["space", "love", "crew", "rome", "war", "song"])
    neighbors = matrix(rng.random((n_items, 5)) < 0.4)
    return BaselineData(
        positives,
        sp.csr_matrix((rng.random(positives.nnz) * 400, positives.indices, positives.indptr), dense.shape),
        [" ".join(words[rng.random(6) < 0.5]) for _ in range(n_items)],
        neighbors,
        triples_of(neighbors),
        rng.normal(size=(n_items, 4)).astype(np.float32),
        places=places_at_random(positives, rng),
    )


#: small, so that a test is quick
SMALL = {
    "ials": {"dim": 4},
    "bpr": {"dim": 4, "iterations": 5},
    "pure-svd": {"dim": 4},
    "lightgcn": {"dim": 4, "epochs": 3},
    "vae": {"dim": 4, "epochs": 3},
    "gru4rec": {"dim": 4, "hidden": 4, "epochs": 3},
    "sasrec": {"dim": 4, "epochs": 3},
}


def small(name: str) -> Baseline:
    return BASELINES[name](**SMALL.get(name, {}))


#: baselines that read the order of histories
ORDERED = ("markov", "session-knn", "gru4rec", "sasrec")

every = pytest.mark.parametrize("name", BASELINES)
