"""Interactions split into a training part and a held-out part.

Enters: matrices of interactions. Leaves: `ValidationSplit`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from kgrec.graph.interactions import of_items


@dataclass(frozen=True)
class ValidationSplit:
    """Interactions, dealt out to choose by."""

    #: what is learned from; shape (n_users, n_items)
    training: sp.csr_matrix
    #: what is to be found; shape (n_users, n_items)
    valid: sp.csr_matrix
    #: items in no interaction at all; shape (n_items,), bool
    without_interactions: np.ndarray
    #: items that were held out whole, as if they came later; shape (n_items,), bool
    held_out_items: np.ndarray
    #: items that are in no list; shape (n_items,), bool
    excluded: np.ndarray
    #: what is in no list of a user: the training and what else the user has seen; shape (n_users, n_items)
    seen: sp.csr_matrix

    @classmethod
    def of(
        cls,
        training: sp.csr_matrix,
        valid: sp.csr_matrix,
        without_interactions: np.ndarray | None = None,
        seen: sp.csr_matrix | None = None,
    ) -> ValidationSplit:
        """What is learned from and what is to be found, of whatever items."""
        none = np.zeros(training.shape[1], bool)
        return cls(
            training,
            valid,
            none if without_interactions is None else without_interactions,
            none,
            none,
            training if seen is None else seen,
        )

    @property
    def evaluated_users(self) -> np.ndarray:
        """Users who have a history and something to be found; increasing."""
        searching = np.flatnonzero(np.diff(self.valid.indptr))
        evaluated_users: np.ndarray = searching[np.diff(self.training.indptr)[searching] > 0]
        return evaluated_users

    @property
    def if_unwanted(self) -> ValidationSplit:
        """The same in a world where no item is new: those in no interaction may be in a list, and nobody wants them."""
        return replace(self, valid=of_items(self.valid, ~self.held_out_items), excluded=self.held_out_items)
