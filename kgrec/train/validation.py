"""Interactions split into a training part and a held-out part.

Enters: histories, and matrices of held-out interactions. Leaves: a `ValidationSplit`. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from kgrec.graph.histories import Histories
from kgrec.graph.interactions import of_items


@dataclass(frozen=True)
class ValidationSplit:
    """A training part and a held-out part of the interactions."""

    #: training part; its positive interactions are learned from
    histories: Histories
    #: held-out part; shape (n_users, n_items)
    valid: sp.csr_matrix
    #: items without interactions in either part; shape (n_items,), bool
    without_interactions: np.ndarray
    #: items that were held out whole, as stand-ins for new items; shape (n_items,), bool
    held_out_items: np.ndarray
    #: items that are excluded from all lists; shape (n_items,), bool
    excluded: np.ndarray
    #: items excluded from the list of each user: those of the training part, and disliked ones; shape (n_users, n_items)
    seen: sp.csr_matrix

    @cached_property
    def training(self) -> sp.csr_matrix:
        """The positive interactions of the training part; shape (n_users, n_items)."""
        return self.histories.matrix()

    @classmethod
    def of(
        cls,
        histories: Histories,
        valid: sp.csr_matrix,
        without_interactions: np.ndarray | None = None,
        seen: sp.csr_matrix | None = None,
    ) -> ValidationSplit:
        """A split by interactions; no item is held out whole or excluded."""
        none = np.zeros(histories.n_items, bool)
        return cls(
            histories,
            valid,
            none if without_interactions is None else without_interactions,
            none,
            none,
            histories.matrix() if seen is None else seen,
        )

    @property
    def evaluated_users(self) -> np.ndarray:
        """Users with interactions in both parts; increasing."""
        users = np.flatnonzero(np.diff(self.valid.indptr))
        evaluated: np.ndarray = users[np.diff(self.training.indptr)[users] > 0]
        return evaluated

    @property
    def if_unwanted(self) -> ValidationSplit:
        """The split of the scenario in which items without interactions are unwanted rather than new.

        They take places in the lists and are never relevant. The items held out whole, which stand for new ones, are excluded.
        """
        return replace(self, valid=of_items(self.valid, ~self.held_out_items), excluded=self.held_out_items)
