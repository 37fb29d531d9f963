"""The parts of the scores in one user's list: history items, nodes and other sources, for several items at once.

Enters: a model, the history of one user, rows of items. Leaves: a `ListAccount`. Nothing is written.

:mod:`kgrec.recommend.explain` splits one score into all of its parts, from features that it reads from the graph. This module uses the
model's rows of the graph scorer instead, so the parts of a whole list cost a few matrix products. The parts are the same, except that
columns that only an added item has are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from kgrec.encode.user_encoder import AdditiveUserEncoder
from kgrec.graph.histories import Histories
from kgrec.metrics.topk import rows_of
from kgrec.model.model import Model
from kgrec.rank.config import ITEM_ITEM
from kgrec.rank.scorers import GraphScorer, TextScorer
from kgrec.recommend.leave_one_out import changes_without

#: number of items processed at once: arrays have one column per node of any of these items
STEP = 50


@dataclass(frozen=True)
class Neighbors:
    """Nodes of items: one entry per item and column."""

    #: position of the item; shape (n_entries,)
    row: np.ndarray
    #: position in `ListAccount.columns`; shape (n_entries,)
    column: np.ndarray
    #: value in the unit row of the graph scorer; shape (n_entries,)
    unit: np.ndarray


@dataclass(frozen=True)
class ListAccount:
    """Parts of the scores of n items for a history of h items."""

    model: Model
    #: history of one user; disliked items have weights below 0
    history: Histories
    #: rows of the items; shape (n,), int64
    items: np.ndarray

    @cached_property
    def rows(self) -> np.ndarray:
        """Rows of the history items, increasing; shape (h,), int64."""
        return self.history.matrix().indices.astype(np.int64)

    @cached_property
    def by_item(self) -> np.ndarray:
        """Contribution of each history item: its share, or the measured change if the user encoder is not linear; shape (h, n)."""
        encoder, vectors = self.model.user_encoder, self.model.items.vectors
        if not isinstance(encoder, AdditiveUserEncoder):
            return changes_without(self.model, self.history, self.items)
        added = encoder.added(self.history, vectors, np.arange(len(self.rows)), vectors[self.rows])
        by_embedding = self._weights["embedding"] * (added @ vectors[self.items].T)
        return np.asarray(by_embedding + sum(self._rest.values()), np.float64)

    @cached_property
    def for_it(self) -> np.ndarray:
        """The history's support for each item: the sum of the contributions above 0; shape (n,)."""
        return np.asarray(np.maximum(self.by_item, 0).sum(axis=0))

    @cached_property
    def sources(self) -> dict[str, np.ndarray]:
        """Contributions by source; each of shape (n,).

        "users": item co-occurrence in all forms, and the ID residual learned from the item's users; "inherited": co-occurrence of an item
        without interactions; "text": texts and vectors; "graph": all nodes, the sum over `by_column`. Popularity, boosts and a learned
        ranker's own part are left out.
        """
        trained, weight = self.model.items.trained[self.items], self._weights["embedding"]
        known = np.flatnonzero(trained)
        identity = np.zeros(len(self.items))
        residuals = self.model.parameters().arrays["identity"][self.items[known]]
        identity[known] = residuals @ self._user / self._lengths[known]
        graph = (self._carried * self._messages_to_user).sum(axis=1)
        together = sum((self._rest[name].sum(axis=0) for name in ITEM_ITEM if name in self._rest), 0.0)
        return {
            "users": np.where(trained, together + weight * identity, 0),
            "inherited": np.where(trained, 0, together),
            "text": weight * (self._cosines - graph - identity) + self._rest["text"].sum(axis=0),
            "graph": self.by_column.sum(axis=1),
        }

    @cached_property
    def by_column(self) -> np.ndarray:
        """Contribution of each column of the graph to each item, over the whole history; shape (n, len(columns))."""
        of_embedding = self._weights["embedding"][:, None] * self._carried * self._messages_to_user
        # The graph scorer's part of an item is divided in proportion to the products of its columns.
        history, units = self.neighbors_of_history, self._units
        weight = self.model.user_encoder.history_weight[self.rows] * self.history.matrix().data
        profile = np.bincount(history.column, weight[history.row] * history.unit, len(self.columns))
        products = units * profile
        whole = products.sum(axis=1)
        scale = np.divide(self._rest["graph"].sum(axis=0), whole, out=np.zeros(len(whole)), where=whole != 0)
        return np.asarray(of_embedding + scale[:, None] * products)

    @cached_property
    def by_block(self) -> dict[str, np.ndarray]:
        """Contribution of each block of texts or vectors to each item, by name; each of shape (n,). The sum is the source "text"."""
        parameters, scorer = self.model.parameters(), self.model.rescorer.scorers["text"]
        assert isinstance(scorer, TextScorer)
        items, history = (scorer.vectors[rows].astype(np.float64) for rows in (self.items, self.rows))
        weight = self.model.user_encoder.history_weight[self.rows] * self.history.matrix().data
        of_embedding = items * (parameters.arrays["dense"] @ self._user) / self._lengths[:, None]
        products = items * (weight @ history)
        whole = products.sum(axis=1)
        scale = np.divide(self._rest["text"].sum(axis=0), whole, out=np.zeros(len(whole)), where=whole != 0)
        parts = self._weights["embedding"][:, None] * of_embedding + scale[:, None] * products
        blocks, start = {}, 0
        for name, whitening in parameters.featurizer.whitenings.items():
            end = start + len(whitening.mean)
            blocks[name], start = parts[:, start:end].sum(axis=1), end
        return blocks

    @cached_property
    def columns(self) -> np.ndarray:
        """Codes of the relations and nodes that the items have (`Featurizer.codes`), increasing; int64."""
        return np.asarray(self._graph.columns[self._columns])

    @cached_property
    def has(self) -> np.ndarray:
        """Which columns each item has; shape (n, len(columns)), bool."""
        return np.asarray(self._units != 0)

    @cached_property
    def relations_and_nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Relation and node of the featurizer of each column."""
        return self.model.parameters().featurizer.pairs(self.columns)

    @cached_property
    def neighbors_of_history(self) -> Neighbors:
        """Nodes of the history items that are also nodes of the items."""
        matrix = self._graph.neighbors[self.rows]
        place = np.minimum(np.searchsorted(self._columns, matrix.indices), max(0, len(self._columns) - 1))
        some = self._columns[place] == matrix.indices if len(self._columns) else np.zeros(matrix.nnz, bool)
        return Neighbors(rows_of(matrix)[some], place[some], matrix.data[some])

    @property
    def _graph(self) -> GraphScorer:
        graph = self.model.rescorer.scorers["graph"]
        assert isinstance(graph, GraphScorer)
        return graph

    @cached_property
    def _columns(self) -> np.ndarray:
        """Increasing numbers of the graph scorer's columns that the items have."""
        return np.unique(self._graph.neighbors[self.items].indices)

    @cached_property
    def _units(self) -> np.ndarray:
        """The items' unit rows of the graph scorer; shape (n, len(columns))."""
        matrix = self._graph.neighbors[self.items]
        units = np.zeros((len(self.items), len(self._columns)))
        units[rows_of(matrix), np.searchsorted(self._columns, matrix.indices)] = matrix.data
        return units

    @cached_property
    def _carried(self) -> np.ndarray:
        """Weights of the items' neighbours in their unit vectors; shape (n, len(columns))."""
        scale = self._lengths_of_groups(self._graph.neighbors[self.items]) / self._lengths
        return np.asarray(self._units * scale[:, None])

    def _lengths_of_groups(self, matrix: csr_matrix) -> np.ndarray:
        """The length of each row before it was normalized: neighbours by one relation form a unit vector (`ItemFeatures`); shape (n,)."""
        relation, _ = self.model.parameters().featurizer.pairs(self._graph.columns[matrix.indices])
        pairs = np.unique(np.stack([rows_of(matrix), relation]), axis=1)
        return np.asarray(np.sqrt(np.bincount(pairs[0], minlength=matrix.shape[0])))

    @cached_property
    def _messages(self) -> np.ndarray:
        """The vector that a node adds per unit of weight; shape (len(columns), dim)."""
        arrays, (relation, node) = self.model.parameters().arrays, self.relations_and_nodes
        return np.asarray(arrays["entity"][node] * arrays["relation_scale"][relation, None])

    @cached_property
    def _messages_to_user(self) -> np.ndarray:
        """Product of each message and the user's vector; shape (len(columns),)."""
        return np.asarray(self._messages @ self._user)

    @cached_property
    def _user(self) -> np.ndarray:
        return np.asarray(self.model.user_vectors(self.history)[0])

    @cached_property
    def _cosines(self) -> np.ndarray:
        return np.asarray(self.model.items.vectors[self.items] @ self._user)

    @cached_property
    def _lengths(self) -> np.ndarray:
        return np.asarray(np.maximum(self.model.items.lengths[self.items].astype(np.float64), 1e-12))

    @cached_property
    def _weights(self) -> dict[str, np.ndarray]:
        profile = self.model.profiles(self.history)
        return self.model.rescorer.weights_of(profile, self.items, self._cosines)

    @cached_property
    def _rest(self) -> dict[str, np.ndarray]:
        """Shares of the history items by scorer, without the embedding scorer; each of shape (h, n)."""
        profile = self.model.profiles(self.history)
        return self.model.rescorer.shares(profile, self.items, self._weights)
