"""Texts of about the same length, so that a batch holds little padding and stays in the processor's cache.

Enters: texts, and a model. Leaves: rows of the texts, a batch each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: tokens a forward pass: measured on a CPU, of which more fall out of the cache; a GPU wants more to do
_TOKENS, _TOKENS_ON_GPU = 2048, 32_768
#: texts a pass of a model that pads nothing
_UNPADDED = 1024
_BYTES_A_TOKEN = 4
#: texts that are counted at a time, so that their tokens are not all there at once
_CHUNK = 4096


def batches(lengths: np.ndarray, tokens: int, size: int | None = None) -> Iterator[np.ndarray]:
    """Rows of texts, the longest first: memory that does not suffice shows at once.

    Args:
        lengths: Tokens of each text; shape (n,), int64.
        tokens: Of a batch at most, padding included; a longer text is a batch of its own.
        size: Texts of a batch; None: as `tokens` allow.
    """
    order, start = np.argsort(-lengths, kind="stable"), 0
    while start < len(order):
        stop = start + (size or max(1, tokens // max(1, int(lengths[order[start]]))))
        yield order[start:stop]
        start = stop


def batches_for(
    model: SentenceTransformer, texts: Sequence[str], size: int | None = None
) -> Iterator[np.ndarray]:
    """Rows of `texts` in batches that suit the model and where it runs; `size` as in `batches`."""
    if math.isinf(model.max_seq_length or 0):  # a static model, which adds the vectors of tokens
        return batches(np.zeros(len(texts), np.int64), _UNPADDED, size)
    tokens = _TOKENS if model.device.type == "cpu" else _TOKENS_ON_GPU
    return batches(_token_counts(model, texts), tokens, size)


def _token_counts(model: SentenceTransformer, texts: Sequence[str]) -> np.ndarray:
    """Tokens of each text that the model reads; shape (len(texts),), int64."""
    from transformers import PreTrainedTokenizerBase

    tokenizer, counts = model.tokenizer, []
    for start in range(0, len(texts), _CHUNK):
        some = list(texts[start : start + _CHUNK])
        if isinstance(tokenizer, PreTrainedTokenizerBase):
            counts += [len(ids) for ids in tokenizer(some, verbose=False)["input_ids"]]
        else:
            counts += [len(text.encode()) // _BYTES_A_TOKEN for text in some]
    return np.minimum(counts, model.max_seq_length or max(counts)).astype(np.int64)
