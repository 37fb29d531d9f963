"""Features of items: text and vectors, weighted neighbours in the graph, numbers, label tokens.

Enters: a KnowledgeGraph and the blocks of :mod:`kgrec.encode.dense_features`. Leaves: a Featurizer (the relations and nodes that
have parameters, learned once from the training graph) and ItemFeatures (the rows of items under that featurizer). Known and new
items follow the same path. Entities are named by type and key, so a featurizer fits any build of the graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from kgrec.encode.dense_features import TEXT
from kgrec.encode.label_tokens import LABEL_TOKEN, TokenMentions, stems_of, token_mentions
from kgrec.encode.neighborhoods import Neighborhoods, distinct_pairs, hops_of, neighborhoods_of
from kgrec.encode.whitening import Whitening
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.vocabulary import Vocabulary

#: prefixes of array names: the bins of a numeric predicate, the mean and the map of a block of vectors
_BINS_OF, _MEAN_OF, _MAP_OF = "featurizer.bins.", "featurizer.mean.", "featurizer.map."
#: largest number of quantiles per numeric predicate
_MAX_BINS = 8
#: power of the IDF in the weight of a neighbour
_IDF_POWER = 1.5
#: power of the IDF in the weight of a label token
_TOKEN_IDF_POWER = 0.7
#: number of training items that a label token needs to become a node
_MIN_TOKEN_ITEMS = 4
#: tokens found only in items' own labels are left out if at least this share of items has tokens from neighbours' labels
_NEIGHBOR_TOKEN_SHARE = 0.5
#: weight of an item among its own neighbours, where these are items; all other neighbours together have weight 1
_SELF_WEIGHT = 0.7


@dataclass(frozen=True)
class ItemFacts:
    """Facts of a graph about some items, read once; a featurizer is learned from them and applied to them."""

    graph: KnowledgeGraph
    #: entity ids; shape (n,), int64
    items: np.ndarray
    #: raw vectors by block, zero where an item has none; each of shape (n, dim)
    raw: Mapping[str, np.ndarray]
    neighborhoods: Neighborhoods

    @classmethod
    def read(
        cls, graph: KnowledgeGraph, items: np.ndarray, raw: Mapping[str, np.ndarray], hops: int = 1
    ) -> ItemFacts:
        """Read the graph up to `hops` edges away from the items."""
        return cls(graph, items, raw, neighborhoods_of(graph, items, hops))

    @cached_property
    def mentions(self) -> TokenMentions:
        """Tokens from the labels of neighbours, and from the items' own labels where texts are read."""
        return token_mentions(self.graph, self.items, self.neighborhoods, TEXT in self.raw)

    @cached_property
    def distinct_neighbors(self) -> tuple[Vocabulary, np.ndarray]:
        """Names of the distinct neighbours in the order of their ids, and for each path the position of its end among them."""
        distinct, place = np.unique(self.neighborhoods.entity, return_inverse=True)
        return Vocabulary(self.graph.names.labels.take(pa.array(distinct))), place


@dataclass(frozen=True)
class ItemFeatures:
    """Encoder input, one row per item.

    A column of `neighbors` is a pair (relation, entity). Numbers and label tokens are neighbours too. A number lies between two
    quantiles of the training items' values; it is a neighbour of both, weighted by its closeness to each.
    """

    #: text and vectors side by side, each centred, whitened and of unit length, zero where an item has none; shape
    #: (n, dense_dim), float32
    dense: np.ndarray
    #: the squares of a row sum to 1 for each relation that the item has; shape (n, n_columns), float32
    neighbors: sp.csr_matrix
    #: row of each column's relation in the featurizer; shape (n_columns,), int64
    relation: np.ndarray
    #: featurizer node of each column; shape (n_columns,), int64
    entity: np.ndarray

    def __len__(self) -> int:
        return len(self.dense)

    def take(self, rows: np.ndarray) -> ItemFeatures:
        """The features of `rows`, restricted to the columns that they use."""
        part = self.neighbors[rows]
        # A training step embeds the nodes of these columns only, so its cost follows the batch, not the graph.
        columns, local = np.unique(part.indices, return_inverse=True)
        neighbors = sp.csr_matrix((part.data, local, part.indptr), shape=(len(rows), len(columns)))
        return ItemFeatures(self.dense[rows], neighbors, self.relation[columns], self.entity[columns])

    def touched(self, rows: np.ndarray, n_nodes: int) -> np.ndarray:
        """Which featurizer nodes are neighbours of `rows`; shape (n_nodes,), bool."""
        touched = np.zeros(n_nodes, bool)
        touched[self.entity[np.unique(self.neighbors[rows].indices)]] = True
        return touched


