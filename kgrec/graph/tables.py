"""The tables of a knowledge graph and look-ups in them.

Enters: Arrow tables of entities, triples, texts, numbers and vectors, and the interactions. Leaves: `GraphTables`, which
the other modules of this folder use. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.arguments import options
from kgrec.arguments.ids import as_id, as_ids
from kgrec.errors import UnknownId, did_you_mean
from kgrec.graph.interactions import Interactions
from kgrec.graph.sorted_names import SortedNames
from kgrec.graph.vocabulary import Vocabulary, named
from kgrec.ingest.build_report import Report
from kgrec.ingest.mapping.schema import Mapping

#: fields of `GraphTables` that are Arrow tables
TABLES = ("entities", "relations", "triples", "text", "numbers", "vectors", "aliases")

#: a function that returns a changed graph returns the class that it was given
GraphT = TypeVar("GraphT", bound="GraphTables")


@dataclass(frozen=True)
class GraphTables:
    """Entities, their edges, texts, numbers and vectors, and the users' interactions with items.

    Entity ids are row numbers of `entities`; relation ids are row numbers of `relations`.
    """

    #: id int32 (the row number), type dictionary<string>, key, iri, label ("" if none); sorted by type and key after a build
    entities: pa.Table
    #: id int32, name, iri
    relations: pa.Table
    #: head int32, relation int32, tail int32, weight float32; distinct, sorted by relation, head, tail
    triples: pa.Table
    #: id int32, predicate, lang, text; labels are not repeated here
    text: pa.Table
    #: id int32, predicate, value float64; dates are seconds since 1970 in UTC
    numbers: pa.Table
    #: id int32, predicate, vector list<float32>
    vectors: pa.Table
    #: id int32, type, key, iri: names of nodes that were merged into an entity
    aliases: pa.Table
    #: may be empty
    interactions: Interactions
    #: entities of these types are the items
    item_types: tuple[str, ...]
    mapping: Mapping
    report: Report
    #: name of each source -> SHA-256
    inputs: dict[str, str] = field(default_factory=dict)
    #: in an addition: ids of the entities that are its items, int32; None: all entities of the item types
    only_items: np.ndarray | None = None
    #: in an addition: ids of the entities that have a row in a node table, int64
    tabled: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.entities)

    def __repr__(self) -> str:
        counts = f"{len(self):,} entities, {len(self.triples):,} triples, {len(self.item_ids):,} items"
        return f"{type(self).__name__}({counts}, {len(self.interactions):,} interactions)"

    @cached_property
    def sorted_names(self) -> SortedNames | None:
        """Look-up of entities by type and key; None if the table is not sorted, as in a graph that was extended."""
        return SortedNames.of(self.entities)

    @cached_property
    def item_ids(self) -> Vocabulary:
        """Public ids of the items, sorted: the key, or type/key if two item types share the key."""
        return self._items[0]

    @cached_property
    def item_entities(self) -> np.ndarray:
        """Entity ids of the items, in the order of `item_ids`; shape (n_items,), int32."""
        return self._items[1]

    @cached_property
    def row_of_item(self) -> dict[int, int]:
        """Entity id of each item -> row in `item_ids`."""
        return dict(zip(self.item_entities.tolist(), range(len(self.item_entities)), strict=True))

    def item_codes(self, names: Sequence[str] | pa.Array) -> np.ndarray:
        """Row in `item_ids` of each item, -1 if unknown; merged items are also found by their old names.

        Returns:
            Shape (len(names),), int64.
        """
        names = names if isinstance(names, pa.Array | pa.ChunkedArray) else as_ids(names, "names")
        codes = self.item_ids.ids(names)
        for at in np.flatnonzero(codes < 0) if self.item_aliases else ():
            codes[at] = self.item_aliases.get(str(names[int(at)]), -1)
        return codes

    def item_codes_by(self, reference: str | None) -> Callable[[pa.Array], np.ndarray]:
        """A function like `item_codes`, for keys of one item type, or for another key of it.

        Args:
            reference: A type, or `type.key`; None: `item_codes` itself.
        """
        if reference is None:
            return self.item_codes
        target = self.mapping.references.find(reference)
        code_of = np.full(len(self) + 1, -1, dtype=np.int64)
        code_of[self.item_entities] = np.arange(len(self.item_entities))
        if target.column is None:
            type_ = target.type
            return lambda keys: np.asarray(code_of[self.ids([f"{type_}/{key}" for key in keys.to_pylist()])])
        named = self.aliases.filter(pc.equal(self.aliases["type"], target.name))
        keys, owners = Vocabulary(named["key"].combine_chunks()), named["id"].to_numpy()
        owned = np.append(code_of[owners], -1)
        return lambda names: np.asarray(owned[keys.ids(names)])

    def find(self, type: str, key: str) -> int:
        """Id of the entity with this type and key.

        Raises:
            UnknownId: The entity is not in the graph.
        """
        type, key = options.text("type", type, "'movie'"), as_id(key, "key")
        found = self.ids([f"{type}/{key}"])[0]
        if found < 0:
            raise UnknownId(f"There is no {type} '{key}' in the graph.", self._near(f"{type}/{key}"))
        return int(found)

    def ids(self, names: Sequence[str]) -> np.ndarray:
        """Entity id of each type/key, -1 if unknown; names of merged nodes are also found.

        Returns:
            Shape (len(names),), int64.
        """
        names = names if isinstance(names, pa.Array | pa.ChunkedArray) else as_ids(names, "names")
        found = self.names.ids(names)
        for at in np.flatnonzero(found < 0) if self._aliases else ():
            found[at] = self._aliases.get(str(names[int(at)]), -1)
        return found

    @cached_property
    def names(self) -> Vocabulary:
        """type/key of every entity, in the order of their ids."""
        return Vocabulary(named(self.entities))

    @cached_property
    def item_aliases(self) -> dict[str, int]:
        """Old names of merged items -> row in `item_ids`: type/key, and the key alone if it is unambiguous.

        Other keys of items are not accepted alone, because they may look like keys of other items.
        """
        code_of = self.row_of_item
        full = {name: code_of[id_] for name, id_ in self._aliases.items() if id_ in code_of}
        keys: dict[str, set[int]] = {}
        others = {f"{type_}.{key}" for type_, table in self.mapping.nodes.items() for key in table.other_keys}
        for name, code in full.items():
            type_, _, key = name.partition("/")
            if type_ not in others:
                keys.setdefault(key, set()).add(code)
        return {key: min(codes) for key, codes in keys.items() if len(codes) == 1} | full

    def _near(self, name: str) -> str:
        """Suggestions for an unknown type/key."""
        known = zip(named(self.aliases).to_pylist(), self.aliases["id"].to_pylist(), strict=True)
        several = [self.names[id_] for alias, id_ in known if alias == name]
        return (
            f"{' and '.join(several)} share it." if several else did_you_mean(name, self.names.sorted_labels)
        )

    @cached_property
    def _aliases(self) -> dict[str, int]:
        """type/key of merged nodes -> entity id; names that several entities share are left out."""
        ids: dict[str, set[int]] = {}
        for name, id_ in zip(named(self.aliases).to_pylist(), self.aliases["id"].to_pylist(), strict=True):
            ids.setdefault(name, set()).add(id_)
        return {name: min(some) for name, some in ids.items() if len(some) == 1}

    @cached_property
    def _items(self) -> tuple[Vocabulary, np.ndarray]:
        return items_of(self.entities, self.item_types, self.only_items)


def items_of(
    entities: pa.Table, item_types: tuple[str, ...], only: np.ndarray | None = None
) -> tuple[Vocabulary, np.ndarray]:
    """Public ids of the items, sorted, and their entity ids, int32.

    Args:
        entities: As in `GraphTables`.
        item_types: Types of nodes that are items.
        only: Entity ids; other entities of these types are left out.
    """
    is_item = pc.is_in(entities["type"].cast(pa.string()), value_set=pa.array(item_types, pa.string()))
    rows = np.flatnonzero(is_item.to_numpy())
    types = entities["type"].cast(pa.string()).take(pa.array(rows))
    keys = entities["key"].take(pa.array(rows)).combine_chunks().cast(pa.large_string())
    labels = keys
    if len(pc.unique(types)) > 1:
        counts = pc.value_counts(keys)
        ambiguous = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
        full = named(pa.table({"type": types, "key": keys})).combine_chunks()
        labels = pc.if_else(pc.is_in(keys, value_set=ambiguous), full, keys)
    if only is not None:
        kept = np.isin(rows, only)
        rows, labels = rows[kept], labels.filter(pa.array(kept))
    order = pc.sort_indices(labels)
    return Vocabulary(labels.take(order)), rows[order.to_numpy()].astype(np.int32)
