r"""What a user likes and dislikes as one history, with weights that may be negative.

Enters: matrices of liked and of disliked items. Leaves: a matrix that embeds, rescores and explains as a history does.

.. math::
    u \propto \frac{1}{\sum_{j \in L} h_j} \sum_{j \in L} h_j z_j
        - \frac{\gamma}{\beta} \frac{1}{\sum_{j \in D} h_j} \sum_{j \in D} h_j z_j

This is relevance feedback of Rocchio 1971, without a first query; the proportion of the two weights is the one that
Manning, Raghavan & Schütze 2008, "Introduction to Information Retrieval", section 9.1.1, call reasonable.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

#: gamma / beta, of .15 and .75
DISLIKED = 0.2


def taste(likes: sp.csr_matrix, dislikes: sp.csr_matrix, history_weight: np.ndarray) -> sp.csr_matrix:
    """Likes as 1; dislikes below 0, such that together they weigh a fifth of the likes; shape (n_users, n_items).

    Who likes nothing is no further than that from nothing: such a row is empty.

    Args:
        likes: ones; shape (n_users, n_items).
        dislikes: ones, none where `likes` has one; shape (n_users, n_items).
        history_weight: what each item counts for in a history; shape (n_items,).
    """
    if not dislikes.nnz:
        return likes
    liked, disliked = likes @ history_weight, dislikes @ history_weight
    scale = DISLIKED * liked / np.maximum(disliked, 1e-12)
    both: sp.csr_matrix = (likes - sp.diags(scale) @ dislikes).tocsr().astype(np.float32)
    both.eliminate_zeros()
    return both
