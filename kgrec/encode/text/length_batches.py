"""Batches of texts of similar length, which need little padding and fit in the processor's cache.

Enters: texts, and a model. Leaves: positions of the texts, one array per batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: tokens per forward pass: on a CPU larger batches were slower, because they leave the cache; a GPU needs more
_TOKENS, _TOKENS_ON_GPU = 2048, 32_768
#: texts per forward pass of a model without padding
_UNPADDED_TEXTS = 1024
#: assumed length where the tokenizer cannot count
_BYTES_PER_TOKEN = 4
#: texts per call of the tokenizer, which bounds the memory for their tokens
_TEXTS_PER_COUNT = 4096


def batches(lengths: np.ndarray, tokens: int, size: int | None = None) -> Iterator[np.ndarray]:
    """Positions of texts by batch, longest first, so that a lack of memory shows at once and not at the end.

    Args:
        lengths: Tokens of each text; shape (n,), int64.
        tokens: Largest number of tokens per batch, padding included; a longer text forms its own batch.
        size: Texts per batch; None: as many as `tokens` allow.
    """
    order, start = np.argsort(-lengths, kind="stable"), 0
    while start < len(order):
        # The first text of a batch is its longest, so with padding each text takes that many tokens.
        stop = start + (size or max(1, tokens // max(1, int(lengths[order[start]]))))
        yield order[start:stop]
        start = stop


def spread(batches: Iterable[np.ndarray]) -> list[np.ndarray]:
    """The batches: the first one first, and the others in a fixed random order.

    Batches take about equal time but hold different numbers of texts. In this order the rate of texts per second of the first few
    batches is close to the overall rate, so the remaining time can be estimated early.
    """
    first, *others = batches
    return [first, *(others[at] for at in np.random.default_rng(0).permutation(len(others)))]


def batches_for(
    model: SentenceTransformer, texts: Sequence[str], size: int | None = None, on_gpu: bool | None = None
) -> Iterator[np.ndarray]:
    """Positions of `texts` in batches that suit the model and its device.

    Args:
        model: Counts the tokens.
        texts: The texts.
        size: As in `batches`.
        on_gpu: Whether a GPU computes them; None: whether the model's device is a GPU.
    """
    if math.isinf(model.max_seq_length or 0):  # a static model averages token vectors without padding
        return batches(np.zeros(len(texts), np.int64), _UNPADDED_TEXTS, size)
    on_gpu = model.device.type != "cpu" if on_gpu is None else on_gpu
    tokens = _TOKENS_ON_GPU if on_gpu else _TOKENS
    return batches(_token_counts(model, texts), tokens, size)


def _token_counts(model: SentenceTransformer, texts: Sequence[str]) -> np.ndarray:
    """Number of tokens that the model reads per text; shape (len(texts),), int64."""
    from transformers import PreTrainedTokenizerBase

    tokenizer, counts = model.tokenizer, []
    for start in range(0, len(texts), _TEXTS_PER_COUNT):
        some = list(texts[start : start + _TEXTS_PER_COUNT])
        if isinstance(tokenizer, PreTrainedTokenizerBase):
            counts += [len(ids) for ids in tokenizer(some, verbose=False)["input_ids"]]
        else:
            counts += [len(text.encode()) // _BYTES_PER_TOKEN for text in some]
    return np.minimum(counts, model.max_seq_length or max(counts)).astype(np.int64)
