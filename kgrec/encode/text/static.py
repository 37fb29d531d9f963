"""A static model, distilled from a transformer: one vector per token; the vector of a text is the mean of its tokens.

Enters: a sentence-transformer with a fast tokenizer. Leaves: a sentence-transformer that is a hundred times as fast, because no
text passes through the transformer. Writes: the static model, as a folder.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kgrec.errors import ArtifactError
from kgrec.storage.atomic import put_in_place, temporary_beside

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)

#: parameter a of smooth inverse frequency, as Arora et al. recommend and Model2Vec uses
_SMOOTHING = 1e-4
_UNUSED_TOKEN = re.compile(r"\[unused\d+\]")
_TOKENS_PER_PASS = 512


def kept_static(folder: Path, source: Callable[[], SentenceTransformer]) -> Path:
    """`folder` with the static model of `source`, which is distilled first if the folder does not exist.

    Raises:
        ArtifactError: The folder cannot be written.
    """
    if folder.is_dir():
        return folder
    logger.info("Making the static model; this happens once and takes about half a minute")
    model = distilled(source())
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_beside(folder)
        try:
            model.save(str(temporary), create_model_card=False)
            put_in_place(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise ArtifactError(
            f"{folder}: the static text encoder cannot be written ({error.strerror}).",
            "Set $KGREC_CACHE to a writable folder.",
        ) from None
    return folder


def distilled(model: SentenceTransformer) -> SentenceTransformer:
    r"""A static model of `model` (Model2Vec, Tulkens & van Dongen 2024).

    Each token of the vocabulary passes through the transformer alone. Its vector :math:`v_t` is centred on the mean of all, and
    weighted by smooth inverse frequency (Arora et al. 2017, "A simple but tough-to-beat baseline for sentence embeddings", eq. 3).
    Vocabularies are sorted by frequency, so Zipf's law estimates the frequency from the rank.

    .. math:: E_t = \frac{a}{a + p_t} (v_t - \bar v), \qquad p_t \propto 1 / \mathrm{rank}_t

    Model2Vec then rotates the vectors to their principal axes. kgrec does not: it whitens text vectors in any case, and the signs
    of the axes would differ between machines.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    tokenizer.no_truncation()
    vocabulary = tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    special = set(model.tokenizer.all_special_tokens)
    occurs = np.array([token not in special and not _UNUSED_TOKEN.fullmatch(token) for token in tokens])
    vectors = _token_vectors(model, len(tokens))
    weighted = (vectors - vectors[occurs].mean(axis=0)) * _weights(occurs)[:, None]
    return SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, weighted.astype(np.float32))], device="cpu"
    )


def _weights(occurs: np.ndarray) -> np.ndarray:
    """Weights of tokens sorted by frequency; zero for special and unused tokens; shape (n,), float64."""
    # The cumulative sum is the rank among the tokens in use, starting at 1.
    frequency = occurs / np.maximum(np.cumsum(occurs), 1)
    weights: np.ndarray = occurs * _SMOOTHING / (_SMOOTHING + frequency / frequency.sum())
    return weights


def _token_vectors(model: SentenceTransformer, n: int) -> np.ndarray:
    """Mean output vector of the transformer for each token between begin and end token; shape (n, dim), float32."""
    import torch

    begin, end = model.tokenizer.cls_token_id, model.tokenizer.sep_token_id
    parts = []
    with torch.inference_mode():
        for start in range(0, n, _TOKENS_PER_PASS):
            stop = min(start + _TOKENS_PER_PASS, n)
            ids = torch.tensor([[begin, token, end] for token in range(start, stop)])
            inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
            features = model[0]({name: value.to(model.device) for name, value in inputs.items()})
            parts.append(features["token_embeddings"].mean(dim=1).float().cpu().numpy())
    return np.concatenate(parts)
