"""Content-based baselines: items similar to the history by words, by graph neighbours, or by text vectors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from kgrec.errors import ConfigError, TrainingError, did_you_mean
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.fitted import ItemVectors
from kgrec.metrics.topk import rows_of

_WORD_PATTERN = re.compile(r"\w\w+")


@dataclass(frozen=True)
class ContentTfidf:
    r"""Content-based, by TF-IDF (Salton and Buckley 1988; Lops et al. 2011, "Content-based recommender systems", eq. 3.1).

    .. math:: z_{it} = (1 + \ln f_{it}) \ln \frac{1 + n}{1 + n_t}, \quad s_{uj} = \frac{1}{|H_u|} \sum_{i \in H_u} \cos(z_i, z_j)

    f is the number of occurrences of a term in an item's text; :math:`n_t` of the n known items have the term. Terms that no
    known item has are left out. Terms are words, or the entities that an item has an edge with in the graph.
    """

    #: "words", "graph", or "both", where each makes up half of the cosine
    terms: str = "both"

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {"terms": ("words", "graph", "both")}

    def fit(self, data: BaselineData) -> ItemVectors:
        """Compute the TF-IDF vectors of all items.

        Raises:
            ConfigError: `terms` is unknown.
            TrainingError: No item has a term with a weight.
        """
        if self.terms not in ("words", "graph", "both"):
            raise ConfigError(
                f"There are no terms '{self.terms}'.", did_you_mean(self.terms, ("words", "graph", "both"))
            )
        counts = []
        if self.terms != "graph" and len(data.texts):
            counts.append(_words(data.texts))
        if self.terms != "words" and data.neighbors is not None:
            counts.append(data.neighbors)
        parts = [part for part in (_tfidf(one, data.known) for one in counts) if part.nnz]
        if not parts:
            raise TrainingError(
                f"ContentTfidf(terms='{self.terms}'): no item has a term that other items lack.",
                "Map texts, or columns with the role `node`, or leave this baseline out.",
            )
        return ItemVectors(sp.csr_matrix(sp.hstack(parts) * np.float32(len(parts) ** -0.5)))


@dataclass(frozen=True)
class ContentEmbedding:
    r"""Content-based, by sentence vectors (Reimers and Gurevych 2019): the mean cosine with the items of the history.

    .. math:: s_{uj} = \frac{1}{|H_u|} \sum_{i \in H_u} \cos(v_i - m, v_j - m)

    m is the mean vector of the known items with a text, or zero if `centred` is false.
    """

    #: whether to subtract the mean vector
    centred: bool = True

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {"centred": (False, True)}

    def fit(self, data: BaselineData) -> ItemVectors:
        """Centre the vectors, and scale them to unit length.

        Raises:
            TrainingError: No item has a vector.
        """
        if data.vectors is None or not data.vectors.any():
            raise TrainingError(
                "ContentEmbedding: no item has a text vector.",
                "Map texts and set a text encoder, or leave this baseline out.",
            )
        vectors = data.vectors.astype(np.float32)
        present = np.asarray(vectors.any(axis=1))
        known = data.known[present[data.known]]
        if self.centred and len(known):
            vectors = np.where(present[:, None], vectors - vectors[known].mean(axis=0), np.float32(0))
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return ItemVectors(np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-6))


def _words(texts: Sequence[str]) -> sp.csr_matrix:
    """Number of occurrences of each word in each text; shape (len(texts), n_words), float32; words sorted."""
    counts = [Counter(_WORD_PATTERN.findall(text.lower())) for text in texts]
    column = {word: n for n, word in enumerate(sorted(set().union(*counts)))}
    indptr = np.concatenate([[0], np.cumsum([len(one) for one in counts])])
    indices = np.array([column[word] for one in counts for word in one], np.int32)
    data = np.array([times for one in counts for times in one.values()], np.float32)
    return sp.csr_matrix((data, indices, indptr), (len(texts), len(column)))


def _tfidf(counts: sp.csr_matrix, known: np.ndarray) -> sp.csr_matrix:
    """TF-IDF vectors of unit length, or zero; shape (n_items, n_terms), float32."""
    document = np.bincount(counts[known].indices, minlength=counts.shape[1])
    idf = np.where(document > 0, np.log((1 + len(known)) / (1 + document)), 0)
    values = (1 + np.log(counts.data)) * idf[counts.indices]
    row = rows_of(counts)
    length = np.sqrt(np.bincount(row, weights=values**2, minlength=counts.shape[0]))
    values = np.divide(values, length[row], out=np.zeros(len(values)), where=length[row] > 0)
    # copied, because eliminate_zeros would change the arrays of `counts`
    weighed = sp.csr_matrix(
        (values.astype(np.float32), counts.indices, counts.indptr), counts.shape, copy=True
    )
    weighed.eliminate_zeros()
    return weighed
