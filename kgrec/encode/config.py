"""Options of the item and user encoders.

Enters: plain values. Leaves: an `EncoderConfig`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kgrec.arguments.sections import Section

UserEncoderName = Literal["mean", "linear", "transformer"]


class EncoderConfig(Section, frozen=True):
    """The shape of the item and user embeddings."""

    dim: int = Field(256, ge=1, le=4096)
    """Length of an embedding."""
    hops: int = Field(1, ge=1, le=3)
    """Longest path, in edges, from an item to an entity that contributes to its embedding. Beyond the first edge, paths follow
    edges from head to tail between entities that are not items: from a film to the country of its director's birth."""
    label_tokens: bool = True
    """Whether tokens that labels of neighbours and items have in common connect the items."""
    half_life: float | None = Field(None, gt=0)
    """Age in days, counted back from the user's latest interaction, at which an interaction has half the weight of that latest
    one; None: all have the same weight."""
    user: Literal["auto", "mean", "linear", "transformer"] = "auto"
    """How a history becomes a vector: "mean": the weighted mean of its items; "linear": weights by position and a map of what follows
    an item; "transformer": causal self-attention; "auto": where the next item is learned "linear", or "mean" if order
    says little and that is better on validation data; otherwise "mean"."""
    blocks: int = Field(1, ge=1, le=8)
    """Blocks of the Transformer, where `user` is "transformer"."""
    heads: int = Field(4, ge=1, le=64)
    """Attention heads of each block."""
    dropout: float = Field(0.4, ge=0, lt=1)
    """Share of numbers that a training step leaves out in the Transformer: of its input, of attention, and of what each layer adds."""
    identity: bool = True
    """Whether each known item has a learned ID residual that is added to its content."""
    identity_dropout: float = Field(0.1, ge=0, le=1)
    """Share of known items whose ID residual is left out of a training step, so that content alone must predict too."""
