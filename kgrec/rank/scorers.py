r"""Scorers: each scores items for users by one kind of evidence.

Enters: histories, and rows of items. Leaves: scores, and the share of each history item in a score. Nothing is written.

.. math::
    \mathrm{embedding} = u \cdot z_i \qquad
    \mathrm{graph} = \cos\Big(\sum_j h_j a_j,\, a_i\Big) \qquad
    \mathrm{text} = \cos\Big(\sum_j h_j t_j,\, t_i\Big) \qquad
    \mathrm{item\_item} = \frac{\sum_j \delta^{k_j} C_{ij}}{\sqrt{\sum_j \delta^{k_j}}}
    \qquad j \in H(u)

`u` is the user's embedding, `z` are those of items, `a` the weighted neighbours in the graph as one sparse vector, `t` the text
vectors, and `h` the weights of history items. `C` are item-item weights: of :mod:`kgrec.rank.slim` or :mod:`kgrec.rank.ease`
("co_occurrence"), of :mod:`kgrec.rank.ordered_slim` ("sequence"), or of :mod:`kgrec.rank.random_walk` ("random_walk"). `k` is the number
of newer items in the history, and `delta` a decay factor per position. Each score is a sum over the history, so it can be explained
exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp

from kgrec.encode.featurizer import Featurizer, ItemFeatures
from kgrec.metrics.topk import blocks, rows_of
from kgrec.rank.config import ITEM_ITEM
from kgrec.rank.random_walk import largest
from kgrec.storage.segments import Rows, places_in

#: largest count of numbers in dense graph profiles held at a time: 16 MB
_PROFILES = 1 << 22


@dataclass(frozen=True)
class UserProfiles:
    """Users as input of the scorers."""

    #: values below 0 mark disliked items; shape (n_users, n_items), float32
    histories: sp.csr_matrix
    #: weight of each item in a history; shape (n_items,), float32
    history_weight: np.ndarray | Rows[np.ndarray]
    #: number of newer items in the history, per value of `histories`; shape (nnz,); None: no order
    lags: np.ndarray | None = None

    def __getitem__(self, users: slice) -> UserProfiles:
        """Some of the users; `self` if these are all."""
        n_users = self.histories.shape[0]
        if users.indices(n_users) == (0, n_users, 1):
            return self
        start, stop, _ = users.indices(n_users)
        lags = None
        if self.lags is not None:
            lags = self.lags[self.histories.indptr[start] : self.histories.indptr[stop]]
        return UserProfiles(self.histories[users], self.history_weight, lags)

    def decayed(self, decay: float, window: int | None = None) -> sp.csr_matrix:
        """The histories multiplied by `decay ** lag`, and 0 from a lag of `window` on; shape (n_users, n_items), float32.

        In a history without order each item gets the mean over all positions.
        """
        histories = self.histories
        if decay == 1 and window is None:
            return histories
        if self.lags is None:
            lengths = np.diff(histories.indptr)
            shown = lengths if window is None else np.minimum(lengths, window)
            total = shown if decay == 1 else (1 - np.float32(decay) ** shown) / (1 - decay)
            factor = np.repeat(total / np.maximum(lengths, 1), lengths)
        else:
            factor = np.float32(decay) ** self.lags
            factor = factor if window is None else np.where(self.lags < window, factor, 0)
        data = (histories.data * factor).astype(np.float32)
        return sp.csr_matrix((data, histories.indices, histories.indptr), histories.shape)

    @cached_property
    def weighted(self) -> sp.csr_matrix:
        """The histories multiplied by the weights of the items; shape (n_users, n_items), float32."""
        histories = self.histories
        data = (histories.data * self.history_weight[histories.indices]).astype(np.float32)
        return sp.csr_matrix((data, histories.indices, histories.indptr), histories.shape)


class Scorer(Protocol):
    """One kind of evidence. A scorer is immutable; `with_rows` returns a new one."""

    def scores(self, users: UserProfiles, items: np.ndarray) -> np.ndarray:
        """Scores of `items`, given as rows, for each user; shape (n_users, len(items)), float32."""

    def shares(self, user: UserProfiles, items: np.ndarray) -> np.ndarray:
        """Share of each history item in the scores of `items`, given as rows, for one user; shape (nnz, len(items)), float32.

        The shares of an item sum to its score.
        """

    def with_rows(self, at: np.ndarray, rows: Any) -> Scorer:
        """The scorer with changed or appended items.

        Args:
            at: their rows; appended ones continue after the last row without a gap; shape (n,), int64.
            rows: n rows of the scorer's data per item.
        """

    def merged(self) -> Scorer:
        """The scorer with all rows in the base segment."""

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Plain arrays, which `scorers_of_arrays` reads; `name` is the name of the scorer."""