@dataclass(frozen=True)
class Featurizer:
    """The relations and nodes that the encoder has parameters for. Nodes are entities, bins of numbers, and label tokens.

    An entity is a node if at least two training items have it as a neighbour; an entity with one item connects nothing.
    """

    #: names; a relation followed from tail to head has the prefix "^"
    relations: tuple[str, ...]
    #: type/key of each entity, in the order of the training graph
    entities: Vocabulary
    #: log(1 + items / items with this neighbour) ** 1.5; shape (n_entities,), float32
    idf: np.ndarray
    #: numeric predicate -> increasing quantiles of the training items' values, float64; each quantile is a node, numbered after
    #: the entities, and the predicate is a relation
    bins: dict[str, np.ndarray] = field(default_factory=dict)
    #: text or vector block -> its whitening, sorted by name
    whitenings: dict[str, Whitening] = field(default_factory=dict)
    #: in the order of their stems (`stems_of`); each token is a node, numbered after the bins
    label_tokens: tuple[str, ...] = ()
    #: log(1 + items / items with this token) ** 0.7; shape (n_tokens,), float32
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
        """Learn the featurizer of a training graph.

        Args:
            graph: the training graph.
            items: entity ids; shape (n,), int64.
            raw: blocks of the items, as `kgrec.encode.dense_features.raw_blocks` returns them.
            hops: longest path, in edges, from an item to a neighbour.
            label_tokens: whether label tokens are nodes.
        """
        return cls.of_facts(ItemFacts.read(graph, items, raw, hops), label_tokens)

    @classmethod
    def of_facts(cls, facts: ItemFacts, label_tokens: bool = True) -> Featurizer:
        """Learn the featurizer from facts about the training items."""
        paths, (neighbors, neighbor) = facts.neighborhoods, facts.distinct_neighbors
        # Several paths from one item to one entity count once.
        degree = np.bincount(distinct_pairs(paths.item, neighbor)[1], minlength=len(neighbors))
        shared = np.flatnonzero(degree >= 2)
        idf = (np.log1p(len(facts.items) / degree[shared]) ** _IDF_POWER).astype(np.float32)
        bins = _bins(facts.graph, facts.items)
        whitenings = {name: Whitening.learn(facts.raw[name]) for name in sorted(facts.raw)}
        tokens, token_idf = _tokens(facts) if label_tokens else ((), np.zeros(0, np.float32))
        # Numeric predicates come last: `of_stored` relies on it.
        relations = (*paths.names, *([LABEL_TOKEN] if tokens else ()), *bins)
        entities = Vocabulary(neighbors.labels.take(pa.array(shared)))
        return cls(relations, entities, idf, bins, whitenings, tokens, token_idf)

    def grown(self, facts: ItemFacts, label_tokens: bool) -> Featurizer:
        """The featurizer of a grown catalogue, with the scales of this one.

        Relations, entities, label tokens and their weights are learned again. Bins and whitenings stay, because the encoder's
        parameters depend on them; a numeric predicate that has no bins yet gets new ones.
        """
        fresh = Featurizer.of_facts(facts, label_tokens)
        bins = {name: self.bins.get(name, quantiles) for name, quantiles in fresh.bins.items()}
        return replace(fresh, bins=bins, whitenings=self.whitenings)

    def nodes_in(self, other: Featurizer) -> np.ndarray:
        """For each node, the node of `other` with the same name, -1 if there is none; shape (n_nodes,), int64.

        Two bins have the same name if their predicate and their quantiles are equal.
        """
        token = pc.index_in(_stems(self.label_tokens), value_set=_stems(other.label_tokens))
        tokens = pc.fill_null(token, -1).to_numpy().astype(np.int64)
        first, start = {}, len(other.entities)
        for name, quantiles in other.bins.items():
            first[name], start = start, start + len(quantiles)
        bins = [
            first[name] + np.arange(len(quantiles))
            if name in first and np.array_equal(quantiles, other.bins[name])
            else np.full(len(quantiles), -1, np.int64)
            for name, quantiles in self.bins.items()
        ]
        tokens = np.where(tokens >= 0, other.first_token + tokens, -1)
        return np.concatenate([other.entities.ids(self.entities.labels), *bins, tokens]).astype(np.int64)

    @property
    def n_nodes(self) -> int:
        """Number of entities, bins and label tokens together."""
        return self.first_token + len(self.label_tokens)

    @property
    def first_token(self) -> int:
        """Number of the first node that is a label token."""
        return len(self.entities) + sum(map(len, self.bins.values()))

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of the featurizer by name; `nodes` and `relations` hold the rest of its state."""
        kept = {"featurizer.idf": self.idf, "featurizer.token_idf": self.token_idf}
        kept |= {f"{_BINS_OF}{name}": values for name, values in self.bins.items()}
        kept |= {f"{_MEAN_OF}{name}": one.mean for name, one in self.whitenings.items()}
        return kept | {f"{_MAP_OF}{name}": one.map for name, one in self.whitenings.items()}

    @property
    def nodes(self) -> pa.Table:
        """Entities, then label tokens, as a table with columns kind ("entity" or "token") and name."""
        names = [self.entities.labels, pa.array(self.label_tokens, pa.large_string())]
        kinds = np.repeat(np.array(["entity", "token"], object), [len(part) for part in names])
        return pa.table({"kind": pa.array(kinds, pa.string()), "name": pa.concat_arrays(names)})

    @classmethod
    def of_stored(
        cls, relations: tuple[str, ...], nodes: pa.Table, arrays: Mapping[str, np.ndarray]
    ) -> Featurizer:
        """The featurizer with these `relations`, `nodes` and `arrays`, which may be in any order."""
        # The last relations are the numeric predicates, in the order of their bins.
        numeric = sum(name.startswith(_BINS_OF) for name in arrays)
        predicates = relations[len(relations) - numeric :]
        blocks = sorted(name.removeprefix(_MEAN_OF) for name in arrays if name.startswith(_MEAN_OF))
        is_token = pc.equal(nodes["kind"], "token")
        return cls(
            relations,
            Vocabulary(nodes["name"].filter(pc.invert(is_token))),
            arrays["featurizer.idf"],
            {name: arrays[f"{_BINS_OF}{name}"] for name in predicates},
            {name: Whitening(arrays[f"{_MEAN_OF}{name}"], arrays[f"{_MAP_OF}{name}"]) for name in blocks},
            tuple(nodes["name"].filter(is_token).to_pylist()),
            arrays["featurizer.token_idf"],
        )

    def codes(self, relation: np.ndarray, node: np.ndarray) -> np.ndarray:
        """One number per pair of relation and node; int64."""
        codes: np.ndarray = relation * max(1, self.n_nodes) + node
        return codes

    def pairs(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Relation and node of each number in `codes`."""
        return np.divmod(codes, max(1, self.n_nodes))

    @cached_property
    def _relation_row(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.relations)}

    @property
    def dense_dim(self) -> int:
        """Length of the dense part of an item's features."""
        return sum(len(whitening.mean) for whitening in self.whitenings.values())

    @property
    def hops(self) -> int:
        """Longest path, in edges, from an item to a neighbour."""
        return max(map(hops_of, self.relations), default=1)

    def features(
        self, graph: KnowledgeGraph, items: np.ndarray, raw: Mapping[str, np.ndarray] | None = None
    ) -> ItemFeatures:
        """The features of the items with entity ids `items`; without `raw` the dense part is zero."""
        if raw is None:
            raw = {name: np.zeros((len(items), len(one.mean))) for name, one in self.whitenings.items()}
        return self.features_of(ItemFacts.read(graph, items, raw, self.hops))

    def features_of(self, facts: ItemFacts) -> ItemFeatures:
        """The features of items, made from facts about them."""
        paths, (neighbors, neighbor) = facts.neighborhoods, facts.distinct_neighbors
        # Numbers of the graph's build become rows of this featurizer, by name; -1 where training did not have the name.
        relation = np.array([self._relation_row.get(name, -1) for name in paths.names], np.int64)
        relation = relation[paths.relation] if len(relation) else paths.relation
        node = self.entities.ids(neighbors.labels)[neighbor]
        known = (node >= 0) & (relation >= 0)
        # In double precision, because the square of a small or large weight leaves the range of float32.
        weight = paths.weight[known] * self.idf[node[known]].astype(np.float64)
        edges = (paths.item[known], relation[known], node[known], weight, paths.own[known])
        others = (*self._numbers(facts.graph, facts.items), *self._tokens(facts))
        parts = [np.concatenate(part) for part in zip(edges, *others, strict=True)]
        return self._features(self._dense(facts.items, facts.raw), *parts)

    def _numbers(self, graph: KnowledgeGraph, items: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
        """For each numeric predicate: item, relation, node and weight of the two bins around each value."""
        first = len(self.entities)
        for predicate, bins in self.bins.items():
            item, value = item_numbers(graph, items, predicate)
            # Position of the value among the bins, from 0 to len(bins) - 1; np.interp clamps values outside. Its fraction is
            # the weight of the upper bin. The last bin has none above it, so its `lower` is the bin before, with weight 0.
            place = np.interp(value, bins, np.arange(len(bins)))
            lower = np.minimum(place.astype(np.int64), len(bins) - 2)
            relation = np.full(len(item), self._relation_row[predicate], np.int64)
            for node, weight in ((lower, lower + 1 - place), (lower + 1, place - lower)):
                some = weight > 0
                own = np.zeros(np.count_nonzero(some), bool)
                yield item[some], relation[some], first + node[some], weight[some], own
            first += len(bins)

    def _tokens(self, facts: ItemFacts) -> Iterator[tuple[np.ndarray, ...]]:
        """Item, relation, node and weight of each label token per item."""
        if not self.label_tokens:
            return
        known = _stems(self.label_tokens)
        mentions = facts.mentions
        place = pc.fill_null(pc.index_in(mentions.stems, value_set=known), -1).to_numpy().astype(np.int64)
        pairs = mentions.by_item.tocoo()
        present = place[pairs.col] >= 0
        item, token = pairs.row[present].astype(np.int64), place[pairs.col[present]]
        relation = np.full(len(item), self._relation_row[LABEL_TOKEN], np.int64)
        yield item, relation, self.first_token + token, self.token_idf[token], np.zeros(len(item), bool)

    def _features(
        self,
        dense: np.ndarray,
        item: np.ndarray,
        relation: np.ndarray,
        entity: np.ndarray,
        weight: np.ndarray,
        own: np.ndarray,
    ) -> ItemFeatures:
        # A group is one item's neighbours by one relation; each becomes a unit vector.
        _, group = np.unique(item * max(1, len(self.relations)) + relation, return_inverse=True)
        # The weight of a self-neighbour is relative to the item's other neighbours in the group; without others it is 0.
        others = np.sqrt(np.bincount(group, np.where(own, 0, weight**2)))
        weight = np.where(own, _SELF_WEIGHT * others[group], weight)
        lengths = np.sqrt(np.bincount(group, weight**2))[group]
        item, relation, entity = (part[lengths > 0] for part in (item, relation, entity))
        share = (weight[lengths > 0] / lengths[lengths > 0]).astype(np.float32)
        code, column = np.unique(self.codes(relation, entity), return_inverse=True)
        neighbors = sp.csr_matrix((share, (item, column)), shape=(len(dense), len(code)))
        return ItemFeatures(dense, neighbors, *self.pairs(code))

    def _dense(self, items: np.ndarray, raw: Mapping[str, np.ndarray]) -> np.ndarray:
        dense, end = np.empty((len(items), self.dense_dim), np.float32), 0
        for name, whitening in self.whitenings.items():
            start, end = end, end + len(whitening.mean)
            dense[:, start:end] = whitening(raw[name])
        return dense


def _bins(graph: KnowledgeGraph, items: np.ndarray) -> dict[str, np.ndarray]:
    """Quantiles of each numeric predicate over the items; a predicate with a single value has no bins."""
    bins = {}
    for predicate in sorted(set(graph.numbers["predicate"].to_pylist())):
        value = item_numbers(graph, items, predicate)[1]
        distinct = np.unique(np.quantile(value, np.linspace(0, 1, _MAX_BINS))) if len(value) else value
        if len(distinct) > 1:
            bins[predicate] = distinct
    return bins


def _tokens(facts: ItemFacts) -> tuple[tuple[str, ...], np.ndarray]:
    """The label tokens that become nodes, and their weights: tokens in at least two labels and of enough items.

    If most items have tokens from neighbours' labels, tokens found only in items' own labels would dilute them.
    """
    mentions, n_items = facts.mentions, len(facts.items)
    count = mentions.by_item.getnnz(axis=0)
    # A token of only one label connects the same items as the entity with that label, which is already a node.
    joins = mentions.neighbor_counts + mentions.item_counts > 1
    if np.count_nonzero(mentions.from_neighbors) >= _NEIGHBOR_TOKEN_SHARE * n_items:
        joins &= mentions.neighbor_counts > 0
    chosen = np.flatnonzero(joins & (count >= _MIN_TOKEN_ITEMS))
    idf = np.log1p(n_items / count[chosen]) ** _TOKEN_IDF_POWER
    return tuple(mentions.tokens.take(pa.array(chosen)).to_pylist()), idf.astype(np.float32)


def _stems(tokens: tuple[str, ...]) -> pa.Array:
    return stems_of(pa.array(tokens, pa.large_string()))


def item_numbers(graph: KnowledgeGraph, items: np.ndarray, predicate: str) -> tuple[np.ndarray, np.ndarray]:
    """Positions in `items` of the items with a finite number for `predicate`, and the numbers; each of shape (n,)."""
    row = np.full(len(graph.entities), -1, np.int64)
    row[items] = np.arange(len(items))
    table = graph.numbers.filter(pc.equal(graph.numbers["predicate"], predicate))
    item, value = row[table["id"].to_numpy()], table["value"].to_numpy()
    present = (item >= 0) & np.isfinite(value)
    return item[present], value[present]
