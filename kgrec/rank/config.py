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
#: scorers that add up item-item weights over a history
ITEM_ITEM: tuple[ScorerName, ...] = ("co_occurrence", "sequence", "random_walk")
RankerName = Literal["none", "gate", "boosted", "network", "auto"]
Weight = Annotated[float, Field(ge=0)]


class RescoreConfig(Section, frozen=True):
    """How retrieved candidates are scored and ranked."""

    weights: dict[ScorerName, Weight] | None = None
    """Weight of each scorer by name: `embedding`, `graph`, `text`, `co_occurrence`, `sequence`, `random_walk`. Absent ones have
    weight 0; only the proportions count. None: chosen on validation data; without validation data, `embedding` alone."""
    depth: int = Field(500, ge=1)
    """Candidates per user that the index retrieves: this many, or five times the length of the list if that is more."""
    neighbors: int = Field(100, ge=1)
    """Item-item weights per item at most."""
    co_occurrence: bool = True
    """Whether item-item weights are fitted: those of co-occurrence, of random walks, and, if the log has an order, of sequence."""
    exact_items: int = Field(5000, ge=0)
    """Largest catalogue whose co-occurrence weights are exact, from all other items (EASE) rather than `neighbors` of them (SLIM).
    They take 4 bytes per pair of items: 100 MB for 5,000 items."""
    cold_offset: float | None = Field(None, allow_inf_nan=False)
    """Added to the score of items without interactions, which may be new or unwanted: a log does not say which. None: chosen on
    validation data, with the smallest loss in the worse of the two cases. 0: they are new, and rank like items that are added
    later."""
    popularity: float | None = Field(0.0, ge=0, allow_inf_nan=False)
    """Added to the score of an item per unit of ln(1 + number of its users). None: chosen on validation data where the next item is
    learned, otherwise 0. Validation by time prefers what is popular at the end of the log."""
    penalty: float | None = Field(None, gt=0)
    """Ridge penalty of the co-occurrence weights, which are then those of SLIM. None: the best on validation data; 20 in a catalogue
    of more than 100,000 items."""
    ranker: RankerName = "none"
    """Learned ranker that corrects scores: "gate", weights that depend on user and item; "boosted", trees, with the extra `boosted`;
    "network"; "auto", the best of these. It is kept only if it ranks validation data significantly better."""
