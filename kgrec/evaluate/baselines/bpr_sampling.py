"""What a pairwise loss learns from, a user, an item that was taken, and one that was not; and whether it ends in time."""

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

_REDRAWN = 10
#: after which it is foreseen when a descent ends
_FIRST_STEPS = 5


class Pace:
    """Refuses a descent that would take too long, as soon as its first steps tell.

    Args:
        name: Of the method.
        steps: How many there will be.
        limit: Seconds of CPU that are allowed.
        clock: Tells seconds of CPU.
    """

    def __init__(
        self, name: str, steps: int, limit: float, clock: Callable[[], float] = time.process_time
    ) -> None:
        self.name, self.steps, self.limit, self.clock = name, steps, limit, clock
        self.done, self._began = 0, clock()

    def step(self) -> None:
        """Count a step that is done.

        Raises:
            TrainingError: At this pace all steps would take longer than is allowed.
        """
        self.done += 1
        whole = (self.clock() - self._began) / self.done * self.steps
        if self.done >= _FIRST_STEPS and whole > self.limit:
            raise TrainingError(
                f"{self.name} would take about {whole:,.0f} seconds of CPU, of {self.limit:,.0f} that are allowed.",
                "Allow more, or leave this baseline out.",
            )


class Pairs:
    """Batches of triples, in an order that is drawn anew each epoch.

    Args:
        positives: Shape (n_users, n_items).
        items: Those that may be drawn as not taken; shape (n,), int64.
        rng: Draws.
    """

    def __init__(self, positives: sp.csr_matrix, items: np.ndarray, rng: np.random.Generator) -> None:
        self.n_items, self.items, self.rng = positives.shape[1], items, rng
        user = rows_of(positives)
        self._taken = np.sort(user * self.n_items + positives.indices)
        self.user, self.item = np.divmod(self._taken, self.n_items)

    def __len__(self) -> int:
        return len(self.user)

    def epoch(self, size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Each interaction once, with an item drawn evenly from those that the user has not; three of shape (size or fewer,)."""
        order = self.rng.permutation(len(self.user))
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            user = self.user[rows]
            triple = (user, self.item[rows], self._others(user))
            yield tuple(torch.from_numpy(part) for part in triple)  # type: ignore[misc]

    def _others(self, user: np.ndarray) -> np.ndarray:
        """An item for each user; one that was taken only where ten draws find no other."""
        drawn = self.rng.choice(self.items, len(user))
        for _ in range(_REDRAWN):
            again = self._is_taken(user, drawn)
            if not again.any():
                break
            drawn[again] = self.rng.choice(self.items, int(again.sum()))
        return drawn

    def _is_taken(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        key = user * self.n_items + item
        at = np.minimum(np.searchsorted(self._taken, key), len(self._taken) - 1)
        return np.asarray(self._taken[at] == key)


def bpr_loss(users: Tensor, taken: Tensor, others: Tensor) -> Tensor:
    r"""Mean of :math:`-\ln \sigma(u^\top i - u^\top j)` (Rendle et al. 2009); all of shape (n, dim)."""
    return -logsigmoid((users * (taken - others)).sum(dim=1)).mean()