@dataclass(frozen=True)
class GraphScorer:
    """Cosine between the graph neighbours of a history and those of an item."""

    #: unit rows, or zero; shape (n_items, n_columns), float32
    neighbors: Rows[sp.csr_matrix]
    #: code of the relation and node of each column (`Featurizer.codes`), increasing; shape (n_columns,), int64
    columns: np.ndarray

    def scores(self, users: UserProfiles, items: np.ndarray) -> np.ndarray:
        """See `Scorer`."""
        profiles, neighbors = unit_rows(_summed(users.weighted, self.neighbors)), self.neighbors[items]
        scores = np.empty((profiles.shape[0], neighbors.shape[0]), np.float32)
        # A product with dense profiles takes half the time of a product of two sparse matrices.
        for part in blocks(profiles.shape[0], profiles.shape[1], _PROFILES):
            scores[part] = (neighbors @ profiles[part].T.toarray()).T
        return scores

    def shares(self, user: UserProfiles, items: np.ndarray) -> np.ndarray:
        """See `Scorer`."""
        weight, history = user.weighted.data, self.neighbors[user.histories.indices]
        # The cosine divides by the length of the whole profile, so each share does too, and shares sum to the cosine.
        length = _length(sp.csr_matrix(weight[None]) @ history)
        shares: np.ndarray = weight[:, None] * (history @ self.neighbors[items].T).toarray() / length
        return shares

    def with_rows(self, at: np.ndarray, rows: sp.csr_matrix) -> GraphScorer:
        """See `Scorer`; `rows_of` makes `rows`."""
        return replace(self, neighbors=self.neighbors.with_rows(at, rows))

    def rows_of(self, features: ItemFeatures, featurizer: Featurizer) -> sp.csr_matrix:
        """Unit rows of items with these features; shape (len(features), n_columns). Columns without a known item are left out."""
        codes = featurizer.codes(features.relation, features.entity)
        place = places_in(self.columns, codes)
        present = np.flatnonzero(place >= 0)
        ones = np.ones(len(present), np.float32)
        renumbering = sp.csr_matrix((ones, (present, place[present])), (len(codes), len(self.columns)))
        return unit_rows((features.neighbors @ renumbering).tocsr())

    def merged(self) -> GraphScorer:
        """See `Scorer`."""
        return replace(self, neighbors=self.neighbors.merged())

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """See `Scorer`."""
        return {"columns": self.columns, **_arrays_of(name, self.neighbors.whole)}


@dataclass(frozen=True)
class TextScorer:
    """Cosine between the texts and vectors of a history and those of an item."""

    #: unit rows, or zero; shape (n_items, dense_dim), float16
    vectors: Rows[np.ndarray]

    def scores(self, users: UserProfiles, items: np.ndarray) -> np.ndarray:
        """See `Scorer`."""
        profiles = _summed(users.weighted, self.vectors)
        lengths = np.maximum(np.linalg.norm(profiles, axis=1, keepdims=True), 1e-12)
        return np.asarray((profiles / lengths) @ self.vectors[items].astype(np.float32).T, np.float32)

    def shares(self, user: UserProfiles, items: np.ndarray) -> np.ndarray:
        """See `Scorer`."""
        weight = user.weighted.data
        history = self.vectors[user.histories.indices].astype(np.float32)
        length = max(float(np.linalg.norm(weight @ history)), 1e-12)
        shares: np.ndarray = weight[:, None] * (history @ self.vectors[items].astype(np.float32).T) / length
        return shares

    def with_rows(self, at: np.ndarray, rows: np.ndarray) -> TextScorer:
        """See `Scorer`; `rows` are of unit length or zero, shape (n, dense_dim)."""
        return TextScorer(self.vectors.with_rows(at, rows.astype(np.float16)))

    def merged(self) -> TextScorer:
        """See `Scorer`."""
        return TextScorer(self.vectors.merged())

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """See `Scorer`."""
        return {name: self.vectors.whole}


