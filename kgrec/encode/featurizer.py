"""What the encoder reads of an item: its text and vectors, its weighted neighbours in the graph, its numbers and words.

Enters: a KnowledgeGraph and the blocks of :mod:`kgrec.encode.dense_features`. Leaves: a Featurizer (which relations and entities have a
parameter, learned once from the training graph) and ItemFeatures (the rows of some items, known or
new, under that featurizer). Known and new items take this same path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from kgrec.encode.dense_features import TEXT
from kgrec.encode.label_tokens import LABEL_TOKEN, stems_of, token_mentions
from kgrec.encode.neighborhoods import Neighborhoods, distinct_pairs, hops_of, neighborhoods_of
from kgrec.encode.whitening import Whitening
from kgrec.graph.knowledge_graph import KnowledgeGraph

_BINS = 8
#: how much faster than the IDF a neighbour's weight falls with the number of its items
_IDF_POWER = 1.5
#: the same of a word, and how many training items must have one
_WORD_IDF_POWER, _WORD_ITEMS = 0.7, 4
#: share of the items with words of neighbours' labels at which words of items' own labels alone are none
_LINKED = 0.5
#: how much an item with links to other items counts among its own neighbours, beside a unit for these
_SELF = 0.7


@dataclass(frozen=True)
class ItemFeatures:
    """The input of some items, one row each.

    A column of `neighbors` is a pair (relation, entity); `relation` and `entity` name the rows of
    the featurizer that each column stands for. A number is a neighbour too: it lies between two
    quantiles of the training items' values, and counts for each as much as it is near. So is a word
    of the item's label or of a neighbour's.
    """

    #: text and vectors, each centred, whitened, and of unit length, or zero where an item has none; shape
    #: (n, dense_dim), float32
    dense: np.ndarray
    #: the squares of a row sum to 1 for each relation that the item has; shape (n, n_columns), float32
    neighbors: sp.csr_matrix
    #: shape (n_columns,), int64
    relation: np.ndarray
    #: shape (n_columns,), int64
    entity: np.ndarray

    def __len__(self) -> int:
        return len(self.dense)

    def take(self, rows: np.ndarray) -> ItemFeatures:
        """The features of `rows`, with the columns that they use."""
        part = self.neighbors[rows]
        columns, local = np.unique(part.indices, return_inverse=True)
        neighbors = sp.csr_matrix((part.data, local, part.indptr), shape=(len(rows), len(columns)))
        return ItemFeatures(self.dense[rows], neighbors, self.relation[columns], self.entity[columns])

    def touched(self, rows: np.ndarray, n_nodes: int) -> np.ndarray:
        """Which nodes of the featurizer are neighbours of `rows`; shape (n_nodes,), bool."""
        touched = np.zeros(n_nodes, bool)
        touched[self.entity[np.unique(self.neighbors[rows].indices)]] = True
        return touched


@dataclass(frozen=True)
class Featurizer:
    """Which relations and entities the encoder has parameters for.

    An entity has a parameter when at least two training items have it as a neighbour: below that
    it tells no item from another, nor joins any two.
    """

    #: names, those followed backwards with a leading "^"
    relations: tuple[str, ...]
    #: ids in the graph, increasing; shape (n_entities,), int64
    entities: np.ndarray
    #: log(1 + items / items with this neighbour) ** 1.5; shape (n_entities,), float32
    idf: np.ndarray
    #: for each numeric predicate, increasing quantiles of the training items' values, float64;
    #: each is a node of its own, numbered after the entities, and the predicate a relation
    bins: dict[str, np.ndarray] = field(default_factory=dict)
    #: of the text and of each predicate of vectors, sorted by name
    whitenings: dict[str, Whitening] = field(default_factory=dict)
    #: of the labels of items and their neighbours, compared by `stems_of` and in its order; each is a node, numbered after
    #: the bins
    label_tokens: tuple[str, ...] = ()
    #: log(1 + items / items with this word) ** 0.7; shape (n_words,), float32
    token_idf: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))

    @classmethod
    def learn(
        cls,
        graph: KnowledgeGraph,
        items: np.ndarray,
        raw: Mapping[str, np.ndarray],
        hops: int = 1,
        label_tokens: bool = True,
    ) -> Featurizer:
        """The featurizer of a training graph.

        Args:
            graph: the training graph.
            items: entity ids; shape (n,), int64.
            raw: their blocks as `kgrec.encode.dense_features` gives them.
            hops: edges between an item and its furthest neighbours.
            label_tokens: whether tokens of labels are nodes.
        """
        links = neighborhoods_of(graph, items, hops)
        _, linked = distinct_pairs(links.item, links.entity)
        entities, degree = np.unique(linked, return_counts=True)
        shared = degree >= 2
        idf = (np.log1p(len(items) / degree[shared]) ** _IDF_POWER).astype(np.float32)
        bins = _bins(graph, items)
        whitenings = {name: Whitening.learn(raw[name]) for name in sorted(raw)}
        names, token_idf = (
            _tokens(graph, items, links, TEXT in raw) if label_tokens else ((), np.zeros(0, np.float32))
        )
        relations = (*links.names, *([LABEL_TOKEN] if names else ()), *bins)
        return cls(relations, entities[shared], idf, bins, whitenings, names, token_idf)

    @property
    def n_nodes(self) -> int:
        """Entities, bins and words."""
        return self.first_token + len(self.label_tokens)

    @property
    def first_token(self) -> int:
        """The number of the first node that is a word."""
        return len(self.entities) + sum(map(len, self.bins.values()))

    def codes(self, relation: np.ndarray, node: np.ndarray) -> np.ndarray:
        """One number for each pair of a relation and a node; int64."""
        codes: np.ndarray = relation * max(1, self.n_nodes) + node
        return codes

    def pairs(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Relation and node of each number that `codes` gave."""
        return np.divmod(codes, max(1, self.n_nodes))

    def number_at(self, node: int) -> float:
        """The value that a node past the entities stands for."""
        return float(np.concatenate(list(self.bins.values()))[node - len(self.entities)])

    @cached_property
    def _relation_row(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.relations)}

    @property
    def dense_dim(self) -> int:
        """Width of the text and the vectors together."""
        return sum(len(spread.mean) for spread in self.whitenings.values())

    def features(
        self, graph: KnowledgeGraph, items: np.ndarray, raw: Mapping[str, np.ndarray] | None = None
    ) -> ItemFeatures:
        """The features of the items with entity ids `items`; without `raw` their dense part is zero."""
        if raw is None:
            raw = {name: np.zeros((len(items), len(spread.mean))) for name, spread in self.whitenings.items()}
        links = neighborhoods_of(graph, items, max(map(hops_of, self.relations), default=1))
        relation = np.array([self._relation_row.get(name, -1) for name in links.names], np.int64)
        relation = relation[links.relation] if len(relation) else links.relation
        at = np.searchsorted(self.entities, links.entity)
        known = (at < len(self.entities)) & (relation >= 0)
        known[known] = self.entities[at[known]] == links.entity[known]
        # In double precision: the square of a small or large weight leaves the range of float32.
        weight = links.weight[known] * self.idf[at[known]].astype(np.float64)
        edges = (links.item[known], relation[known], at[known], weight, links.own[known])
        others = (*self._numbers(graph, items), *self._tokens(graph, items, links))
        parts = [np.concatenate(part) for part in zip(edges, *others, strict=True)]
        return self._features(self._dense(items, raw), *parts)

    def _numbers(self, graph: KnowledgeGraph, items: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
        """For each numeric predicate: item, relation, node and weight of the two bins around each value."""
        first = len(self.entities)
        for predicate, bins in self.bins.items():
            item, value = item_numbers(graph, items, predicate)
            place = np.interp(value, bins, np.arange(len(bins)))
            lower = np.minimum(place.astype(np.int64), len(bins) - 2)
            relation = np.full(len(item), self._relation_row[predicate], np.int64)
            for node, weight in ((lower, lower + 1 - place), (lower + 1, place - lower)):
                some = weight > 0
                own = np.zeros(np.count_nonzero(some), bool)
                yield item[some], relation[some], first + node[some], weight[some], own
            first += len(bins)

    def _tokens(
        self, graph: KnowledgeGraph, items: np.ndarray, links: Neighborhoods
    ) -> Iterator[tuple[np.ndarray, ...]]:
        """Item, relation, node and weight of each word that an item has."""
        if not self.label_tokens:
            return
        found = token_mentions(graph, items, links, TEXT in self.whitenings)
        known = stems_of(pa.array(self.label_tokens, pa.large_string()))
        place = pc.fill_null(pc.index_in(found.stems, value_set=known), -1).to_numpy().astype(np.int64)
        pairs = found.of_items.tocoo()
        there = place[pairs.col] >= 0
        item, word = pairs.row[there].astype(np.int64), place[pairs.col[there]]
        relation = np.full(len(item), self._relation_row[LABEL_TOKEN], np.int64)
        yield item, relation, self.first_token + word, self.token_idf[word], np.zeros(len(item), bool)

    def _features(
        self,
        dense: np.ndarray,
        item: np.ndarray,
        relation: np.ndarray,
        entity: np.ndarray,
        weight: np.ndarray,
        own: np.ndarray,
    ) -> ItemFeatures:
        _, group = np.unique(item * max(1, len(self.relations)) + relation, return_inverse=True)
        # An item is no neighbour of its own, and weighs as a fixed part of those that it has.
        others = np.sqrt(np.bincount(group, np.where(own, 0, weight**2)))
        weight = np.where(own, _SELF * others[group], weight)
        lengths = np.sqrt(np.bincount(group, weight**2))[group]
        item, relation, entity = (part[lengths > 0] for part in (item, relation, entity))
        share = (weight[lengths > 0] / lengths[lengths > 0]).astype(np.float32)
        code, column = np.unique(self.codes(relation, entity), return_inverse=True)
        neighbors = sp.csr_matrix((share, (item, column)), shape=(len(dense), len(code)))
        return ItemFeatures(dense, neighbors, *self.pairs(code))

    def _dense(self, items: np.ndarray, raw: Mapping[str, np.ndarray]) -> np.ndarray:
        dense, end = np.empty((len(items), self.dense_dim), np.float32), 0
        for name, spread in self.whitenings.items():
            start, end = end, end + len(spread.mean)
            dense[:, start:end] = spread(raw[name])
        return dense


def _bins(graph: KnowledgeGraph, items: np.ndarray) -> dict[str, np.ndarray]:
    """Quantiles of each numeric predicate among the items; a predicate of one value tells nothing."""
    bins = {}
    for predicate in sorted(set(graph.numbers["predicate"].to_pylist())):
        value = item_numbers(graph, items, predicate)[1]
        distinct = np.unique(np.quantile(value, np.linspace(0, 1, _BINS))) if len(value) else value
        if len(distinct) > 1:
            bins[predicate] = distinct
    return bins


def _tokens(
    graph: KnowledgeGraph, items: np.ndarray, links: Neighborhoods, own: bool
) -> tuple[tuple[str, ...], np.ndarray]:
    """Words that are in the labels of two neighbours or items, and in enough items, and their weights.

    If most items have words of neighbours' labels, those that no neighbour has would only weaken these.
    """
    found = token_mentions(graph, items, links, own)
    count = found.of_items.getnnz(axis=0)
    joins = found.neighbors + found.items > 1
    if np.count_nonzero(found.linked) >= _LINKED * len(items):
        joins &= found.neighbors > 0
    chosen = np.flatnonzero(joins & (count >= _WORD_ITEMS))
    idf = np.log1p(len(items) / count[chosen]) ** _WORD_IDF_POWER
    return tuple(found.tokens.take(pa.array(chosen)).to_pylist()), idf.astype(np.float32)


def item_numbers(graph: KnowledgeGraph, items: np.ndarray, predicate: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `items` that have a finite number for `predicate`, and the numbers; each of shape (n,)."""
    row = np.full(len(graph.entities), -1, np.int64)
    row[items] = np.arange(len(items))
    table = graph.numbers.filter(pc.equal(graph.numbers["predicate"], predicate))
    item, value = row[table["id"].to_numpy()], table["value"].to_numpy()
    there = (item >= 0) & np.isfinite(value)
    return item[there], value[there]
