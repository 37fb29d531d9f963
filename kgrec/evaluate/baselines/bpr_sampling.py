"""Triples for pairwise losses: a user, a positive item, and a negative item; and a limit on training time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from kgrec.errors import TrainingError
from kgrec.metrics.topk import rows_of
from kgrec.storage.segments import places_in

#: number of attempts to replace drawn items that turn out to be positives
_MAX_REDRAWS = 10
#: number of steps after which the total training time is estimated
_STEPS_BEFORE_ESTIMATE = 5


class TimeLimit:
    """Stops a training that would take too long, as soon as the first steps allow an estimate.

    Args:
        name: Name of the method, for the error.
        steps: Number of steps of the training.
        limit: CPU seconds that the training may take.
        clock: Returns CPU seconds.
    """

    def __init__(
        self, name: str, steps: int, limit: float, clock: Callable[[], float] = time.process_time
    ) -> None:
        self.name, self.steps, self.limit, self.clock = name, steps, limit, clock
        self.done, self._began = 0, clock()

    def step(self) -> None:
        """Count a finished step.

        Raises:
            TrainingError: At this pace all steps would take longer than the limit.
        """
        self.done += 1
        estimate = (self.clock() - self._began) / self.done * self.steps
        if self.done >= _STEPS_BEFORE_ESTIMATE and estimate > self.limit:
            raise TrainingError(
                f"{self.name} would take about {estimate:,.0f} CPU seconds; the limit is {self.limit:,.0f}.",
                "Raise the limit, or leave this baseline out.",
            )


class NegativeSampler:
    """Draws a negative item for each interaction, in batches, in a new random order per epoch.

    Args:
        positives: Interactions; shape (n_users, n_items).
        items: Items that may be drawn as negatives; shape (n,), int64.
        rng: Source of all random choices.
    """

    def __init__(self, positives: sp.csr_matrix, items: np.ndarray, rng: np.random.Generator) -> None:
        self.n_items, self.items, self.rng = positives.shape[1], items, rng
        user = rows_of(positives)
        self._positive_pairs = np.sort(user * self.n_items + positives.indices)
        self.user, self.item = np.divmod(self._positive_pairs, self.n_items)

    def __len__(self) -> int:
        return len(self.user)

    def epoch(self, size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """One epoch of batches: users, their positive items and negative items, each of shape (size or fewer,), int64."""
        order = self.rng.permutation(len(self.user))
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            user = self.user[rows]
            triple = (user, self.item[rows], self._negatives(user))
            yield tuple(torch.from_numpy(part) for part in triple)  # type: ignore[misc]

    def _negatives(self, user: np.ndarray) -> np.ndarray:
        """A random negative item per user; it is a positive only if ten draws found nothing else."""
        drawn = self.rng.choice(self.items, len(user))
        for _ in range(_MAX_REDRAWS):
            again = self._is_positive(user, drawn)
            if not again.any():
                break
            drawn[again] = self.rng.choice(self.items, int(again.sum()))
        return drawn

    def _is_positive(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        return places_in(self._positive_pairs, user * self.n_items + item) >= 0


def bpr_loss(users: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    r"""Mean of :math:`-\ln \sigma(u^\top i - u^\top j)` (Rendle et al. 2009); all of shape (n, dim)."""
    return -logsigmoid((users * (positives - negatives)).sum(dim=1)).mean()
