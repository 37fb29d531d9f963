"""Session-based nearest neighbours: items of users who share the newest items of the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from kgrec.errors import ConfigError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.fitted import decayed, dense, ones
from kgrec.graph.histories import Histories
from kgrec.metrics.topk import blocks
from kgrec.rank.random_walk import largest
from kgrec.rank.slim import no_weights


@dataclass(frozen=True)
class SessionKNN:
    r"""Session-based nearest neighbours (Jannach and Ludewig 2017; V-SkNN of Ludewig and Jannach 2018).

    .. math::
        \mathrm{sim}(u, v) = \frac{\sum_{i \in H_u \cap H_v} \gamma^{k_i}}{\sqrt{|H_v|} + h}, \quad
        s_{uj} = \sum_{v \in N(u),\; j \in H_v} \mathrm{sim}(u, v)\, \left(\ln\frac{1 + n}{1 + n_j}\right)^\beta

    :math:`k_i` is the number of items of u's history that are newer than i, so neighbours are found by the user's latest actions.
    A session is the newest part of a training user's history; N(u) are the most similar sessions, the user's own included. Of n
    sessions, :math:`n_j` contain j.
    """

    #: gamma; 0 to 1
    decay: float = 0.8
    neighbors: int = 200
    #: number of newest items of a training user that form the user's session
    length: int = 100
    #: h
    shrinkage: float = 3.0
    #: beta; with 0, popular items are not penalised
    idf: float = 0.0

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "decay": (0.4, 0.6, 0.8, 0.9, 1.0),
        "neighbors": (50, 100, 200, 500),
        "idf": (0.0, 1.0, 2.0),
        "length": (20, 50, 100, 200),
        "shrinkage": (0.0, 3.0, 10.0),
    }

    def fit(self, data: BaselineData) -> FittedSessionKNN:
        """Store the sessions.

        Raises:
            ConfigError: An option is out of range.
            TrainingError: There are no interactions, or they have no order.
        """
        if (
            not 0 <= self.decay <= 1
            or min(self.shrinkage, self.idf) < 0
            or min(self.neighbors, self.length) < 1
        ):
            raise ConfigError(
                f"{self} has an option out of range.",
                "Give a decay from 0 to 1, at least 1 neighbor, a length of at least 1, and no negative number.",
            )
        sessions = ones(data.in_order("SessionKNN").last(self.length).matrix())
        frequency = np.bincount(sessions.indices, minlength=data.n_items)
        idf = np.log((1 + sessions.shape[0]) / (1 + frequency)) ** self.idf
        return FittedSessionKNN(self, sessions, idf.astype(np.float32))


@dataclass(frozen=True)
class FittedSessionKNN:
    """Sessions, among which the most similar ones are found."""

    options: SessionKNN
    #: shape (n_users, n_items), float32
    sessions: sp.csr_matrix
    #: factor of the score of each item; shape (n_items,), float32
    idf: np.ndarray

    def scores(self, histories: Histories, users: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """See `FittedBaseline`."""
        return np.asarray(dense(self._nearest(histories) @ self.sessions) * self.idf)

    def _nearest(self, histories: Histories) -> sp.csr_matrix:
        """Similarities of the nearest sessions of each history; shape (len(histories), n_users), float32."""
        queries = decayed(histories, self.options.decay, self.options.length)
        lengths = np.sqrt(np.diff(self.sessions.indptr)) + self.options.shrinkage
        columns, parts = self.sessions.T.tocsr(), [no_weights(0, self.sessions.shape[0])]
        for part in blocks(queries.shape[0], self.sessions.shape[0]):
            alike = sp.csr_matrix(queries[part] @ columns)
            alike.data /= lengths[alike.indices]
            parts.append(largest(alike, self.options.neighbors))
        return sp.csr_matrix(sp.vstack(parts))
