"""The items of a model: names, labels, vectors and state.

Enters: data on items from training or from an addition. Leaves: rows of items, and another store. Nothing is written.

Columns have a base, which may be mapped from disk, and a delta, so the cost of an addition depends on its own size.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from kgrec.encode.user_encoder import units
from kgrec.graph.name_search import NameSearch
from kgrec.graph.vocabulary import Vocabulary
from kgrec.storage.segments import Rows


@dataclass(frozen=True)
class ItemStore:
    """Items, one row each, in the order of `ids`: trained items first, then added items in the order of addition."""

    ids: Vocabulary
    #: "" if there is no label; shape (n_items,), object
    labels: Rows[np.ndarray]
    #: id of each item in the graph; shape (n_items,), int64
    entities: Rows[np.ndarray]
    #: unit length; shape (n_items, dim), float32
    vectors: Rows[np.ndarray]
    #: length of each vector before normalisation; shape (n_items,), float32
    lengths: Rows[np.ndarray]
    #: whether the item was part of training; shape (n_items,), bool
    trained: Rows[np.ndarray]
    #: rows of items that are no longer recommended but stay in histories; increasing, int64
    removed: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    #: other names of items, merged by `same_as` -> row
    aliases: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def offered(self) -> np.ndarray | None:
        """Rows of the items that may be recommended, increasing; None: all."""
        return np.delete(np.arange(len(self)), self.removed) if len(self.removed) else None

    @cached_property
    def n_trained(self) -> int:
        """Number of items that were part of training."""
        return int(
            np.count_nonzero(self.trained.base) if not len(self.trained.at) else self.trained.whole.sum()
        )

    def rows(self, names: list[str]) -> np.ndarray:
        """Row of each item, also by a merged name; -1 for unknown items; shape (len(names),), int64."""
        rows = self.ids.ids(names)
        for at in np.flatnonzero(rows < 0).tolist() if self.aliases else ():
            rows[at] = self.aliases.get(names[at], -1)
        return rows

    def rows_of(self, entities: np.ndarray) -> np.ndarray:
        """Item row of each entity of the graph, -1 if it is not an item; shape (len(entities),), int64."""
        base, order = self.entities.base, self._by_entity
        rows = np.full(len(entities), -1, np.int64)
        if len(base):
            at = np.minimum(np.searchsorted(base, entities, sorter=order), len(base) - 1)
            at = at if order is None else order[at]
            rows = np.where(base[at] == entities, at, -1)
        later = dict(zip(self.entities.delta.tolist(), self.entities.at.tolist(), strict=True))
        return np.array(
            [later.get(one, row) for one, row in zip(entities.tolist(), rows.tolist(), strict=True)], np.int64
        )

    @property
    def _by_entity(self) -> np.ndarray | None:
        """The rows of the base sorted by entity; None if they are already in this order."""
        base, kept = self.entities.base, self.entities.of_base
        if "order" not in kept:
            kept["order"] = None if (base[1:] > base[:-1]).all() else np.argsort(base, kind="stable")
        order: np.ndarray | None = kept["order"]
        return order

    @cached_property
    def names(self) -> NameSearch:
        """Search by ids and labels; its rows are those of the items."""
        return NameSearch(self.ids.labels, pa.array(self.labels.whole, pa.large_string()))

    def label(self, row: int) -> str:
        """Label of an item, "" if it has none."""
        return str(self.labels[row])

    def without(self, rows: np.ndarray) -> ItemStore:
        """Return a store that no longer recommends these items."""
        return replace(self, removed=np.union1d(self.removed, rows))

    def with_vectors(self, at: np.ndarray, raw: np.ndarray) -> ItemStore:
        """Return a store with other vectors for known items.

        Args:
            at: their rows; shape (n,).
            raw: before normalisation; shape (n, dim).
        """
        vectors, lengths = units(raw)
        return replace(
            self,
            vectors=self.vectors.with_rows(at, vectors),
            lengths=self.lengths.with_rows(at, lengths),
        )

    def with_items(
        self,
        at: np.ndarray,
        names: list[str],
        labels: list[str],
        entities: np.ndarray,
        raw: np.ndarray,
    ) -> ItemStore:
        """Return a store with items in some rows; removed items among them are recommended again.

        Args:
            at: rows; appended rows follow the last one without a gap, in order; shape (n,).
            names: names of the appended items.
            labels: n labels.
            entities: ids in the graph; shape (n,).
            raw: vectors before normalisation; shape (n, dim).
        """
        appended = at[at >= len(self)]
        return replace(
            self.with_vectors(at, raw),
            ids=self.ids.extended(names),
            labels=self.labels.with_rows(at, np.array(labels, dtype=object)),
            entities=self.entities.with_rows(at, entities),
            trained=self.trained.with_rows(appended, np.zeros(len(appended), bool)),
            removed=np.setdiff1d(self.removed, at),
        )

    def merged(self) -> ItemStore:
        """The same items, all in the base."""
        columns = ("labels", "entities", "vectors", "lengths", "trained")
        merged = {name: getattr(self, name).merged() for name in columns}
        return replace(self, ids=Vocabulary(self.ids.labels), **merged)
