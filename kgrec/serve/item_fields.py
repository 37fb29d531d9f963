"""Fields of listed items as additional columns: labels, relations, numbers, dates and texts.

Enters: a model and names of fields. Leaves: tables of lists with one additional column per field. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import ConfigError, did_you_mean
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.ntriples import iso_date
from kgrec.model.model import Model

_TAKEN = ("user_id", "item_id", "similar_id", "text", "score", "rank", "because", "evidence")


@dataclass(frozen=True)
class ItemFields:
    """Columns with fields of listed items."""

    model: Model
    #: name -> one value per item of the model
    columns: dict[str, pa.Array] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model, names: Iterable[str]) -> ItemFields:
        """The fields with these names: `label`, a relation (`^name`: backwards) or a type of neighbours, or a column of numbers, dates or
        texts.

        Raises:
            ConfigError: A name is not a field, or equals the name of another column of a list.
        """
        columns = dict[str, pa.Array]()
        for name in dict.fromkeys(names):
            if name in _TAKEN:
                raise ConfigError(f"A list already has a column '{name}'.", "Leave the field out.")
            columns[name] = _column(model, name)
        return cls(model, columns)

    def check(self, columns: tuple[str, str]) -> None:
        """Raise an error for lists of users, which have no item fields.

        Raises:
            ConfigError: The lists do not contain items.
        """
        if self.columns and columns == ("user_id", "similar_id"):
            raise ConfigError("Lists of similar users have no item fields.", "Leave the fields out.")

    def beside(self, lists: pa.Table) -> pa.Table:
        """The lists with one column per field of the listed item, which is in the second column."""
        if not self.columns:
            return lists
        rows = pa.array(self.model.items.ids.ids(lists.column(1)))
        for name, values in self.columns.items():
            lists = lists.append_column(name, values.take(rows))
        return lists

    def beside_each(self, computed: Generator[pa.Table, None, None]) -> Generator[pa.Table, None, None]:
        """Each table of lists with the fields; closing this generator closes the given one."""
        with closing(computed):
            for table in computed:
                yield self.beside(table)


def _column(model: Model, name: str) -> pa.Array:
    if name == "label":
        return pa.array(model.items.labels.whole, pa.string())
    graph = model.graph()
    fields = {**_of_types(graph), **_of_relations(graph), **_of_texts(graph), **_of_numbers(graph)}
    if name not in fields:
        raise ConfigError(f"Items have no field '{name}'.", did_you_mean(name, sorted(["label", *fields])))
    entity, values = fields[name]()
    row = np.full(len(graph), -1, np.int64)
    row[model.items.entities.whole] = np.arange(len(model.items))
    rows = row[entity]
    return _by_row(rows[rows >= 0], values.filter(pa.array(rows >= 0)), len(model.items))


#: a field: a function that returns the entity of each value, and the values (numbers, texts, or labels of which an item may have several)
_Values = Callable[[], tuple[np.ndarray, pa.Array]]


def _of_relations(graph: KnowledgeGraph) -> dict[str, _Values]:
    names = graph.relations["name"].to_pylist()

    def edges(number: int, near: str, far: str) -> tuple[np.ndarray, pa.Array]:
        rows = graph.triples.filter(pc.equal(graph.triples["relation"], number))
        return rows[near].to_numpy(), _names(graph, rows[far])

    forwards: dict[str, _Values] = {name: partial(edges, n, "head", "tail") for n, name in enumerate(names)}
    backwards: dict[str, _Values] = {
        f"^{name}": partial(edges, n, "tail", "head") for n, name in enumerate(names)
    }
    return {**backwards, **forwards}


def _of_types(graph: KnowledgeGraph) -> dict[str, _Values]:
    types = pc.cast(graph.entities["type"], pa.string())

    def neighbors(name: str) -> tuple[np.ndarray, pa.Array]:
        chosen = pc.equal(types, name).to_numpy()[graph.triples["tail"].to_numpy()]
        rows = graph.triples.filter(pa.array(chosen))
        return rows["head"].to_numpy(), _names(graph, rows["tail"])

    return {name: partial(neighbors, name) for name in pc.unique(types).to_pylist()}


def _of_texts(graph: KnowledgeGraph) -> dict[str, _Values]:
    def texts(name: str) -> tuple[np.ndarray, pa.Array]:
        rows = graph.text.filter(pc.equal(graph.text["predicate"], name))
        return rows["id"].to_numpy(), _whole(rows["text"].cast(pa.string()))

    return {name: partial(texts, name) for name in pc.unique(graph.text["predicate"]).to_pylist()}


def _of_numbers(graph: KnowledgeGraph) -> dict[str, _Values]:
    dates = set(graph.mapping.date_predicates)

    def numbers(name: str) -> tuple[np.ndarray, pa.Array]:
        rows = graph.numbers.filter(pc.equal(graph.numbers["predicate"], name))
        values = _whole(rows["value"])
        if name in dates:
            values = pa.array([iso_date(one, one % 86_400 == 0) for one in values.to_pylist()], pa.string())
        return rows["id"].to_numpy(), values

    return {name: partial(numbers, name) for name in pc.unique(graph.numbers["predicate"]).to_pylist()}


def _names(graph: KnowledgeGraph, entities: pa.ChunkedArray) -> pa.Array:
    """The label of each entity, or its key if it has none; each in a list of one, because an item may have several."""
    nodes = graph.entities.take(entities)
    named = pc.if_else(
        pc.equal(nodes["label"], ""), nodes["key"].cast(pa.string()), nodes["label"].cast(pa.string())
    )
    names = _whole(named)
    return pa.ListArray.from_arrays(pa.array(np.arange(len(names) + 1, dtype=np.int32)), names)


def _by_row(rows: np.ndarray, values: pa.Array, n_rows: int) -> pa.Array:
    """One value per row: for single values the first or null; for lists all of them."""
    order = np.argsort(rows, kind="stable")
    if pa.types.is_list(values.type):
        bounds = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_rows))]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(bounds), pc.list_flatten(values).take(pa.array(order)))
    first = np.full(n_rows, -1, np.int64)
    first[rows[order[::-1]]] = order[::-1]
    return values.take(pa.array(np.where(first < 0, 0, first), mask=first < 0))


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    combined = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined
