"""A sentence-transformer small enough for tests."""

from __future__ import annotations

from pathlib import Path

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
