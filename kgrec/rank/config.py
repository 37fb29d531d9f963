"""Options of ranking.

Enters: nothing. Leaves: which scorers take part, and what of their weights is fixed.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

#: in the order of `Rescorer.parts`: cosine of the embeddings, of the neighbours, of the texts; taken together
SCORERS = ("embedding", "graph", "text", "co_occurrence")


Weight = Annotated[float, Field(ge=0)]


class RescoreConfig(BaseModel, frozen=True, extra="forbid"):
    """How what the index found is ranked."""

    weights: tuple[Weight, Weight, Weight, Weight] | None = None
    """Of the cosine of embeddings, of neighbours, of texts, and of what is taken together; only their proportions
    count. None: chosen on validation data, or the first alone where there is none."""
    depth: int = Field(500, ge=1)
    """Items that the index gives at least, to be ranked by all parts; five times the length of a list if that is more."""
    neighbors: int = Field(100, ge=1)
    """Items at most whose weights are fitted for what is taken together with an item."""
    co_occurrence: bool = True
    """Whether what is taken together is fitted at all."""
    cold_offset: float | None = Field(None, allow_inf_nan=False)
    """Is added to the score of items in no interaction. They may be new, or what nobody wants, and a log does not say which. None: what does best on
    validation data if both are as likely; 0: they are new, and compete as items do that are added later."""
    penalty: float | None = Field(None, gt=0)
    """Of these weights, as in ridge regression; None: the best of 5, 20, 80, 320 on validation data, or 20 in a
    catalogue of more than 100,000 items."""
