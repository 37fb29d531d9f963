"""Items like those of the history."""

from __future__ import annotations

from dataclasses import dataclass

from kgrec.evaluate.baselines.scorers import ItemWeights
from kgrec.evaluate.baselines.similarity import Neighborhood
from kgrec.evaluate.baselines.training_data import Data


@dataclass(frozen=True)
class ItemKNN(Neighborhood):
    r"""Item-based nearest neighbours (Deshpande and Karypis 2004, "Item-based top-N recommendation algorithms").

    .. math:: s_{uj} = \sum_{i \in H_u,\; i \in N(j)} \mathrm{sim}(i, j)

    N(j) are the items whose sets of users are most like that of j; see `kgrec.evaluate.baselines.similarity`.
    """

    def fit(self, data: Data) -> ItemWeights:
        """Find the neighbours of each item.

        Raises:
            ConfigError: An option is out of range.
        """
        self.check()
        users = data.positives.T.tocsr()
        return ItemWeights(self.nearest(users, users, same=True).T.tocsr())
