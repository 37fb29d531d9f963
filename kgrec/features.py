"""What the encoder reads of an item: its text vector, its weighted neighbours in the graph, its numbers.

Enters: a KnowledgeGraph and a text encoder. Leaves: a Schema (which relations and entities have a
parameter, learned once from the training graph) and ItemFeatures (the rows of some items, known or
new, under that schema). Known and new items take this same path.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow.compute as pc
import scipy.sparse as sp

from kgrec.graph import KnowledgeGraph
from kgrec.text import Progress, TextEncoder

#: Marks a relation that is followed from its tail to its head.
INVERSE = "^"
_KNOTS = 8


@dataclass(frozen=True)
class ItemFeatures:
    """The input of some items, one row each.

    A column of `neighbors` is a pair (relation, entity); `relation` and `entity` name the rows of
    the schema that each column stands for. A number is a neighbour too: it lies between two
    quantiles of the training items' values, and counts for each as much as it is near.
    """

    #: centred, unit length, or zero where an item has no text; shape (n, text_dim), float32
    text: np.ndarray
    #: the squares of a row sum to 1 for each relation that the item has; shape (n, n_columns), float32
    neighbors: sp.csr_matrix
    #: shape (n_columns,), int64
    relation: np.ndarray
    #: shape (n_columns,), int64
    entity: np.ndarray

    def __len__(self) -> int:
        return len(self.text)

    def take(self, rows: np.ndarray) -> ItemFeatures:
        """The features of `rows`, with the columns that they use."""
        part = self.neighbors[rows]
        columns, local = np.unique(part.indices, return_inverse=True)
        neighbors = sp.csr_matrix((part.data, local, part.indptr), shape=(len(rows), len(columns)))
        return ItemFeatures(self.text[rows], neighbors, self.relation[columns], self.entity[columns])


@dataclass(frozen=True)
class Schema:
    """Which relations and entities the encoder has parameters for.

    An entity has a parameter when at least two training items have it as a neighbour: below that
    it tells no item from another, nor joins any two.
    """

    #: names, those followed backwards with a leading "^"
    relations: tuple[str, ...]
    #: ids in the graph, increasing; shape (n_entities,), int64
    entities: np.ndarray
    #: log(1 + items / items with this neighbour); shape (n_entities,), float32
    idf: np.ndarray
    #: mean of the training items' text vectors; shape (text_dim,), float32
    text_mean: np.ndarray
    #: for each numeric predicate, increasing quantiles of the training items' values, float64;
    #: each is a node of its own, numbered after the entities, and the predicate a relation
    knots: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def learn(cls, graph: KnowledgeGraph, items: np.ndarray, text: np.ndarray) -> Schema:
        """The schema of a training graph; `items` are entity ids, `text` their raw vectors."""
        links = _links(graph, items)
        pairs = np.unique(np.stack([links.item, links.entity]), axis=1)
        entities, degree = np.unique(pairs[1], return_counts=True)
        shared = degree >= 2
        idf = np.log1p(len(items) / degree[shared]).astype(np.float32)
        mean = text[text.any(axis=1)].mean(axis=0) if text.any() else np.zeros(text.shape[1])
        knots = _knots(graph, items)
        return cls((*links.names, *knots), entities[shared], idf, mean.astype(np.float32), knots)

    @property
    def n_nodes(self) -> int:
        """Entities and knots."""
        return len(self.entities) + sum(map(len, self.knots.values()))

    def number_at(self, node: int) -> float:
        """The value that a node past the entities stands for."""
        return float(np.concatenate(list(self.knots.values()))[node - len(self.entities)])

    @cached_property
    def _relation_row(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.relations)}

    def features(self, graph: KnowledgeGraph, items: np.ndarray, text: np.ndarray) -> ItemFeatures:
        """The features of the items with entity ids `items` and raw text vectors `text`."""
        links = _links(graph, items)
        relation = np.array([self._relation_row.get(name, -1) for name in links.names], np.int64)
        relation = relation[links.relation] if len(relation) else links.relation
        at = np.searchsorted(self.entities, links.entity)
        known = (at < len(self.entities)) & (relation >= 0)
        known[known] = self.entities[at[known]] == links.entity[known]
        # In double precision: the square of a small or large weight leaves the range of float32.
        weight = links.weight[known] * self.idf[at[known]].astype(np.float64)
        edges = (links.item[known], relation[known], at[known], weight)
        numbers = self._numbers(graph, items)
        parts = [np.concatenate(part) for part in zip(edges, *numbers, strict=True)]
        return self._features(self._center(text), *parts)

    def _numbers(self, graph: KnowledgeGraph, items: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
        """For each numeric predicate: item, relation, node and weight of the two knots around each value."""
        first = len(self.entities)
        for predicate, knots in self.knots.items():
            item, value = item_numbers(graph, items, predicate)
            place = np.interp(value, knots, np.arange(len(knots)))
            lower = np.minimum(place.astype(np.int64), len(knots) - 2)
            relation = np.full(len(item), self._relation_row[predicate], np.int64)
            for node, weight in ((lower, lower + 1 - place), (lower + 1, place - lower)):
                some = weight > 0
                yield item[some], relation[some], first + node[some], weight[some]
            first += len(knots)

    def _features(
        self, text: np.ndarray, item: np.ndarray, relation: np.ndarray, entity: np.ndarray, weight: np.ndarray
    ) -> ItemFeatures:
        _, group = np.unique(item * max(1, len(self.relations)) + relation, return_inverse=True)
        share = (weight / np.sqrt(np.bincount(group, weight**2)[group])).astype(np.float32)
        code, column = np.unique(relation * max(1, self.n_nodes) + entity, return_inverse=True)
        neighbors = sp.csr_matrix((share, (item, column)), shape=(len(text), len(code)))
        return ItemFeatures(text, neighbors, *np.divmod(code, max(1, self.n_nodes)))

    def _center(self, text: np.ndarray) -> np.ndarray:
        centred = np.where(text.any(axis=1, keepdims=True), text - self.text_mean, 0)
        length = np.linalg.norm(centred, axis=1, keepdims=True)
        units: np.ndarray = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
        return units.astype(np.float32)


def _knots(graph: KnowledgeGraph, items: np.ndarray) -> dict[str, np.ndarray]:
    """Quantiles of each numeric predicate among the items; a predicate of one value tells nothing."""
    knots = {}
    for predicate in sorted(set(graph.numbers["predicate"].to_pylist())):
        value = item_numbers(graph, items, predicate)[1]
        distinct = np.unique(np.quantile(value, np.linspace(0, 1, _KNOTS))) if len(value) else value
        if len(distinct) > 1:
            knots[predicate] = distinct
    return knots


def item_texts(graph: KnowledgeGraph, items: np.ndarray) -> list[str]:
    """Label and texts of each item, joined; "" for an item without any."""
    parts: dict[int, list[str]] = {int(item): [] for item in items}
    labels = graph.entities["label"].take(items).to_pylist()
    for item, label in zip(items.tolist(), labels, strict=True):
        if label:
            parts[item].append(label)
    for entity, text in zip(graph.text["id"].to_pylist(), graph.text["text"].to_pylist(), strict=True):
        if entity in parts:
            parts[entity].append(text)
    return [". ".join(parts[item]) for item in items.tolist()]


def item_numbers(graph: KnowledgeGraph, items: np.ndarray, predicate: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `items` that have a finite number for `predicate`, and the numbers; each of shape (n,)."""
    row = np.full(len(graph.entities), -1, np.int64)
    row[items] = np.arange(len(items))
    table = graph.numbers.filter(pc.equal(graph.numbers["predicate"], predicate))
    item, value = row[table["id"].to_numpy()], table["value"].to_numpy()
    there = (item >= 0) & np.isfinite(value)
    return item[there], value[there]


