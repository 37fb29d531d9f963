"""Features of items: text and vectors, weighted neighbours in the graph, numbers, label tokens.

Enters: a KnowledgeGraph and the blocks of :mod:`kgrec.encode.dense_features`. Leaves: a Featurizer (which relations and nodes have a
parameter, learned once from the training graph) and ItemFeatures (the rows of some items, known or new, under that featurizer).
Known and new items take this same path. Entities are named by type and key, so that a featurizer fits any build of the graph.
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
from kgrec.encode.label_tokens import LABEL_TOKEN, TokenMentions, stems_of, token_mentions
from kgrec.encode.neighborhoods import Neighborhoods, distinct_pairs, hops_of, neighborhoods_of
from kgrec.encode.whitening import Whitening
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.vocabulary import Vocabulary

#: beginnings of names of arrays: of a numeric predicate, of a block of vectors
_BINS_OF, _MEAN_OF, _MAP_OF = "featurizer.bins.", "featurizer.mean.", "featurizer.map."
#: quantiles per numeric predicate, at most
_BINS = 8
#: power of the IDF in the weight of a neighbour
_IDF_POWER = 1.5
#: power of the IDF in the weight of a label token, and how many training items must have one
_TOKEN_IDF_POWER, _TOKEN_ITEMS = 0.7, 4
#: share of the items with tokens of neighbours' labels from which on tokens of items' own labels alone are left out
_LINKED = 0.5
#: weight of an item among its own neighbours, if these are items; the others together have weight 1
_SELF = 0.7


@dataclass(frozen=True)
class ItemFacts:
    """What a graph says of some items, read once: the same for learning a featurizer and for features under it."""

    graph: KnowledgeGraph
    #: entity ids; shape (n,), int64
    items: np.ndarray
    #: raw vectors by block, zero where an item has none; each of shape (n, dim)
    raw: Mapping[str, np.ndarray]
    neighborhoods: Neighborhoods

    @classmethod
    def of(
        cls, graph: KnowledgeGraph, items: np.ndarray, raw: Mapping[str, np.ndarray], hops: int = 1
    ) -> ItemFacts:
        """Read a graph, `hops` edges around the items."""
        return cls(graph, items, raw, neighborhoods_of(graph, items, hops))

    @cached_property
    def mentions(self) -> TokenMentions:
        """Tokens of the labels of neighbours, and of the items' own where texts are read."""
        return token_mentions(self.graph, self.items, self.neighborhoods, TEXT in self.raw)

    @cached_property
    def linked(self) -> tuple[Vocabulary, np.ndarray]:
        """The distinct neighbours by name, in the order of their ids, and which one each link leads to."""
        distinct, place = np.unique(self.neighborhoods.entity, return_inverse=True)
        return Vocabulary(self.graph.names.labels.take(pa.array(distinct))), place


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
    #: type/key of each, in the order of the training graph
    entities: Vocabulary
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
        return cls.of_facts(ItemFacts.of(graph, items, raw, hops), label_tokens)

    @classmethod
    def of_facts(cls, facts: ItemFacts, label_tokens: bool = True) -> Featurizer:
        """The featurizer of what a training graph says of its items."""
        links, (linked, place) = facts.neighborhoods, facts.linked
        degree = np.bincount(distinct_pairs(links.item, place)[1], minlength=len(linked))
        shared = np.flatnonzero(degree >= 2)
        idf = (np.log1p(len(facts.items) / degree[shared]) ** _IDF_POWER).astype(np.float32)
        bins = _bins(facts.graph, facts.items)
        whitenings = {name: Whitening.learn(facts.raw[name]) for name in sorted(facts.raw)}
        tokens, token_idf = _tokens(facts) if label_tokens else ((), np.zeros(0, np.float32))
        relations = (*links.names, *([LABEL_TOKEN] if tokens else ()), *bins)
        entities = Vocabulary(linked.labels.take(pa.array(shared)))
        return cls(relations, entities, idf, bins, whitenings, tokens, token_idf)

    @property
    def n_nodes(self) -> int:
        """Entities, bins and words."""
        return self.first_token + len(self.label_tokens)

    @property
    def first_token(self) -> int:
        """The number of the first node that is a word."""
        return len(self.entities) + sum(map(len, self.bins.values()))

    def arrays(self) -> dict[str, np.ndarray]:
        """The numbers of a featurizer by name; its names are in `nodes`, and `relations` stand apart."""
        kept = {"featurizer.idf": self.idf, "featurizer.token_idf": self.token_idf}
        kept |= {f"{_BINS_OF}{name}": values for name, values in self.bins.items()}
        kept |= {f"{_MEAN_OF}{name}": one.mean for name, one in self.whitenings.items()}
        return kept | {f"{_MAP_OF}{name}": one.map for name, one in self.whitenings.items()}

    @property
    def nodes(self) -> pa.Table:
        """Columns kind ("entity" or "token") and name: the entities, then the label tokens."""
        names = [self.entities.labels, pa.array(self.label_tokens, pa.large_string())]
        kinds = np.repeat(np.array(["entity", "token"], object), [len(part) for part in names])
        return pa.table({"kind": pa.array(kinds, pa.string()), "name": pa.concat_arrays(names)})

    @classmethod
    def of_stored(
        cls, relations: tuple[str, ...], nodes: pa.Table, arrays: Mapping[str, np.ndarray]
    ) -> Featurizer:
        """Read what `relations`, `nodes` and `arrays` gave; the order of the arrays plays no part."""
        # relations end with the numeric predicates in their order
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
        """One number for each pair of a relation and a node; int64."""
        codes: np.ndarray = relation * max(1, self.n_nodes) + node
        return codes

    def pairs(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Relation and node of each number that `codes` gave."""
        return np.divmod(codes, max(1, self.n_nodes))

    @cached_property
    def _relation_row(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.relations)}

    @property
    def dense_dim(self) -> int:
        """Width of the text and the vectors together."""
        return sum(len(whitening.mean) for whitening in self.whitenings.values())

    @property
    def hops(self) -> int:
        """Edges between an item and its furthest neighbours."""
        return max(map(hops_of, self.relations), default=1)

    def features(
        self, graph: KnowledgeGraph, items: np.ndarray, raw: Mapping[str, np.ndarray] | None = None
    ) -> ItemFeatures:
        """The features of the items with entity ids `items`; without `raw` their dense part is zero."""
        if raw is None:
            raw = {name: np.zeros((len(items), len(one.mean))) for name, one in self.whitenings.items()}
        return self.features_of(ItemFacts.of(graph, items, raw, self.hops))

    def features_of(self, facts: ItemFacts) -> ItemFeatures:
        """The features of items of which these facts are known."""
        links, (linked, place) = facts.neighborhoods, facts.linked
        relation = np.array([self._relation_row.get(name, -1) for name in links.names], np.int64)
        relation = relation[links.relation] if len(relation) else links.relation
        node = self.entities.ids(linked.labels)[place]
        known = (node >= 0) & (relation >= 0)
        # In double precision: the square of a small or large weight leaves the range of float32.
        weight = links.weight[known] * self.idf[node[known]].astype(np.float64)
        edges = (links.item[known], relation[known], node[known], weight, links.own[known])
        others = (*self._numbers(facts.graph, facts.items), *self._mentioned(facts))
        parts = [np.concatenate(part) for part in zip(edges, *others, strict=True)]
        return self._features(self._dense(facts.items, facts.raw), *parts)

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

    def _mentioned(self, facts: ItemFacts) -> Iterator[tuple[np.ndarray, ...]]:
        """Item, relation, node and weight of each label token that an item has."""
        if not self.label_tokens:
            return
        known = stems_of(pa.array(self.label_tokens, pa.large_string()))
        mentions = facts.mentions
        place = pc.fill_null(pc.index_in(mentions.stems, value_set=known), -1).to_numpy().astype(np.int64)
        pairs = mentions.of_items.tocoo()
        there = place[pairs.col] >= 0
        item, token = pairs.row[there].astype(np.int64), place[pairs.col[there]]
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
        for name, whitening in self.whitenings.items():
            start, end = end, end + len(whitening.mean)
            dense[:, start:end] = whitening(raw[name])
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


def _tokens(facts: ItemFacts) -> tuple[tuple[str, ...], np.ndarray]:
    """Tokens that are in the labels of two neighbours or items, and of enough items, and their weights.

    If most items have tokens of neighbours' labels, those that no neighbour has would only weaken these.
    """
    mentions, n_items = facts.mentions, len(facts.items)
    count = mentions.of_items.getnnz(axis=0)
    joins = mentions.neighbors + mentions.items > 1
    if np.count_nonzero(mentions.linked) >= _LINKED * n_items:
        joins &= mentions.neighbors > 0
    chosen = np.flatnonzero(joins & (count >= _TOKEN_ITEMS))
    idf = np.log1p(n_items / count[chosen]) ** _TOKEN_IDF_POWER
    return tuple(mentions.tokens.take(pa.array(chosen)).to_pylist()), idf.astype(np.float32)


def item_numbers(graph: KnowledgeGraph, items: np.ndarray, predicate: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `items` that have a finite number for `predicate`, and the numbers; each of shape (n,)."""
    row = np.full(len(graph.entities), -1, np.int64)
    row[items] = np.arange(len(items))
    table = graph.numbers.filter(pc.equal(graph.numbers["predicate"], predicate))
    item, value = row[table["id"].to_numpy()], table["value"].to_numpy()
    there = (item >= 0) & np.isfinite(value)
    return item[there], value[there]
