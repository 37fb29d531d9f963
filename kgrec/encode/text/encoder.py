"""Encoding of texts: the cache first, the model for the rest.

Enters: strings. Leaves: unit vectors, float32. Writes computed vectors into the cache, so a second training run encodes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kgrec.encode.text.cache import TextCache
from kgrec.encode.text.config import PACKAGED, STATIC, TextConfig, TextProgress
from kgrec.encode.text.length_batches import batches_for, spread
from kgrec.encode.text.models import fingerprint, load

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)


class SentenceEncoder:
    """A sentence-transformer whose vectors are cached by the content of the text.

    Args:
        config: The model and its options.

    Raises:
        EncoderNotFound: The model cannot be loaded; raised at the first text.
        ConfigError: The model has no prompt of this name; raised at the first text.
    """

    def __init__(self, config: TextConfig) -> None:
        # A relative path must survive a later change of the working directory.
        self.config = _absolute(config)

    def encode(self, texts: Sequence[str], progress: TextProgress | None = None) -> np.ndarray:
        """Unit vectors; shape (len(texts), dim), float32. The model encodes only texts that are not cached."""
        row = {text: at for at, text in enumerate(dict.fromkeys(texts))}
        if not row:
            return np.zeros((0, 0), np.float32)
        with closing(TextCache(self._fingerprint())) if self.config.cache else nullcontext() as cache:
            vectors = self._vectors([*row], cache, progress)
        return vectors if len(row) == len(texts) else vectors[[row[text] for text in texts]]

    def _vectors(
        self, texts: list[str], cache: TextCache | None, progress: TextProgress | None
    ) -> np.ndarray:
        """Vectors of distinct texts; shape (len(texts), dim), float32."""
        known, vectors = cache.get(texts) if cache else _nothing_cached(texts)
        missing = np.flatnonzero(~known)
        logger.info("%d texts are cached, encoding %d", len(texts) - len(missing), len(missing))
        done = 0
        if progress and len(missing):
            progress(done, len(missing))
        for batch, fresh in self._computed([texts[row] for row in missing]):
            if not vectors.shape[1]:
                vectors = np.zeros((len(texts), fresh.shape[1]), np.float32)
            rows = missing[batch]
            vectors[rows] = fresh
            if cache:
                cache.put([texts[row] for row in rows], fresh)
            done += len(rows)
            if progress:
                progress(done, len(missing))
        return vectors

    def _computed(self, texts: list[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Positions in `texts` and their vectors, batch by batch."""
        if not texts:
            return
        model, config = self._model, self.config
        for batch in spread(batches_for(model, texts, config.batch_size)):
            vectors = model.encode(
                [texts[row] for row in batch],
                prompt=config.prompt,
                prompt_name=config.prompt_name,
                batch_size=len(batch),
                show_progress_bar=False,
            ).astype(np.float32)
            # Normalised here in float32 and not by the model, which may compute in bfloat16. A text without a known token
            # stays zero.
            length = np.linalg.norm(vectors, axis=1, keepdims=True)
            yield batch, np.divide(vectors, length, out=vectors, where=length > 0)

    @cached_property
    def _model(self) -> SentenceTransformer:
        return load(self.config)

    def _fingerprint(self) -> str:
        return fingerprint(self.config, lambda: self._model)


def _absolute(config: TextConfig) -> TextConfig:
    """The configuration with the absolute path of the model, if the model is a folder."""
    folder = Path(config.model)
    if config.model in (PACKAGED, STATIC) or not folder.is_dir():
        return config
    return config.model_copy(update={"model": str(folder.absolute())})


def _nothing_cached(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(len(texts), np.bool_), np.zeros((len(texts), 0), np.float32)