@dataclass(frozen=True)
class ItemItemScorer:
    """Sum of the weights of the history items for an item, divided by the square root of the history's length."""

    #: row i: weight of each history item for item i; shape (n_items, at most n_items), float32
    weights: Rows[sp.csr_matrix] | Rows[np.ndarray]
    #: decay factor of a history item per newer item in the history
    decay: float = 1.0
    #: number of newest history items that count; None: all
    window: int | None = None

    def scores(self, users: UserProfiles, items: np.ndarray) -> np.ndarray:
        """See `Scorer`."""
        histories = users.decayed(self.decay, self.window)
        scaled = _scaled(histories, 1 / np.sqrt(_lengths(histories)))
        if isinstance(self.weights.base, np.ndarray) and not len(self.weights.at):
            # Scoring all items takes less time than gathering the rows of some items and transposing them.
            return _dense(scaled[:, : self.weights.base.shape[1]] @ self._by_history)[:, items]
        return _dense(scaled @ widened(self.weights[items], histories.shape[1]).T)

    def best(
        self,
        users: UserProfiles,
        k: int,
        exclude: sp.csr_matrix | None = None,
        only: np.ndarray | None = None,
    ) -> np.ndarray:
        """Rows of the `k` items with the largest scores above 0, best first; shape (n_users, k), padded with -1, int64.

        Items added since training are left out, and changed items are found by their weights at training.

        Args:
            users: the users.
            k: items per user.
            exclude: items excluded per user, as nonzero values; shape (n_users, n_items).
            only: mask of the only allowed items; shape (n_items,), bool.
        """
        histories = users.decayed(self.decay, self.window)[:, : self.weights.base.shape[1]]
        scores = sp.csr_matrix(histories @ self._by_history)
        allowed = scores.data > 0
        if only is not None:
            allowed &= only[scores.indices]
        if exclude is not None:
            allowed &= ~_common(scores, exclude)
        scores.data[~allowed] = 0
        best = largest(scores, k)
        user = rows_of(best)
        order = np.lexsort((-best.data, user))
        found = np.full((best.shape[0], k), -1, np.int64)
        found[user, np.arange(best.nnz) - best.indptr[user]] = best.indices[order]
        return found

    @property
    def _by_history(self) -> sp.csr_matrix | np.ndarray:
        """The weights per history item; shape (at most n_items, n_items)."""
        kept = self.weights.of_base
        if "by_history" not in kept:
            base = self.weights.base
            # scipy would copy a transposed array at each product
            turned = np.ascontiguousarray(base.T) if isinstance(base, np.ndarray) else base.T.tocsr()
            kept["by_history"] = turned
        by_history: sp.csr_matrix | np.ndarray = kept["by_history"]
        return by_history

    def shares(self, user: UserProfiles, items: np.ndarray) -> np.ndarray:
        """See `Scorer`."""
        history = user.decayed(self.decay, self.window)
        weights = widened(self.weights[items], history.shape[1])[:, history.indices]
        shares: np.ndarray = history.data[:, None] * _dense(weights).T / np.sqrt(_lengths(history))
        return shares

    def with_rows(self, at: np.ndarray, rows: sp.csr_matrix) -> ItemItemScorer:
        """See `Scorer`; `rows` are over existing items, shape (n, at most n_items)."""
        width = self.weights.shape[1]
        dense = isinstance(self.weights.base, np.ndarray)
        some: Any = rows.toarray()[:, :width] if dense else widened(rows, width)
        return replace(self, weights=self.weights.with_rows(at, some))

    def merged(self) -> ItemItemScorer:
        """See `Scorer`."""
        whole = self.weights.whole
        return replace(self, weights=Rows.of(widened(whole, whole.shape[0])))

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """See `Scorer`."""
        whole = self.weights.whole
        arrays = {f"{name}.dense": whole} if isinstance(whole, np.ndarray) else _arrays_of(name, whole)
        arrays[f"{name}.decay"] = np.array([self.decay])
        return arrays | ({} if self.window is None else {f"{name}.window": np.array([self.window])})


def content_scorers(features: ItemFeatures, featurizer: Featurizer) -> dict[str, Scorer]:
    """The scorers that need no interactions, by name."""
    columns = featurizer.codes(features.relation, features.entity)
    return {
        "graph": GraphScorer(Rows.of(unit_rows(features.neighbors)), columns),
        "text": TextScorer(Rows.of(features.dense.astype(np.float16))),
    }


def scorers_of_arrays(arrays: Mapping[str, np.ndarray], n_items: int) -> dict[str, Scorer]:
    """Restore the scorers from arrays that `Scorer.arrays` returned.

    Raises:
        ValueError: Arrays are missing, or their shapes do not match.
    """
    missing = [name for name in ("columns", "text") if name not in arrays]
    if missing:
        raise ValueError(f"has no array '{missing[0]}'")
    if len(arrays["text"]) != n_items:
        raise ValueError(f"is not of {n_items:,} items")
    columns = arrays["columns"]
    scorers: dict[str, Scorer] = {
        "graph": GraphScorer(Rows.of(_csr(arrays, "graph", (n_items, len(columns)))), columns),
        "text": TextScorer(Rows.of(arrays["text"])),
    }
    return scorers | {
        name: _item_item(arrays, name, n_items) for name in ITEM_ITEM if f"{name}.decay" in arrays
    }


