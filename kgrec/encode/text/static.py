"""A model of one vector a token, made from a transformer: a text's vector is the mean of its tokens'.

Enters: a sentence-transformer whose tokenizer is a fast one. Leaves: a sentence-transformer that is a hundred times
as fast, because no text goes through the transformer. Writes: that, as a folder.
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

#: of smooth inverse frequency, as Arora et al. recommend and Model2Vec takes
_SMOOTHING = 1e-4
_UNUSED = re.compile(r"\[unused\d+\]")
_BATCH = 512


def kept_static(folder: Path, source: Callable[[], SentenceTransformer]) -> Path:
    """`folder`, with the static model of `source` in it, which is made if it is not there yet.

    Raises:
        ArtifactError: It cannot be written.
    """
    if folder.is_dir():
        return folder
    logger.info("Making the static model, once: about half a minute")
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
            f"{folder}: the static text encoder cannot be kept ({error.strerror}).",
            "Set $KGREC_CACHE to a folder that can be written.",
        ) from None
    return folder


def distilled(model: SentenceTransformer) -> SentenceTransformer:
    r"""A static model of `model` (Model2Vec, Tulkens & van Dongen 2024).

    Each token of the vocabulary goes through the transformer by itself; from its vector :math:`v_t` the mean of all
    is taken, and it is weighed by smooth inverse frequency (Arora et al. 2017, "A simple but tough-to-beat baseline
    for sentence embeddings", eq. 3). Vocabularies come by frequency, so Zipf's law gives that from the rank.

    .. math:: E_t = \frac{a}{a + p_t} (v_t - \bar v), \qquad p_t \propto 1 / \mathrm{rank}_t

    Model2Vec then turns the vectors to their principal axes. Not here: kgrec whitens text vectors in any case, and
    signs of axes would differ from machine to machine.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    tokenizer.no_truncation()
    vocabulary = tokenizer.get_vocab()
    words = sorted(vocabulary, key=vocabulary.__getitem__)
    special = set(model.tokenizer.all_special_tokens)
    occurs = np.array([word not in special and not _UNUSED.fullmatch(word) for word in words])
    vectors = _token_vectors(model, len(words))
    weighed = (vectors - vectors[occurs].mean(axis=0)) * _weights(occurs)[:, None]
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, weighed.astype(np.float32))], device="cpu")


def _weights(occurs: np.ndarray) -> np.ndarray:
    """Of tokens in the order of their frequency, zero for those that no text has; shape (n,), float64."""
    frequency = occurs / np.maximum(np.cumsum(occurs), 1)
    weights: np.ndarray = occurs * _SMOOTHING / (_SMOOTHING + frequency / frequency.sum())
    return weights


def _token_vectors(model: SentenceTransformer, n: int) -> np.ndarray:
    """What the transformer makes of each token between its marks of begin and end; shape (n, dim), float32."""
    import torch

    begin, end = model.tokenizer.cls_token_id, model.tokenizer.sep_token_id
    parts = []
    with torch.inference_mode():
        for start in range(0, n, _BATCH):
            ids = torch.tensor([[begin, token, end] for token in range(start, min(start + _BATCH, n))])
            inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
            features = model[0]({name: value.to(model.device) for name, value in inputs.items()})
            parts.append(features["token_embeddings"].mean(dim=1).float().cpu().numpy())
    return np.concatenate(parts)
