r"""The second look at what the index found: similarities that a short vector cannot hold.

Enters: histories, and candidates with the cosine of user and item. Leaves: a score for each, a weighted mean of up to
four similarities. Writes and reads `rescore.safetensors` of model/.

.. math::
    \mathrm{score}(u, i) = w_e\, u \cdot z_i
        + w_g \cos\Big(\sum_j h_j a_j,\, a_i\Big)
        + w_t \cos\Big(\sum_j h_j t_j,\, t_i\Big)
        + w_c \sum_j \frac{C_{ij}}{\sqrt{|H(u)|}} + b_i
    \qquad j \in H(u)

`a` are the weighted neighbours in the graph as one sparse vector, `t` the text vectors, `C` the weights of
:mod:`kgrec.rank.slim`, `h` what an item counts for in a history, and `b` is 0 but for items that nobody met. Each part is a sum over the history, so a score can be
explained. A linear model beside a dense one is the idea of Cheng et al. 2016, "Wide & deep learning".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from kgrec.rank.config import SCORERS
from kgrec.retrieve.exact import in_order

_QUERIES = 128
#: that `Rescorer.arrays` gives
_ARRAYS = (
    *("weights", "columns", "text", "prior"),
    *("graph.data", "graph.indices", "graph.indptr"),
    *("co_occurrence.data", "co_occurrence.indices", "co_occurrence.indptr"),
)


@dataclass(frozen=True)
class Rescorer:
    """What the parts of a score are made from; a row for each item of the model."""

    #: of SCORERS, summing to 1; shape (4,), float32
    weights: np.ndarray
    #: unit rows; shape (n_items, n_columns), float32
    graph: sp.csr_matrix
    #: `Schema.codes` of the relation and entity of each column of `graph`, increasing; shape (n_columns,), int64
    columns: np.ndarray
    #: unit rows or zero; shape (n_items, text_dim), float16
    text: np.ndarray
    #: weight of each other item of a history; shape (n_items, n_items), float32
    co_occurrence: sp.csr_matrix
    #: added to the score, whoever asks; not 0 for items that nobody met; shape (n_items,), float32
    prior: np.ndarray

    @cached_property
    def is_idle(self) -> bool:
        """Whether the cosine of the embeddings is all of the score."""
        return not (self.weights[1:].any() or self.prior.any())

    def scores(
        self,
        histories: sp.csr_matrix,
        history_weight: np.ndarray,
        candidates: np.ndarray,
        cosines: np.ndarray,
    ) -> np.ndarray:
        """Scores of candidates; shape (n_users, width), float32.

        Args:
            histories: shape (n_users, n_items); below 0 what is disliked.
            history_weight: what each item counts for in a history; shape (n_items,).
            candidates: rows of items, any number for none; shape (n_users, width).
            cosines: of user and candidate; shape (n_users, width), -inf for none.
        """
        if self.is_idle:
            return np.asarray(cosines, np.float32)
        parts = self.parts(histories, history_weight, candidates)
        scores: np.ndarray = self.weights[0] * cosines + np.tensordot(self.weights[1:], parts, 1)
        scores += self.prior[candidates]
        return scores.astype(np.float32)

    def parts(
        self, histories: sp.csr_matrix, history_weight: np.ndarray, candidates: np.ndarray
    ) -> np.ndarray:
        """The parts after the first, of some candidates; shape (3, n_users, width), float32. A part without weight is zero."""
        found = np.zeros((3, *candidates.shape), np.float32)
        similarities = (self._by_graph, self._by_text, self._by_co_occurrence)
        for start in range(0, len(candidates), _QUERIES):
            some = slice(start, start + _QUERIES)
            items, place = np.unique(candidates[some], return_inverse=True)
            place = place.reshape(candidates[some].shape)
            for at in np.flatnonzero(self.weights[1:]):
                everything = similarities[at](histories[some], history_weight, items)
                found[at, some] = np.take_along_axis(everything, place, axis=1)
        return found

    def shares(
        self, history: sp.csr_matrix, history_weight: np.ndarray, item: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What each item of one history adds to the parts after the first, weights included; each of shape (nnz,).

        Args:
            history: shape (1, n_items).
            history_weight: what each item counts for in a history; shape (n_items,).
            item: row of the candidate.
        """
        rows = history.indices
        weight = history.data * history_weight[rows]
        graph, text = self.graph[rows], self.text[rows].astype(np.float32)
        by_graph = weight * (graph @ self.graph[[item]].T).toarray().ravel()
        by_text = weight * (text @ self.text[item].astype(np.float32))
        co_occurrence = history.data * self.co_occurrence[[item]].toarray().ravel()[rows]
        by_co_occurrence = co_occurrence / np.sqrt(_liked(history))
        graph_length = _length(sp.csr_matrix(weight[None]) @ graph)
        text_length = max(float(np.linalg.norm(weight @ text)), 1e-12)
        return (
            self.weights[1] * by_graph / graph_length,
            self.weights[2] * by_text / text_length,
            self.weights[3] * by_co_occurrence,
        )

    def with_rows(
        self,
        at: np.ndarray,
        graph: sp.csr_matrix,
        text: np.ndarray,
        new: np.ndarray,
        co_occurrence: sp.csr_matrix,
    ) -> Rescorer:
        """With other or more rows.

        Args:
            at: Where they belong; those that are appended come last and in order; shape (n,).
            graph: Of the rows; shape (n, n_columns).
            text: Of the rows; shape (n, text_dim).
            new: Which of them get a row of `co_occurrence`, the others keep theirs; shape (n,), bool.
            co_occurrence: Of these; shape (new.sum(), n_items), names items that are there already.
        """
        n_items = self.co_occurrence.shape[0]
        size = max(n_items, 1 + int(at.max(initial=-1)))
        source, of_co_occurrence = np.arange(size), np.arange(size)
        source[at] = n_items + np.arange(len(at))
        of_co_occurrence[at[new]] = n_items + np.arange(co_occurrence.shape[0])
        rows = sp.vstack([self.co_occurrence, co_occurrence]).tocsr()[of_co_occurrence]
        return replace(
            self,
            graph=sp.vstack([self.graph, graph]).tocsr()[source],
            text=np.concatenate([self.text, text.astype(np.float16)])[source],
            co_occurrence=sp.csr_matrix((rows.data, rows.indices, rows.indptr), (size, size)),
            prior=np.append(self.prior, np.zeros(size - n_items, np.float32)),
        )

    def with_graph(self, at: np.ndarray, graph: sp.csr_matrix) -> Rescorer:
        """With other neighbours in some rows; `graph` is of shape (len(at), n_columns)."""
        source = np.arange(self.graph.shape[0])
        source[at] = len(source) + np.arange(len(at))
        return replace(self, graph=sp.vstack([self.graph, graph]).tocsr()[source])

    def arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays, which `of_arrays` reads."""
        kept = {"weights": self.weights, "columns": self.columns, "text": self.text, "prior": self.prior}
        for name, matrix in (("graph", self.graph), ("co_occurrence", self.co_occurrence)):
            kept[f"{name}.data"] = matrix.data
            kept[f"{name}.indices"] = matrix.indices.astype(np.int32)
            kept[f"{name}.indptr"] = matrix.indptr.astype(np.int64)
        return kept

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray], n_items: int) -> Rescorer:
        """Read what `arrays` gave.

        Raises:
            ValueError: The arrays do not fit each other.
        """
        missing = [name for name in _ARRAYS if name not in arrays]
        if missing:
            raise ValueError(f"has no array '{missing[0]}'")
        columns, text, prior = arrays["columns"], arrays["text"], arrays["prior"]
        if any(len(part) != n_items for part in (text, prior)) or arrays["weights"].shape != (len(SCORERS),):
            raise ValueError(f"is not of {n_items:,} items")
        graph = _csr(arrays, "graph", (n_items, len(columns)))
        co_occurrence = _csr(arrays, "co_occurrence", (n_items, n_items))
        return cls(arrays["weights"], graph, columns, text, co_occurrence, prior)

    def _by_graph(
        self, histories: sp.csr_matrix, history_weight: np.ndarray, items: np.ndarray
    ) -> np.ndarray:
        profiles = unit_rows(_weighted(histories, history_weight) @ self.graph)
        return np.asarray((profiles @ self.graph[items].T).toarray(), np.float32)

    def _by_text(self, histories: sp.csr_matrix, history_weight: np.ndarray, items: np.ndarray) -> np.ndarray:
        taken, place = np.unique(histories.indices, return_inverse=True)
        local = sp.csr_matrix((histories.data, place, histories.indptr), (histories.shape[0], len(taken)))
        profiles = _weighted(local, history_weight[taken]) @ self.text[taken].astype(np.float32)
        lengths = np.maximum(np.linalg.norm(profiles, axis=1, keepdims=True), 1e-12)
        return np.asarray((profiles / lengths) @ self.text[items].astype(np.float32).T, np.float32)

    def _by_co_occurrence(self, histories: sp.csr_matrix, _: np.ndarray, items: np.ndarray) -> np.ndarray:
        share = 1 / np.sqrt(_liked(histories))
        return np.asarray((sp.diags(share) @ histories @ self.co_occurrence[items].T).toarray(), np.float32)


def best_first(found: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The best `k` of each list, equal scores in the order of the rows.

    Args:
        found: rows of items; shape (n_users, width).
        scores: of these; same shape.
        k: how many.
    """
    order = np.argsort(-scores, axis=1)
    # Few lists have equal scores, and a sort by two keys takes ten times as long as one by one.
    found, scores = in_order(np.take_along_axis(found, order, 1), np.take_along_axis(scores, order, 1))
    return found[:, :k], scores[:, :k]


