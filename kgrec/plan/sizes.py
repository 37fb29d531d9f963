"""The counts that costs depend on. Enters: a graph, or counts. Leaves: `Sizes`. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.arguments import options
from kgrec.errors import ConfigError
from kgrec.graph.knowledge_graph import KnowledgeGraph

#: the plan goes no further: nobody has measured near it
_MOST_ITEMS, _MOST_INTERACTIONS = 10**9, 10**10
#: where only items and interactions are given: as in the catalogues that the constants were measured on
_INTERACTIONS_PER_USER, _TRIPLES_PER_ITEM, _BYTES_PER_TEXT = 20, 10, 60


@dataclass(frozen=True)
class Sizes:
    """Counts of a graph and its log.

    Raises:
        ConfigError: A count is negative, or beyond 10^9 items or 10^10 interactions.
    """

    items: int
    users: int
    interactions: int
    triples: int
    #: UTF-8 bytes of the labels and texts of all items
    text_bytes: int

    def __post_init__(self) -> None:
        most = {"items": _MOST_ITEMS, "interactions": _MOST_INTERACTIONS}
        for name, value in vars(self).items():
            options.whole_number(name, value, least=0, most=most.get(name))

    @classmethod
    def of(cls, graph: KnowledgeGraph) -> Sizes:
        """The sizes of a graph."""
        items = pa.array(graph.item_entities)
        texts = graph.text.filter(pc.is_in(graph.text["id"], items.cast(graph.text["id"].type)))
        labels = graph.entities["label"].take(items).cast(pa.large_string())
        length = sum(
            pc.sum(pc.binary_length(column)).as_py() or 0
            for column in (labels, texts["text"].cast(pa.large_string()))
        )
        log = graph.interactions
        return cls(len(items), len(log.users), len(log), len(graph.triples), length)

    @classmethod
    def like(cls, items: int, interactions: int) -> Sizes:
        """The sizes of a catalogue like those of `tests/benchmarks/scale.py`, with so many items and interactions."""
        users = interactions // _INTERACTIONS_PER_USER
        return cls(items, users, interactions, items * _TRIPLES_PER_ITEM, items * _BYTES_PER_TEXT)

    def times(self, factor: float) -> Sizes:
        """So many times everything.

        Raises:
            ConfigError: The factor is not above 0, or the result is beyond the bounds.
        """
        options.number("times", factor, above=0)
        return replace(self, **{name: round(value * factor) for name, value in vars(self).items()})


def sizes_of(graph: KnowledgeGraph | None, items: int | None, interactions: int | None) -> Sizes:
    """The sizes of a graph, or of a catalogue with so many items and interactions.

    Raises:
        ConfigError: Neither is given, or both are.
    """
    if graph is not None and items is None and interactions is None:
        return Sizes.of(graph)
    if graph is None and items is not None and interactions is not None:
        return Sizes.like(items, interactions)
    raise ConfigError("It is not clear what to plan.", "Give a graph folder, or --items and --interactions.")
