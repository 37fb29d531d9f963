"""Items like those of the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kgrec.baselines.data import Data
from kgrec.baselines.scorers import ItemWeights
from kgrec.baselines.similarity import nearest_rows


@dataclass(frozen=True)
class ItemKNN:
    r"""Item-based nearest neighbours (Deshpande and Karypis 2004, "Item-based top-N recommendation algorithms").

    .. math:: s_{uj} = \sum_{i \in H_u,\; i \in N(j)} \mathrm{sim}(i, j)

    N(j) are the items whose sets of users are most like that of j; see `kgrec.baselines.similarity`.
    """

    #: cosine, jaccard or pearson
    similarity: str = "cosine"
    neighbors: int = 100
    shrinkage: float = 10.0

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "neighbors": (20, 50, 100, 200, 500, 1000),
        "shrinkage": (0.0, 10.0, 50.0, 100.0, 500.0),
        "similarity": ("cosine", "jaccard", "pearson"),
    }
    INDUCTIVE: ClassVar[bool] = True

    def fit(self, data: Data) -> ItemWeights:
        """Find the neighbours of each item."""
        users = data.positives.T.tocsr()
        near = nearest_rows(users, users, self.similarity, self.shrinkage, self.neighbors, same=True)
        return ItemWeights(near.T.tocsr())
