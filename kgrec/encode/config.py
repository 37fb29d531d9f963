"""The shape of embeddings.

Enters: nothing. Leaves: options of the item and user encoders.
"""

from __future__ import annotations

from pydantic import BaseModel, Field


class EncoderConfig(BaseModel, frozen=True, extra="forbid"):
    """The shape of the item and user embeddings."""

    dim: int = Field(256, ge=1, le=4096)
    """Length of an embedding."""
    hops: int = Field(1, ge=1, le=3)
    """Edges that an item is away at most from what it is made of. Past the first, edges are followed from head to
    tail between nodes that are no items: of a film, the country where its director was born."""
    label_tokens: bool = True
    """Whether tokens that labels of neighbours and items have in common join the items."""
    half_life: float | None = Field(None, gt=0)
    """Days before a user's latest interaction at which one counts half of that in the history; None: all count alike."""
    identity: bool = True
    """Whether known items have a residual of their own beside what their content says."""
    identity_dropout: float = Field(0.1, ge=0, le=1)
    """Share of known items whose ID residual is left out of a training step, so that content must carry too."""
