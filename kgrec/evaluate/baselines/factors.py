"""Matrix factorisation, iALS and BPR-MF, by the library `implicit` (`kgrec[baselines]`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from kgrec.errors import ConfigError, TrainingError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.fitted import UserItemVectors, ones
from kgrec.graph.histories import Histories


@dataclass(frozen=True)
class IALS:
    r"""Alternating least squares (Hu et al. 2008, "Collaborative filtering for implicit feedback datasets", eq. 3).

    .. math:: \min_{p, q} \sum_{u, i} c_{ui} (x_{ui} - p_u^\top q_i)^2 + \lambda \Big(\sum_u |p_u|^2 + \sum_i |q_i|^2\Big)

    :math:`c_{ui}` is :math:`\alpha` where x is 1, and 1 elsewhere, as in `implicit` (1 + alpha in the paper). The factors of a
    user are solved from the history when scores are requested, for known and new users alike.
    """

    dim: int = 64
    #: alpha, the weight of an interaction; the weight of a missing one is 1
    confidence: float = 10.0
    #: lambda
    regularization: float = 1.0
    iterations: int = 15
    seed: int = 0

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "dim": (32, 64, 128, 256),
        "confidence": (2.0, 5.0, 10.0, 20.0, 40.0),
        "regularization": (0.1, 1.0, 10.0, 50.0),
    }

    def fit(self, data: BaselineData) -> FittedIALS:
        """Alternate between users and items.

        Raises:
            ConfigError: `implicit` is not installed.
            TrainingError: There are no interactions.
        """
        _check("IALS", data)
        from implicit.cpu.als import AlternatingLeastSquares

        return FittedIALS(_fitted(AlternatingLeastSquares, self, data, alpha=self.confidence))


@dataclass(frozen=True)
class FittedIALS:
    """Factors of items; the factors of a user are solved from the history."""

    #: `implicit.cpu.als.AlternatingLeastSquares`
    model: Any

    def scores(self, histories: Histories, users: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """See `FittedBaseline`."""
        if not len(histories):
            return np.zeros((0, histories.n_items), np.float32)
        with _one_thread():
            solved = self.model.recalculate_user(np.arange(len(histories)), ones(histories.matrix()))
        return np.asarray(solved @ self.model.item_factors.T, np.float32)


@dataclass(frozen=True)
class BPR:
    r"""Matrix factorisation by Bayesian personalised ranking (Rendle et al. 2009, section 4.3.1).

    .. math:: \max_{p, q, b} \sum_{u,\; i \in H_u,\; j \notin H_u} \ln \sigma(\hat x_{ui} - \hat x_{uj}) - \lambda |\Theta|^2,
        \quad \hat x_{ui} = p_u^\top q_i + b_i

    Not inductive: each user has its own factors. For a new user, the scores are the item biases :math:`b_i`.
    """

    dim: int = 64
    learning_rate: float = 0.05
    regularization: float = 0.01
    #: number of epochs; each draws as many interactions as the data has
    iterations: int = 100
    seed: int = 0

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "dim": (32, 64, 128, 256),
        "learning_rate": (0.01, 0.02, 0.05, 0.1),
        "regularization": (0.001, 0.01, 0.05),
        "iterations": (50, 100, 200),
    }

    def fit(self, data: BaselineData) -> UserItemVectors:
        """Learn by stochastic gradient descent.

        Raises:
            ConfigError: `implicit` is not installed.
            TrainingError: There are no interactions.
        """
        _check("BPR", data)
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        model = _fitted(BayesianPersonalizedRanking, self, data, learning_rate=self.learning_rate)
        new = np.zeros(model.user_factors.shape[1], np.float32)
        # implicit keeps b in the last column of the item factors; the user factors have 1 there
        new[-1] = 1
        return UserItemVectors(model.user_factors, model.item_factors, new)


def _check(name: str, data: BaselineData) -> None:
    if importlib.util.find_spec("implicit") is None:
        raise ConfigError(
            f"{name} needs the library implicit, which is not installed.", "pip install 'kgrec[baselines]'"
        )
    if not data.positives.nnz:
        raise TrainingError(f"{name}: there are no positive interactions.", "Leave this baseline out.")


def _fitted(kind: Any, options: IALS | BPR, data: BaselineData, **others: float) -> Any:
    """A fitted model of a class of `implicit`, on one thread."""
    with _one_thread():
        model = kind(
            factors=options.dim,
            regularization=options.regularization,
            iterations=options.iterations,
            random_state=options.seed,
            num_threads=1,
            **others,
        )
        # a copy, because implicit sorts the columns of its matrix
        model.fit(ones(data.positives).copy(), show_progress=False)
    return model


def _one_thread() -> AbstractContextManager[Any]:
    """One BLAS thread, as `implicit` recommends: several threads would only wait for each other."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")  # type: ignore[no-any-return]
