"""A Markov chain: items that followed the last items of the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from kgrec.errors import ConfigError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.fitted import DecayingItemWeights
from kgrec.metrics.topk import rows_of
from kgrec.rank.ordered_slim import WINDOW, contexts


@dataclass(frozen=True)
class MarkovChain:
    r"""A first-order Markov chain with skips (Shani et al. 2005, "An MDP-based recommender system", section 4.1.2).

    .. math::
        c_{ij} = \sum_{u} \sum_{p} \gamma^{\,p(j) - p(i) - 1}, \quad
        s_{uj} = \sum_{i \in H_u} \gamma^{k_i} \frac{c_{ij}}{\left(\sum_l c_{il}\right)^{\alpha}}

    The sum runs over the pairs of a history in which j follows i, at most 20 positions later; :math:`k_i` is the number of newer
    items. With :math:`\gamma = 0` only adjacent items count, which is a first-order chain without skips. With :math:`\alpha = 1`
    the weights of an item are transition probabilities.
    """

    #: gamma; 0 to 1
    decay: float = 0.6
    #: alpha; 0 to 1
    alpha: float = 0.5

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "decay": (0.0, 0.3, 0.6, 0.8, 0.9),
        "alpha": (0.0, 0.25, 0.5, 0.75, 1.0),
    }

    def fit(self, data: BaselineData) -> DecayingItemWeights:
        """Count what follows each item.

        Raises:
            ConfigError: An option is not between 0 and 1.
            TrainingError: There are no interactions, or they have no order.
        """
        if not (0 <= self.decay <= 1 and 0 <= self.alpha <= 1):
            raise ConfigError(
                f"MarkovChain's decay is {self.decay:g}, its alpha {self.alpha:g}.",
                "Give numbers from 0 to 1.",
            )
        before, target = contexts(data.in_order("MarkovChain"), self.decay)
        before.eliminate_zeros()
        counts = sp.csr_matrix(before.T @ target)
        # a repeated item would follow itself
        counts.setdiag(0)
        counts.eliminate_zeros()
        total = np.asarray(counts.sum(axis=1)).ravel()
        counts.data *= (total[rows_of(counts)] ** -self.alpha).astype(np.float32)
        return DecayingItemWeights(counts, self.decay, WINDOW)
