"""Options of ranking.

Enters: plain values. Leaves: the names of the scorers, and a `RescoreConfig`.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from kgrec.arguments.sections import Section

ScorerName = Literal["embedding", "graph", "text", "co_occurrence", "sequence", "random_walk"]
#: names of the scorers, in the order in which their weights are chosen
SCORERS: tuple[ScorerName, ...] = get_args(ScorerName)
#: scorers that sum item-item weights over a history
ITEM_ITEM: tuple[ScorerName, ...] = ("co_occurrence", "sequence", "random_walk")
RankerName = Literal["none", "gate", "boosted", "network", "auto"]
Weight = Annotated[float, Field(ge=0)]


class RescoreConfig(Section, frozen=True):
    """How retrieved candidates are scored and ranked."""

    weights: dict[ScorerName, Weight] | None = None
    """Weight per scorer: `embedding`, `graph`, `text`, `co_occurrence`, `sequence`, `random_walk`. A scorer that is not named has weight
    0; only the proportions count. None: chosen on validation data; without validation data, `embedding` alone."""
    depth: int = Field(500, ge=1)
    """Number of candidates that the index retrieves per user; five times the list length if that is more."""
    neighbors: int = Field(100, ge=1)
    """Largest number of item-item weights per item."""
    co_occurrence: bool = True
    """Whether to fit item-item weights: co-occurrence, random walks and, if the log has an order, sequence."""
    exact_items: int = Field(5000, ge=0)
    """Largest catalogue for which co-occurrence weights are exact, from all other items (EASE), rather than from `neighbors` of them
    (SLIM). Exact weights take 4 bytes per pair of items: 100 MB for 5,000 items."""
    cold_offset: float | None = Field(None, allow_inf_nan=False)
    """Number added to the score of items without interactions. Such items may be new or unwanted; a log does not say which. None:
    chosen on validation data, so that the loss is smallest in the worse of the two cases. 0: they are treated as new, and rank like
    items that are added later."""
    popularity: float | None = Field(0.0, ge=0, allow_inf_nan=False)
    """Number added to the score of an item per unit of ln(1 + number of its users). None: chosen on validation data if training predicts
    the next item, otherwise 0. Validation by time favours items that are popular at the end of the log."""
    penalty: float | None = Field(None, gt=0)
    """Ridge penalty of the co-occurrence weights; if it is set, they are SLIM weights. None: the best on validation data; 20 for a
    catalogue of more than 100,000 items."""
    ranker: RankerName = "none"
    """Learned ranker that corrects scores. "gate": weights that depend on user and item. "boosted": trees, with the extra `boosted`.
    "network": a neural network. "auto": the best of these. It is kept only if it ranks validation data significantly better."""
