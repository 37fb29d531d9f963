"""Options of ranking.

Enters: nothing. Leaves: which scorers take part, and what of their weights is fixed.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, Field

ScorerName = Literal["embedding", "graph", "text", "co_occurrence"]
#: names of the scorers, in the order in which their weights are chosen
SCORERS: tuple[ScorerName, ...] = get_args(ScorerName)
Weight = Annotated[float, Field(ge=0)]


class RescoreConfig(BaseModel, frozen=True, extra="forbid"):
    """How the candidates that the index found are scored and ranked."""

    weights: dict[ScorerName, Weight] | None = None
    """Weight of each scorer by name: `embedding`, `graph`, `text`, `co_occurrence`; one without a weight has 0, and only the
    proportions count. None: chosen on validation data, or `embedding` alone where there is none."""
    depth: int = Field(500, ge=1)
    """Candidates per user that the index finds at least; five times the length of a list if that is more."""
    neighbors: int = Field(100, ge=1)
    """Other items per item, at most, whose co-occurrence weights are fitted."""
    co_occurrence: bool = True
    """Whether co-occurrence weights are fitted."""
    cold_offset: float | None = Field(None, allow_inf_nan=False)
    """Added to the score of items without interactions. They may be new, or unwanted, and a log does not say which. None: the value
    that does best on validation data if both are as likely; 0: they are new, and compete as items do that are added later."""
    penalty: float | None = Field(None, gt=0)
    """Ridge penalty of the co-occurrence weights; None: the best of 5, 20, 80, 320 on validation data, or 20 in a
    catalogue of more than 100,000 items."""
