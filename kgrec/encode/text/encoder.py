"""Encoding of texts: from the cache where possible, by the model otherwise.

Enters: strings. Leaves: unit vectors, float32. Writes computed vectors into the cache, so a second training run encodes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kgrec.encode.text.cache import TextCache
from kgrec.encode.text.config import PACKAGED, STATIC, TextConfig, TextProgress
from kgrec.encode.text.length_batches import batches_for, spread
from kgrec.encode.text.models import fingerprint, load
from kgrec.errors import ArtifactError
from kgrec.parallel import Executor, LocalExecutor

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)


class SentenceEncoder:
    """A sentence-transformer whose vectors are cached by the content of the text.

    Args:
        config: The model and its options.
        executor: Computes the batches; each of its workers loads the model by its name. None: this process.

    Raises:
        EncoderNotFound: The model cannot be loaded; raised when the first text is encoded.
        ConfigError: The model has no prompt of this name; raised when the first text is encoded.
    """

    def __init__(self, config: TextConfig, executor: Executor | None = None) -> None:
        # A relative path must stay valid if the working directory changes.
        self.config = _absolute(config)
        self._executor = executor or LocalExecutor()

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
        executor, config = self._executor, self.config
        on_gpu = executor.gpus_per_worker > 0 if not executor.shares_memory else None
        batches = spread(batches_for(self._model, texts, config.batch_size, on_gpu))
        model = self._model if executor.shares_memory else self._fingerprint()
        parts = ([texts[row] for row in batch] for batch in batches)
        with closing(executor.map(_batch_encoder, (config, model), parts)) as computed:
            for number, vectors in computed:
                yield batches[number], vectors

    @cached_property
    def _model(self) -> SentenceTransformer:
        return load(self.config)

    def _fingerprint(self) -> str:
        return fingerprint(self.config, lambda: self._model)


def _batch_encoder(config: TextConfig, model: SentenceTransformer | str) -> Callable[[list[str]], np.ndarray]:
    """The function that encodes a batch; a worker calls this once.

    Args:
        config: Names the model.
        model: The model; in a worker, the fingerprint of the caller's model, which the worker loads itself.

    Raises:
        ArtifactError: The model of that name differs from the caller's.
    """
    if not isinstance(model, str):
        return partial(_encoded, config, model)
    loaded = load(config)
    if fingerprint(config, lambda: loaded) != model:
        raise ArtifactError(
            f"The text encoder '{config.model}' differs from the caller's.",
            "Install the same model on every machine, or set $KGREC_CACHE to a shared folder.",
        )
    return partial(_encoded, config, loaded)


def _encoded(config: TextConfig, model: SentenceTransformer, texts: list[str]) -> np.ndarray:
    """Unit vectors of a batch; shape (len(texts), dim), float32."""
    vectors: np.ndarray = model.encode(
        texts,
        prompt=config.prompt,
        prompt_name=config.prompt_name,
        batch_size=len(texts),
        show_progress_bar=False,
    ).astype(np.float32)
    # Normalised here in float32, because the model may compute in bfloat16. A text without a known token stays zero.
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.divide(vectors, length, out=vectors, where=length > 0)
    return vectors


def _absolute(config: TextConfig) -> TextConfig:
    """The configuration with the absolute path of the model, if the model is a folder."""
    folder = Path(config.model)
    if config.model in (PACKAGED, STATIC) or not folder.is_dir():
        return config
    return config.model_copy(update={"model": str(folder.absolute())})


def _nothing_cached(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(len(texts), np.bool_), np.zeros((len(texts), 0), np.float32)