def _item_item(arrays: Mapping[str, np.ndarray], name: str, n_items: int) -> ItemItemScorer:
    dense = arrays.get(f"{name}.dense")
    if dense is not None and dense.shape != (n_items, n_items):
        raise ValueError(f"has '{name}' of another shape than {n_items:,} items by as many")
    decay, window = float(arrays[f"{name}.decay"][0]), arrays.get(f"{name}.window")
    last = None if window is None else int(window[0])
    if dense is not None:
        return ItemItemScorer(Rows.of(dense), decay, last)
    return ItemItemScorer(Rows.of(_csr(arrays, name, (n_items, n_items))), decay, last)


def unit_rows(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Rows scaled to unit length; a zero row stays zero."""
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return _scaled(matrix.tocsr(), 1 / np.maximum(lengths, 1e-12)).astype(np.float32, copy=False)


def _scaled(matrix: sp.csr_matrix, factors: np.ndarray) -> sp.csr_matrix:
    """The matrix with each row multiplied by a factor; `factors` has shape (n_rows,)."""
    data = matrix.data * np.repeat(factors, np.diff(matrix.indptr))
    return sp.csr_matrix((data, matrix.indices, matrix.indptr), matrix.shape)


def widened(matrix: Any, n_columns: int) -> Any:
    """The matrix, dense or CSR, with empty columns appended up to `n_columns`; `matrix` itself if it is that wide."""
    if matrix.shape[1] == n_columns:
        return matrix
    if isinstance(matrix, np.ndarray):
        return np.pad(matrix, ((0, 0), (0, n_columns - matrix.shape[1])))
    return sp.csr_matrix((matrix.data, matrix.indices, matrix.indptr), (matrix.shape[0], n_columns))


def _summed(weighted: sp.csr_matrix, rows: Rows[Any]) -> Any:
    """Weighted sum of the rows of each user's history items."""
    if sp.issparse(rows.base) and not len(rows.at):
        base: Any = rows.base
        return weighted @ base
    # Only rows of history items are converted to float32, because the whole array in float32 would take twice the memory.
    used, place = np.unique(weighted.indices, return_inverse=True)
    local = sp.csr_matrix((weighted.data, place, weighted.indptr), (weighted.shape[0], len(used)))
    some: Any = rows[used]
    return local @ some.astype(np.float32)


def _lengths(histories: sp.csr_matrix) -> np.ndarray:
    """Sum of the positive values of each row, at least 1; shape (n_users,)."""
    return np.maximum(np.asarray(histories.maximum(0).sum(axis=1)).ravel(), 1)


def _common(matrix: sp.csr_matrix, other: sp.csr_matrix) -> np.ndarray:
    """Whether `other` has a nonzero value where `matrix` stores one; shape (matrix.nnz,), bool."""
    width = max(matrix.shape[1], other.shape[1])
    keys, others = (rows_of(part).astype(np.int64) * width + part.indices for part in (matrix, other))
    return np.asarray(np.isin(keys, others[other.data != 0]))


def _dense(matrix: Any) -> np.ndarray:
    return np.asarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray(), np.float32)


def _length(row: Any) -> float:
    return max(float(np.sqrt(row.multiply(row).sum())), 1e-12)


def _arrays_of(name: str, matrix: sp.csr_matrix) -> dict[str, np.ndarray]:
    return {
        f"{name}.data": matrix.data,
        f"{name}.indices": matrix.indices.astype(np.int32),
        f"{name}.indptr": matrix.indptr.astype(np.int64),
    }


def _csr(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, int]) -> sp.csr_matrix:
    missing = [part for part in ("data", "indices", "indptr") if f"{name}.{part}" not in arrays]
    if missing:
        raise ValueError(f"has no array '{name}.{missing[0]}'")
    data, indices, indptr = (arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
    fits = len(indptr) == shape[0] + 1 and indptr[0] == 0 and indptr[-1] == len(data) == len(indices)
    if not fits or (np.diff(indptr) < 0).any():
        raise ValueError(f"has rows of '{name}' that do not fit")
    if len(indices) and (indices.min() < 0 or indices.max() >= shape[1]):
        raise ValueError(f"has columns of '{name}' that do not fit")
    return sp.csr_matrix((data, indices, indptr), shape)
