"""Items in groups, and users who each keep to one group: a world in which it is plain what should be learned."""

import numpy as np
import scipy.sparse as sp

from kgrec.encode.featurizer import Featurizer, ItemFeatures
from kgrec.graph.histories import Histories
from kgrec.train.validation import ValidationSplit


def grouped_items(n: int, groups: int) -> tuple[ItemFeatures, Featurizer]:
    """Item i has one neighbour, its group i % groups, and no text."""
    group = np.arange(n) % groups
    neighbors = sp.csr_matrix((np.ones(n, np.float32), (np.arange(n), group)), (n, groups))
    features = ItemFeatures(np.zeros((n, 0), np.float32), neighbors, np.zeros(groups, int), np.arange(groups))
    return features, Featurizer(("in",), np.arange(groups), np.ones(groups, np.float32))


def grouped_halves(
    n_users: int, n_items: int, groups: int, seed: int = 0
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """User u has three items of group u % groups, and one more is held out."""
    rng = np.random.default_rng(seed)
    parts = np.zeros((2, n_users, n_items), np.float32)
    for user in range(n_users):
        items = rng.choice(n_items // groups, 4, replace=False) * groups + user % groups
        parts[0, user, items[:3]] = 1
        parts[1, user, items[3]] = 1
    return sp.csr_matrix(parts[0]), sp.csr_matrix(parts[1])


def split_of(training: sp.csr_matrix, valid: sp.csr_matrix, *rest: np.ndarray) -> ValidationSplit:
    """A split of histories without order."""
    return ValidationSplit.of(Histories.of_matrix(training), valid, *rest)
