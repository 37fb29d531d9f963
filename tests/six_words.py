"""A sentence-transformer that weighs nothing, for tests that need one on the disk."""

import warnings
from pathlib import Path

WORDS = ["[UNK]", "ship", "space", "love", "dance", "red"]


def tiny(folder: Path, seed: int = 0) -> str:
    """A sentence-transformer of six words, on the disk."""
    import torch
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer, models, pre_tokenizers

    with warnings.catch_warnings():
        # Newer versions have it in another place.
        warnings.simplefilter("ignore", DeprecationWarning)
        from sentence_transformers.models import StaticEmbedding
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(seed)
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=8)], device="cpu").save(str(folder))
    return str(folder)
