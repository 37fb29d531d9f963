"""Ranking features: inputs of a learned ranker for a user, a candidate and their scores.

Enters: histories, rows of candidates, and the score of each scorer. Leaves: arrays of named features. Nothing is written.

| feature | of | meaning |
|---|---|---|
| names of scorers | pair | the score of each scorer with a weight |
| `history_length` | user | log(1 + positive items of the history) |
| `history_popularity` | user | mean popularity of these items |
| `popularity` | item | log(1 + users who like it) |
| `recent_popularity` | item | the same over the newest tenth of the log; 0 without times |
| `age` | item | log(1 + days from its first interaction to the end of the log); 0 without times |
| `neighbors` | item | log(1 + neighbours in the graph, bins and label tokens included) |
| names of numbers | item | position of the number among its quantiles, 0 to 1; nan if the item has none |
| relation and entity | item | 1 if the item has this neighbour; only the most frequent ones |

A feature depends only on the user and the item, not on the other candidates. An item therefore has the same score whether it is
listed, scored alone, or explained. An item that was added later has popularity 0 and age 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from kgrec.encode.featurizer import Featurizer
from kgrec.encode.label_tokens import LABEL_TOKEN
from kgrec.graph.histories import Histories
from kgrec.rank.scorers import GraphScorer, Scorer, UserProfiles
from kgrec.storage.segments import Rows

USER_FEATURES = ("history_length", "history_popularity")
ITEM_FEATURES = ("popularity", "recent_popularity", "age")
#: largest number of numeric features, and of neighbours, that are features
MAX_NUMBERS, MAX_CATEGORIES = 8, 16
#: share of a log's interactions that are recent, newest first
_RECENT = 0.1
_DAY = 86_400.0


@dataclass(frozen=True)
class GraphFeatures:
    """The columns of the graph scorer that are features of items."""

    #: "neighbors", then numbers, then categories
    names: tuple[str, ...]
    #: column, number and position from 0 to 1 of each bin; shape (n_bins, 3), float64
    bins: np.ndarray
    #: columns of the categories; shape (n_categories,), int64
    categories: np.ndarray

    @classmethod
    def of(cls, scorer: GraphScorer, featurizer: Featurizer) -> GraphFeatures:
        """The numbers and the most frequent entities of a catalogue; among ties, the first ones."""
        relation, node = featurizer.pairs(scorer.columns)
        count = np.bincount(scorer.neighbors.whole.indices, minlength=len(relation))
        names = np.array(featurizer.relations, dtype=object)[relation]
        numbers = list(featurizer.bins)[:MAX_NUMBERS]
        bins = _bins(featurizer, names, node, numbers)
        is_entity = (node < len(featurizer.entities)) & (names != LABEL_TOKEN) & (count > 0)
        frequent = np.argsort(-np.where(is_entity, count, 0), kind="stable")[:MAX_CATEGORIES]
        categories = frequent[is_entity[frequent]]
        labels = [f"{names[at]} {featurizer.entities[int(node[at])]}" for at in categories.tolist()]
        return cls(("neighbors", *numbers, *labels), bins, categories.astype(np.int64))

    def of_items(self, neighbors: sp.csr_matrix) -> np.ndarray:
        """Features of items with these rows of the graph scorer; shape (n, len(names)), float32."""
        n_numbers = len(self.names) - 1 - len(self.categories)
        values = np.zeros((neighbors.shape[0], len(self.names)), np.float32)
        values[:, 0] = np.log1p(np.diff(neighbors.indptr))
        if n_numbers:
            column, number, place = self.bins.T
            at = (column.astype(np.int64), number.astype(np.int64))
            shape = (neighbors.shape[1], n_numbers)
            weight = (neighbors @ sp.csr_matrix((np.ones(len(place)), at), shape)).toarray()
            moment = (neighbors @ sp.csr_matrix((place, at), shape)).toarray()
            with np.errstate(invalid="ignore"):
                values[:, 1 : 1 + n_numbers] = np.where(weight > 0, moment / weight, np.nan)
        values[:, 1 + n_numbers :] = (neighbors[:, self.categories] > 0).toarray()
        return values


@dataclass(frozen=True)
class FeatureSource:
    """The data from which features of users and items are computed."""

    #: scorers whose scores are features
    scorers: tuple[str, ...]
    #: columns as ITEM_FEATURES; shape (n_items, 3), float32
    statistics: Rows[np.ndarray]
    graph: GraphFeatures

    @classmethod
    def of(
        cls, active: tuple[str, ...], graph: Scorer, histories: Histories, featurizer: Featurizer
    ) -> FeatureSource:
        """The features available from the active scorers, a log and a graph; the embedding is always one of the scorers."""
        assert isinstance(graph, GraphScorer)
        statistics = Rows.of(item_statistics(histories))
        return cls(("embedding", *active), statistics, GraphFeatures.of(graph, featurizer))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, in column order."""
        return (*self.scorers, *USER_FEATURES, *ITEM_FEATURES, *self.graph.names)

    def values(
        self,
        users: UserProfiles,
        items: np.ndarray,
        parts: Mapping[str, np.ndarray],
        neighbors: Rows[sp.csr_matrix],
    ) -> np.ndarray:
        """Features of candidates; shape (n_users, width, len(names)), float32; nan where a number is unknown.

        Args:
            users: n_users users.
            items: rows of candidates; shape (n_users, width). The row of padding may be any number.
            parts: scores by name of the scorer; each of shape (n_users, width).
            neighbors: rows of the graph scorer.
        """
        distinct, place = np.unique(items, return_inverse=True)
        of_items = np.concatenate(
            [self.statistics[distinct], self.graph.of_items(neighbors[distinct])], axis=1
        )
        place = place.reshape(items.shape)
        of_users = self._of_users(users)
        values = np.empty((*items.shape, len(self.names)), np.float32)
        first, end = len(self.scorers), len(self.scorers) + len(USER_FEATURES)
        for at, name in enumerate(self.scorers):
            # padding has a cosine of -inf
            values[..., at] = np.where(np.isfinite(parts[name]), parts[name], 0)
        values[..., first:end] = of_users[:, None]
        values[..., end:] = of_items[place]
        return values

    def is_known(self, items: np.ndarray) -> np.ndarray:
        """Whether an item had positive interactions in training; shape of `items`, bool."""
        return np.asarray(self.statistics[items][..., 0] > 0)

    def with_items(self, n_items: int) -> FeatureSource:
        """The source for a catalogue of `n_items`; new items have popularity 0 and age 0."""
        new = np.arange(len(self.statistics), n_items)
        zeros = np.zeros((len(new), len(ITEM_FEATURES)), np.float32)
        return replace(self, statistics=self.statistics.with_rows(new, zeros))

    def merged(self) -> FeatureSource:
        """The source with all rows of items in the base segment."""
        return replace(self, statistics=self.statistics.merged())

    def _of_users(self, users: UserProfiles) -> np.ndarray:
        liked = users.histories.copy()
        liked.data = (liked.data > 0).astype(np.float32)
        length = np.asarray(liked.sum(axis=1)).ravel()
        items = np.unique(liked.indices)
        popularity = np.zeros(liked.shape[1], np.float32)
        popularity[items] = self.statistics[items][:, 0]
        return np.stack([np.log1p(length), liked @ popularity / np.maximum(length, 1)], axis=1)


