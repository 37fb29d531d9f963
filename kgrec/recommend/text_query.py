r"""Free text as a query: items are ranked mainly by their texts.

Enters: a model, texts, and the encoder of the training. Leaves: the best rows and their scores.

.. math::
    \mathrm{score}(q, i) = \tfrac{3}{4}\, t_q \cdot t_i + \tfrac{1}{4}\, \mathrm{normalize}(W t_q) \cdot z_i

`t` is the text vector, centred and whitened like those of the items. It has the larger weight, because an embedding mostly
encodes interactions, about which a short text says little. The embedding adds graph and interactions for items whose texts use
different words. Every item is compared, so a filter never shortens a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kgrec.encode.dense_features import TEXT, as_wide, text_vectors
from kgrec.encode.text import TextEncoder
from kgrec.encode.user_encoder import units
from kgrec.errors import ConfigError
from kgrec.model.model import Model
from kgrec.rank.scorers import TextScorer

#: weight of the text cosine; cosines of texts vary at most about half as much as those of embeddings
_TEXT_SHARE = 0.75
_QUERIES, _ITEMS = 16, 50_000


@dataclass(frozen=True)
class TextQueries:
    """Texts as vectors in the spaces of a model."""

    #: columns of the text among an item's dense vectors
    columns: slice
    #: unit length; shape (n_queries, text_dim), float32
    texts: np.ndarray
    #: unit length; shape (n_queries, dim), float32
    vectors: np.ndarray


def encoded(model: Model, texts: Sequence[str], encoder: TextEncoder | None) -> TextQueries:
    """Texts encoded and projected like an item's text.

    Raises:
        ConfigError: The model was trained without text, a text is empty, or the encoder differs from that of training.
    """
    parameters = model.parameters()
    spreads = parameters.featurizer.whitenings
    if TEXT not in spreads or encoder is None:
        raise ConfigError(
            "This model was trained without text, so it cannot recommend by text.",
            "Train it on items that have labels or texts, with text.model other than 'none'.",
        )
    for at, text in enumerate(texts):
        if not text.strip():
            raise ConfigError(f"Text {at + 1} of {len(texts):,} is empty.", "Describe the items to find.")
    names = list(spreads)
    first = sum(len(spreads[name].mean) for name in names[: names.index(TEXT)])
    width = len(spreads[TEXT].mean)
    raw = as_wide(text_vectors(encoder, list(texts)), width, TEXT, len(texts))
    spread, columns = spreads[TEXT](raw), slice(first, first + width)
    return TextQueries(columns, spread, units(spread @ parameters.arrays["dense"][columns])[0])


def ranked(
    model: Model,
    queries: TextQueries,
    k: int,
    only: np.ndarray | None = None,
    boost: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The best `k` rows of each query and their scores, ties in the order of the items; both of shape (n_queries, k).

    Args:
        model: Contains the items.
        queries: Queries from `encoded`.
        k: Rows per query; there are fewer columns if fewer rows are allowed.
        only: The only rows to rank.
        boost: Added to the score of each item; shape (n_items,); None: nothing is added.
    """
    rows = np.arange(len(model.items)) if only is None else only
    size = (len(queries.texts), min(k, len(rows)))
    found, best = np.zeros(size, np.int64), np.zeros(size, np.float32)
    for start in range(0, size[0], _QUERIES):
        some = slice(start, start + _QUERIES)
        scores = _scores(model, queries, some, rows)
        if boost is not None:
            scores += boost[rows]
        order = np.argsort(-scores, axis=1, kind="stable")[:, : size[1]]
        found[some], best[some] = rows[order], np.take_along_axis(scores, order, 1)
    return found, best


def _scores(model: Model, queries: TextQueries, some: slice, rows: np.ndarray) -> np.ndarray:
    """Scores of some queries and all `rows`; in batches of items, because their texts are stored in half precision."""
    texts, vectors = queries.texts[some], queries.vectors[some]
    known = model.rescorer.scorers["text"]
    assert isinstance(known, TextScorer)
    scores = np.zeros((len(texts), len(rows)), np.float32)
    for start in range(0, len(rows), _ITEMS):
        part = rows[start : start + _ITEMS]
        by_text = texts @ known.vectors[part][:, queries.columns].astype(np.float32).T
        by_embedding = vectors @ model.items.vectors[part].T
        scores[:, start : start + _ITEMS] = _TEXT_SHARE * by_text + (1 - _TEXT_SHARE) * by_embedding
    return scores