def proportions(weights: Sequence[float]) -> np.ndarray:
    """Weights made to sum to 1; all zero stay so; shape (len(weights),), float32."""
    return np.asarray(weights, np.float32) / max(sum(weights), 1e-12)


def unit_rows(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Rows made unit length; a zero row stays zero."""
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    unit: sp.csr_matrix = (sp.diags(1 / np.maximum(lengths, 1e-12)) @ matrix).tocsr().astype(np.float32)
    return unit


def _csr(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, int]) -> sp.csr_matrix:
    data, indices, indptr = (arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
    fits = len(indptr) == shape[0] + 1 and indptr[0] == 0 and indptr[-1] == len(data) == len(indices)
    if not fits or (np.diff(indptr) < 0).any():
        raise ValueError(f"has rows of '{name}' that do not fit")
    if len(indices) and (indices.min() < 0 or indices.max() >= shape[1]):
        raise ValueError(f"has columns of '{name}' that do not fit")
    return sp.csr_matrix((data, indices, indptr), shape)


def _weighted(histories: sp.csr_matrix, weight: np.ndarray) -> sp.csr_matrix:
    data = (histories.data * weight[histories.indices]).astype(np.float32)
    return sp.csr_matrix((data, histories.indices, histories.indptr), histories.shape)


def _liked(histories: sp.csr_matrix) -> np.ndarray:
    """How many items each user likes, old ones counted for what they weigh, at least 1; shape (n_users,)."""
    return np.maximum(np.asarray(histories.maximum(0).sum(axis=1)).ravel(), 1)


def _length(row: Any) -> float:
    return max(float(np.sqrt(row.multiply(row).sum())), 1e-12)
