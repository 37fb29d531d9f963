"""Texts to vectors by a sentence-transformer; each distinct text is encoded once.

config           options: the model, prompts, precision
static           a model with one vector per token, distilled from another model
models           loads a model by its name
length_batches   batches of texts of similar length
cache            vectors on the disk, keyed by the content of the text
encoder          encodes the texts that are not in the cache
"""

from kgrec.encode.text.config import PACKAGED, TextConfig, TextEncoder, TextProgress, checked_encoder
from kgrec.encode.text.encoder import SentenceEncoder

__all__ = ["PACKAGED", "SentenceEncoder", "TextConfig", "TextEncoder", "TextProgress", "checked_encoder"]
