"""Text encoders small enough for tests: one without weights, and a sentence-transformer of six words."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kgrec.encode.text import TextProgress

WORDS = ["[UNK]", "ship", "space", "love", "dance", "red"]


def tiny(folder: Path, seed: int = 0, **options) -> str:
    """A sentence-transformer of six words, static, on the disk."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(seed)
    modules = [StaticEmbedding(tokenizer, embedding_dim=8)]
    SentenceTransformer(modules=modules, device="cpu", **options).save(str(folder))
    return str(folder)


class BagOfWords:
    """A text encoder for tests: each word has a direction of its own, drawn from its checksum."""

    dim = 32

    def encode(self, texts: Sequence[str], progress: TextProgress | None = None) -> np.ndarray:
        vectors = np.stack([self._sum(text) for text in texts]) if texts else np.zeros((0, self.dim))
        if progress:
            progress(len(texts), len(texts))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def _sum(self, text: str) -> np.ndarray:
        words = text.lower().replace(".", " ").split()
        return np.sum(
            [np.random.default_rng(zlib.crc32(w.encode())).normal(size=self.dim) for w in words], axis=0
        )