def item_statistics(histories: Histories) -> np.ndarray:
    """Statistics of each item in a log; columns as ITEM_FEATURES; shape (n_items, 3), float32."""
    item, n = histories.item[histories.positive], histories.n_items
    popularity: np.ndarray = np.bincount(item, minlength=n)
    recent: np.ndarray = np.zeros(n)
    age: np.ndarray = np.zeros(n)
    if histories.time is not None and (timed := histories.time != 0).any():
        time, of = histories.time[timed], histories.item[timed]
        liked = histories.positive[timed]
        is_recent = liked & (time > np.quantile(time, 1 - _RECENT))
        recent = np.bincount(of[is_recent], minlength=n)
        first = np.full(n, time.max())
        np.minimum.at(first, of, time)
        age = (time.max() - first) / _DAY
    return np.asarray(np.log1p(np.stack([popularity, recent, age], axis=1)), np.float32)


def n_scorers(names: tuple[str, ...]) -> int:
    """Number of features with these names that are scores; they come first."""
    return names.index(USER_FEATURES[0])


def _bins(featurizer: Featurizer, names: np.ndarray, node: np.ndarray, numbers: list[str]) -> np.ndarray:
    """See `GraphFeatures.bins`."""
    rows: list[Any] = []
    first = len(featurizer.entities)
    for number, (name, quantiles) in enumerate(featurizer.bins.items()):
        columns = np.flatnonzero((names == name) & (node >= first) & (node < first + len(quantiles)))
        if name in numbers:
            rows += [(at, number, (node[at] - first) / (len(quantiles) - 1)) for at in columns.tolist()]
        first += len(quantiles)
    return np.array(rows, np.float64).reshape(-1, 3)
