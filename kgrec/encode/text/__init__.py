"""Texts to vectors by a sentence-transformer, each distinct text encoded once.

config     which model, and how
static     a model of one vector a token, made from another
models     a model by its name, ready to encode
batches    texts of about the same length
cache      vectors on the disk, by the content of the text
encoder    texts through the cache and the model
"""

from kgrec.encode.text.config import PACKAGED, TextConfig, TextEncoder, TextProgress
from kgrec.encode.text.encoder import SentenceEncoder

__all__ = ["PACKAGED", "SentenceEncoder", "TextConfig", "TextEncoder", "TextProgress"]