def text_vectors(
    encoder: TextEncoder | None, texts: list[str], progress: Progress | None = None
) -> np.ndarray:
    """Raw vectors, zero for an empty text; shape (len(texts), dim), float32; dim 0 without an encoder."""
    present = [row for row, text in enumerate(texts) if text]
    if encoder is None or not present:
        return np.zeros((len(texts), 0), np.float32)
    encoded = encoder.encode([texts[row] for row in present], progress)
    vectors = np.zeros((len(texts), encoded.shape[1]), np.float32)
    vectors[present] = encoded
    return vectors


@dataclass(frozen=True)
class _Links:
    """Edges that touch given items, seen from the item; `item` is a row of the given array."""

    names: list[str]
    item: np.ndarray
    relation: np.ndarray
    entity: np.ndarray
    weight: np.ndarray


def _links(graph: KnowledgeGraph, items: np.ndarray) -> _Links:
    row = np.full(len(graph.entities), -1, np.int64)
    row[items] = np.arange(len(items))
    head, tail = graph.triples["head"].to_numpy(), graph.triples["tail"].to_numpy()
    relation, weight = graph.triples["relation"].to_numpy(), graph.triples["weight"].to_numpy()
    # An edge of weight zero is none.
    forward, backward = (row[head] >= 0) & (weight != 0), (row[tail] >= 0) & (weight != 0)
    names = graph.relations["name"].to_pylist()
    return _Links(
        [*names, *(INVERSE + name for name in names)],
        np.concatenate([row[head[forward]], row[tail[backward]]]),
        np.concatenate([relation[forward], relation[backward] + len(names)]).astype(np.int64),
        np.concatenate([tail[forward], head[backward]]).astype(np.int64),
        np.concatenate([weight[forward], weight[backward]]),
    )
