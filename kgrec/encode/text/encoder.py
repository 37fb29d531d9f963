"""Texts through the cache and the model.

Enters: strings. Leaves: unit vectors, float32. Writes: what it computes into the cache of text vectors, so that a
second training run encodes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kgrec.encode.text.batches import batches_for
from kgrec.encode.text.cache import TextCache
from kgrec.encode.text.config import PACKAGED, STATIC, TextConfig, TextProgress
from kgrec.encode.text.models import fingerprint, load

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)


class SentenceEncoder:
    """A sentence-transformer whose results are cached by content.

    Args:
        config: Which model, and how.

    Raises:
        EncoderNotFound: at the first text, when the model cannot be loaded.
        ConfigError: then, when the model has no prompt of the name.
    """

    def __init__(self, config: TextConfig) -> None:
        # a relative folder is the same one when the working folder has changed
        self.config = _absolute(config)

    def encode(self, texts: Sequence[str], progress: TextProgress | None = None) -> np.ndarray:
        """Unit vectors; shape (len(texts), dim), float32. Only texts that the cache lacks are computed."""
        row = {text: at for at, text in enumerate(dict.fromkeys(texts))}
        if not row:
            return np.zeros((0, 0), np.float32)
        with closing(TextCache(self._fingerprint())) if self.config.cache else nullcontext() as kept:
            vectors = self._vectors([*row], kept, progress)
        return vectors if len(row) == len(texts) else vectors[[row[text] for text in texts]]

    def _vectors(self, texts: list[str], kept: TextCache | None, progress: TextProgress | None) -> np.ndarray:
        """Of distinct texts; shape (len(texts), dim), float32."""
        known, vectors = kept.get(texts) if kept else _nothing(texts)
        missing = np.flatnonzero(~known)
        logger.info("%d texts are cached, %d are to be encoded", len(texts) - len(missing), len(missing))
        done = 0
        for batch, fresh in self._computed([texts[row] for row in missing]):
            if not vectors.shape[1]:
                vectors = np.zeros((len(texts), fresh.shape[1]), np.float32)
            rows = missing[batch]
            vectors[rows] = fresh
            if kept:
                kept.put([texts[row] for row in rows], fresh)
            done += len(rows)
            if progress:
                progress(done, len(missing))
        return vectors

    def _computed(self, texts: list[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows of `texts` and their vectors, a batch each."""
        if not texts:
            return
        model, config = self._model, self.config
        for batch in batches_for(model, texts, config.batch_size):
            vectors = model.encode(
                [texts[row] for row in batch],
                prompt=config.prompt,
                prompt_name=config.prompt_name,
                batch_size=len(batch),
                show_progress_bar=False,
            ).astype(np.float32)
            # Here and not by the model, whose own digits may be few; a text of no known token stays zero.
            length = np.linalg.norm(vectors, axis=1, keepdims=True)
            yield batch, np.divide(vectors, length, out=vectors, where=length > 0)

    @cached_property
    def _model(self) -> SentenceTransformer:
        return load(self.config)

    def _fingerprint(self) -> str:
        return fingerprint(self.config, lambda: self._model)


def _absolute(config: TextConfig) -> TextConfig:
    """With the whole path of the model, if it is a folder."""
    folder = Path(config.model)
    if config.model in (PACKAGED, STATIC) or not folder.is_dir():
        return config
    return config.model_copy(update={"model": str(folder.absolute())})


def _nothing(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(len(texts), np.bool_), np.zeros((len(texts), 0), np.float32)
