"""Which model makes vectors of texts, and how. Enters: options. Leaves: a `TextConfig`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, Field, field_validator, model_validator

#: all-MiniLM-L6-v2, from the extra `kgrec[minilm]`
PACKAGED = "minilm"
#: one vector a token, made from the packaged model
STATIC = "static"

#: called with the number of texts that are encoded, and that are to be
TextProgress = Callable[[int, int], None]


class TextConfig(BaseModel, frozen=True, extra="forbid"):
    """How texts become vectors."""

    model: str = PACKAGED
    """"minilm" (the all-MiniLM-L6-v2 of the extra `kgrec[minilm]`), "static" (made from it: one vector a token,
    a hundred times as fast, less exact), any sentence-transformers name or folder, or "none" to leave texts out."""
    prompt: str | None = None
    """Put before each text; None: what the model itself puts there, if anything."""
    prompt_name: str | None = None
    """Which of the model's own prompts to put before each text."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the model's numbers; "bfloat16" is faster on processors that have instructions for it, and slower on others."""
    batch_size: int | None = Field(None, ge=1)
    """Texts a forward pass; None: by their length."""
    cache: bool = True
    """Keep the vectors in the user's cache folder (or $KGREC_CACHE) for later runs."""

    @field_validator("prompt", mode="before")
    @classmethod
    def _quoted(cls, value: Any) -> Any:
        if isinstance(value, dict):  # what YAML makes of `passage: `
            raise ValueError("""a prompt with a colon needs quotes, as in prompt='"passage: "'""")
        return value

    @model_validator(mode="after")
    def _one_prompt(self) -> TextConfig:
        if self.prompt is not None and self.prompt_name is not None:
            raise ValueError("prompt and prompt_name exclude each other")
        return self


class TextEncoder(Protocol):
    """Anything that turns texts into vectors; pass your own to `Recommender(text_encoder=...)`."""

    def encode(self, texts: Sequence[str], progress: TextProgress | None = None) -> np.ndarray:
        """Unit vectors; shape (len(texts), dim), float32."""
        ...
