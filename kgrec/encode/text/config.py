"""Options of the text encoder. Enters: plain values. Leaves: a `TextConfig`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from pydantic import Field, field_validator, model_validator

from kgrec.arguments.options import shown
from kgrec.arguments.sections import Section
from kgrec.errors import ConfigError

#: all-MiniLM-L6-v2, from the extra `kgrec[minilm]`
PACKAGED = "minilm"
#: one vector per token, distilled from the packaged model
STATIC = "static"

#: called with the number of encoded texts and the number of texts to encode, which are not cached; first with 0
TextProgress = Callable[[int, int], None]


class TextConfig(Section, frozen=True):
    """How texts become vectors."""

    model: str = PACKAGED
    """"minilm" (all-MiniLM-L6-v2, from the extra `kgrec[minilm]`), "static" (distilled from it: one vector per token, a hundred times
    as fast, less accurate), any sentence-transformers name or folder, or "none" to ignore texts."""
    prompt: str | None = None
    """Text to put before each text; None: the model's default prompt, if it has one."""
    prompt_name: str | None = None
    """Name of the model's own prompt to put before each text."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Number format of the model; "bfloat16" is faster on processors with bfloat16 instructions, and slower on others."""
    batch_size: int | None = Field(None, ge=1)
    """Texts per forward pass; None: chosen from the lengths of the texts."""
    cache: bool = True
    """Whether to keep the vectors in the user's cache folder (or $KGREC_CACHE) for later runs."""

    @field_validator("prompt", mode="before")
    @classmethod
    def _quoted(cls, value: Any) -> Any:
        if isinstance(value, dict):  # YAML reads `passage: ` as a mapping
            raise ValueError("""a prompt with a colon needs quotes, as in prompt='"passage: "'""")
        return value

    @model_validator(mode="after")
    def _one_prompt(self) -> TextConfig:
        if self.prompt is not None and self.prompt_name is not None:
            raise ValueError("prompt and prompt_name exclude each other")
        return self


class TextEncoder(Protocol):
    """Any object that turns texts into vectors; pass your own to `Recommender(text_encoder=...)`."""

    def encode(self, texts: Sequence[str], progress: TextProgress | None = None) -> np.ndarray:
        """Unit vectors; shape (len(texts), dim), float32."""
        ...


def checked_encoder(encoder: TextEncoder | None) -> TextEncoder | None:
    """Return the encoder; raise ConfigError for an object that cannot encode, and for the name of a model."""
    if encoder is None or (not isinstance(encoder, str) and callable(getattr(encoder, "encode", None))):
        return encoder
    raise ConfigError(
        f"text_encoder is {shown(encoder)}.",
        "Give an object with a method encode(texts, progress), or name a model in TextConfig(model=...).",
    )
