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
    """Whether shared tokens in the labels of neighbours and items connect the items."""
    half_life: float | None = Field(None, gt=0)
    """Age in days, counted back from the user's latest interaction, at which an interaction has half the weight of the latest one;
    None: all interactions have the same weight."""
    user: Literal["auto", "mean", "linear", "transformer"] = "auto"
    """How a history becomes a vector. "mean": the weighted mean of its items. "linear": weights by position, and a map that predicts
    what follows an item. "transformer": causal self-attention. "auto": if training predicts the next item, "linear", or "mean" when
    order carries little information and the mean is better on validation data; otherwise "mean"."""
    blocks: int = Field(1, ge=1, le=8)
    """Number of Transformer blocks, where `user` is "transformer"."""
    heads: int = Field(4, ge=1, le=64)
    """Attention heads per block."""
    dropout: float = Field(0.4, ge=0, lt=1)
    """Dropout rate of the Transformer: on its input, on attention, and on the output of each layer."""
    identity: bool = True
    """Whether each known item has a learned ID residual, which is added to its content vector."""
    identity_dropout: float = Field(0.1, ge=0, le=1)
    """Share of known items whose ID residual is dropped in a training step, so that the encoder also learns from content alone."""
