"""Item-based nearest neighbours: items similar to those of the history."""

from __future__ import annotations

from dataclasses import dataclass

from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.fitted import ItemWeights
from kgrec.evaluate.baselines.nearest_neighbors import NearestNeighbors


@dataclass(frozen=True)
class ItemKNN(NearestNeighbors):
    r"""Item-based nearest neighbours (Deshpande and Karypis 2004, "Item-based top-N recommendation algorithms").

    .. math:: s_{uj} = \sum_{i \in H_u,\; i \in N(j)} \mathrm{sim}(i, j)

    N(j) are the items whose sets of users are most similar to that of j; see `kgrec.evaluate.baselines.nearest_neighbors`.
    """

    def fit(self, data: BaselineData) -> ItemWeights:
        """Find the neighbours of each item.

        Raises:
            ConfigError: An option is out of range.
        """
        self.check()
        users = data.positives.T.tocsr()
        return ItemWeights(self.nearest(users, users, same=True).T.tocsr())
