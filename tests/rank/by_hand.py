"""Scorers of three items, small enough to compute by hand."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from kgrec.rank.rescorer import Rescorer
from kgrec.rank.scorers import GraphScorer, ItemItemScorer, Scorer, TextScorer, UserProfiles
from kgrec.storage.segments import Rows

WEIGHTS = {
    "embedding": np.float32(0.4),
    "graph": np.float32(0.3),
    "text": np.float32(0.1),
    "co_occurrence": np.float32(0.1),
    "sequence": np.float32(0.06),
    "random_walk": np.float32(0.04),
}
HISTORY_WEIGHT = np.array([1.0, 0.5, 2.0], np.float32)


def csr(*rows: list[float]) -> sp.csr_matrix:
    return sp.csr_matrix(np.array(rows, np.float32))


def scorers() -> dict[str, Scorer]:
    """Three items, with two columns of neighbours and a text of two numbers."""
    return {
        "graph": GraphScorer(Rows.of(csr([1, 0], [0, 1], [0.6, 0.8])), np.array([3, 8])),
        "text": TextScorer(Rows.of(np.array([[0, 1], [1, 0], [0, 0]], np.float16))),
        "co_occurrence": ItemItemScorer(Rows.of(csr([0, 0.2, 0.1], [0.2, 0, 0], [0.5, 0.3, 0]))),
        "sequence": ItemItemScorer(
            Rows.of(csr([0, 0.4, 0], [0.2, 0, 0], [0.8, 0.6, 0])), decay=0.5, window=2
        ),
        "random_walk": ItemItemScorer(Rows.of(csr([0, 0.2, 0], [0.1, 0, 0], [0.4, -0.25, 0]).toarray())),
    }


def rescorer(**weights: float) -> Rescorer:
    """With some weights by name; with none, those of WEIGHTS."""
    given = {name: np.float32(weights.get(name, 0)) for name in WEIGHTS} if weights else WEIGHTS
    return Rescorer(given, scorers(), Rows.of(np.zeros(3, np.float32)))


def users(
    *histories: list[float], weight: np.ndarray = HISTORY_WEIGHT, lags: list[int] | None = None
) -> UserProfiles:
    return UserProfiles(csr(*histories), weight, None if lags is None else np.array(lags, np.int32))
